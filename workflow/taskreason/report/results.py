"""Episodes of one scale's results folder, read once and checked, as the cells of tables.

Input: results/SCALE, the configuration and the cells that are wanted; output: a frozen `Results`. Each episode file
must cover the task's evaluation worlds exactly: a world that is missing or counted twice is refused, since it would
shift every number silently.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from taskreason.config.models import Config
from taskreason.durability.errors import UserError
from taskreason.durability.files import list_runs, read_lines
from taskreason.report.inputs import Key, Needs, find_needs, list_keys, list_sampled, name_episodes
from taskreason.report.labels import GREEDY, MAIN_POLICIES, POLICIES, is_untrained
from taskreason.report.trainings import read_json
from taskreason.rollouts.metrics import CellMetrics, paired_gain, read_episodes, summarise


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

    def to_row(self) -> dict[str, Any]:
        """Everything by its name, as a row of a table."""
        return asdict(self) | asdict(self.metrics) | {"task": self.eval_task}


@dataclass(frozen=True)
class Results:
    """root: results/SCALE; pooled: one cell a key; seeds: a cell a seed; worlds: each task's evaluation worlds, with
    layout_hash, optimal_steps, how they start where that is known, and what the environment loads them from; sampled:
    by temperature, the same of episodes with sampled replies, as far as they were read.
    """

    root: Path
    cfg: Config
    episodes: dict[Key, pd.DataFrame]
    pooled: dict[Key, Cell]
    seeds: dict[Key, tuple[Cell, ...]]
    worlds: dict[str, pd.DataFrame]
    sampled: dict[float, "Results"] = field(default_factory=dict)

    @property
    def tasks(self) -> Sequence[str]:
        """The tasks of the run, from simple to complex."""
        return self.cfg.tasks

    @property
    def policies(self) -> list[str]:
        """The policies that were read."""
        return list(dict.fromkeys(policy for policy, _, _ in self.pooled))

    @property
    def published_policies(self) -> list[str]:
        """Those among them that the paper reports."""
        return [policy for policy in self.policies if policy in POLICIES]

    @property
    def main_policies(self) -> list[str]:
        """Those among them that the main table has, in its order."""
        return [policy for policy in MAIN_POLICIES if policy in self.policies]

    def at(self, temperature: float) -> "Results | None":
        """The same of episodes with replies sampled at a temperature; None where none were read."""
        return self if temperature == GREEDY else self.sampled.get(temperature)

    def key(self, policy: str, eval_task: str, train_task: str | None = None) -> Key:
        """Key of a main cell (trained where it is evaluated) unless train_task is given."""
        return (policy, "-" if is_untrained(policy) else train_task or eval_task, eval_task)

    def cell(self, policy: str, eval_task: str, train_task: str | None = None) -> Cell | None:
        """The cell over all seeds; None where it was not read."""
        return self.pooled.get(self.key(policy, eval_task, train_task))

    def find_sampled(self, cell: Cell) -> Cell | None:
        """The cell of the same training, or of all pooled, with replies sampled at ``rollout.temperature``."""
        key, sampled = (cell.policy, cell.train_task, cell.eval_task), None
        if other := self.sampled.get(self.cfg.rollout.temperature):
            cells = [*other.seeds.get(key, ()), *filter(None, [other.pooled.get(key)])]
            sampled = next((found for found in cells if found.seed == cell.seed), None)
        return sampled

    def gain(
        self, better: str, worse: str, task: str, other: "Results | None" = None
    ) -> tuple[float, float, float]:
        """Difference in SR of two policies on the worlds of a task, and its interval.

        other: where the second one's episodes are from, if not from here: those at another temperature.
        """
        frames = (
            view.episodes[self.key(policy, task)]
            for view, policy in ((self, better), (other or self, worse))
        )
        return paired_gain(*frames, self.cfg.report.confidence)

    def summarise(self, episodes: pd.DataFrame, task: str, source: str) -> CellMetrics:
        """Metrics of episodes of a task."""
        confidence = self.cfg.report.confidence
        return summarise(episodes, self.cfg.timeout_of(task), confidence, source)


def load_results(root: Path, cfg: Config, kind: str = "macros", name: str = "macros") -> Results:
    """Read what one table or figure of results/SCALE (`root`) is made from, or all; see `report.inputs`."""
    needs, tasks = find_needs(kind, name, cfg)
    keys = list_keys(needs, cfg, tasks)
    results = Results(Path(root), cfg, {}, {}, {}, {})
    for task in dict.fromkeys(task for _, _, task in keys):
        path = results.root / "worlds" / task / "eval.jsonl"
        rows = read_lines(path, ["layout_hash", "optimal_steps"], str(path))
        results.worlds[task] = pd.DataFrame(rows)
    _read_cells(results, keys, needs)
    for temperature, part in list_sampled(needs, cfg, tasks).items():
        found = replace(results, episodes={}, pooled={}, seeds={}, sampled={})
        _read_cells(found, part, replace(needs, single_turn=False), temperature)
        results.sampled[temperature] = found
    return results


def _read_cells(
    results: Results, keys: Sequence[Key], needs: Needs, temperature: float = GREEDY
) -> None:
    """Fill in episodes and cells of these keys."""
    for key in keys:
        read = _read_trainings(results, key, needs.single_turn, temperature)
        parts, cells = zip(*read, strict=True)
        frame = pd.concat(parts, ignore_index=True)
        rates = [cell.single_turn_optimal_rate for cell in cells]
        results.episodes[key], results.seeds[key] = frame, cells
        results.pooled[key] = replace(
            cells[0],
            seed=None,
            metrics=results.summarise(frame, key[2], "/".join(key)),
            single_turn_optimal_rate=None if None in rates else fmean(rates),
        )


def _read_trainings(
    results: Results, key: Key, single_turn: bool, temperature: float
) -> Iterator[tuple[pd.DataFrame, Cell]]:
    """Episodes and cell of every training of a policy."""
    policy, train_task, task = key
    for run in [""] if train_task == "-" else list_runs(results.cfg.seeds):
        home = f"{policy}/{train_task}{run}/{task}"
        path = results.root / name_episodes(policy, f"{train_task}{run}", task, temperature)
        optimal = states = 0
        if single_turn and train_task in ("-", task):
            optimal, states = _read_single_turn(results.root / "single_turn" / f"{home}.json")
        for seed, part in read_episodes(path).groupby("seed"):
            check_coverage(part, results.worlds[task], path)
            metrics = results.summarise(part, task, str(path))
            rate = optimal / states if states else None
            yield part, Cell(*key, seed, part["model"].iloc[0], metrics, rate, states)


def split_trainings(results: Results) -> Iterator[Results]:
    """The greedy results of each seed's trainings alone; a policy that is not trained is in all of them as it is."""
    for number in range(max(map(len, results.seeds.values()))):
        chosen = {key: cells[min(number, len(cells) - 1)] for key, cells in results.seeds.items()}
        episodes = {
            key: frame[frame["seed"] == chosen[key].seed] for key, frame in results.episodes.items()
        }
        seeds = {key: (cell,) for key, cell in chosen.items()}
        yield replace(results, episodes=episodes, pooled=chosen, seeds=seeds, sampled={})


def check_coverage(episodes: pd.DataFrame, worlds: pd.DataFrame, path: Path) -> None:
    """Raise UserError unless the episodes of a file are one in each world."""
    wanted, found = Counter(worlds["layout_hash"]), Counter(episodes["layout_hash"])
    if wanted != found:
        world = next(iter((wanted - found) + (found - wanted)))
        raise UserError(
            f"{path}: holds world {world} {found[world]} times, the evaluation set "
            f"{wanted[world]} times; delete the file and run snakemake again"
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
