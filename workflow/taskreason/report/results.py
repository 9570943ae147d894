"""Everything a report needs from one scale's results folder, read once and checked.

Input: results/SCALE, the tasks and their timeouts; output: a frozen `Results` of cells. Each
episode file must cover the task's evaluation kitchens exactly: a kitchen that is missing or counted
twice is refused, since it would shift every number silently.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import pandas as pd

from taskreason.durability.errors import UserError
from taskreason.durability.files import list_runs, read_lines
from taskreason.report.labels import GRID_POLICY, POLICIES, is_baseline, is_untrained
from taskreason.report.training_logs import read_json
from taskreason.rollouts.metrics import CellMetrics, paired_gain, read_episodes, summarise

Key = tuple[str, str, str]
"""Policy, training task ("-" for a policy that is not trained), evaluation task."""


@dataclass(frozen=True)
class Cell:
    """One policy, trained on one task, evaluated on one; seed is None where seeds are pooled.

    single_turn_states: states asked for the rate before it, of one training where several are pooled.
    """

    policy: str
    train_task: str
    eval_task: str
    seed: int | None
    model: str
    metrics: CellMetrics
    single_turn_optimal_rate: float | None
    single_turn_states: int


@dataclass(frozen=True)
class Results:
    """root: results/SCALE; bounds: of each task on the expert's steps, where they are asked for; pooled: one cell a
    key; seeds: a cell a seed; kitchens: each task's evaluation kitchens."""

    root: Path
    tasks: tuple[str, ...]
    policies: tuple[str, ...]
    timeouts: Mapping[str, int]
    bounds: Mapping[str, int]
    confidence: float
    episodes: Mapping[Key, pd.DataFrame]
    pooled: Mapping[Key, Cell]
    seeds: Mapping[Key, tuple[Cell, ...]]
    kitchens: Mapping[str, pd.DataFrame]

    @property
    def main_policies(self) -> tuple[str, ...]:
        """The policies that the paper reports."""
        return tuple(policy for policy in self.policies if not is_baseline(policy))

    def key(self, policy: str, eval_task: str, train_task: str | None = None) -> Key:
        """Key of a main cell (trained where it is evaluated) unless train_task is given."""
        return (policy, "-" if is_untrained(policy) else train_task or eval_task, eval_task)

    def cell(self, policy: str, eval_task: str, train_task: str | None = None) -> Cell | None:
        """The cell over all seeds; None when this run has no such policy or task."""
        return self.pooled.get(self.key(policy, eval_task, train_task))

    def gain(self, better: str, worse: str, task: str) -> tuple[float, float, float]:
        """Difference in SR of two policies on the kitchens of a task, and its interval."""
        frames = (self.episodes[self.key(policy, task)] for policy in (better, worse))
        return paired_gain(*frames, self.confidence)


def list_episode_keys(tasks: Sequence[str], policies: Sequence[str] = POLICIES) -> list[Key]:
    """Cells of a report: every policy on every task, and the grid of the fully trained one."""
    keys = []
    for policy in policies:
        for eval_task in tasks:
            if policy == GRID_POLICY:
                keys += [(policy, train_task, eval_task) for train_task in tasks]
            elif is_untrained(policy):
                keys.append((policy, "-", eval_task))
            else:
                keys.append((policy, eval_task, eval_task))
    return keys


def load_results(
    root: Path,
    tasks: Sequence[str],
    timeouts: Mapping[str, int],
    policies: Sequence[str] = POLICIES,
    confidence: float = 0.95,
    seeds: Sequence[int] = (0,),
    bounds: Mapping[str, int] | None = None,
) -> Results:
    """Read results/SCALE (`root`): episodes, single-turn counts and evaluation kitchens."""
    root = Path(root)
    kitchens = {task: read_kitchens(root / "worlds" / task / "eval.jsonl") for task in tasks}
    episodes, pooled, by_seed = {}, {}, {}
    for key in list_episode_keys(tasks, policies):
        policy, train_task, eval_task = key
        parts = []
        for run in [""] if train_task == "-" else list_runs(seeds):
            path = root / "episodes" / policy / f"{train_task}{run}" / f"{eval_task}.jsonl"
            frame = read_episodes(path)
            for seed, part in frame.groupby("seed"):
                _check_coverage(part, kitchens[eval_task], path)
                optimal = states = 0
                if train_task in ("-", eval_task):
                    counts = root / "single_turn" / policy / f"{train_task}{run}"
                    optimal, states = _read_single_turn(counts / f"{eval_task}.json")
                rate = optimal / states if states else None
                metrics = summarise(part, timeouts[eval_task], confidence, str(path))
                cell = Cell(*key, seed, part["model"].iloc[0], metrics, rate, states)
                parts.append((part, cell))
        cells = tuple(cell for _, cell in parts)
        episodes[key] = pd.concat([part for part, _ in parts], ignore_index=True)
        rates = [cell.single_turn_optimal_rate for cell in cells]
        metrics = summarise(episodes[key], timeouts[eval_task], confidence, str(path))
        rate = None if None in rates else fmean(rates)
        states = cells[0].single_turn_states
        pooled[key] = Cell(*key, None, cells[0].model, metrics, rate, states)
        by_seed[key] = cells
    return Results(
        root,
        tuple(tasks),
        tuple(policies),
        dict(timeouts),
        dict(bounds or {}),
        confidence,
        episodes,
        pooled,
        by_seed,
        kitchens,
    )


def split_trainings(results: Results) -> Iterator[Results]:
    """The results of each seed's trainings alone; a policy that is not trained stands beside every seed as it is."""
    most = max(len(cells) for cells in results.seeds.values())
    for number in range(most):
        chosen = {key: cells[min(number, len(cells) - 1)] for key, cells in results.seeds.items()}
        episodes = {
            key: frame[frame["seed"] == chosen[key].seed] for key, frame in results.episodes.items()
        }
        seeds = {key: (cell,) for key, cell in chosen.items()}
        yield replace(results, episodes=episodes, pooled=chosen, seeds=seeds)


def read_kitchens(path: Path) -> pd.DataFrame:
    """Kitchens of a JSON Lines file: layout_hash, layout (the benchmark's dict), optimal_steps."""
    keys = ["layout_hash", "layout", "optimal_steps"]
    return pd.DataFrame(read_lines(path, keys, str(path)), columns=keys)


def _check_coverage(episodes: pd.DataFrame, kitchens: pd.DataFrame, path: Path) -> None:
    wanted, found = Counter(kitchens["layout_hash"]), Counter(episodes["layout_hash"])
    if wanted != found:
        kitchen = next(iter((wanted - found) + (found - wanted)))
        raise UserError(
            f"{path}: holds kitchen {kitchen} {found[kitchen]} times, the evaluation set "
            f"{wanted[kitchen]} times; delete the file and run snakemake again"
        )


def _read_single_turn(path: Path) -> tuple[int, int]:
    """Unseen expert states with an optimal reply, and all that were asked."""
    counts = read_json(path)
    try:
        return counts["optimal"], counts["states"]
    except KeyError:
        raise UserError(
            f"{path}: lacks the counts 'states' and 'optimal'; delete it and run snakemake again"
        ) from None
