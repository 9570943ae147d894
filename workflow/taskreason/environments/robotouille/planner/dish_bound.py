"""A lower bound on the steps to several dishes, from counting visits to stations.

Whatever the robot does at one station without leaving it is a visit; each but perhaps the first costs a move. A visit
begins with putting down what the robot holds, or with nothing in its hand, and ends when it leaves, perhaps with
something. So to carry one thing takes two visits: four steps. Two visits fall together only where the robot picks up
what it has just put down and prepared, or the pot to which it has just added an item.

An item takes one carrying to its place in a dish and one more to each station where it must be prepared. Which item goes
to which slot, which tower stands where, and which meal becomes which soup is tried in all ways; the least sum counts.
"""

from functools import lru_cache
from itertools import permutations, product
from typing import NamedTuple

from ..simulator.domain import PREPARATIONS, Flag, Op, Preparation
from ..simulator.engine import BOIL, EFFECTS, FILL, Kitchen, State
from ..simulator.goal_stack import GoalStack
from .dishes import Dishes, Soup

NEVER = 10_000
"""Steps to what can't be reached."""
CARRY = 4
"""Steps to carry one thing: go there, pick it up, go on, put it down."""
ORDER = {"chain": 0, "loose": 1, "top": 2}
EFFECT_OF = {way.op: EFFECTS[way.op] for way in PREPARATIONS}


class Place(NamedTuple):
    """A slot of a dish: the dish's number, the role of the slot in it, its rank in that role, the flags wanted."""

    dish: int
    role: str
    rank: int
    flags: int


class Site(NamedTuple):
    """Where and how a dish may come to be: a tower at a station (-1: one that has no part of it yet), or a soup.

    good: how many items of the chain are there. height: items there. stay: the lowest level that must leave; those
    below may stay. complete: whether the chain is. missing: whether items are that go below the top. top: the item
    in this stack that becomes the top, or -1 for one from elsewhere. meal: -1 for water yet to be drawn. open: whether
    items can be added to it. pot: station of the pot with its meal, or -1. wet: whether the pot is full or being
    filled. cost, spots: steps for pot and bowl, and stations (bits) at which these are one less. uses: whether they
    count the container in hand.
    """

    station: int = -1
    good: int = 0
    height: int = 0
    stay: int = 0
    complete: bool = False
    missing: bool = True
    top: int = -1
    meal: int = -1
    open: bool = True
    pot: int = -1
    wet: bool = False
    cost: int = 0
    spots: int = 0
    uses: bool = False

    def takes(self, place: Place) -> bool:
        """Whether a prepared item can be put into a slot before anything else is carried."""
        if place.role == "soup":
            return self.wet
        if place.role == "chain":
            return place.rank == self.good == self.height
        if place.role == "loose":
            return self.complete
        return self.complete and not self.missing and self.stay == self.height


class DishBound:
    """The lower bound for one kitchen's dishes; results for equal situations are kept."""

    def __init__(self, kitchen: Kitchen, dishes: Dishes):
        self.kitchen, self.dishes = kitchen, dishes
        self.places: dict[str, list[Place]] = {}
        for number, stack in enumerate(dishes.stacks):
            roles = [("chain", stack.chain), ("loose", stack.loose)]
            roles.append(("top", (stack.top,) if stack.top else ()))
            for role, slots in roles:
                for rank, slot in enumerate(slots):
                    self._add(slot, Place(number, role, rank, slot.flags))
        for number, soup in enumerate(dishes.soups, len(dishes.stacks)):
            for rank, slot in enumerate(soup.slots):
                self._add(slot, Place(number, "soup", rank, slot.flags))
        self.of_kind: dict[str, list[int]] = {}
        for item, kind in enumerate(kitchen.item_kinds):
            self.of_kind.setdefault(kind, []).append(item)
        self.at = {
            kind: sum(1 << s for s, own in enumerate(kitchen.station_kinds) if own == kind)
            for kind in set(kitchen.station_kinds)
        }
        self.stations = (1 << len(kitchen.stations)) - 1
        self._ways: dict[tuple, list[tuple[int, int]]] = {}

    def _add(self, slot, place: Place) -> None:
        self.places.setdefault(slot.kind, []).append(place)

    def steps(self, state: State) -> int:
        """A number of steps that no plan from ``state`` to the goal can undercut; `NEVER` or more if there is none."""
        effects = tuple(e if e[0] == 1 else e[:3] for e in state.effects)
        key = (*state[1:7], effects)
        ways = self._ways.get(key)
        if ways is None:
            ways = self._ways[key] = list(set(_Count(self, state).list_ways()))
        loc = state.loc
        if loc < 0:
            return min((cost for cost, _ in ways), default=NEVER)
        return min((cost - (spots >> loc & 1) for cost, spots in ways), default=NEVER)


