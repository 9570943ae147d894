"""The exact planner as a teacher: which of several optimal actions is taken, and the reply that says why.

A learner needs the choice to be visible in the text, so ties between optimal actions are broken by what the observation
shows: an action at hand before a move, lower goal slots first, then the order of the lists.

A small model learns to act by copying names from place to place, so a thought goes from what the goal asks for to the
action in steps of one look-up each. This one comes before "Move robot1 from table1 to table2", where a cheese burger's
only top bun lies on its bottom bun already, and must come last:

    See bottombun: 1 bottombun1 table2 under topbun1.
        Where the items for the goal's lowest slot are. A number stands before an item that is in its final place: that
        of its slot.
    Other topbun: none.
        Only where an item lies idle on the stack while a slot for its kind is open: the others of that kind. Here
        there is none, so that the idle one has to leave.
    Tower table2 1 under topbun1.
        The table on which the stack grows, its filled slots, and what stands in the way there. Before the first slot
        is filled: "No tower. Empty table3", or "No tower. Empty none: table1 onion1, …" where a table must be cleared.
    Next 3 cooked patty: patty1 table3 cooked.
        The next slot that the plan fills, and where the items for it are (for slot 1, that has been said already).
    Robot holding nothing.
        Followed by "away" where what it holds is of another kind than the next slot's, and then by what lies before the
        robot, on which it could be put, by the slots of that kind and others of it, and by whether it is put there:
        "Robot holding onion1 away, here patty2, 2 4, patty1 cooked: away"; "here bread1, none: here".
    Carry topbun1 bottombun1 table2 to table1.
        What is carried, from what it lies on, and where to; or what is cooked, cut or fried, and where.
    Unstack table2 robot table1 away.
        What is done next and at which station, the robot's station, and whether the two are one: "here" or "away".
"""

import re

from taskreason.environments.reply import format_reply

from .planner.search import Planner
from .recital import recite_hand, recite_progress, recite_slot
from .simulator.domain import Action, Op
from .simulator.engine import Kitchen, State
from .simulator.goal_stack import GoalStack, Site, find_target, list_stations
from .simulator.observation import list_empty, list_items
from .world import KitchenWorld

PICKS = (Op.pick_up_item, Op.unstack)
PUTS = (Op.place_item, Op.stack)
PREPARING = (Op.cook, Op.cut, Op.fry)

Plan = list[tuple[State, Action]]
"""States with the action taken in each; never empty where it is explained."""


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
        return format_reply(self.explain(plan), plan[0][1].text)

    def plan(self, state: State) -> Plan:
        """The shortest plan that :meth:`choose` leads along; ValueError where there is none."""
        steps = []
        while (action := self._choose(state)) is not None:
            steps.append((state, action))
            state = self.kitchen.step(state, action)
        if not self.kitchen.is_goal(state):
            raise ValueError("the goal can't be reached from this state")
        return steps

    def explain(self, plan: Plan) -> str:
        """The thought that leads to the first action of a plan to the goal."""
        parts, slot = [], None
        if self.target:
            site, number = find_aim(self.kitchen, self.target, plan)
            parts = recite_progress(site)
            if number:
                parts.append(recite_slot(site, number))
                slot = self.target.slots[number - 1]
        state = plan[0][0]
        hand = recite_hand(self.kitchen, state, slot, self.target)
        if " away, " in hand:
            hand += ": here" if _stays(plan) else ": away"
        parts.append(hand)
        parts += _describe_carry(self.kitchen, plan)
        parts.append(_describe_decision(self.kitchen, plan))
        return ". ".join(parts) + "."

    def is_explained(self, plan: Plan) -> bool:
        """Whether the thought about a plan can name what it is for: a slot to be filled or something in the way.

        It can't where the plan lifts, because that is shorter, what could stay.
        """
        if self.target is None:
            return True
        site, number = find_aim(self.kitchen, self.target, plan)
        return bool(number or site.list_in_the_way())

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


def find_aim(kitchen: Kitchen, target: GoalStack, plan: Plan) -> tuple[Site, int]:
    """Where the plan's stack will stand, seen now, and the number of its next slot, 0 when nothing is carried there."""
    final = _find_end(kitchen, target, plan)
    numbers = {item: number for number, item in final.list_placed()}
    last_put = {action.a: n for n, (_, action) in enumerate(plan) if action.op in PUTS}
    site = final._replace(state=plan[0][0])
    for n, (state, action) in enumerate(plan):
        lasts = action.op in PUTS and last_put[action.a] == n
        if lasts and state.loc == site.station and action.a in numbers:
            return site, numbers[action.a]
    return site, 0


def _find_end(kitchen: Kitchen, target: GoalStack, plan: Plan) -> Site:
    """Where the finished stack stands, in the plan's last state."""
    end = kitchen.step(*plan[-1])
    sites = (Site(kitchen, end, target, station) for station in list_stations(kitchen, target))
    return next(site for site in sites if len(site.list_placed()) == len(target.slots))


def shorten(thought: str) -> str:
    """A thought up to what the robot holds, without what is carried and what is decided; any other as it is."""
    seen = re.match(r"(?:.*\. )?Robot holding [^.]*\.", thought)
    return seen[0] if seen else thought


def _stays(plan: Plan) -> bool:
    """Whether what is put down first is put down where the robot stands."""
    state = plan[0][0]
    put = next((before for before, action in plan if action.op in PUTS), state)
    return put.loc == state.loc


def _describe_carry(kitchen: Kitchen, plan: Plan) -> list[str]:
    """What is carried, from where and to where; what is prepared, and where; nothing before any other work."""
    state, work = plan[0][0], _find_work(plan)
    if work.op in PREPARING:
        return [f"{work.text.split()[0]} {kitchen.items[work.a]} {kitchen.stations[work.b]}"]
    if work.op not in PICKS + PUTS:
        return []
    item = state.hand if 0 <= state.hand < len(kitchen.items) else work.a
    words = ["Carry", kitchen.items[item], *_name_place(kitchen, state, item)]
    put = next(((s, a) for s, a in plan if a.op in PUTS and a.a == item), None)
    if put:
        before, action = put
        target = [kitchen.items[action.b]] if action.op is Op.stack else []
        words += ["to", *target, kitchen.stations[before.loc]]
    return [" ".join(words)]


def _name_place(kitchen: Kitchen, state: State, item: int) -> list[str]:
    """What an item lies on, if on another item, and its station; or the robot."""
    for name, stack in zip(kitchen.stations, state.stacks, strict=True):
        if item in stack:
            height = stack.index(item)
            return [kitchen.items[i] for i in stack[max(height - 1, 0) : height]] + [name]
    return [kitchen.robot]


def _describe_decision(kitchen: Kitchen, plan: Plan) -> str:
    """The next work, where it is done, and the robot's station: ``Stack table1 robot stove2 away``."""
    (state, action), work = plan[0], _find_work(plan)
    away = action.op is Op.move
    verb = work.text.split()[0] if work.op is not Op.wait else "Wait"
    place, here = kitchen.stations[action.b if away else state.loc], kitchen.stations[state.loc]
    return f"{verb} {place} robot {here} {'away' if away else 'here'}"


def _find_work(plan: Plan) -> Action:
    """The plan's first action that is more than a move."""
    return next(action for _, action in plan if action.op is not Op.move)
