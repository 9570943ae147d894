"""A lower bound on the steps to several dishes, from counting visits to stations.

Whatever the robot does at one station without leaving it is a visit; each but perhaps the first costs a move. A visit
begins with putting down what the robot holds, if it holds something, and ends when it leaves, perhaps with something.
So to carry one thing takes two visits, and four steps. Two visits fall together only where the robot picks up what it
has just put down and prepared, or the pot to which it has just added an item.

An item takes one carrying to its place in a dish and one more to each station where it must be prepared. Which item
goes into which slot, which tower stands where and which meal becomes which soup is tried in all ways; the least sum
counts. Example: a tomato on a table is to be cut and to lie upon bread, and the robot is elsewhere. To the board (4
steps), three cuts and on to the bread (3, for the robot is at the board already) make 10.
"""

from ..simulator.engine import CUT, Kitchen, State
from .assignment import Choice, choose_items
from .dishes import Dishes, Place
from .scene import CARRY, NEVER, Scene, list_bits
from .sites import Site, list_combinations


class DishBound:
    """The lower bound for the dishes of one kitchen; results for equal situations are kept."""

    def __init__(self, kitchen: Kitchen, dishes: Dishes):
        self.kitchen, self.dishes, self.places = kitchen, dishes, dishes.list_places()
        self.at = list_bits(kitchen)
        self.items: dict[str, list[int]] = {}
        for item, kind in enumerate(kitchen.item_kinds):
            self.items.setdefault(kind, []).append(item)
        self.useless = bool(self.items.keys() - self.places.keys())
        self._ways: dict[tuple, list[tuple[int, int]]] = {}

    def steps(self, state: State) -> int:
        """A number of steps that no plan from ``state`` can undercut; at least `NEVER` where there is none."""
        # Of effects but cutting, only which they are is looked at, not how far they have come.
        effects = tuple([e if e[0] == CUT else e[:3] for e in state.effects])
        key = (*state[1:7], effects)
        ways = self._ways.get(key)
        if ways is None:
            scene = Scene(self.kitchen, state, self.at)
            sites = list_combinations(scene, self.dishes)
            ways = self._ways[key] = list({_Weighing(self, scene, s).find_way() for s in sites})
        loc = max(state.loc, 0)
        return min((cost - (spots >> loc & 1) for cost, spots in ways), default=NEVER)


