"""Where and how each dish of a goal may come to be in a state: the alternatives over which the lower bound takes the
least."""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from ..simulator.engine import BOIL, FILL
from ..simulator.goal_stack import GoalStack
from .dishes import Dishes, Place, Soup
from .scene import CARRY, NEVER, Scene


class Site(NamedTuple):
    """One way for one dish.

    Of a tower: station (-1: one that has no part of it yet); good: how many items of the chain are there; height: items
    there; stay: the lowest level that must leave, all below may stay; complete: whether the chain is; missing: whether
    something is that goes below the top; top: the item of this stack that becomes the top, -1 for one from elsewhere.

    Of a soup: meal (-1: water yet to be drawn); open: whether items can still be added; pot: the station of the meal's
    pot, or -1; wet: whether the pot is full or is being filled; uses: whether the container in hand is one of its own.

    cost: steps for pot and bowl, or what may be saved at a tower; spots: stations (bits) at which it is one step less.
    spare: visits to the pot that would be saved if items of no use were thrown into it.
    """

    station: int = -1
    good: int = 0
    height: int = 0
    stay: int = 0
    complete: bool = False
    missing: bool = True
    top: int = -1
    meal: int = -1
    open: bool = False
    pot: int = -1
    wet: bool = False
    uses: bool = False
    cost: int = 0
    spots: int = 0
    spare: int = 0

    def takes(self, place: Place) -> bool:
        """Whether a prepared item can be put into a slot for good before anything else is carried."""
        if place.role == "soup":
            return self.wet
        if place.role == "chain":
            return place.rank == self.good == self.height
        ready = self.complete and self.stay == self.height
        return ready and not (place.role == "top" and self.missing)


def list_combinations(scene: Scene, dishes: Dishes) -> Iterator[tuple[Site, ...]]:
    """A site for each dish, in all ways in which no two share a station or a meal; equal dishes in one order only."""
    options = [list_tower_sites(scene, stack) for stack in dishes.stacks]
    options += [list_soup_sites(scene, soup) for soup in dishes.soups]
    equal = dishes.list_equal()
    for sites in product(*options):
        if any(sites[a] > sites[b] for a, b in equal):
            continue
        stations = [site.station for site in sites if site.station >= 0]
        meals = [site.meal for site in sites if site.meal >= 0]
        if len({*stations}) == len(stations) and len({*meals}) == len(meals):
            yield sites


def list_tower_sites(scene: Scene, target: GoalStack) -> list[Site]:
    """Stations at which the lowest part of a tower stands, with each item there that may be its top; and any other."""
    chain, top = target.chain, target.top
    sites = [Site(complete=not chain, missing=bool(chain or target.loose))]
    for s, stack in enumerate(scene.state.stacks):
        if not stack or not scene.at["table"] >> s & 1:
            continue
        good, height = 0, len(stack)
        while good < min(height, len(chain)) and scene.fits(stack[good], chain[good]):
            good += 1
        if good < len(chain):
            if good:
                sites.append(Site(s, good, height, good))
            continue
        missing = _is_missing(scene, target, stack[good:])
        site = Site(s, good, height, height, True, missing)
        sites.append(site)
        for level in range(good, height):
            if top and scene.fits(stack[level], top):
                missing = _is_missing(scene, target, stack[good:level])
                # What goes below the top is put down before it, so the top must leave and come back.
                stay = level if missing else level + 1
                # The last thing that leaves the top may stay in the hand.
                saved = 0 if missing or stay == height else -2
                sites.append(
                    site._replace(missing=missing, stay=stay, top=stack[level], cost=saved)
                )
    return sites


def _is_missing(scene: Scene, target: GoalStack, items: tuple[int, ...]) -> bool:
    """Whether some items can't be all that goes between a tower's chain and its top."""
    return any(
        sum(scene.fits(item, slot) for item in items) < target.loose.count(slot)
        for slot in {*target.loose}
    )


def list_soup_sites(scene: Scene, soup: Soup) -> list[Site]:
    """Bowls and pots with a meal that may become the soup, and pots that may be filled for it."""
    sites = []
    for c, (station, meal) in enumerate(scene.state.containers):
        if scene.kitchen.container_kinds[c] == "pot":
            sites += _list_pot_sites(scene, soup, c, station, meal)
        elif meal >= 0 and (scene.state.meals[meal] or not soup.boiling):
            cost, spots, uses = _place_bowl(scene, soup, [c]) if soup.station else (0, 0, True)
            sites.append(Site(meal=meal, cost=cost, spots=spots, uses=uses))
    return sites


