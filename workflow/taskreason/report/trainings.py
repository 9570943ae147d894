"""What a training leaves, as the report reads it: logs, provenance and other JSON, and the size of its model.

Logs are training/TASK/{sft,grpo}.csv (one row a logged step) and grpo_validation.csv (one a validation).
"""

from math import prod
from pathlib import Path

import pandas as pd
from safetensors import SafetensorError, safe_open

from taskreason.durability.errors import UserError
from taskreason.durability.files import decode

SFT_COLUMNS = ["step", "epoch", "loss", "mean_token_accuracy"]
VALIDATION_COLUMNS = ["step", "training_states", "unseen_states", "sr"]
GRPO_COLUMNS = ["step", "reward", "reward_std", "kl", "entropy", "zero_std_share"]


def read_training_log(path: Path, columns: list[str]) -> pd.DataFrame:
    """The log's rows, at least these columns; values that were not logged at a step are NaN."""
    try:
        log = pd.read_csv(path)
    except FileNotFoundError:
        raise UserError(f"{path}: is missing; make it with `snakemake {path}`") from None
    except ValueError:
        raise UserError(f"{path}: is not CSV; delete it and run snakemake again") from None
    for column in columns:
        if column not in log:
            raise UserError(f"{path}: lacks the column '{column}'; delete it and train again")
        if not pd.api.types.is_numeric_dtype(log[column]):
            raise UserError(f"{path}: '{column}' holds text; delete the file and train again")
    return log


def average_logs(logs: list[pd.DataFrame]) -> pd.DataFrame:
    """The mean over several trainings of what was logged at the same step."""
    if len(logs) == 1:
        return logs[0]
    return pd.concat(logs).groupby("step", as_index=False).mean(numeric_only=True)


def read_json(path: Path) -> dict:
    """A JSON object; raises UserError when the file is missing or is none."""
    try:
        content = decode(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path}: is missing; make it with `snakemake {path}`") from None
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise UserError(f"{path}: is not a JSON object; delete it and run snakemake again")
    return content


def count_parameters(folder: Path) -> int:
    """Parameters of a model folder; of its safetensors files only the headers are read."""
    count = 0
    for path in sorted(Path(folder).glob("*.safetensors")):
        try:
            with safe_open(path, "numpy") as file:
                shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
        except (SafetensorError, OSError):
            raise UserError(f"{path}: is not a safetensors file; make it again") from None
        count += sum(map(prod, shapes))
    return count
