"""A rule of thumb as a policy: fetch the next item that the recipe names, and never look further ahead.

It knows the recipe and the rules, takes the best tower begun so far, fetches the first item in the list that fits its
lowest open slot, and puts down whatever else it holds on the first empty station. It neither compares towers nor
cooks, cuts or clears a table, so what it fails at is what planning is worth.
"""

from collections.abc import Iterator

from taskreason.environments.robotouille.simulator.domain import Action, Op
from taskreason.environments.robotouille.simulator.engine import Kitchen, State
from taskreason.environments.robotouille.simulator.goal_stack import (
    Tower,
    compile_towers,
    fits_slot,
    match_tower,
)
from taskreason.environments.robotouille.simulator.observation import list_empty, list_items
from taskreason.environments.robotouille.teacher import PICKS, PUTS, format_reply
from taskreason.policies import Turn


class GreedyPolicy:
    """Answers with the action of the rule of thumb; "Do nothing" where the rule says nothing."""

    name = "greedy"

    def act(self, turns: list[Turn]) -> list[str]:
        """One reply a turn."""
        return [self._reply(turn) for turn in turns]

    def _reply(self, turn: Turn) -> str:
        towers = compile_towers(turn.kitchen.goal)
        if not towers or len(towers) != 1 or not towers[0].station:
            return format_reply("no tower is asked for", "Do nothing")
        text = choose(turn.kitchen, turn.state, towers[0])
        return format_reply("fetch what comes next", text)


def choose(kitchen: Kitchen, state: State, tower: Tower) -> str:
    """The action's text for one state and a goal that is one tower."""
    station, done = _best_station(kitchen, state, tower)
    slots = tower.slots
    taken = {number for number, _ in done}
    wanted = next((s for n, s in enumerate(slots, 1) if n not in taken), None)
    valid = kitchen.valid_actions(state)
    if state.hand >= 0:
        holds_item = state.hand < len(kitchen.items)  # containers are counted after the items
        if (
            station is not None
            and wanted
            and holds_item
            and fits_slot(kitchen, state, state.hand, wanted)
        ):
            return _act_at(kitchen, state, station, valid, PUTS)
        empty = [kitchen.station_index[name] for name in list_empty(kitchen, state)]
        return _act_at(kitchen, state, empty[0], valid, PUTS) if empty else "Do nothing"
    built = {item for _, item in done}
    for item in list_items(kitchen):
        if wanted and item not in built and fits_slot(kitchen, state, item, wanted):
            place = next((s for s, stack in enumerate(state.stacks) if item in stack), None)
            if place is not None:
                return _act_at(kitchen, state, place, valid, PICKS)
    return "Do nothing"


def _best_station(kitchen: Kitchen, state: State, tower: Tower):
    """The station with the most slots filled and nothing else on it, the first empty one if none is begun."""
    found = [(None, [])]
    for station, kind in enumerate(kitchen.station_kinds):
        if kind == tower.station:
            done = match_tower(kitchen, state, tower, station)
            if len(done) == len(state.stacks[station]):
                found.append((station, done))
    return max(found, key=lambda entry: (entry[0] is not None, len(entry[1])))


def _act_at(
    kitchen: Kitchen, state: State, station: int, valid: tuple[Action, ...], ops: tuple[Op, ...]
) -> str:
    """Go to a station, or take from it or put on it when already there."""
    here: Iterator[Action] = (
        action
        for action in valid
        if (
            action.op in ops
            if state.loc == station
            else action.op is Op.move and action.b == station
        )
    )
    return next((action.text for action in here), "Do nothing")
