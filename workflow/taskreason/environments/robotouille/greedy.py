"""A rule of thumb: fetch the next item that the goal names, and never look further ahead.

It knows the goal and the rules, takes the best stack begun so far, fetches the first item in the list that fits its
lowest open slot, and puts down whatever else it holds on the first empty station. It neither compares stacks nor
cooks, cuts or clears a table, so what it fails at is what planning is worth: kitchens in which it takes no shortest
plan are the planning-hard ones.
"""

from taskreason.environments.reply import format_reply, read_action

from .planner.search import Planner
from .simulator.domain import Op
from .simulator.engine import Kitchen, State
from .simulator.goal_stack import GoalStack, Site, find_target, fits_slot, list_stations
from .simulator.observation import list_empty, list_items
from .teacher import PICKS, PUTS
from .world import KitchenWorld

NOTHING = "Do nothing"


def reply_greedily(world: KitchenWorld, state: State) -> str:
    """The action of the rule of thumb; "Do nothing" where the rule says nothing."""
    target = find_target(world.kitchen.goal)
    if target is None:
        return format_reply("no stack is asked for", NOTHING)
    return format_reply("fetch what comes next", choose(world.kitchen, state, target))


def misses_shortest_plan(world: KitchenWorld) -> bool:
    """Whether there is a way to the goal, but the rule of thumb is not there after as many steps as it takes."""
    steps, state = Planner(world.kitchen).distance(world.initial), world.initial
    for _ in range(steps or 0):
        after = world.step(state, read_action(reply_greedily(world, state)))
        state = state if after is None else after
    return steps is not None and not world.solved(state)


def choose(kitchen: Kitchen, state: State, target: GoalStack) -> str:
    """The action's text for one state and a goal that is one stack."""
    sites = [Site(kitchen, state, target, s) for s in list_stations(kitchen, target)]
    clean = [site for site in sites if len(site.list_placed()) == len(site.stack)]
    # The most slots filled and nothing else there; the first empty place if none is begun.
    site = max(clean, key=lambda site: len(site.stack), default=None)
    done = dict(site.list_placed() if site else [])
    wanted = next((slot for n, slot in enumerate(target.slots, 1) if n not in done), None)
    if state.hand >= 0:
        holds_item = state.hand < len(kitchen.items)  # containers are counted after the items
        if site and wanted and holds_item and fits_slot(kitchen, state, state.hand, wanted):
            return _act_at(kitchen, state, site.station, PUTS)
        empty = list_empty(kitchen, state)
        return _act_at(kitchen, state, kitchen.station_index[empty[0]], PUTS) if empty else NOTHING
    for item in list_items(kitchen):
        if wanted and item not in done.values() and fits_slot(kitchen, state, item, wanted):
            place = next((s for s, stack in enumerate(state.stacks) if item in stack), None)
            if place is not None:
                return _act_at(kitchen, state, place, PICKS)
    return NOTHING


def _act_at(kitchen: Kitchen, state: State, station: int, ops: tuple[Op, ...]) -> str:
    """Go to a station, or take from it or put on it when already there."""
    for action in kitchen.valid_actions(state):
        goes = action.op is Op.move and action.b == station
        if action.op in ops if state.loc == station else goes:
            return action.text
    return NOTHING