def _place_bowl(scene: Scene, soup: Soup, bowls: list[int]) -> tuple[int, int, bool]:
    """(steps to bring one of some bowls to where the soup is wanted, stations that save one, whether it is in hand)."""
    allowed = scene.at.get(soup.station, 0) if soup.station else scene.all
    stations = [scene.state.containers[c][0] for c in bowls]
    if any(s >= 0 and allowed >> s & 1 for s in stations):
        return 0, 0, False
    if -1 in stations:
        return 2, scene.bare & allowed, True
    return CARRY if stations else NEVER, sum(1 << s for s in stations), False


def _list_pot_sites(scene: Scene, soup: Soup, pot: int, station: int, meal: int) -> list[Site]:
    """The soup made of what is in a pot, and of water with which the pot is still to be filled."""
    containers, kinds = scene.state.containers, scene.kitchen.container_kinds
    bowls = [c for c, kind in enumerate(kinds) if kind == "bowl" and containers[c][1] < 0]
    cost, spots, uses = _place_bowl(scene, soup, bowls)
    if cost >= NEVER:
        return []
    pours = sum(1 << containers[c][0] for c in bowls if containers[c][0] >= 0)
    sites = []
    if meal >= 0 and (path := _follow_pot(scene, soup, pot, -1, -1, pours)):
        # What is in the pot may first go into another bowl; then the pot is in hand.
        sites.append(
            Site(open=True, uses=True, cost=cost + path.cost, spots=scene.all, spare=path.spare)
        )
    if path := _follow_pot(scene, soup, pot, station, meal, pours):
        sites.append(
            Site(
                meal=meal,
                open=True,
                pot=station if meal >= 0 else -1,
                wet=meal >= 0 or path.running,
                uses=uses or station < 0,
                cost=cost + path.cost,
                spots=spots | path.spots,
                spare=path.spare,
            )
        )
    return sites


class _Path(NamedTuple):
    """What is left to do with a pot. running: whether it is being filled or boiled where it stands."""

    cost: int
    spots: int
    spare: int
    running: bool


def _follow_pot(
    scene: Scene, soup: Soup, pot: int, station: int, meal: int, pours: int
) -> _Path | None:
    """The pot's way by sink and stove to a bowl, from a station (-1: in hand) with a meal (-1: none).

    pours: stations (bits) with a bowl. None, where there is no way.
    """
    at, bare = scene.at, scene.bare
    here = 1 << station if station >= 0 else 0
    least, most = _count_missing(scene, soup, meal)
    effects = [e for e in scene.state.effects if e[0] in (FILL, BOIL) and e[1] == pot]
    legs, cost, spots, resumed, running, dry = [], 0, 0, 0, False, False
    steps = [(FILL, "sink")] if meal < 0 else []
    if soup.boiling and not (meal >= 0 and scene.state.meals[meal]):
        steps.append((BOIL, "stove"))
    for kind, name in steps:
        started = sum({1 << e[2] for e in effects if e[0] == kind})
        first = kind == FILL or meal >= 0
        if first and here & started:
            running = True
        elif first and here & at.get(name, 0):
            cost += 1
            # Unless an item is added in the same visit, one more is made only to start.
            if kind == FILL or not most:
                cost += 1
                spots |= here
        elif started:  # it may be done as soon as the pot is put down
            legs.append(bare & started)
            resumed += 1
        elif name in at:
            legs.append(bare & at[name])
            cost += 1
        else:
            return None
        dry = dry or (kind == FILL and bool(legs))  # the first leg carries an empty pot
    held = station < 0
    if held and meal >= 0 and least and not legs:
        legs.append(bare)  # items are added to pots that stand
    legs.append(pours)
    # In how many visits an added item may be followed by picking up the pot.
    chances = len(legs) - (dry or held)
    joined = min(most, chances)
    cost += CARRY * len(legs) - 2 * held - joined - resumed
    if held:
        spots |= legs[0]
    elif not running and (dry or chances > joined):
        spots |= here
    return _Path(cost, spots, chances - joined, running)


def _count_missing(scene: Scene, soup: Soup, meal: int) -> tuple[int, int]:
    """How many items must still be added to a meal, at least and at most."""
    added = [item for item, other in scene.gone.items() if other == meal]
    # Slots that ask for most come first, so that an item takes no other's place.
    slots = sorted(soup.slots, key=lambda slot: -slot.flags.bit_count())
    for item in added:
        slot = next((slot for slot in slots if scene.fits(item, slot)), None)
        if slot:
            slots.remove(slot)
    return max(0, len(soup.slots) - len(added)), len(slots)
