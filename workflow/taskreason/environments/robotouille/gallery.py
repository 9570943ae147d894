"""What the page of episodes draws of a kitchen: data for the programs in data/gallery."""

from typing import Any

from taskreason.environments.gallery import Gallery

from .simulator.domain import CUTS, TICKS
from .simulator.engine import State
from .simulator.goal_stack import find_target
from .simulator.observation import EFFECT_WORDS, FLAG_WORDS
from .tasks import DATA
from .world import KitchenWorld


class KitchenGallery(Gallery):
    """Stations on their grid, what lies on them, and the robot on its way."""

    programs = (DATA / "gallery" / "items.js", DATA / "gallery" / "drawing.js")
    style = DATA / "gallery" / "style.css"

    def about(self) -> dict[str, Any]:
        """The words for flags and timers, and when these are over."""
        return {"flags": FLAG_WORDS, "timers": EFFECT_WORDS, "ticks": TICKS, "cuts": CUTS}

    def describe_world(self, world: KitchenWorld) -> dict[str, Any]:
        """The grid, the stations on it, where the robot stands at first, and names."""
        kitchen, layout = world.kitchen, world.kitchen.layout
        stations = zip(kitchen.stations, kitchen.places, strict=True)
        return {
            "size": [layout.width, layout.height],
            "stations": [[name, x, y] for name, (x, y) in stations],
            "items": kitchen.items,
            "containers": kitchen.containers,
            "robot": layout.robot.cell,
        }

    def describe_state(self, world: KitchenWorld, state: State) -> dict[str, Any]:
        """Where everything is; what the tasks' kitchens lack is left out."""
        where = {"at": state.loc, "hand": state.hand, "stacks": state.stacks, "flags": state.flags}
        cooking = {"containers": state.containers, "meals": state.meals}
        cooking |= {"added": sorted(state.added), "timers": state.effects}
        return where | {key: value for key, value in cooking.items() if value}

    def describe_goal(self, world: KitchenWorld) -> dict[str, Any]:
        """The goal in words and, where it is one stack, its slots from the bottom; free ones have no fixed order."""
        drawn = []
        if target := find_target(world.kitchen.goal):
            free = range(len(target.chain), len(target.chain) + len(target.loose))
            slots = enumerate(target.slots)
            drawn = [{"kind": s.kind, "flags": s.flags, "free": n in free} for n, s in slots]
        return {"text": world.kitchen.layout.goal_description, "slots": drawn}
