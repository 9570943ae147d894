"""A kitchen drawn on its grid, with the moves of an episode numbered along their path.

Input: a world and the episode's actions; output: a figure with the kitchen as the episode finds it (stations, stacks,
robot) and the list of actions. Replies that are no valid action are listed but not drawn.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

from matplotlib import colormaps, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.patheffects import withStroke

from .simulator.domain import kind_of
from .simulator.engine import Kitchen
from .world import KitchenWorld

SIZE = (7.0, 3.85)
"""Inches: both columns of the page."""
RC = {"font.family": "DejaVu Sans", "font.size": 8, "pdf.fonttype": 42, "savefig.dpi": 200}
STATION_COLOURS = dict(
    table="#F3E7D3", stove="#F6CFC4", board="#D9EBD3", fryer="#FBEFB5", sink="#CFE3F3"
)
ITEM_COLOURS = dict(
    **dict(bread="#D9A45B", topbun="#D9A45B", bottombun="#C98F45", cheese="#F5D547"),
    **dict(patty="#8A5A44", chicken="#F0D9B5", lettuce="#8CC152", tomato="#E0574F"),
    **dict(onion="#D8BFD8", potato="#C8AD7F"),
)
ARROW = {"arrowstyle": "-|>", "mutation_scale": 9}
LINES_A_COLUMN = 19


class Move(NamedTuple):
    """One executed move: the number of its step in the episode, and the two stations."""

    step: int
    start: int
    end: int


def draw_figure(world: KitchenWorld, actions: Sequence[str]) -> Figure:
    """The kitchen and the episode's path on the left, the episode's actions on the right."""
    rcParams.update(RC)  # for good: some of it counts when the figure is saved
    figure = Figure(figsize=SIZE, layout="constrained")
    axis, panel = figure.subplots(1, 2, width_ratios=[1.12, 1])
    moves = find_moves(world, actions)
    shades = (0.6 * n / max(len(moves) - 1, 1) for n in range(len(moves)))
    colours = {move: colormaps["viridis"](shade) for move, shade in zip(moves, shades, strict=True)}
    _draw_kitchen(axis, world.kitchen)
    _draw_path(axis, world.kitchen, colours)
    _list_actions(panel, actions, {move.step: colour for move, colour in colours.items()})
    return figure


def find_moves(world: KitchenWorld, actions: Sequence[str]) -> list[Move]:
    """The moves that the robot carries out, in order."""
    state, moves = world.initial, []
    for step, action in enumerate(actions, start=1):
        after = world.step(state, action) or state
        if after.loc != state.loc:
            moves.append(Move(step, state.loc, after.loc))
        state = after
    return moves


def _write(axis: Axes, place: tuple[float, float], text: str, size: float, **more) -> None:
    axis.text(*place, text, ha="center", va="center", fontsize=size, **more)


def _draw_kitchen(axis: Axes, kitchen: Kitchen) -> None:
    """The grid, the stations with what lies on them, and the robot with what it holds."""
    width, height = kitchen.layout.width, kitchen.layout.height
    for x, y in product(range(width), range(height)):
        cell = (x - 0.5, y - 0.5)
        axis.add_patch(Rectangle(cell, 1, 1, facecolor="#FAFAFA", edgecolor="#DDDDDD", lw=0.6))
    axis.set(xlim=(-0.52, width - 0.48), ylim=(-0.52, height - 0.48), aspect="equal")
    axis.axis("off")
    halo = [withStroke(linewidth=1.2, foreground="white", alpha=0.8)]
    for number, (name, (x, y)) in enumerate(zip(kitchen.stations, kitchen.places, strict=True)):
        colours = {"facecolor": STATION_COLOURS[kind_of(name)], "edgecolor": "#777777"}
        shape = {"boxstyle": "round,pad=0,rounding_size=0.06", "lw": 0.7}
        axis.add_patch(FancyBboxPatch((x - 0.44, y - 0.44), 0.88, 0.88, **shape, **colours))
        _write(axis, (x, y - 0.34), name, 6, zorder=7, path_effects=halo)
        things = [kitchen.items[item] for item in kitchen.initial.stacks[number]]
        _draw_stack(axis, (x, y - 0.13), things + _list_containers(kitchen, number))
    robot, hand = kitchen.layout.robot, kitchen.initial.hand
    circle = {"facecolor": "#4D4D4D", "edgecolor": "black"}
    axis.add_patch(Circle(robot.cell, 0.25, **circle, lw=0.7, zorder=3))
    dx, dy = robot.direction
    reach = [(robot.x + length * dx, robot.y + length * dy) for length in (0.2, 0.5)]
    shrunk = {"shrinkA": 0, "shrinkB": 0}
    axis.add_patch(FancyArrowPatch(*reach, **ARROW, color="black", lw=1.2, zorder=3, **shrunk))
    _write(axis, robot.cell, kitchen.robot, 5.5, color="white", zorder=4)
    held = kitchen.items[hand : hand + 1] if hand >= 0 else ()
    _draw_stack(axis, (robot.x, robot.y + 0.3), [*held, *_list_containers(kitchen, -1)])


def _list_containers(kitchen: Kitchen, station: int) -> list[str]:
    """The containers at a station, -1 for the robot's hand, each with what is in it."""
    state, meals, found = kitchen.initial, kitchen.meal_names(kitchen.initial), []
    for name, (place, meal) in zip(kitchen.containers, state.containers, strict=True):
        if place == station:
            found += [name, *([meals[meal]] if meal >= 0 else [])]
    return found


