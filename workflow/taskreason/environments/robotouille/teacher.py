"""The planner's decisions in words: which action of several optimal ones, and the thought that leads to it.

An expert needs one action a state, and a learner needs the choice to be visible in the text, so ties between
optimal actions are broken by what the observation shows: an action at hand before a move, lower goal slots first,
then the order of the lists. The thought recites where the items for the lowest slot are, with the slot number before
every item that is in its final place; where an item upon the tower's chain is of a kind that a slot is still open for,
the others of that kind; the table of the tower, its filled slots and what stands in the way there, or an empty table
where there is no tower; then the next slot and where the items are that would fill it; what the robot holds, and
whether that is of another kind; what is carried from where to where; and ends with what is done next at which station,
the robot's station, and whether the two are one. Every word of it can be read off the prompt and the
words before it.
"""

from taskreason.environments.robotouille.planner.search import Planner
from taskreason.environments.robotouille.simulator.domain import Action, Op
from taskreason.environments.robotouille.simulator.engine import Kitchen, State
from taskreason.environments.robotouille.simulator.goal_stack import (
    Tower,
    list_contested,
    list_in_the_way,
    list_sites,
    match_tower,
)
from taskreason.environments.robotouille.simulator.observation import (
    NOTHING,
    describe_place,
    describe_slot,
    list_empty,
    list_items,
)

PICKS = (Op.pick_up_item, Op.unstack)
PUTS = (Op.place_item, Op.stack)
TREATMENTS = (Op.cook, Op.cut, Op.fry)


def recite_bottoms(kitchen: Kitchen, state: State, tower: Tower) -> str:
    """Where the items for the lowest slot are: ``See bread: 1 bread1 table2 under 2 cheese1, bread2 sink1``."""
    kind = tower.slots[0].kind
    items = [item for item in list_items(kitchen) if kitchen.item_kinds[item] == kind]
    return f"See {kind}: {_recite_places(kitchen, state, tower, items)}"


def recite_tower(kitchen: Kitchen, state: State, tower: Tower, station: int) -> str:
    """The slots that are filled at a station and what stands in the way there: ``Tower table2 1 2 under onion1``.

    Where no slot is filled, the first empty place, ``No tower. Empty table3``; where there is none, what would have to
    be cleared: ``No tower. Empty none: table1 onion1, table2 bread1 cheese2``.
    """
    numbers = [number for number, _ in match_tower(kitchen, state, tower, station)]
    if numbers:
        words = ["Tower", kitchen.stations[station], *map(str, numbers)]
        if leaving := list_in_the_way(kitchen, state, tower, station):
            words += ["under", *(kitchen.items[item] for item in reversed(leaving))]
        return " ".join(words)
    sites = {kitchen.stations[s]: state.stacks[s] for s in list_sites(kitchen, tower)}
    empty = next((name for name in list_empty(kitchen, state) if name in sites), "")
    if empty:
        return f"No tower. Empty {empty}"
    stacks = (" ".join([name, *(kitchen.items[i] for i in stack)]) for name, stack in sites.items())
    return f"No tower. Empty none: {', '.join(stacks)}"


def recite_others(kitchen: Kitchen, state: State, tower: Tower, station: int) -> list[str]:
    """``Other topbun: topbun2 sink1`` for each kind that lies idle on the tower at ``station`` while a slot is open.

    Where there are too few others, the idle item has to leave the tower first.
    """
    parts = []
    for kind in list_contested(kitchen, state, tower, station):
        elsewhere = _list_elsewhere(kitchen, state, kind, station)
        parts.append(f"Other {kind}: {_recite_places(kitchen, state, tower, elsewhere)}")
    return parts


def recite_progress(kitchen: Kitchen, state: State, tower: Tower, station: int) -> list[str]:
    """All that a thought says of the tower at ``station`` as far as it stands."""
    return [
        recite_bottoms(kitchen, state, tower),
        *recite_others(kitchen, state, tower, station),
        recite_tower(kitchen, state, tower, station),
    ]


