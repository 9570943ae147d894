"""Layout files of the Robotouille benchmark, read and checked.

Everything that a file can get wrong is refused here with one sentence naming file, key and fix, so that no later stage
meets an impossible kitchen. Departures from the benchmark: exactly one player, a goal that the listed objects can never
satisfy is refused when the layout is loaded instead of being run, and of the kinds that its generator would choose for
a "station" or an "item" the plainest is taken.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from taskreason.durability.errors import UserError, clip, quote
from taskreason.durability.files import decode

from . import domain, layout
from .goal import PREDICATES
from .layout import GoalPredicate, Layout, Robot, Thing

WILDCARDS = {"station": "table", "item": "bread"}
"""What is read where a file leaves a kind open."""


class LayoutError(UserError):
    """A layout that is malformed or whose goal its objects can never satisfy."""


class Reader:
    """Typed access to one JSON object; every refusal names the source file and the key."""

    def __init__(self, data: Any, source: str, key: str = ""):
        self.data, self.source, self.prefix = data, source, f"{key}." if key else ""
        if not isinstance(data, dict):
            raise LayoutError(f"{source}: {key or 'the layout'} must be a JSON object.")

    def fail(self, key: str, message: str) -> LayoutError:
        return LayoutError(f"{self.source}: {clip(self.prefix + key)} {message}.")

    def refuse_other_keys(self, *known: str) -> None:
        for key in self.data:
            if key not in known:
                raise self.fail(key, f"is not a known key, use only {', '.join(known)}")

    def check(self, key: str, value: Any, good: bool, wanted: str) -> None:
        if not good:
            raise self.fail(key, f"is {quote(value)} but must be {wanted}")

    def check_choice(self, key: str, value: Any, choices: tuple[str, ...]) -> None:
        self.check(key, value, value in choices, f"one of {', '.join(choices)}")

    def required(self, key: str) -> Any:
        if key not in self.data:
            raise self.fail(key, "is missing")
        return self.data[key]

    def integer(self, key: str, low: int, high: int) -> int:
        value = self.required(key)
        good = type(value) is int and low <= value <= high
        self.check(key, value, good, f"a whole number from {low} to {high}")
        return value

    def text(self, key: str, choices: tuple[str, ...] = ()) -> str:
        value = self.required(key)
        self.check(key, value, isinstance(value, str), "a string")
        if choices:
            self.check_choice(key, value, choices)
        return value

    def array(self, key: str, optional: bool = False) -> list:
        value = self.data.get(key) if optional else self.required(key)
        if not isinstance(value, list | None):
            raise self.fail(key, "must be a JSON array")
        return value or []

    def objects(self, key: str, optional: bool = False) -> "list[Reader]":
        rows = enumerate(self.array(key, optional))
        return [Reader(row, self.source, f"{self.prefix}{key}[{i}]") for i, row in rows]


def read_text(path: str | Path, name: str) -> str:
    """A whole file; `name` is what its refusal calls it."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise LayoutError(f"{path}: the {name} cannot be read ({reason}).") from None


def parse_json(text: str, source: str) -> Any:
    """JSON as plain values; refuses with one sentence; `source` is the file (and line) it names."""
    try:
        return decode(text)
    except ValueError as error:
        raise LayoutError(f"{source}: this is not valid JSON ({error}).") from None


def load_layouts(path: str | Path) -> list[Layout]:
    """Every layout, as :func:`parse_row` takes it, of a JSON file, a JSON-lines file or a folder (sorted by name).

    Raises LayoutError for a path that is empty or can't be read and for the first layout that is refused.
    """
    path = Path(path)
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    layouts = [found for file in files for found in _load_file(file)]
    if not layouts:
        wanted = "*.json file" if path.is_dir() else "layout"
        raise LayoutError(f"{path}: there is no {wanted} here, give at least one.")
    return layouts


def _load_file(path: Path) -> list[Layout]:
    """The layouts of a file, which is JSON lines by its name or where its first line alone is a JSON object."""
    text = read_text(path, "layout file")
    first, _, rest = text.strip().partition("\n")
    if path.suffix == ".jsonl" or rest and first.startswith("{") and first.rstrip().endswith("}"):
        rows = [(f"{path}:{n}", line) for n, line in enumerate(text.split("\n"), 1)]
    else:
        rows = [(str(path), text)]
    found = [(source, row) for source, row in rows if row.strip() or len(rows) == 1]
    return [parse_row(parse_json(row, source), source) for source, row in found]


def parse_row(row: Any, source: str) -> Layout:
    """A layout, or the one that an object holds under "layout"; raises as :func:`parse_layout` does."""
    return parse_layout(row["layout"] if isinstance(row, dict) and "layout" in row else row, source)


