"""A kitchen drawn on its grid, with the moves of an episode numbered along their path.

Input: a layout in the benchmark's own JSON and the episode's action strings; output: a figure with
the kitchen as the episode finds it (stations, stacks, robot) and the list of actions beside it. It
needs neither the simulator nor a model, so it also draws episodes of other programs. A move counts
only if it starts where the robot is, as the rules demand; other replies are listed but not drawn.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.patheffects import withStroke

from taskreason.report.figures.style import PAGE_WIDTH, new_figure

STATION_COLOURS = {
    "table": "#F3E7D3",
    "stove": "#F6CFC4",
    "board": "#D9EBD3",
    "fryer": "#FBEFB5",
    "sink": "#CFE3F3",
}
ITEM_COLOURS = {
    "bread": "#D9A45B",
    "topbun": "#D9A45B",
    "bottombun": "#C98F45",
    "cheese": "#F5D547",
    "patty": "#8A5A44",
    "chicken": "#F0D9B5",
    "lettuce": "#8CC152",
    "tomato": "#E0574F",
    "onion": "#D8BFD8",
    "potato": "#C8AD7F",
}
MOVE = re.compile(r"Move (\S+) from (\S+) to (\S+)")
LINES_A_COLUMN = 19


@dataclass(frozen=True)
class Move:
    """One executed move: the number of its step in the episode, and the two stations."""

    step: int
    start: str
    end: str


def name_objects(objects: Sequence[dict]) -> list[tuple[str, dict]]:
    """Name a layout's objects as the rules do: kind + number, after a stable sort by (x, y)."""
    counts: dict[str, int] = defaultdict(int)
    named = []
    for entry in sorted(objects, key=lambda entry: (entry["x"], entry["y"])):
        counts[entry["name"]] += 1
        named.append((f"{entry['name']}{counts[entry['name']]}", entry))
    return named


def find_moves(layout: dict, actions: Sequence[str]) -> list[Move]:
    """The moves that the robot carries out, in order, given where it stands at first."""
    stations = name_objects(layout["stations"])
    by_place = {(entry["x"], entry["y"]): name for name, entry in stations}
    names = set(by_place.values())
    here = by_place.get(_faced_cell(layout["players"][0]))
    moves = []
    for step, action in enumerate(actions, start=1):
        match = MOVE.fullmatch(action)
        if match and match[2] == here and match[3] in names and match[3] != here:
            moves.append(Move(step, match[2], match[3]))
            here = match[3]
    return moves


def draw_kitchen(layout: dict, actions: Sequence[str]) -> Figure:
    """The kitchen and the episode's path on the left, the episode's actions on the right."""
    figure, axes = new_figure(1, 2, PAGE_WIDTH, 3.85, width_ratios=[1.12, 1])
    axis, panel = axes[0]
    _draw_grid(axis, layout)
    moves = find_moves(layout, actions)
    _draw_stations(axis, layout)
    _draw_path(axis, layout, moves)
    _list_actions(panel, actions, {move.step: index for index, move in enumerate(moves)}, moves)
    return figure


def _faced_cell(player: dict) -> tuple[int, int]:
    dx, dy = player["direction"]
    return player["x"] + dx, player["y"] + dy


def _path_colour(index: int, total: int):
    # From violet to green, short of the pale end: words are printed in these colours, too.
    return colormaps["viridis"](0.6 * index / max(total - 1, 1))


def _draw_grid(axis, layout: dict) -> None:
    width, height = layout["width"], layout["height"]
    for x in range(width):
        for y in range(height):
            cell = (x - 0.5, y - 0.5)
            axis.add_patch(Rectangle(cell, 1, 1, facecolor="#FAFAFA", edgecolor="#DDDDDD", lw=0.6))
    axis.set(xlim=(-0.52, width - 0.48), ylim=(-0.52, height - 0.48), aspect="equal")
    axis.axis("off")


