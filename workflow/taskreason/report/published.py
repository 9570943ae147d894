"""The paper's printed numbers, read from the CSV files of the environment's data.

Input: that folder; output: a frozen `Published`. Each row is checked against the identity of its
three metrics to the precision of print. The paper's cells rest on a few episodes; their Wilson
intervals are computed here, since the paper prints none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from taskreason.durability.bundled_files import verify_shipped
from taskreason.durability.errors import UserError
from taskreason.environments.robotouille.tasks import DATA
from taskreason.rollouts.metrics import check_asat_identity, wilson_interval

PUBLISHED_FOLDER = DATA / "published"
# Which published row stands beside which of our policies.
PUBLISHED_MODELS = {
    "expert": "Llama3.3-70B (expert)",
    "base": "Qwen2.5-1.5B",
    "sft": "Qwen2.5-1.5B + SFT",
    "sft_grpo": "Qwen2.5-1.5B + SFT + GRPO",
}
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

    main: dict[tuple[str, str], PublishedCell]
    grid: dict[tuple[str, str], PublishedCell]
    setting: dict[str, str]

    @property
    def models(self) -> list[str]:
        """Published models in the order of print."""
        return list(dict.fromkeys(model for _, model in self.main))

    def main_cell(self, task: str, policy: str) -> PublishedCell | None:
        """The published cell that stands beside ours; None for a task or policy the paper lacks."""
        return self.main.get((task, PUBLISHED_MODELS.get(policy, "")))

    def interval(self, cell: PublishedCell, confidence: float) -> tuple[float, float]:
        """Wilson interval of a published SR, from the number of episodes behind it."""
        episodes = int(self.setting["evaluation_episodes"])
        return wilson_interval(round(cell.sr * episodes), episodes, confidence)


def load_published(timeouts: Mapping[str, int], folder: Path = PUBLISHED_FOLDER) -> Published:
    """Read and check the published tables; tasks without a timeout here are read unchecked."""
    main = _read_csv(folder / "table1_main.csv", ["task", "model", "sr", "asat", "asst"])
    grid = _read_csv(
        folder / "generalization.csv", ["train_task", "eval_task", "sr", "asat", "asst"]
    )
    setting = _read_csv(folder / "setting.csv", ["key", "value"])
    for name, frame, task in (("table1_main", main, "task"), ("generalization", grid, "eval_task")):
        for number, row in enumerate(frame.to_dict("records"), start=2):
            if row[task] in timeouts:
                asst = None if pd.isna(row["asst"]) else row["asst"]
                source = f"{folder / name}.csv:{number}"
                timeout = timeouts[row[task]]
                check_asat_identity(row["sr"], row["asat"], asst, timeout, source, PRINT_TOLERANCE)
    return Published(
        main={(row.task, row.model): _cell(row) for row in main.itertuples()},
        grid={(row.train_task, row.eval_task): _cell(row) for row in grid.itertuples()},
        setting=dict(zip(setting["key"], setting["value"].astype(str), strict=True)),
    )


def _cell(row) -> PublishedCell:
    return PublishedCell(row.sr, row.asat, None if pd.isna(row.asst) else row.asst)


def _read_csv(path: Path, columns: list[str]) -> pd.DataFrame:
    verify_shipped([path])
    try:
        frame = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read ({error}); restore it from the repository"
        ) from None
    missing = [column for column in columns if column not in frame]
    if missing:
        raise UserError(f"{path}: lacks the column '{missing[0]}'; restore it from the repository")
    return frame
