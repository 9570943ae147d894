"""A kitchen as PDDL, so that an independent planner can confirm the lengths of our shortest plans.

Input: a kitchen and a state. Output: the texts of a STRIPS domain and problem. Only moving and
carrying are exported (move, pick up, unstack, place, stack): whatever needs a timer or a counter
can't be written down in STRIPS. The export is nevertheless exact where it is offered, because a
kitchen is refused when such an action could help: when it has containers, when the goal is not
about the places of items, or when an item could still gain a flag that the goal asks of its kind.
The goal's permuted ids become the parameters of one last action `finish`, so an optimal plan of
the export has exactly one action more than an optimal plan of the kitchen.
"""

from taskreason.durability.errors import UserError
from taskreason.environments.robotouille.simulator.domain import Flag
from taskreason.environments.robotouille.simulator.engine import Kitchen, State

_PLACE_TERMS = {"item_on": "on", "item_at": "at", "atop": "atop", "clear": "clear"}
_GAINED_FROM = {
    "iscooked": Flag.iscookable,
    "iscut": Flag.iscuttable,
    "isfryable": Flag.isfryableifcut,
    "isfried": Flag.isfryable | Flag.isfryableifcut,
}

_DOMAIN = """(define (domain kitchen)
  (:requirements :strips :typing :negative-preconditions :equality)
  (:types item station - object {kinds})
  (:predicates (loc ?s - station) (free) (held ?i - item) (empty ?s - station) (clear ?i - item)
    (on ?i - item ?s - station) (at ?i - item ?s - station) (atop ?i - item ?j - item)
    {flags} (reached))
  (:action move :parameters (?a - station ?b - station)
    :precondition (and (loc ?a) (not (= ?a ?b)))
    :effect (and (not (loc ?a)) (loc ?b)))
  (:action pick_up :parameters (?i - item ?s - station)
    :precondition (and (free) (loc ?s) (on ?i ?s) (clear ?i))
    :effect (and (not (free)) (held ?i) (empty ?s) (not (on ?i ?s)) (not (at ?i ?s))
      (not (clear ?i))))
  (:action place :parameters (?i - item ?s - station)
    :precondition (and (held ?i) (loc ?s) (empty ?s))
    :effect (and (free) (not (held ?i)) (not (empty ?s)) (on ?i ?s) (at ?i ?s) (clear ?i)))
  (:action stack :parameters (?i - item ?j - item ?s - station)
    :precondition (and (held ?i) (loc ?s) (at ?j ?s) (clear ?j))
    :effect (and (free) (not (held ?i)) (atop ?i ?j) (at ?i ?s) (clear ?i) (not (clear ?j))))
  (:action unstack :parameters (?i - item ?j - item ?s - station)
    :precondition (and (free) (loc ?s) (at ?i ?s) (at ?j ?s) (atop ?i ?j) (clear ?i))
    :effect (and (not (free)) (held ?i) (not (atop ?i ?j)) (not (at ?i ?s)) (not (clear ?i))
      (clear ?j)))
  (:action finish :parameters ({parameters})
    :precondition (and {goal})
    :effect (reached)))
"""


def export_pddl(kitchen: Kitchen, state: State | None = None) -> tuple[str, str]:
    """Domain and problem texts whose shortest plan is one action longer than the kitchen's.

    Raises UserError for a kitchen whose shortest plan could depend on what is left out.
    """
    state = kitchen.initial if state is None else state
    reason = _find_obstacle(kitchen, state)
    if reason:
        raise UserError(f"{kitchen.layout.source}: {reason}, so it has no exact PDDL export.")
    return _write_domain(kitchen), _write_problem(kitchen, state)


def _find_obstacle(kitchen: Kitchen, state: State) -> str | None:
    if kitchen.containers:
        return "containers is not empty"
    if state.effects:
        return "a timer or counter is running in this state"
    for term in kitchen.layout.goal:
        if term.predicate in _PLACE_TERMS:
            continue
        flag = Flag.__members__.get(term.predicate)
        if flag is None or flag is Flag.iscooking:
            return f"goal asks for {term.predicate}"
        source = _GAINED_FROM.get(term.predicate, Flag(0))
        for kind, bits in zip(kitchen.item_kinds, state.flags, strict=True):
            if kind == term.args[0] and not bits & flag and bits & source:
                return f"items has a {kind} that could still become {term.predicate}"
    return None


def _goal_flags(kitchen: Kitchen) -> list[str]:
    return sorted({t.predicate for t in kitchen.layout.goal if t.predicate in Flag.__members__})


def _write_domain(kitchen: Kitchen) -> str:
    kinds: dict[int, str] = {}
    terms = []
    for term in kitchen.layout.goal:
        kinds.update(zip(term.ids, term.args, strict=True))
        name = _PLACE_TERMS.get(term.predicate, term.predicate)
        terms.append(f"({name} {' '.join(f'?x{i}' for i in term.ids)})")
    terms += [
        f"(not (= ?x{i} ?x{j}))" for i in kinds for j in kinds if i < j and kinds[i] == kinds[j]
    ]
    stations, items = sorted(set(kitchen.station_kinds)), sorted(set(kitchen.item_kinds))
    return _DOMAIN.format(
        kinds=f"{' '.join(stations)} - station {' '.join(items)} - item",
        flags=" ".join(f"({flag} ?i - item)" for flag in _goal_flags(kitchen)),
        parameters=" ".join(f"?x{i} - {kind}" for i, kind in kinds.items()),
        goal=" ".join(terms),
    )


def _write_problem(kitchen: Kitchen, state: State) -> str:
    names = (*kitchen.stations, *kitchen.items)
    kinds = (*kitchen.station_kinds, *kitchen.item_kinds)
    facts = [f"loc {kitchen.stations[state.loc]}"] if state.loc >= 0 else []
    facts.append("free" if state.hand < 0 else f"held {kitchen.items[state.hand]}")
    for station, stack in zip(kitchen.stations, state.stacks, strict=True):
        pile = [kitchen.items[i] for i in stack]
        facts += [f"at {item} {station}" for item in pile]
        facts += [f"atop {above} {below}" for below, above in zip(pile, pile[1:], strict=False)]
        facts += [f"on {pile[0]} {station}", f"clear {pile[-1]}"] if pile else [f"empty {station}"]
    for flag in _goal_flags(kitchen):
        facts += [
            f"{flag} {item}"
            for item, bits in zip(kitchen.items, state.flags, strict=True)
            if bits & Flag[flag]
        ]
    objects = " ".join(f"{name} - {kind}" for name, kind in zip(names, kinds, strict=True))
    lines = "\n    ".join(f"({fact})" for fact in facts)
    return (
        f"(define (problem serve) (:domain kitchen)\n  (:objects {objects})\n"
        f"  (:init {lines})\n  (:goal (reached)))\n"
    )