def _draw_stations(axis, layout: dict) -> None:
    stacks = defaultdict(list)
    for name, entry in name_objects(layout["items"]):
        stacks[entry["x"], entry["y"]].append((entry.get("stack-level", 0), name, entry["name"]))
    for key in ("containers", "meals"):
        for name, entry in name_objects(layout.get(key, [])):
            stacks[entry["x"], entry["y"]].append((0, name, entry["name"]))
    for name, entry in name_objects(layout["stations"]):
        place = entry["x"], entry["y"]
        box = FancyBboxPatch(
            (place[0] - 0.44, place[1] - 0.44),
            0.88,
            0.88,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=STATION_COLOURS.get(entry["name"], "#EEEEEE"),
            edgecolor="#777777",
            lw=0.7,
        )
        axis.add_patch(box)
        axis.text(
            place[0],
            place[1] - 0.34,
            name,
            ha="center",
            va="center",
            fontsize=6,
            zorder=7,
            path_effects=[withStroke(linewidth=1.2, foreground="white", alpha=0.8)],
        )
        _draw_stack(axis, place, -0.13, stacks.pop(place, []))
    robot = layout["players"][0]
    place = robot["x"], robot["y"]
    dx, dy = robot["direction"]
    axis.add_patch(Circle(place, 0.25, facecolor="#4D4D4D", edgecolor="black", lw=0.7, zorder=3))
    axis.add_patch(
        FancyArrowPatch(
            (place[0] + 0.2 * dx, place[1] + 0.2 * dy),
            (place[0] + 0.5 * dx, place[1] + 0.5 * dy),
            arrowstyle="-|>",
            mutation_scale=9,
            color="black",
            lw=1.2,
            zorder=3,
            shrinkA=0,
            shrinkB=0,
        )
    )
    axis.text(*place, "robot1", ha="center", va="center", fontsize=5.5, color="white", zorder=4)
    _draw_stack(axis, place, 0.3, stacks.pop(place, []))  # what the robot holds


def _draw_stack(axis, place: tuple[int, int], base: float, stack: list) -> None:
    for height, (_, name, kind) in enumerate(sorted(stack)):
        bottom = place[1] + base - 0.08 + 0.165 * height
        colour = ITEM_COLOURS.get(kind, "#DDDDDD")
        axis.add_patch(
            Rectangle(
                (place[0] - 0.4, bottom), 0.8, 0.15, facecolor=colour, edgecolor="#555555", lw=0.4
            )
        )
        text_colour = "white" if kind == "patty" else "black"
        axis.text(
            place[0],
            bottom + 0.068,
            name,
            ha="center",
            va="center",
            fontsize=5,
            zorder=7,
            color=text_colour,
            path_effects=[withStroke(linewidth=1, foreground=colour)],
        )


def _draw_path(axis, layout: dict, moves: Sequence[Move]) -> None:
    places = {name: (entry["x"], entry["y"]) for name, entry in name_objects(layout["stations"])}
    passes: dict[frozenset, int] = defaultdict(int)
    for index, move in enumerate(moves):
        pair = frozenset((move.start, move.end))
        bend = 0.16 + 0.14 * passes[pair]
        passes[pair] += 1
        (x0, y0), (x1, y1) = places[move.start], places[move.end]
        colour = _path_colour(index, len(moves))
        axis.add_patch(
            FancyArrowPatch(
                (x0, y0),
                (x1, y1),
                connectionstyle=f"arc3,rad={bend}",
                arrowstyle="-|>",
                lw=1.4,
                mutation_scale=9,
                color=colour,
                alpha=0.9,
                shrinkA=13,
                shrinkB=13,
                zorder=5,
            )
        )
        # The midpoint of arc3's curve lies half its bend to the right of the chord.
        middle = (x0 + x1) / 2 + bend / 2 * (y1 - y0), (y0 + y1) / 2 - bend / 2 * (x1 - x0)
        axis.text(
            *middle,
            str(move.step),
            ha="center",
            va="center",
            fontsize=5.5,
            color="white",
            zorder=8,
            bbox={
                "boxstyle": "circle,pad=0.22",
                "facecolor": colour,
                "edgecolor": "white",
                "lw": 0.5,
            },
        )


def _list_actions(
    panel, actions: Sequence[str], order: dict[int, int], moves: Sequence[Move]
) -> None:
    """Every action with its step; the drawn moves carry the colour of their arrow."""
    panel.axis("off")
    columns = -(-len(actions) // LINES_A_COLUMN) or 1
    size = 6.2 if columns == 1 else 5
    for index, action in enumerate(actions):
        step = index + 1
        text = action.replace(" using robot1", "").replace("Move robot1", "Move")
        column, line = divmod(index, LINES_A_COLUMN)
        colour = _path_colour(order[step], len(moves)) if step in order else "black"
        panel.text(
            column / columns,
            1 - (line + 0.5) / LINES_A_COLUMN,
            f"{step:>2}  {text}",
            fontsize=size,
            color=colour,
            va="center",
            transform=panel.transAxes,
            family="DejaVu Sans Mono",
            weight="bold" if step in order else "normal",
        )
