"""What the generated parts of README.md share: tables of this run read, numbers and tables printed as Markdown."""

import csv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
POLICIES = {
    "expert": "Expert",
    "base": "Base",
    "sft": "SFT",
    "sft_grpo": "SFT + GRPO",
}


def read_table(name: str) -> list[dict[str, str]] | None:
    """The rows of a table of this run; None where it has not been made."""
    return read_csv(ROOT / "results" / "tables" / f"{name}.csv") or None


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file; none where there is no file."""
    return list(csv.DictReader(path.open())) if path.exists() else []


def list_seeds() -> list[str]:
    """The seeds of the trainings behind the tables; the pooled rows of `seeds.csv` are named 'all'."""
    rows = read_table("seeds") or []
    return [seed for seed in dict.fromkeys(row["seed"] for row in rows) if seed != "all"]


def format_number(text: str, digits: int) -> str:
    return f"{float(text):.{digits}f}" if text else "–"


def format_table(header: list[str], body: list[list[str]]) -> str:
    rows = [header, ["---"] * len(header), *body]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def label_row(name: str) -> str:
    labels = POLICIES | {
        "random": "random action",
        "greedy": "rule of thumb",
        "sft_longer": "longer SFT",
        "down": "lowest, on it and simpler tasks",
    }
    return labels.get(name, name.replace("base:", "Base, "))


def print_gain(*bounds: str, digits: int = 2) -> str:
    """A gain and, where it is known, its interval."""
    gain, *interval = (f"{float(bound):+.{digits}f}" for bound in bounds if bound)
    return f"{gain} ({' to '.join(interval)})" if interval else gain