def parse_layout(data: dict, source: str, check_goal: bool = True) -> Layout:
    """Check one layout in the benchmark's JSON. `source` is the file (and line) that errors name.

    Raises LayoutError with one sentence for anything malformed, and for a goal that the kitchen's objects can never
    reach. `check_goal=False` accepts such a goal: one of the benchmark's own layouts asks for a cheese that is not
    there, and replaying actions needs no goal. Other keys (version, config) are ignored: the rules fix what they say.
    """
    top = Reader(data, source)
    size = width, height = tuple(top.integer(key, 1, 1000) for key in ("width", "height"))
    stations = [_read_thing(row, size, domain.STATION_KINDS) for row in top.objects("stations")]
    more = "stack-level", "predicates"
    items = [_read_thing(row, size, domain.ITEM_KINDS, *more) for row in top.objects("items")]
    robot = _read_robot(top, size)
    containers, meals = (top.objects(key, optional=True) for key in ("containers", "meals"))
    named = _list_named(top)
    found = Layout(
        stations=tuple(stations),
        items=tuple(items),
        robot=robot,
        containers=tuple(_read_thing(row, size, domain.CONTAINER_KINDS) for row in containers),
        meals=tuple(_read_thing(row, size, domain.MEAL_KINDS, "predicates") for row in meals),
        goal=tuple(_read_goal_predicate(row, named) for row in top.objects("goal")),
        goal_description=top.text("goal_description"),
        width=width,
        height=height,
        source=source,
    )
    fault = layout.find_placement_fault(found) or check_goal and layout.find_goal_fault(found)
    if fault:
        raise LayoutError(f"{source}: {fault}.")
    return replace(found, items=_close_gaps(found.items))


def _close_gaps(items: tuple[Thing, ...]) -> tuple[Thing, ...]:
    """Stack levels counted from 0: the benchmark's files leave gaps, which mean nothing."""
    levels = defaultdict(list)
    for item in sorted(items, key=lambda item: item.stack_level):
        levels[item.cell].append(item.stack_level)
    return tuple(replace(i, stack_level=levels[i.cell].index(i.stack_level)) for i in items)


def _read_thing(row: Reader, size: tuple[int, ...], kinds: tuple[str, ...], *more: str) -> Thing:
    """An object of one of the kinds in a kitchen of this size, which has no key beyond name, x, y but `more`."""
    row.refuse_other_keys("name", "x", "y", "id", *more)
    name = row.text("name")
    name = WILDCARDS.get(name, name)
    row.check_choice("name", name, kinds)
    x, y = (row.integer(key, 0, end - 1) for key, end in zip("xy", size, strict=True))
    level = row.integer("stack-level", 0, 1000) if "stack-level" in more else 0
    predicates = row.array("predicates", optional=True)
    for i, predicate in enumerate(predicates):
        choices = ("isboiling",) if name in domain.MEAL_KINDS else domain.LAYOUT_FLAGS
        row.check_choice(f"predicates[{i}]", predicate, choices)
    own_id = row.text("id") if "id" in row.data else ""
    return Thing(name, x, y, level, tuple(sorted(set(predicates))), own_id)


def _read_robot(top: Reader, size: tuple[int, ...]) -> Robot:
    players = top.objects("players")
    if len(players) != 1:
        raise top.fail("players", f"lists {len(players)} players but must list exactly one robot")
    row = players[0]
    place = _read_thing(row, size, domain.PLAYER_KINDS, "direction")
    direction = row.array("direction")
    whole = all(type(step) is int for step in direction)
    good = whole and tuple(direction) in layout.DIRECTIONS
    row.check("direction", direction, good, "[0,1], [0,-1], [1,0] or [-1,0]")
    return Robot(*place.cell, tuple(direction))


def _list_named(top: Reader) -> dict[str, str]:
    """Kind of each object that has an id, by the id, as the file calls it."""
    named: dict[str, str] = {}
    for key in ("stations", "items", "containers", "meals", "players"):
        for row in top.objects(key, optional=True):
            own_id = row.data.get("id")
            if own_id is None:
                continue
            text = isinstance(own_id, str) and own_id.isprintable() and own_id
            row.check("id", own_id, bool(text) and not own_id.isdigit(), "text that is no number")
            row.check("id", own_id, own_id not in named, "an id that no other object has")
            named[own_id] = row.data.get("name")
    return named


def _read_goal_predicate(row: Reader, named: Mapping[str, str]) -> GoalPredicate:
    """A term of the goal; named: the kinds of the objects that have an id.

    As in the benchmark, a whole number means any object of the kind, and text the object that has this id. One robot
    needs no id.
    """
    row.refuse_other_keys("predicate", "args", "ids")
    predicate = row.text("predicate", tuple(PREDICATES))
    _, *signature = PREDICATES[predicate]
    args, ids = list(row.array("args")), list(row.array("ids"))
    for key, values in (("args", args), ("ids", ids)):
        if len(values) != len(signature):
            raise row.fail(key, f"must have {len(signature)} entries for {predicate}")
    for i, kinds in enumerate(signature):
        key = ids[i]
        if isinstance(key, str) and key.isascii() and key.isdigit():
            ids[i] = int(key)
        elif type(key) is not int:
            known = isinstance(key, str) and key in named
            row.check(f"ids[{i}]", key, known, "a whole number or the id of an object")
            row.check(
                f"args[{i}]", args[i], args[i] == named[key], f"{named[key]}, as object {key}"
            )
        args[i] = WILDCARDS.get(args[i], args[i]) if isinstance(args[i], str) else args[i]
        row.check_choice(f"args[{i}]", args[i], kinds)
    return GoalPredicate(predicate, tuple(args), tuple(ids))
