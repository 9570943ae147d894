"""The exact planner as a teacher: which of several optimal actions is taken, and the reply that says why.

A learner needs the choice to be visible in the text, so ties between optimal actions are broken by what the observation
shows: an action at hand before a move, lower goal slots first, then the order of the lists. An annotated example of a
thought is in `reasoning`.
"""

from taskreason.environments.reply import format_reply

from .planner.search import Planner
from .reasoning import Plan, explain_plan, is_explained
from .simulator.domain import Action, Op
from .simulator.engine import State
from .simulator.goal_stack import find_target
from .simulator.observation import list_empty, list_items
from .world import KitchenWorld


class KitchenTeacher:
    """The solver of one kitchen. target: the goal where it is one stack."""

    def __init__(self, world: KitchenWorld, planner: Planner | None = None):
        self.kitchen = world.kitchen
        self.planner = planner or Planner(self.kitchen)
        self.target = find_target(self.kitchen.goal)
        self._position = {item: n for n, item in enumerate(list_items(self.kitchen))}
        self._chosen: dict[State, Action | None] = {}

    def distance(self, state: State) -> int | None:
        """Steps of a shortest plan; None where there is none."""
        return self.planner.distance(state)

    def optimal(self, state: State) -> tuple[str, ...]:
        """Every action that begins a shortest plan."""
        return tuple(action.text for action in self.planner.optimal_actions(state))

    def choose(self, state: State) -> str | None:
        """The one that is taken; None at the goal or when it can't be reached."""
        action = self._choose(state)
        return action and action.text

    def reply(self, state: State) -> str:
        """Thought and action; ValueError where there is no action."""
        plan = self.plan(state)
        if not plan:
            raise ValueError("the goal is reached in this state")
        return format_reply(explain_plan(self.kitchen, self.target, plan), plan[0][1].text)

    def plan(self, state: State) -> Plan:
        """The shortest plan that :meth:`choose` leads along; ValueError where there is none."""
        steps = []
        while (action := self._choose(state)) is not None:
            steps.append((state, action))
            state = self.kitchen.step(state, action)
        if not self.kitchen.is_goal(state):
            raise ValueError("the goal can't be reached from this state")
        return steps

    def is_explained(self, plan: Plan) -> bool:
        """Whether the thought about a plan can name what it is for."""
        return is_explained(self.kitchen, self.target, plan)

    def _choose(self, state: State) -> Action | None:
        if state not in self._chosen:
            optimal = self.planner.optimal_actions(state)
            self._chosen[state] = min(optimal, key=lambda a: self._rank(state, a), default=None)
        return self._chosen[state]

    def _rank(self, state: State, action: Action) -> tuple:
        """Sort key: actions at hand first, then moves by what the robot would do there."""
        if action.op is Op.wait:
            return (2, 0, 0)
        if action.op is not Op.move:
            return (0, int(action.op), action.a)
        if state.hand < 0:
            stack = state.stacks[action.b]
            item = stack[-1] if stack else len(self.kitchen.items)
            return (1, self._slot_of(item), self._position.get(item, item), action.b)
        empty = list_empty(self.kitchen, state)
        name = self.kitchen.stations[action.b]
        return (1, empty.index(name) if name in empty else len(empty), action.b)

    def _slot_of(self, item: int) -> int:
        """The lowest goal slot of the item's kind, or a number above all slots."""
        if self.target is None or item >= len(self.kitchen.items):
            return 99
        kind = self.kitchen.item_kinds[item]
        return next((n for n, slot in enumerate(self.target.slots, 1) if slot.kind == kind), 99)