def recite_slot(kitchen: Kitchen, state: State, tower: Tower, number: int, station: int) -> str:
    """A slot and, above the lowest, which items would fill it: ``Next 2 cheese: cheese1 table3, cheese2 sink1``.

    Items at the tower's ``station`` are left out. Those that would have to be prepared first are not: what is said of
    each tells them apart.
    """
    slot = tower.slots[number - 1]
    words = f"Next {number} {describe_slot(slot)}"
    if number == 1:
        return words
    others = _list_elsewhere(kitchen, state, slot.kind, station)
    return f"{words}: {_recite_places(kitchen, state, tower, others)}"


def recite_hand(kitchen: Kitchen, state: State, tower: Tower | None, number: int) -> str:
    """What the robot holds, ``Robot holding onion1 away`` where it is not of the next slot's kind."""
    words = f"Robot holding {kitchen.held_name(state) or NOTHING}"
    wanted = tower and number and tower.slots[number - 1].kind
    if wanted and 0 <= state.hand < len(kitchen.items) and kitchen.item_kinds[state.hand] != wanted:
        words += " away"
    return words


def _list_elsewhere(kitchen: Kitchen, state: State, kind: str, station: int) -> list[int]:
    return [
        item
        for item in list_items(kitchen)
        if kitchen.item_kinds[item] == kind and item not in state.stacks[station]
    ]


def _recite_places(kitchen: Kitchen, state: State, tower: Tower, items: list[int]) -> str:
    marks = {
        item: number
        for station in list_sites(kitchen, tower)
        for number, item in match_tower(kitchen, state, tower, station)
    }
    return ", ".join(describe_place(kitchen, state, item, marks) for item in items) or "none"


