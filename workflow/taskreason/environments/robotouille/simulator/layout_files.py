"""Layout files of the Robotouille benchmark, read and checked.

Input: the benchmark's own JSON (one file, JSON lines, or a folder of files). Output: a `layout.Layout` each. Everything
a file can get wrong is refused here with one sentence naming file, key and fix, so that no later stage meets an
impossible kitchen. Departure from the benchmark: exactly one player, and a goal that the listed objects can never
satisfy is refused when the layout is loaded instead of being run.
"""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from taskreason.durability.errors import quote

from .domain import (
    CONTAINER_KINDS,
    ITEM_KINDS,
    LAYOUT_FLAGS,
    MEAL_KINDS,
    PLAYER_KINDS,
    STATION_KINDS,
)
from .goal import PREDICATES
from .layout import DIRECTIONS, GoalPredicate, Layout, Robot, Thing
from .layout_checks import find_goal_fault, find_placement_fault
from .layout_reader import LayoutError, Reader, parse_json, read_text


def parse_layout(data: dict, source: str, check_goal: bool = True) -> Layout:
    """Check one layout in the benchmark's JSON. `source` is the file (and line) that errors name.

    Raises LayoutError with one sentence for anything malformed, and for a goal that the kitchen's
    objects can never reach. `check_goal=False` accepts such a goal: one of the benchmark's own
    layouts has it (it asks for a cheese that is not there), and replaying actions needs no goal.
    Other keys (version, config) are ignored: the rules fix the cuts and the cooking time anyway.
    """
    top = Reader(data, source, "")
    size = width, height = tuple(top.integer(key, 1, 1000) for key in ("width", "height"))
    stations = tuple(
        Thing(*_read_place(row, STATION_KINDS, size)) for row in top.objects("stations")
    )
    items = tuple(_read_item(row, size) for row in top.objects("items"))
    robot = _read_robot(top, size)
    containers, meals = (
        top.objects("containers", optional=True),
        top.objects("meals", optional=True),
    )
    layout = Layout(
        stations=stations,
        items=items,
        robot=robot,
        containers=tuple(Thing(*_read_place(row, CONTAINER_KINDS, size)) for row in containers),
        meals=tuple(_read_meal(row, size) for row in meals),
        goal=tuple(_read_goal_predicate(row) for row in top.objects("goal")),
        goal_description=top.text("goal_description"),
        width=width,
        height=height,
        source=source,
    )
    fault = find_placement_fault(layout)
    if fault is None and check_goal:
        fault = find_goal_fault(layout)
    if fault:
        raise LayoutError(f"{source}: {fault}.")
    return replace(layout, items=_close_gaps(layout.items))


def _close_gaps(items: tuple[Thing, ...]) -> tuple[Thing, ...]:
    """Stack levels counted from 0: the benchmark's files leave gaps, which mean nothing."""
    levels = defaultdict(list)
    for item in items:
        levels[item.x, item.y].append(item.stack_level)
    ranks = {cell: sorted(found) for cell, found in levels.items()}
    return tuple(replace(i, stack_level=ranks[i.x, i.y].index(i.stack_level)) for i in items)


def _read_place(row: Reader, kinds: tuple[str, ...], size: tuple[int, ...], *more: str):
    """Kind and cell of an object, which has no key beyond these but `more`."""
    row.refuse_other_keys(("name", "x", "y", *more))
    name = row.text("name", kinds)
    return name, *(row.integer(key, 0, end - 1) for key, end in zip("xy", size, strict=True))


def _read_item(row: Reader, size: tuple[int, ...]) -> Thing:
    place = _read_place(row, ITEM_KINDS, size, "stack-level", "predicates")
    level = row.integer("stack-level", 0, 1000)
    return Thing(*place, level, _read_predicates(row, LAYOUT_FLAGS))


def _read_meal(row: Reader, size: tuple[int, ...]) -> Thing:
    place = _read_place(row, MEAL_KINDS, size, "predicates")
    return Thing(*place, predicates=_read_predicates(row, ("isboiling",)))


def _read_predicates(row: Reader, choices: tuple[str, ...]) -> tuple[str, ...]:
    predicates = row.array("predicates", optional=True)
    for i, predicate in enumerate(predicates):
        row.check_choice(f"predicates[{i}]", predicate, choices)
    return tuple(sorted(set(predicates)))


def _read_robot(top: Reader, size: tuple[int, ...]) -> Robot:
    players = top.objects("players")
    if len(players) != 1:
        raise top.fail("players", f"lists {len(players)} players but must list exactly one robot")
    row = players[0]
    _, x, y = _read_place(row, PLAYER_KINDS, size, "direction")
    direction = row.array("direction")
    if not all(type(step) is int for step in direction) or tuple(direction) not in DIRECTIONS:
        wanted = "[0,1], [0,-1], [1,0] or [-1,0]"
        raise row.fail("direction", f"is {quote(direction)} but must be {wanted}")
    return Robot(x, y, (direction[0], direction[1]))


def _read_goal_predicate(row: Reader) -> GoalPredicate:
    row.refuse_other_keys(("predicate", "args", "ids"))
    predicate = row.text("predicate", tuple(PREDICATES))
    _, *signature = PREDICATES[predicate]
    args, ids = row.array("args"), row.array("ids")
    for key, values in (("args", args), ("ids", ids)):
        if len(values) != len(signature):
            raise row.fail(key, f"must have {len(signature)} entries for {predicate}")
    for i, kinds in enumerate(signature):
        row.check_choice(f"args[{i}]", args[i], kinds)
        digits = isinstance(ids[i], str) and ids[i].isascii() and ids[i].isdigit()
        if not digits and type(ids[i]) is not int:
            raise row.fail(f"ids[{i}]", f"is {quote(ids[i])} but must be a whole number")
    return GoalPredicate(predicate, tuple(args), tuple(int(i) for i in ids))


def load_layouts(path: str | Path) -> list[Layout]:
    """Every layout of a JSON file, a JSON-lines file or a folder of JSON files (sorted by name).

    Each is a layout or an object that holds one under "layout". Raises LayoutError for a path that
    is empty or can't be read and for the first layout that is refused.
    """
    path = Path(path)
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    layouts = [layout for file in files for layout in _load_file(file)]
    if not layouts:
        wanted = "*.json file" if path.is_dir() else "layout"
        raise LayoutError(f"{path}: there is no {wanted} here, give at least one.")
    return layouts


def _load_file(path: Path) -> list[Layout]:
    text = read_text(path, "layout file")
    if path.suffix != ".jsonl" and not _has_json_lines(text):
        rows = [(str(path), text)]
    else:
        rows = [(f"{path}:{n}", line) for n, line in enumerate(text.splitlines(), 1)]
    return [_load_row(row, source) for source, row in rows if row.strip() or len(rows) == 1]


def _has_json_lines(text: str) -> bool:
    """Whether a text of unknown form is JSON lines: its first line alone is a JSON object."""
    first, _, rest = text.strip().partition("\n")
    return bool(rest) and first.startswith("{") and first.rstrip().endswith("}")


def _load_row(text: str, source: str) -> Layout:
    row = parse_json(text, source)
    return parse_layout(row["layout"] if isinstance(row, dict) and "layout" in row else row, source)