def _draw_stack(axis: Axes, base: tuple[float, float], names: Sequence[str]) -> None:
    for height, name in enumerate(names):
        x, bottom = base[0], base[1] - 0.08 + 0.165 * height
        colour = ITEM_COLOURS.get(kind_of(name), "#DDDDDD")
        edge = {"edgecolor": "#555555", "lw": 0.4}
        axis.add_patch(Rectangle((x - 0.4, bottom), 0.8, 0.15, facecolor=colour, **edge))
        ink = "white" if kind_of(name) == "patty" else "black"
        halo = [withStroke(linewidth=1, foreground=colour)]
        _write(axis, (x, bottom + 0.068), name, 5, zorder=7, color=ink, path_effects=halo)


def _draw_path(axis: Axes, kitchen: Kitchen, colours: Mapping[Move, tuple]) -> None:
    passes: Counter[frozenset] = Counter()
    for move, colour in colours.items():
        way = frozenset((move.start, move.end))
        bend = 0.16 + 0.14 * passes[way]
        passes[way] += 1
        (x0, y0), (x1, y1) = kitchen.places[move.start], kitchen.places[move.end]
        bent = {"connectionstyle": f"arc3,rad={bend}", "shrinkA": 13, "shrinkB": 13, "alpha": 0.9}
        arrow = FancyArrowPatch((x0, y0), (x1, y1), **ARROW, **bent, color=colour, lw=1.4, zorder=5)
        axis.add_patch(arrow)
        # The midpoint of arc3's curve lies half its bend to the right of the chord.
        middle = (x0 + x1) / 2 + bend / 2 * (y1 - y0), (y0 + y1) / 2 - bend / 2 * (x1 - x0)
        box = {"boxstyle": "circle,pad=0.22", "facecolor": colour, "edgecolor": "white", "lw": 0.5}
        _write(axis, middle, str(move.step), 5.5, color="white", zorder=8, bbox=box)


def _list_actions(panel: Axes, actions: Sequence[str], colours: Mapping[int, tuple]) -> None:
    """Every action with its step; the drawn moves carry the colour of their arrow."""
    panel.axis("off")
    columns = -(-len(actions) // LINES_A_COLUMN) or 1
    font = {"family": "DejaVu Sans Mono", "fontsize": 6.2 if columns == 1 else 5, "va": "center"}
    for step, action in enumerate(actions, start=1):
        text = action.replace(" using robot1", "").replace("Move robot1", "Move")
        column, line = divmod(step - 1, LINES_A_COLUMN)
        place = column / columns, 1 - (line + 0.5) / LINES_A_COLUMN
        weight = "bold" if step in colours else "normal"
        ink = {"color": colours.get(step, "black"), "weight": weight}
        panel.text(*place, f"{step:>2}  {text}", transform=panel.transAxes, **font, **ink)