class _Weighing:
    """What the dishes cost at given sites, wherever the robot stands."""

    def __init__(self, bound: DishBound, scene: Scene, sites: tuple[Site, ...]):
        self.bound, self.scene, self.sites = bound, scene, sites
        self.owner = {site.station: n for n, site in enumerate(sites) if site.station >= 0}
        self.steps = sum(site.cost for site in sites)
        # Where one soup is poured, the pot is in hand for the next.
        self.steps -= 2 * max(0, sum(site.open for site in sites) - 1)
        self.spots = 0
        for site in sites:
            self.spots |= site.spots
        self.blockers = self.useless = 0
        self.dumps = False

    def find_way(self) -> tuple[int, int]:
        """(steps, stations (bits) at which the robot needs one less)."""
        scene = self.scene
        for kind, items in self.bound.items.items():
            places = self.bound.places.get(kind, [])
            rows = tuple([tuple([self._cost_at(i, place) for i in items]) for place in places])
            idle = tuple([self._cost_idle(i) for i in items])
            sources = tuple([self.owner.get(scene.where.get(i, (-1,))[0], -1) for i in items])
            sites = [self.sites[place.dish] for place in places]
            targets = tuple(
                [p.dish if s.station >= 0 else -1 for p, s in zip(places, sites, strict=True)]
            )
            choice = choose_items(rows, idle, sources, targets)
            if choice.least >= NEVER:
                return NEVER, 0
            self.steps += choice.least
            self._note_spots(items, places, choice)
            if self.bound.useless:
                fewest = (self._count_blockers(row, items) for row in rows)
                self.blockers = max(self.blockers, *fewest, 0)
        if self.dumps and self.steps == 2:
            return 0, 0  # nothing is left to do, so what is held may stay in the hand
        if (
            scene.held < 0 <= scene.state.hand
            and self.steps
            and not any(s.uses for s in self.sites)
        ):
            self.steps += 2
            self.spots |= scene.bare
        if self.blockers:
            self.steps += CARRY * self.blockers
            self.spots = scene.all
        useless = self.useless + self.blockers
        if useless:  # thrown into a pot, it saves what adding an item there saves
            self.steps -= min(useless, sum(site.spare for site in self.sites))
            self.spots |= scene.wet
        return self.steps, self.spots

    # ---------------------------------------------------------- costs of items

    def _cost_idle(self, item: int) -> int:
        """Steps for an item that goes into no dish."""
        if item == self.scene.held:
            return 2
        if item in self.scene.where:
            s, level = self.scene.where[item]
            if s in self.owner and level >= self.sites[self.owner[s]].stay:
                return CARRY
        return 0

    def _cost_at(self, item: int, place: Place) -> int:
        """Steps for an item that goes into a slot."""
        scene, site = self.scene, self.sites[place.dish]
        ready = scene.flags[item] & place.flags == place.flags
        if item in scene.gone:
            here = place.role == "soup" and site.meal == scene.gone[item]
            return 0 if here and ready else NEVER
        if place.role == "soup" and not site.open:
            return NEVER
        if item == scene.held:
            return self._place_held(place)[0]
        cost, carries = scene.carry(item, place.flags)
        if place.role == "soup":
            return cost
        s, level = scene.where[item]
        if place.role == "top" and site.complete:
            chosen = item == site.top if site.top >= 0 else not (ready and s == site.station)
            if not chosen:
                return NEVER
        if s != site.station:
            return cost + CARRY * (carries == 1 and self._lies_on_earlier(item, place))
        fits = level == place.rank if place.role == "chain" else level >= site.good
        if ready and fits and level < site.stay:
            return 0
        return cost + CARRY * (carries == 1)  # away and back

    def _lies_on_earlier(self, item: int, place: Place) -> bool:
        """Whether an item lies upon one without which its own slot in a tower can't be filled yet."""
        scene = self.scene
        s, level = scene.where[item]
        if not level or place.role == "soup":
            return False
        below = scene.state.stacks[s][:level]
        for kind in {scene.kinds[i] for i in below}:
            places = self.bound.places.get(kind, [])
            earlier = sum(p.dish == place.dish and p.order < place.order for p in places)
            if earlier:
                others = (i for i in self.bound.items[kind] if i != item and i not in below)
                if sum(i not in scene.gone for i in others) < earlier:
                    return True
        return False

    def _place_held(self, place: Place) -> tuple[int, int]:
        """(steps for the item in hand to a slot, stations at which it is one less)."""
        scene, site, item = self.scene, self.sites[place.dish], self.scene.held
        cost = scene.carry(item, place.flags)[0] - 2
        if place.role == "top" and site.top >= 0:
            return NEVER, 0
        ways = scene.list_lacking(item, place.flags)
        if ways is None:
            return NEVER, 0
        if ways:
            here = [scene.at[way.station] for way in ways if scene.flags[item] & way.ready]
            return cost, sum(here) & scene.bare
        own = 1 << site.station if site.station >= 0 else 0
        if not site.takes(place):  # the hand is needed before
            return cost + CARRY, scene.free & ~own
        if place.role == "soup":
            return cost, 1 << site.pot if site.pot >= 0 else 0
        return cost, own or scene.bare & scene.at["table"]

    # ------------------------------------------------- where a step may be less

    def _note_spots(self, items: list[int], places: list[Place], choice: Choice) -> None:
        """Stations at which the robot may begin with an item that a cheapest choice moves."""
        scene, none = self.scene, 1 << len(places)
        for n, item in enumerate(items):
            if not choice.moved >> n & 1:
                continue
            taken = [place for rank, place in enumerate(places) if choice.taken[n] >> rank & 1]
            unused = choice.taken[n] & none
            self.useless += unused > 0
            if item == scene.held:
                for place in taken:
                    self.spots |= self._place_held(place)[1]
                if unused:
                    self.spots |= scene.free | scene.wet
                    self.dumps = True
            elif item in scene.where:
                s, level = scene.where[item]
                useful = unused or choice.swapped or any(self._may_go(item, p) for p in taken)
                if useful and level == len(scene.state.stacks[s]) - 1:
                    self.spots |= 1 << s

    def _may_go(self, item: int, place: Place) -> bool:
        """Whether it may be useful to pick up an item now for a slot."""
        site, scene = self.sites[place.dish], self.scene
        ways = scene.list_lacking(item, place.flags)
        if ways:
            return not all(scene.is_running(item, way) for way in ways)
        here = scene.where[item][0] == site.station
        return here or site.takes(place) or self._lies_on_earlier(item, place)

    def _count_blockers(self, row: tuple[int, ...], items: list[int]) -> int:
        """Items of kinds that no dish needs, upon any item that may fill a slot."""
        scene, fewest = self.scene, NEVER
        for cost, item in zip(row, items, strict=True):
            if cost < NEVER:
                s, level = scene.where.get(item, (-1, 0))
                above = (
                    scene.state.stacks[s][level + 1 :]
                    if cost and s >= 0 and s not in self.owner
                    else ()
                )
                fewest = min(fewest, sum(scene.kinds[i] not in self.bound.places for i in above))
        return fewest % NEVER
