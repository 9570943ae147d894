"""The simulator: a kitchen built from a layout, and the deterministic transition function over its states.

Input: a `layout.Layout`. Output: immutable, hashable :class:`State` values, and the valid actions in each. A state
holds only what changes; names, kinds and the goal live in :class:`Kitchen`. With one robot, the valid actions depend on
where it stands, what it holds and what is on that station, so they are computed once per such situation and looked up.
"""

from collections import defaultdict
from collections.abc import Iterable
from itertools import count
from typing import NamedTuple

from .domain import CUTS, PREPARATIONS, TICKS, Action, Flag, Op
from .goal import Goal
from .layout import Layout, Thing


class State(NamedTuple):
    """What changes in a kitchen.

    loc: station that the robot faces (-1: none). hand: item index, item count + container index, or -1.
    stacks: per station, item indices from bottom to top. flags: per item, :class:`Flag` bits.
    containers: per container (station or -1 when held, meal or -1 when empty). meals: per meal, 1 when boiling.
    added: (item, meal) pairs. effects: running effects (kind, object, station, count) in starting order.
    """

    loc: int
    hand: int
    stacks: tuple[tuple[int, ...], ...]
    flags: tuple[int, ...]
    containers: tuple[tuple[int, int], ...]
    meals: tuple[int, ...]
    added: frozenset[tuple[int, int]]
    effects: tuple[tuple[int, int, int, int], ...]


COOK, CUT, FRY, FILL, BOIL, FRYABLE = range(6)
"""Kinds of running effects: four timers, the cut counter, and "once cut, it can be fried". Timers advance once a step
while their object lies where they were started; cuts are counted by the cutting itself."""
EFFECTS = {Op.cook: COOK, Op.cut: CUT, Op.fry: FRY, Op.fill_pot: FILL, Op.boil_water: BOIL}
"""What each of these actions starts or counts."""
_new = tuple.__new__


def _put(values: tuple, index: int, value) -> tuple:
    return (*values[:index], value, *values[index + 1 :])


def _cut(flags: tuple, effects: tuple, item: int) -> tuple[tuple, tuple]:
    """Count one cut; the last one sets iscut and, for some items, starts "once cut, it can be fried"."""
    running = next((e for e in effects if e[0] == CUT and e[1] == item), None)
    if running is None:
        return flags, (*effects, (CUT, item, -1, 1))
    if running[3] + 1 < CUTS:
        return flags, tuple((CUT, item, -1, e[3] + 1) if e is running else e for e in effects)
    bits = flags[item] | Flag.iscut
    effects = tuple(e for e in effects if e is not running)
    if bits & Flag.isfryableifcut and (FRYABLE, item, -1, 0) not in effects:
        effects = (*effects, (FRYABLE, item, -1, 0))
    return _put(flags, item, int(bits)), effects


def _update(stacks, flags, containers, meals, effects):
    """Advance every running effect once, in starting order.

    The reference removes a finished effect from the list that it is walking, so the effect after it loses that
    step's update. This is reproduced here: the index moves on even though the list has become shorter.
    """
    flags, containers, meals, running = list(flags), list(containers), list(meals), list(effects)
    index = 0
    while index < len(running):
        kind, obj, station, count = running[index]
        done = False
        if kind in (COOK, FRY):
            on = bool(stacks[station]) and stacks[station][0] == obj
            done = on and count + 1 == TICKS
            bits = flags[obj] & ~Flag.iscooking if kind == COOK else flags[obj]
            if kind == COOK and on and not done:
                bits |= Flag.iscooking
            if done:
                bits |= Flag.iscooked if kind == COOK else Flag.isfried
            flags[obj] = int(bits)
            count += on
        elif kind in (FILL, BOIL):
            place, meal = containers[obj]
            on = place == station and (kind == FILL or meal >= 0)
            done = on and count + 1 == TICKS
            if done and kind == FILL:
                containers[obj] = (place, len(meals))
                meals.append(0)
            elif done:
                meals[meal] = 1
            count += on
        elif kind == FRYABLE:
            flags[obj] = int(flags[obj] | Flag.isfryable)
        if done:
            running.pop(index)
        else:
            running[index] = (kind, obj, station, count)
        index += 1
    return tuple(flags), tuple(containers), tuple(meals), tuple(running)