class _Count:
    """What is left to do in one state, wherever the robot stands."""

    def __init__(self, bound: DishBound, state: State):
        self.bound, self.kitchen, self.state = bound, bound.kitchen, state
        self.held = state.hand if 0 <= state.hand < len(state.flags) else -1
        self.where = {i: (s, n) for s, stack in enumerate(state.stacks) for n, i in enumerate(stack)}
        self.gone = dict(state.added)
        occupied = 0
        for place, _ in state.containers:
            if place >= 0:
                occupied |= 1 << place
        bare = sum(1 << s for s, stack in enumerate(state.stacks) if not stack)
        self.bare = bare & ~occupied
        """Stations with nothing on them (bits)."""
        self.free = bound.stations & ~occupied
        """Stations on which an item can be put (bits)."""
        self._alone: dict[tuple[int, int], tuple[int, int]] = {}

    def list_ways(self) -> list[tuple[int, int]]:
        """(steps, stations at which one step less is needed) for every choice of sites."""
        dishes = self.bound.dishes
        options = [self._list_tower_sites(n) for n in range(len(dishes.stacks))]
        options += [self._list_soup_sites(soup) for soup in dishes.soups]
        ways = []
        for sites in product(*options):
            stations = [site.station for site in sites if site.station >= 0]
            meals = [site.meal for site in sites if site.meal >= 0]
            if len(set(stations)) == len(stations) and len(set(meals)) == len(meals):
                way = self._weigh(sites)
                if way[0] < NEVER:
                    ways.append(way)
        return ways

    # ------------------------------------------------------------------ sites

    def _list_tower_sites(self, number: int) -> list[Site]:
        """Stations at which something of the tower stands, and any other one."""
        target, flags, kinds = self.bound.dishes.stacks[number], self.state.flags, self.kitchen.item_kinds
        sites = [Site(complete=not target.chain, missing=bool(target.chain or target.loose))]
        for s, stack in enumerate(self.state.stacks):
            if not stack or not self.bound.at["table"] >> s & 1:
                continue
            good = 0
            for item, slot in zip(stack, target.chain, strict=False):
                if kinds[item] != slot.kind or flags[item] & slot.flags != slot.flags:
                    break
                good += 1
            height, complete = len(stack), good == len(target.chain)
            if not complete:
                if good:
                    sites.append(Site(s, good, height, good))
                continue
            site = Site(s, good, height, height, True, self._is_missing(target, stack[good:]))
            sites.append(site)
            if target.top:
                for level in range(good, height):
                    item = stack[level]
                    if kinds[item] == target.top.kind and flags[item] & target.top.flags == target.top.flags:
                        missing = self._is_missing(target, stack[good:level])
                        stay = level + (not missing)
                        cost = -2 if stay < height and not missing else 0
                        sites.append(site._replace(missing=missing, stay=stay, top=item, cost=cost))
        return sites

    def _is_missing(self, target: GoalStack, items: tuple[int, ...]) -> bool:
        """Whether some items do not fill a tower's loose slots."""
        kinds, flags = self.kitchen.item_kinds, self.state.flags
        for slot in set(target.loose):
            fits = (kinds[i] == slot.kind and flags[i] & slot.flags == slot.flags for i in items)
            if sum(fits) < target.loose.count(slot):
                return True
        return False

    def _list_soup_sites(self, soup: Soup) -> list[Site]:
        """Meals that may become the soup, and water yet to be drawn."""
        kitchen, state = self.kitchen, self.state
        sites = []
        for c, (station, meal) in enumerate(state.containers):
            kind, held = kitchen.container_kinds[c], state.hand == len(state.flags) + c
            if meal >= 0 and kind == "bowl":
                if state.meals[meal] or not soup.boiling:
                    cost, spots, uses = self._place_bowl(soup, [c])
                    sites.append(
                        Site(meal=meal, open=False, cost=cost, spots=spots, uses=uses)
                    )
            elif kind == "pot":
                sites += self._list_pot_sites(soup, c, station, meal, held)
        return sites

    def _place_bowl(self, soup: Soup, bowls: list[int]) -> tuple[int, int, bool]:
        """Steps to bring one of some bowls to its place: (steps, stations that save one, whether it is in hand)."""
        best = (NEVER, 0, False)
        allowed = self.bound.at.get(soup.station, 0) if soup.station else self.bound.stations
        picks = 0
        for c in bowls:
            station = self.state.containers[c][0]
            if station < 0:
                best = min(best, (2, self.bare & allowed, True))
            elif allowed >> station & 1:
                best = min(best, (0, 0, False))
            else:
                picks |= 1 << station
                best = min(best, (CARRY, 0, False))
        if best[0] == CARRY:
            return CARRY, picks, False
        return best

    def _list_pot_sites(self, soup: Soup, pot: int, station: int, meal: int, held: bool) -> list[Site]:
        """The soup made of what is in a pot, or of water that the pot will be filled with."""
        state, at = self.state, self.bound.at
        wet, here = meal >= 0, (1 << station if station >= 0 else 0)
        bowls = [
            c
            for c, kind in enumerate(self.kitchen.container_kinds)
            if kind == "bowl" and state.containers[c][1] < 0
        ]
        cost, spots, uses = self._place_bowl(soup, bowls)
        if cost >= NEVER:
            return []
        least, most = self._count_missing(soup, meal)
        started = {(e[0], e[2]) for e in state.effects if e[0] in (FILL, BOIL) and e[1] == pot}
        legs, resumed, running = [], 0, False
        if not wet:
            places = {s for kind, s in started if kind == FILL}
            if station in places:
                running = True
            elif places:
                legs.append(self.bare & sum(1 << s for s in places))
                resumed += 1
            elif here & at.get("sink", 0):
                cost += 2
                spots |= here
            elif "sink" in at:
                legs.append(self.bare & at["sink"])
                cost += 1
            else:
                return []
        dry = len(legs)
        if soup.boiling and not (wet and state.meals[meal]):
            places = {s for kind, s in started if kind == BOIL}
            if wet and station in places:
                running = True
            elif places:
                legs.append(self.bare & sum(1 << s for s in places))
                resumed += 1
            elif wet and here & at.get("stove", 0):
                cost += 1 if most else 2
                spots |= 0 if most else here
            elif "stove" in at:
                legs.append(self.bare & at["stove"])
                cost += 1
            else:
                return []
        if held and wet and least and not legs:
            legs.append(self.bare)
        legs.append(sum(1 << state.containers[c][0] for c in bowls if state.containers[c][0] >= 0))
        pours = len(legs) - dry - (held and not dry)
        joined = min(most, pours)
        cost += CARRY * len(legs) - 2 * held - joined - resumed
        if held:
            spots |= legs[0]
        elif not running and (dry or pours > joined):
            spots |= here
        return [Site(meal=meal, pot=station if wet else -1, wet=wet or running, cost=cost, spots=spots, uses=held or uses)]

    def _count_missing(self, soup: Soup, meal: int) -> tuple[int, int]:
        """How many items must still be added to a meal, at least and at most."""
        if meal < 0:
            return len(soup.slots), len(soup.slots)
        kinds, flags = self.kitchen.item_kinds, self.state.flags
        added = [i for i, other in self.state.added if other == meal]
        open_slots = sorted(soup.slots, key=lambda slot: -slot.flags.bit_count())
        for item in added:
            for slot in open_slots:
                if kinds[item] == slot.kind and flags[item] & slot.flags == slot.flags:
                    open_slots.remove(slot)
                    break
        return max(0, len(soup.slots) - len(added)), len(open_slots)

    # ------------------------------------------------------------------ items

    def _weigh(self, sites: tuple[Site, ...]) -> tuple[int, int]:
        """Steps if the dishes come to be at these sites, and the stations at which these are one less."""
        bound, state = self.bound, self.state
        steps = sum(site.cost for site in sites)
        spots, uses, blockers = 0, False, 0
        for site in sites:
            spots |= site.spots
            uses = uses or site.uses
        steps -= 2 * max(0, sum(site.open for site in sites[len(bound.dishes.stacks) :]) - 1)
        owner = {site.station: (n, site) for n, site in enumerate(sites) if site.station >= 0}
        dump = False
        for kind, items in bound.of_kind.items():
            places = bound.places.get(kind, ())
            idle = tuple(self._cost_idle(i, owner) for i in items)
            rows = tuple(
                tuple(self._cost_at(i, place, sites[place.dish]) for i in items) for place in places
            )
            leaving = tuple(self._find_source(i, owner) for i in items)
            goes = tuple(p.dish if sites[p.dish].station >= 0 else -1 for p in places)
            least, moved, taken, swapped = _assign(rows, idle, leaving, goes)
            if least >= NEVER:
                return NEVER, 0
            steps += least
            for n, item in enumerate(items):
                if not moved >> n & 1:
                    continue
                if item == self.held:
                    for rank, place in enumerate(places):
                        if taken[n] >> rank & 1:
                            spots |= self._list_spots(item, place, sites[place.dish])[1]
                    if taken[n] >> len(places) & 1:
                        spots |= self.free
                        dump = True
                elif item in self.where:
                    s, level = self.where[item]
                    if level == len(state.stacks[s]) - 1 and (swapped or self._may_leave(item, taken[n], places, sites)):
                        spots |= 1 << s
            if places:
                blockers = max(blockers, self._count_blockers(rows, items, owner))
        if state.hand >= len(state.flags) and not uses and steps:
            steps += 2
            spots |= self.bare
        if dump and steps == 2:
            return 0, 0  # nothing is left to do, so what is held may stay in the hand
        if blockers:
            steps += CARRY * blockers
            spots = bound.stations
        return steps, spots

    def _may_leave(self, item: int, taken: int, places, sites: tuple[Site, ...]) -> bool:
        """Whether it may be useful to pick up an item now for one of the slots that it may take (bits)."""
        if taken >> len(places) & 1:
            return True
        for rank, place in enumerate(places):
            if taken >> rank & 1:
                ways, site = self._list_ways(item, place.flags), sites[place.dish]
                s = self.where[item][0]
                if ways:
                    if not any(self._is_running(item, way, s) for way in ways):
                        return True
                elif s == site.station or site.takes(place):
                    return True
        return False

    def _is_running(self, item: int, way: Preparation, station: int) -> bool:
        """Whether an item is being cooked or fried where it lies."""
        kind = EFFECT_OF[way.op]
        return way.op is not Op.cut and any(e[:3] == (kind, item, station) for e in self.state.effects)

    def _count_blockers(self, rows, items: list[int], owner: dict[int, Site]) -> int:
        """Things of no use that lie upon what is needed of one kind, however it is chosen."""
        most = 0
        for row in rows:
            fewest = NEVER
            for cost, item in zip(row, items, strict=True):
                if cost >= NEVER:
                    continue
                above = 0
                if cost and item in self.where and self.where[item][0] not in owner:
                    s, level = self.where[item]
                    above = sum(
                        self.kitchen.item_kinds[other] not in self.bound.places
                        for other in self.state.stacks[s][level + 1 :]
                    )
                fewest = min(fewest, above)
            most = max(most, fewest % NEVER)
        return most

    def _cost_idle(self, item: int, owner: dict[int, Site]) -> int:
        """Steps that an item costs that goes into no dish."""
        if item == self.held:
            return 2
        if item in self.where:
            s, level = self.where[item]
            if s in owner and level >= owner[s][1].stay:
                return CARRY
        return 0

    def _find_source(self, item: int, owner: dict) -> int:
        """The dish at whose station an item lies, or -1."""
        s, _ = self.where.get(item, (-1, 0))
        return owner[s][0] if s in owner else -1

    def _cost_at(self, item: int, place: Place, site: Site) -> int:
        """Steps that an item costs that goes into a slot at a site."""
        flags = self.state.flags[item]
        ready = flags & place.flags == place.flags
        if item in self.gone:
            here = place.role == "soup" and site.meal == self.gone[item]
            return 0 if here and ready else NEVER
        if place.role == "soup" and not site.open:
            return NEVER
        if item == self.held:
            return self._list_spots(item, place, site)[0]
        cost, carries = self._carry(item, place.flags)
        s, level = self.where[item]
        if place.role == "soup":
            return cost
        if place.role == "top":
            if site.top >= 0 and site.top != item or site.top < 0 and s == site.station:
                return NEVER
        if s != site.station:
            return cost + CARRY * self._lies_before(item, place)
        fits = level == place.rank if place.role == "chain" else level >= site.good
        if ready and fits and level < site.stay:
            return 0
        return cost + CARRY if carries == 1 else cost

    def _lies_before(self, item: int, place: Place) -> bool:
        """Whether an item lies upon one that must get into the same tower earlier."""
        s, level = self.where[item]
        if not level:
            return False
        kinds = self.kitchen.item_kinds
        below = self.state.stacks[s][:level]
        for kind in {kinds[i] for i in below}:
            earlier = self._count_earlier(place, kind)
            if earlier:
                others = [i for i in self.bound.of_kind[kind] if i != item and i not in below]
                if sum(i not in self.gone for i in others) < earlier:
                    return True
        return False

    def _count_earlier(self, place: Place, kind: str) -> int:
        """How many items of a kind a tower needs before one slot of it can be filled."""
        return sum(
            other.dish == place.dish and (ORDER[other.role], other.rank * (other.role == "chain")) < (ORDER[place.role], place.rank * (place.role == "chain"))
            for other in self.bound.places.get(kind, ())
        )

    def _carry(self, item: int, wanted: int) -> tuple[int, int]:
        """(steps, carryings) to bring an item to another place with these flags."""
        key = (item, wanted)
        if key in self._alone:
            return self._alone[key]
        found = self._alone[key] = self._prepare(item, wanted)
        return found

    def _list_ways(self, item: int, wanted: int) -> list | None:
        """The preparations that an item lacks, or None where it can't come by the flags."""
        flags = self.state.flags[item]
        ways = []
        lacking = wanted & ~flags
        if lacking & Flag.isfried and not flags & (Flag.isfryable | Flag.iscut):
            if not flags & Flag.isfryableifcut:
                return None
            lacking |= Flag.iscut
        for way in PREPARATIONS:
            if lacking & way.done:
                raw = way.raw | (Flag.isfryableifcut if way.op is Op.fry else 0)
                if not flags & raw:
                    return None
                ways.append(way)
                lacking &= ~way.done
        return None if lacking else ways

    def _prepare(self, item: int, wanted: int) -> tuple[int, int]:
        ways = self._list_ways(item, wanted)
        if ways is None:
            return NEVER, 0
        carries, steps = 1 + len(ways), 0
        s, level = self.where.get(item, (-1, -1))
        for way in ways:
            if not self.bound.at.get(way.station):
                return NEVER, 0
            kind = EFFECT_OF[way.op]
            started = [e for e in self.state.effects if e[0] == kind and e[1] == item]
            here = level == 0 and self.bound.at[way.station] >> s & 1
            here = here and self.state.flags[item] & way.raw
            if way.op is Op.cut:
                steps += way.times - sum(e[3] for e in started)
                if not here:
                    steps -= 1
            elif started:
                steps -= not here
            else:
                steps += 2 if here else 1
            carries -= bool(here)
        return steps + CARRY * carries, carries

    def _list_spots(self, item: int, place: Place, site: Site) -> tuple[int, int]:
        """Of the item in hand: (steps to a slot, stations at which it is one less)."""
        ways = self._list_ways(item, place.flags)
        if ways is None:
            return NEVER, 0
        cost, _ = self._carry(item, place.flags)
        cost -= 2
        at, flags = self.bound.at, self.state.flags[item]
        if ways:
            spots = sum(at[way.station] for way in ways if flags & way.raw)
            return cost, spots & self.bare
        if place.role == "top" and site.top >= 0:
            return NEVER, 0
        own = 1 << site.station if site.station >= 0 else 0
        if not site.takes(place):
            return cost + CARRY, self.free & ~own
        if place.role == "soup":
            return cost, 1 << site.pot if site.pot >= 0 else 0
        return cost, own or self.bare & at["table"]