class Expert:
    """The planner as a policy for one kitchen: one canonical optimal action a state, with its thought."""

    def __init__(self, kitchen: Kitchen, planner: Planner | None = None):
        self.kitchen = kitchen
        self.planner = planner or Planner(kitchen)
        towers = self.planner.towers
        self.tower = towers[0] if towers and len(towers) == 1 and towers[0].station else None
        self.position = {item: n for n, item in enumerate(list_items(kitchen))}

    def choose(self, state: State) -> Action | None:
        """The canonical optimal action; None at the goal or when the goal can't be reached."""
        optimal = self.planner.optimal_actions(state)
        return min(optimal, key=lambda action: self._rank(state, action)) if optimal else None

    def _rank(self, state: State, action: Action) -> tuple:
        """Sort key: actions at hand first, then moves by what the robot would do there."""
        if action.op is Op.wait:
            return (2, 0, 0)
        if action.op is not Op.move:
            return (0, int(action.op), action.a)
        if state.hand < 0:
            stack = state.stacks[action.b]
            item = stack[-1] if stack else len(self.kitchen.items)
            return (1, self._slot_of(item), self.position.get(item, item), action.b)
        empty = list_empty(self.kitchen, state)
        name = self.kitchen.stations[action.b]
        return (1, empty.index(name) if name in empty else len(empty), action.b)

    def _slot_of(self, item: int) -> int:
        """The lowest goal slot of the item's kind, or a number above all slots."""
        if self.tower is None or item >= len(self.kitchen.items):
            return 99
        kind = self.kitchen.item_kinds[item]
        return next((n for n, slot in enumerate(self.tower.slots, 1) if slot.kind == kind), 99)

    def plan(self, state: State) -> list[tuple[State, Action]]:
        """The canonical shortest plan from ``state`` as (state, action) pairs; raises ValueError if there is none."""
        steps = []
        while (action := self.choose(state)) is not None:
            steps.append((state, action))
            state = self.kitchen.step(state, action)
        if not self.kitchen.is_goal(state):
            raise ValueError("the goal can't be reached from this state")
        return steps

    def explain(self, plan: list[tuple[State, Action]]) -> str:
        """The thought that leads to the first action of a plan (as :meth:`plan` returns it)."""
        state, kitchen = plan[0][0], self.kitchen
        parts, number = self._describe_goal(plan) if self.tower else ([], 0)
        parts.append(recite_hand(kitchen, state, self.tower, number))
        parts += self._describe_carry(plan)
        parts.append(self._describe_decision(plan))
        return ". ".join(parts) + "."

    def is_explained(self, plan: list[tuple[State, Action]]) -> bool:
        """Whether the thought about a plan can name what it is for: a slot to be filled or something in the way.

        It can't where the plan lifts, because that is shorter, what could stay.
        """
        if self.tower is None:
            return True
        station, number = self._find_aim(plan)
        return bool(number or list_in_the_way(self.kitchen, plan[0][0], self.tower, station))

    def _describe_goal(self, plan: list[tuple[State, Action]]) -> tuple[list[str], int]:
        """What is there of the tower that the plan builds, and its next slot with that slot's number."""
        state, (station, number) = plan[0][0], self._find_aim(plan)
        parts = recite_progress(self.kitchen, state, self.tower, station)
        if number:
            parts.append(recite_slot(self.kitchen, state, self.tower, number, station))
        return parts, number

    def _find_aim(self, plan: list[tuple[State, Action]]) -> tuple[int, int]:
        """Where the plan's tower will stand and the number of its next slot, 0 when nothing is carried there."""
        end = self.kitchen.step(*plan[-1])
        station = self._station_of_tower(end)
        return station, self._next_slot(plan, end, station)

    def _station_of_tower(self, end: State) -> int:
        """Where the finished tower stands in the final state."""
        size = len(self.tower.slots)
        return next(
            s
            for s in list_sites(self.kitchen, self.tower)
            if len(match_tower(self.kitchen, end, self.tower, s)) == size
        )

    def _next_slot(self, plan: list[tuple[State, Action]], end: State, station: int) -> int:
        """Number of the first slot that the plan fills for good, or 0 when it carries nothing there."""
        numbers = {item: n for n, item in match_tower(self.kitchen, end, self.tower, station)}
        last_put = {a.a: n for n, (_, a) in enumerate(plan) if a.op in PUTS}
        for n, (state, action) in enumerate(plan):
            final = action.op in PUTS and state.loc == station and last_put[action.a] == n
            if final and action.a in numbers:
                return numbers[action.a]
        return 0

    def _describe_carry(self, plan: list[tuple[State, Action]]) -> list[str]:
        """What is carried, from where and to where; what is treated, and where; nothing before any other work."""
        kitchen, state, work = self.kitchen, plan[0][0], self._next_work(plan)
        if work.op in TREATMENTS:
            verb, station = work.text.split()[0], kitchen.stations[work.b]
            return [f"{verb} {kitchen.items[work.a]} {station}"]
        if work.op not in PICKS and work.op not in PUTS:
            return []
        item = state.hand if 0 <= state.hand < len(kitchen.items) else work.a
        place = next(
            (kitchen.stations[s] for s, stack in enumerate(state.stacks) if item in stack),
            kitchen.robot,
        )
        words = f"Carry {kitchen.items[item]} {place}"
        put = next(((s, a) for s, a in plan if a.op in PUTS and a.a == item), None)
        if put is None:
            return [words]
        before, action = put
        target = [kitchen.items[action.b]] if action.op is Op.stack else []
        return [" ".join([words, "to", *target, kitchen.stations[before.loc]])]

    def _next_work(self, plan: list[tuple[State, Action]]) -> Action:
        """The plan's first action that is more than a move."""
        return next(action for _, action in plan if action.op is not Op.move)

    def _describe_decision(self, plan: list[tuple[State, Action]]) -> str:
        """The next work, where it is done, and the robot's station: ``Stack table1 robot stove2 away``."""
        kitchen, (state, action), work = self.kitchen, plan[0], self._next_work(plan)
        away = action.op is Op.move
        verb = work.text.split()[0] if work.op is not Op.wait else "Wait"
        place = kitchen.stations[action.b if away else state.loc]
        words = [verb, place, "robot", kitchen.stations[state.loc], "away" if away else "here"]
        return " ".join(words)

    def reply_at(self, plan: list[tuple[State, Action]], step: int) -> str:
        """The whole ReAct reply for one step of a plan (as :meth:`plan` returns it)."""
        return format_reply(self.explain(plan[step:]), plan[step][1].text)


def format_reply(thought: str, action: str) -> str:
    """The reply format: one thought line, one action line."""
    return f"Thought: {thought}\nAction: {action}"
