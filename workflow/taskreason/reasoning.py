"""The planner's decisions in words: which action of several optimal ones, and the thought that leads to it.

An expert needs one action a state, and a learner needs the choice to be visible in the text, so ties between
optimal actions are broken by what the observation shows: an action at hand before a move, lower goal slots first,
then the order of the lists. The thought recites where the items for the lowest slot are, names the tower so far, the
next slot and the item for it with its place, where the robot is and what it holds, and ends with the sub-goal; every
word of it can be read off the prompt.
"""

from taskreason.kitchen.domain import Action, Op
from taskreason.kitchen.engine import Kitchen, State
from taskreason.kitchen.observation import (
    NOTHING,
    describe_place,
    describe_slot,
    list_empty,
    list_items,
)
from taskreason.planner import Planner
from taskreason.transfers import Slot, Tower

PICKS = (Op.pick_up_item, Op.unstack)
PUTS = (Op.place_item, Op.stack)


def number_slots(tower: Tower) -> list[Slot]:
    """The tower's slots in the order in which the goal's text numbers them, from 1."""
    return [*tower.chain, *tower.loose, *([tower.top] if tower.top else [])]


def fits_slot(kitchen: Kitchen, state: State, item: int, slot: Slot) -> bool:
    """Whether an item is of the slot's kind and has its flags."""
    return kitchen.item_kinds[item] == slot.kind and state.flags[item] & slot.flags == slot.flags


def match_tower(
    kitchen: Kitchen, state: State, tower: Tower, station: int
) -> list[tuple[int, int]]:
    """(slot number, item) for the items at ``station`` that are in their final place, from the bottom."""

    found, stack = [], state.stacks[station]
    for number, (item, slot) in enumerate(zip(stack, tower.chain, strict=False), start=1):
        if not fits_slot(kitchen, state, item, slot):
            return found
        found.append((number, item))
    if len(found) < len(tower.chain):
        return found
    open_slots = {len(tower.chain) + n: slot for n, slot in enumerate(tower.loose, start=1)}
    for item in stack[len(found) :]:
        number = next(
            (n for n, slot in open_slots.items() if fits_slot(kitchen, state, item, slot)), None
        )
        if number is not None:
            del open_slots[number]
            found.append((number, item))
        elif (
            tower.top
            and not open_slots
            and item == stack[-1]
            and fits_slot(kitchen, state, item, tower.top)
        ):
            found.append((len(number_slots(tower)), item))
    return found


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
        return next(
            (n for n, slot in enumerate(number_slots(self.tower), 1) if slot.kind == kind), 99
        )

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
        state, action = plan[0]
        end = self.kitchen.step(*plan[-1])
        parts = [
            self._describe_bottoms(state),
            self._describe_tower(state, end),
            self._describe_aim(plan, end),
        ]
        kitchen = self.kitchen
        parts.append(
            f"Robot {kitchen.stations[state.loc]} holding {kitchen.held_name(state) or NOTHING}"
        )
        parts.append(self._describe_decision(action))
        return ". ".join(part for part in parts if part) + "."

    def _station_of_tower(self, end: State) -> int:
        """Where the finished tower stands in the final state."""
        kitchen, tower = self.kitchen, self.tower
        size = len(number_slots(tower))
        return next(
            s
            for s, kind in enumerate(kitchen.station_kinds)
            if kind == tower.station and len(match_tower(kitchen, end, tower, s)) == size
        )

    def _describe_bottoms(self, state: State) -> str:
        """Where the items are on which the tower may stand."""
        if self.tower is None:
            return ""
        kind = number_slots(self.tower)[0].kind
        places = [
            describe_place(self.kitchen, state, item)
            for item in self.position
            if self.kitchen.item_kinds[item] == kind
        ]
        return f"See {kind}: {', '.join(places)}"

    def _describe_tower(self, state: State, end: State) -> str:
        if self.tower is None:
            return ""
        station = self._station_of_tower(end)
        done = match_tower(self.kitchen, state, self.tower, station)
        if not done:
            return "No tower"
        listed = " ".join(f"{number} {self.kitchen.items[item]}" for number, item in done)
        return f"Tower {listed} {self.kitchen.stations[station]}"

    def _describe_aim(self, plan: list[tuple[State, Action]], end: State) -> str:
        """The next carry: which slot it fills or what it clears, the item, its place and its destination."""
        kitchen = self.kitchen
        state = plan[0][0]
        item = state.hand if 0 <= state.hand < len(kitchen.items) else -1
        work = next(a for _, a in plan if a.op is not Op.move)
        if work.op not in PICKS and work.op not in PUTS:
            return (
                f"Now {work.text.split()[0].lower()} {kitchen.items[work.a]}"
                if work.op is not Op.wait
                else "Wait"
            )
        if item < 0:
            item = work.a
        place = next(
            (kitchen.stations[s] for s, stack in enumerate(state.stacks) if item in stack),
            kitchen.robot,
        )
        name = kitchen.items[item]
        put = next((n for n, (_, a) in enumerate(plan) if a.op in PUTS and a.a == item), None)
        if put is None:
            return f"Clear {name} {place}"
        before, action = plan[put]
        onto = kitchen.items[action.b] if action.op is Op.stack else kitchen.stations[action.b]
        number = self._final_slot(plan, put, item, end, before.loc)
        if number:
            slot = describe_slot(number_slots(self.tower)[number - 1])
            return f"Next {number} {slot}: {name} {place} to {onto}"
        return f"Clear {name} {place} to {onto}"

    def _final_slot(self, plan, put: int, item: int, end: State, station: int) -> int:
        """The slot that the item keeps from this carry on, or 0 when it will be moved again or is not wanted."""
        if self.tower is None or any(a.op in PICKS and a.a == item for _, a in plan[put + 1 :]):
            return 0
        final = self._station_of_tower(end)
        if station != final:
            return 0
        return next(
            (n for n, i in match_tower(self.kitchen, end, self.tower, final) if i == item), 0
        )

    def _describe_decision(self, action: Action) -> str:
        kitchen = self.kitchen
        if action.op is Op.move:
            return f"Go to {kitchen.stations[action.b]}"
        if action.op is Op.wait:
            return "Wait"
        return action.text.split()[0]

    def reply_at(self, plan: list[tuple[State, Action]], step: int) -> str:
        """The whole ReAct reply for one step of a plan (as :meth:`plan` returns it)."""
        return format_reply(self.explain(plan[step:]), plan[step][1].text)


def format_reply(thought: str, action: str) -> str:
    """The reply format: one thought line, one action line."""
    return f"Thought: {thought}\nAction: {action}"