def _number(things: Iterable[Thing]) -> tuple[list[Thing], tuple[str, ...]]:
    """Sort objects stably by (x, y) and name them kind + number within the kind."""
    ordered = sorted(things, key=lambda thing: thing.cell)
    numbers = defaultdict(lambda: count(1))
    return ordered, tuple(f"{thing.name}{next(numbers[thing.name])}" for thing in ordered)


class Kitchen:
    """The unchanging part of one layout, with the transition function over its states."""

    robot = "robot1"

    def __init__(self, layout: Layout):
        self.layout = layout
        stations, self.stations = _number(layout.stations)
        items, self.items = _number(layout.items)
        containers, self.containers = _number(layout.containers)
        self.places = [station.cell for station in stations]
        self.station_kinds = tuple(station.name for station in stations)
        self.item_kinds = tuple(item.name for item in items)
        self.container_kinds = tuple(container.name for container in containers)
        self.station_index = {name: i for i, name in enumerate(self.stations)}
        self._valid: dict[tuple, tuple[Action, ...]] = {}
        everywhere = range(len(stations))
        self._moves = [
            tuple(self._action(Op.move, loc, to) for to in everywhere if to != loc)
            for loc in everywhere
        ]
        self._wait = self._action(Op.wait)
        meals, meal_names = _number(layout.meals)
        parts = [(stations, self.stations), (items, self.items), (containers, self.containers)]
        # Index and name of each thing that a goal may mean by its id.
        self.named = {
            thing.id: (n, names[n])
            for things, names in [*parts, (meals, meal_names)]
            for n, thing in enumerate(things)
            if thing.id
        }
        self.initial = self._initial_state(items, containers, meals)
        self.goal = Goal(self, layout.goal)

    def _initial_state(
        self, items: list[Thing], containers: list[Thing], meals: list[Thing]
    ) -> State:
        """Things that are at no station are in the robot's hand."""
        cells = {cell: i for i, cell in enumerate(self.places)}
        at = [cells.get(thing.cell, -1) for thing in [*items, *containers]]
        order = sorted(range(len(items)), key=lambda i: items[i].stack_level)
        stacks = (tuple(i for i in order if at[i] == s) for s in range(len(self.places)))
        inside = {meal.cell: m for m, meal in enumerate(meals)}
        contents = [inside.get(container.cell, -1) for container in containers]
        return State(
            loc=cells.get(self.layout.robot.faces, -1),
            hand=at.index(-1) if -1 in at else -1,
            stacks=tuple(stacks),
            flags=tuple(int(sum(Flag[p] for p in set(item.predicates))) for item in items),
            containers=tuple(zip(at[len(items) :], contents, strict=True)),
            meals=tuple(int("isboiling" in meal.predicates) for meal in meals),
            added=frozenset(),
            effects=(),
        )

    # ---------------------------------------------------------------- actions

    def _action(self, op: Op, a: int = -1, b: int = -1) -> Action:
        names = [getattr(self, kind)[n] for kind, n in zip(op.sources, (a, b), strict=False)]
        return Action(op, a, b, op.wording.format(*names, robot=self.robot))

    def valid_actions(self, state: State) -> tuple[Action, ...]:
        """All valid actions in ``state``: those at the robot's station, then moves, then ``Do nothing``."""
        loc = state.loc
        if loc < 0:
            return (self._wait,)
        stack = state.stacks[loc]
        flags = state.flags[stack[0]] if len(stack) == 1 else 0
        key = (loc, state.hand, stack, flags, state.containers, state.meals, state.added)
        found = self._valid.get(key)
        if found is None:
            found = (*sorted(self._local_actions(state)), *self._moves[loc], self._wait)
            self._valid[key] = found
        return found

    def _local_actions(self, state: State) -> list[Action]:
        """Those at the robot's station: with nothing, an item or a container in its hand."""
        loc, hand, stack = state.loc, state.hand, state.stacks[state.loc]
        kind, held = self.station_kinds[loc], hand - len(self.items)
        meals = {c: meal for c, (place, meal) in enumerate(state.containers) if place == loc}
        pots = [c for c in meals if self.container_kinds[c] == "pot"]
        found = []
        if hand < 0:
            if len(stack) == 1:
                found.append((Op.pick_up_item, stack[0], loc))
                flags = state.flags[stack[0]]
                for way in PREPARATIONS:
                    busy = way.op is Op.cook and flags & Flag.iscooking
                    if way.station == kind and flags & way.raw and not busy:
                        found.append((way.op, stack[0], loc))
            elif stack:
                found.append((Op.unstack, stack[-1], stack[-2]))
            found += [(Op.pick_up_container, c, loc) for c in meals]
            if kind == "sink":
                found += [(Op.fill_pot, c, loc) for c in pots if meals[c] < 0]
            if kind == "stove":
                found += [(Op.boil_water, c, loc) for c in pots if meals[c] >= 0]
        elif held < 0:
            if stack:
                found.append((Op.stack, hand, stack[-1]))
            elif not meals:
                found.append((Op.place_item, hand, loc))
            full = (c for c in pots if meals[c] >= 0)
            found += [(Op.add_to, hand, c) for c in full if (hand, meals[c]) not in state.added]
        else:
            if not stack and not meals:
                found.append((Op.place_container, held, loc))
            if self.container_kinds[held] == "pot" and state.containers[held][1] >= 0:
                bowls = meals.keys() - pots
                found += [(Op.fill_bowl, c, held) for c in bowls if meals[c] < 0]
        return [self._action(*action) for action in found]

    def find_action(self, state: State, text: str) -> Action | None:
        """The valid action with exactly this text, or None."""
        return next((action for action in self.valid_actions(state) if action.text == text), None)

    # ------------------------------------------------------------- transition

    def step(self, state: State, action: Action) -> State:
        """The state after a valid ``action``: its own effects, then one update of every running effect."""
        loc, hand, stacks, flags, containers, meals, added, effects = state
        op, a, b, _ = action
        if op is Op.move:
            loc = b
        elif op is Op.wait:
            if not effects:
                return state
        elif op is Op.pick_up_item or op is Op.unstack:
            hand = a
            stacks = (*stacks[:loc], stacks[loc][:-1], *stacks[loc + 1 :])
        elif op is Op.place_item or op is Op.stack:
            hand = -1
            stacks = (*stacks[:loc], (*stacks[loc], a), *stacks[loc + 1 :])
        elif op is Op.cut:
            flags, effects = _cut(flags, effects, a)
        elif op in EFFECTS:
            timer = (EFFECTS[op], a, b)
            if all(effect[:3] != timer for effect in effects):  # not running or paused already
                effects = (*effects, (*timer, 0))
        elif op is Op.pick_up_container:
            hand = len(self.items) + a
            containers = _put(containers, a, (-1, containers[a][1]))
        elif op is Op.place_container:
            hand = -1
            containers = _put(containers, a, (loc, containers[a][1]))
        elif op is Op.add_to:
            hand = -1
            added = added | {(a, containers[b][1])}
        elif op is Op.fill_bowl:
            containers = _put(containers, a, (containers[a][0], containers[b][1]))
            containers = _put(containers, b, (containers[b][0], -1))
        if effects:
            flags, containers, meals, effects = _update(stacks, flags, containers, meals, effects)
        return _new(State, (loc, hand, stacks, flags, containers, meals, added, effects))

    def is_goal(self, state: State) -> bool:
        """Whether some assignment of the goal's ids makes all of its predicates hold."""
        return self.goal.reached(state)

    # -------------------------------------------------------------- reporting

    def meal_names(self, state: State) -> tuple[str, ...]:
        """Names of the meals in ``state``; meals made by filling a pot are numbered on."""
        return tuple(f"water{m + 1}" for m in range(len(state.meals)))

    def held_name(self, state: State) -> str | None:
        """Name of the item or container in the robot's hand, or None."""
        return None if state.hand < 0 else (*self.items, *self.containers)[state.hand]

    def replay(self, texts: list[str]) -> list[tuple[State, bool]]:
        """States after each action text, with whether it was valid; an invalid one changes nothing."""
        state, seen = self.initial, []
        for text in texts:
            action = self.find_action(state, text)
            if action is not None:
                state = self.step(state, action)
            seen.append((state, action is not None))
        return seen