@lru_cache(maxsize=100_000)
def _assign(
    rows: tuple[tuple[int, ...], ...],
    idle: tuple[int, ...],
    leaving: tuple[int, ...],
    goes: tuple[int, ...],
) -> tuple[int, int, tuple[int, ...], bool]:
    """The cheapest choice of an item for each slot.

    rows: per slot, the cost of each item there. idle: the cost of each item that is not chosen. leaving: the dish whose
    station each item must leave; goes: the dish of each slot; -1 for no station. Where two items change places
    between two dishes, one of them must be put down on the way. Returned: the least
    sum, the items that cost something in a cheapest choice (bits), and per item the slots that it takes in one (bits;
    the bit after the last slot: none).
    """
    base, count = sum(idle), len(idle)
    best, moved, taken, swapped = NEVER, 0, [0] * count, False
    for chosen in permutations(range(count), len(rows)):
        cost = base
        for row, item in zip(rows, chosen):
            cost += row[item] - idle[item]
        if cost > best or cost >= NEVER:
            continue
        ways = {
            (leaving[item], to)
            for row, item, to in zip(rows, chosen, goes)
            if to >= 0 and leaving[item] >= 0 and row[item] == CARRY
        }
        swaps = sum((b, a) in ways for a, b in ways if a < b)
        cost += CARRY * swaps
        if cost > best:
            continue
        if cost < best:
            best, moved, taken, swapped = cost, 0, [0] * count, False
        swapped = swapped or swaps > 0
        for item in range(count):
            if item in chosen:
                rank = chosen.index(item)
                moved |= (rows[rank][item] > 0) << item
                taken[item] |= 1 << rank
            else:
                moved |= (idle[item] > 0) << item
                taken[item] |= 1 << len(rows)
    return best, moved, tuple(taken), swapped
