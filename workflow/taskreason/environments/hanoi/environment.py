"""Towers of Hanoi as an environment: its tasks, and how their worlds are drawn, written, read and renamed."""

import random
import re

from taskreason.durability.errors import UserError
from taskreason.environments.base import Environment, TaskSpec
from taskreason.environments.hanoi.pretraining import SmallTowers
from taskreason.environments.hanoi.towers import DISCS, PEGS, Recursion, Towers, draw_towers

SIZES = {"discs_3": 3, "discs_4": 4, "discs_5": 5}


class Hanoi(Environment):
    """Bring all discs onto one peg, from any start."""

    name = "hanoi"
    worlds = "towers"
    # No start is further from the goal than a whole tower on another peg, 2^n - 1 moves.
    tasks = {n: TaskSpec(n, timeout=3 * 2 ** (s - 1), bound=2**s - 1) for n, s in SIZES.items()}
    rules = "Only the top disc of a peg can be moved, never onto a smaller one. A disc's number is its size."
    pretraining = SmallTowers()

    def draw(self, task: TaskSpec, seed: int, mode: str = "") -> Towers:
        return draw_towers(SIZES[task.name], random.Random(f"{task.name} {seed}"))

    def teacher(self, world: Towers, patient: bool = True) -> Recursion:
        return Recursion(world)

    def dump(self, world: Towers) -> dict:
        """Such as {"pegs": ["pegD", "pegA", "pegB"], "discs": {"disc8": "pegA", "disc3": "pegD"}, "goal": "pegB"}."""
        discs = {d: world.pegs[on] for d, on in zip(world.discs, world.initial, strict=True)}
        return {"pegs": world.pegs, "discs": discs, "goal": world.pegs[world.goal]}

    def load(self, row: dict, source: str) -> Towers:
        try:
            pegs, discs = tuple(row["pegs"]), tuple(sorted(row["discs"], key=DISCS.index))
            initial = tuple(pegs.index(row["discs"][disc]) for disc in discs)
            if len(pegs) == len(set(pegs) & set(PEGS)) == 3 and discs:
                return Towers(pegs, discs, initial, pegs.index(row["goal"]))
        except (KeyError, TypeError, ValueError):
            pass
        raise UserError(
            f"{source}: no towers of Hanoi; give three of pegA to pegF, the peg of each disc and the goal's."
        )

    def draw_renaming(self, text: str, rng: random.Random) -> dict[str, str]:
        """Other letters for the pegs, other numbers for the discs, whose order stays."""
        pegs, discs = ([name for name in names if name in text] for names in (PEGS, DISCS))
        drawn = draw_towers(len(discs), rng)
        return dict(zip([*pegs, *discs], [*drawn.pegs, *drawn.discs], strict=True))

    def rename(self, text: str, renaming: dict[str, str]) -> str:
        return re.sub(r"\b(peg|disc)\w\b", lambda name: renaming.get(name[0], name[0]), text)

    def sort_names(self, text: str) -> dict[str, str]:
        return {name[0]: name[1] for name in re.finditer(r"\b(peg|disc)\w\b", text)}


ENVIRONMENT = Hanoi()
