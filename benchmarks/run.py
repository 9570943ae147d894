"""Speed of simulator, planner, training and rollouts, on one core: `make bench`.

Output: results/bench/summary.json, a flat object of numbers with their units in the key names, and
the same as a table on the terminal. Keys that another benchmark has written there are kept. Every
kitchen is built anew for its measurement, so nothing is remembered from an earlier one.
"""

import argparse
import json
import os
import random
import statistics
import time
from pathlib import Path

from taskreason.environments.robotouille.planner.search import Planner
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.generator import generate_layout
from taskreason.environments.robotouille.simulator.layout import Layout
from taskreason.environments.robotouille.simulator.observation import observe
from taskreason.environments.robotouille.tasks import PUBLISHED, TASKS, load_template
from training import measure_training

HARDEST = "double_cheese_burger"
KITCHENS = 200
STEPS = 1000


def main() -> None:
    """Run every benchmark and write the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results/bench/summary.json"))
    out = parser.parse_args().out
    layouts = {name: draw_layouts(name) for name in PUBLISHED}
    measured = measure_simulator(layouts[HARDEST])
    measured |= measure_observations(layouts[HARDEST])
    for name in PUBLISHED:
        measured |= measure_planner(name, layouts[name])
    measured |= measure_training()
    write_summary(out, measured)
    width = max(map(len, measured))
    for key, value in measured.items():
        print(f"{key:{width}}  {value:>12,.2f}")


def draw_layouts(name: str) -> list[Layout]:
    """Generated kitchens of one task."""
    template = load_template(TASKS[name])
    return [generate_layout(template, seed, "scattered") for seed in range(KITCHENS)]


def measure_simulator(layouts: list[Layout]) -> dict[str, float]:
    """Random walks that list the valid actions and check the goal at every step."""
    rng = random.Random(0)
    kitchens = [Kitchen(layout) for layout in layouts]
    start = time.perf_counter()
    for kitchen in kitchens:
        state = kitchen.initial
        for _ in range(STEPS):
            actions = kitchen.valid_actions(state)
            state = kitchen.step(state, actions[int(rng.random() * len(actions))])
            kitchen.is_goal(state)
    seconds = time.perf_counter() - start
    return {"simulator_steps_per_s": len(layouts) * STEPS / seconds}


def measure_observations(layouts: list[Layout], count: int = 20) -> dict[str, float]:
    """Texts of the states along random walks; the walks themselves are not timed."""
    rng = random.Random(0)
    visited = []
    for layout in layouts:
        kitchen = Kitchen(layout)
        state = kitchen.initial
        for _ in range(count):
            state = kitchen.step(state, rng.choice(kitchen.valid_actions(state)))
            visited.append((kitchen, state))
    start = time.perf_counter()
    for kitchen, state in visited:
        observe(kitchen, state)
    return {"observation_texts_per_s": len(visited) / (time.perf_counter() - start)}


def measure_planner(name: str, layouts: list[Layout]) -> dict[str, float]:
    """A shortest plan from the start, and all optimal actions there, in each kitchen."""
    plan_ms, actions_ms = [], []
    for layout in layouts:
        kitchen = Kitchen(layout)
        planner = Planner(kitchen)
        plan_ms.append(_time_ms(planner.plan))
        actions_ms.append(_time_ms(lambda p=planner, k=kitchen: p.optimal_actions(k.initial)))
    return {
        f"planner_{name}_median_ms": statistics.median(plan_ms),
        f"planner_{name}_worst_ms": max(plan_ms),
        f"optimal_actions_{name}_median_ms": statistics.median(actions_ms),
        f"optimal_actions_{name}_worst_ms": max(actions_ms),
    }


def _time_ms(function) -> float:
    start = time.perf_counter()
    function()
    return 1000 * (time.perf_counter() - start)


def write_summary(path: Path, measured: dict[str, float]) -> None:
    """Add the numbers to the summary file, replacing it in one go."""
    kept = json.loads(path.read_text()) if path.exists() else {}
    rounded = {key: round(value, 3) for key, value in measured.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".tmp")
    partial.write_text(json.dumps(kept | rounded, indent=2, sort_keys=True) + "\n")
    os.replace(partial, path)


if __name__ == "__main__":
    main()
