"""The paper's printed numbers, read from the folder ``published`` of the environment's data; none where it has no such.

Output: a frozen `Published`. Each row is checked against the identity of its three metrics to the precision of print.
The paper's cells rest on a few episodes; their Wilson intervals are computed here, since the paper prints none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from taskreason.durability.bundled_files import verify_bundled
from taskreason.environments.base import Environment
from taskreason.rollouts.metrics import check_asat_identity, wilson_interval

# Which published row goes with which of our policies.
PUBLISHED_MODELS = {
    "expert": "Llama3.3-70B (expert)",
    "base": "Qwen2.5-1.5B",
    "sft": "Qwen2.5-1.5B + SFT",
    "sft_grpo": "Qwen2.5-1.5B + SFT + GRPO",
}
LARGEST_PROMPTED = "Qwen2.5-14B"
"""The largest model that the paper prompts without training it, of which it says that the trained one is ahead."""
# SR has one decimal, ASAT and ASST one or two: half a unit of each is the precision of print.
PRINT_TOLERANCE = 0.1


@dataclass(frozen=True)
class PublishedCell:
    """One published cell; asst is None when the paper prints none."""

    sr: float
    asat: float
    asst: float | None


@dataclass(frozen=True)
class Published:
    """main: (task, model) -> cell; grid: (train_task, eval_task) -> cell; setting: key -> text."""

    main: Mapping[tuple[str, str], PublishedCell] = field(default_factory=dict)
    grid: Mapping[tuple[str, str], PublishedCell] = field(default_factory=dict)
    setting: Mapping[str, str] = field(default_factory=dict)

    def main_cell(self, task: str, policy: str) -> PublishedCell | None:
        """The published cell that goes with ours; None for a task or policy the paper lacks."""
        return self.main.get((task, PUBLISHED_MODELS.get(policy, "")))

    @property
    def episodes(self) -> int:
        """Episodes behind each published rate."""
        return int(self.setting["evaluation_episodes"])

    def interval(self, cell: PublishedCell, confidence: float) -> tuple[float, float]:
        """Wilson interval of a published SR, from the number of episodes behind it."""
        return wilson_interval(round(cell.sr * self.episodes), self.episodes, confidence)


def load_published(env: Environment) -> Published:
    """Read and check the published tables of an environment."""
    folder = env.data / "published" if env.data else None
    if folder is None or not folder.is_dir():
        return Published()
    files = [folder / f"{name}.csv" for name in ("setting", "table1_main", "generalization")]
    verify_bundled(files)
    setting = pd.read_csv(files[0], dtype=str).set_index("key")["value"]
    return Published(
        _read_cells(files[1], ["task", "model"], env),
        _read_cells(files[2], ["train_task", "eval_task"], env),
        setting.to_dict(),
    )


def _read_cells(path: Path, keys: list[str], env: Environment) -> dict[tuple, PublishedCell]:
    cells = {}
    for number, row in enumerate(pd.read_csv(path).to_dict("records"), start=2):
        asst = None if pd.isna(row["asst"]) else row["asst"]
        cells[tuple(row[key] for key in keys)] = PublishedCell(row["sr"], row["asat"], asst)
        if task := env.tasks.get(row["task" if "task" in keys else "eval_task"]):
            place = f"{path}:{number}"
            check_asat_identity(row["sr"], row["asat"], asst, task.timeout, place, PRINT_TOLERANCE)
    return cells
