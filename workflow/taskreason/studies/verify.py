"""Whether a run's results agree with the reference results that come with the project.

Input: a results folder and a folder of reference tables; output: a verdict in plain words. Kitchens and rules are the
same everywhere, so policies without a model must come out exactly alike. Trained ones need not: processors round
differently, and a rounding can turn a decision. So success rates are compared cell by cell with Fisher's exact test, as
if the kitchens were two independent draws (which errs on the lenient side, since they are the same), at 5 % over all
cells together (Holm's correction). Then come the paper's claims, which are judged in both by the same words.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import Any

import pandas as pd

from taskreason.durability.errors import UserError
from taskreason.durability.files import decode, write_json
from taskreason.environments.robotouille.tasks import TASKS
from taskreason.rollouts.metrics import wilson_interval
from taskreason.studies.compare import TABLES

SUMS = ["sr", "asat", "minimal_rate"]
LEVEL = 0.05
PROVENANCE = "provenance.json"
EXACT = ("expert",)
"""Policies without a model, the same on every machine."""
APART = (
    *("seed", "report", "resources", "probes", "theory", "ablation", "sweep", "endpoint"),
    *("recipes", "recipe_sft"),
)
"""Parts of the configuration that change no number of the tables that are kept."""


@dataclass(frozen=True)
class Cell:
    """One success rate in both runs.

    p: of Fisher's test; exact: whether no model plays; agrees: after Holm's correction, or exactly where it must.
    """

    name: str
    reference: float
    found: float
    p: float
    exact: bool
    agrees: bool


@dataclass(frozen=True)
class Verdict:
    """What a comparison came to; text: for people, the verdict in its last paragraph."""

    agrees: bool
    text: str


def fisher_test(first: int, first_total: int, second: int, second_total: int) -> float:
    """Two-sided p-value of Fisher's exact test: all splits of the hits that are no likelier than the one seen."""
    hits, total = first + second, first_total + second_total
    low, high = max(0, hits - second_total), min(hits, first_total)
    ways = {
        part: comb(first_total, part) * comb(second_total, hits - part)
        for part in range(low, high + 1)
    }
    return sum(way for way in ways.values() if way <= ways[first]) / comb(total, hits)


def reject_by_holm(p_values: list[float], level: float = LEVEL) -> list[bool]:
    """Which hypotheses Holm's step-down procedure rejects, in the order given."""
    rejected = [False] * len(p_values)
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    for rank, place in enumerate(order):
        if p_values[place] > level / (len(order) - rank):
            break
        rejected[place] = True
    return rejected


def keep(results: Path, scale: str, folder: Path) -> None:
    """Make the tables of a finished run the reference, with what they were made with."""
    for name in TABLES:
        _read_table(results / "tables" / f"{name}.csv", name)
    provenance = read_provenance(results, scale)
    folder.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        table = (results / "tables" / f"{name}.csv").read_text()
        (folder / f"{name}.csv").write_text(table)
    write_json(folder / PROVENANCE, provenance)


def read_provenance(results: Path, scale: str) -> dict[str, Any]:
    """Configuration, versions, hardware and commit of a run's trainings, and their wall time in all."""
    files = sorted(results.glob(f"{scale}/training/*/*.provenance.json"))
    if not files:
        raise UserError(
            f"{results}/{scale}/training: no provenance of a training is there; run `snakemake --cores all "
            f"--config scale={scale}` first, or name the scale with --scale."
        )
    records = [_read_json(file) for file in files]
    try:
        first = {key: records[0][key] for key in ("config", "versions", "hardware", "commit")}
        seconds = sum(record["wall_seconds"] for record in records)
    except (KeyError, TypeError):
        raise UserError(
            f"{files[0]}: is no provenance of a training; make it again with `make reproduce`."
        ) from None
    return first | {"training_seconds": round(seconds)}


def verify(results: Path, scale: str, folder: Path) -> Verdict:
    """Hold the tables of a run against the reference."""
    reference, found = _read_json(folder / PROVENANCE), read_provenance(results, scale)
    tables = {
        name: [
            _read_table(place, name)
            for place in (folder / f"{name}.csv", results / "tables" / f"{name}.csv")
        ]
        for name in TABLES
    }
    changed = list_changes(reference["config"], found["config"])
    cells = compare_cells(tables)
    if not cells:
        raise UserError(f"{results}/tables: has no row in common with {folder}.")
    claims = [
        (claim, *(count(*side) for side in zip(*tables.values(), strict=True)))
        for claim, count in CLAIMS.items()
    ]
    agrees = all(cell.agrees for cell in cells)
    agrees = agrees and all(hold(there) == hold(here) for _, there, here in claims)
    return Verdict(agrees, _describe(reference, found, changed, cells, claims, agrees))


def compare_cells(tables: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]]) -> list[Cell]:
    """The rows that the reference's tables and this run's have in common, with the same seed."""
    rows = []
    for name, (reference, found) in tables.items():
        both = reference.merge(found, on=[*TABLES[name], "seed"], suffixes=("_a", "_b"))
        if name == "generalization":  # its diagonal stands in the other table already
            both = both[both["train_task"] != both["eval_task"]]
        rows += [row | {"table": name} for row in both.to_dict("records")]
    p_values = []
    for row in rows:
        sides = [
            (round(row[f"sr{end}"] * row[f"episodes{end}"]), row[f"episodes{end}"])
            for end in ("_a", "_b")
        ]
        p_values.append(fisher_test(*map(int, (*sides[0], *sides[1]))))
    cells = []
    for row, p, rejected in zip(rows, p_values, reject_by_holm(p_values), strict=True):
        exact = row.get("policy") in EXACT
        same = all(row[f"{key}_a"] == row[f"{key}_b"] for key in SUMS if f"{key}_a" in row)
        name = (", " if "policy" in row else " -> ").join(row[key] for key in TABLES[row["table"]])
        agrees = same if exact else not rejected
        cells.append(Cell(name, row["sr_a"], row["sr_b"], p, exact, agrees))
    return cells


def list_changes(reference: Any, found: Any, path: str = "") -> list[str]:
    """Settings in which two configurations differ, in words."""
    if isinstance(reference, dict) and isinstance(found, dict):
        return [
            change
            for key in sorted(reference)  # what came after the reference changed nothing by default
            if path or key not in APART
            for change in list_changes(
                reference.get(key), found.get(key), f"{path}.{key}" if path else key
            )
        ]
    return (
        []
        if reference == found
        else [f"{path}: {json.dumps(reference)} there, {json.dumps(found)} here"]
    )


def _count_better(main: pd.DataFrame, policy: str, other: str) -> tuple[int, int]:
    """On how many tasks the Wilson interval of one policy lies above the other's, and how many tasks have both."""
    rows = _pool(main)
    pairs = [
        (rows[task, policy], rows[task, other])
        for task in TASKS
        if (task, policy) in rows and (task, other) in rows
    ]
    return sum(low > high for (_, low, _), (_, _, high) in pairs), len(pairs)


def _count_downward(grid: pd.DataFrame) -> tuple[int, int]:
    """For how many pairs of tasks SR from the complex one to the simple one is higher than the other way round."""
    known = [task for task in TASKS if task in set(grid["train_task"])]
    rates = grid.groupby(["train_task", "eval_task"])["sr"].mean()
    pairs = [(hard, easy) for n, easy in enumerate(known) for hard in known[n + 1 :]]
    return sum(rates[pair] > rates[pair[::-1]] for pair in pairs), len(pairs)


CLAIMS = {
    "SFT+GRPO does better than the untrained model, intervals apart, on {} of {} tasks": (
        lambda main, grid: _count_better(main, "sft_grpo", "base")
    ),
    "SFT+GRPO does better than SFT alone, intervals apart, on {} of {} tasks": (
        lambda main, grid: _count_better(main, "sft_grpo", "sft")
    ),
    "training on the more complex task carries over better than the reverse in {} of {} pairs of tasks": (
        lambda main, grid: _count_downward(grid)
    ),
}
"""What the paper claims, and in how many cases, out of how many, a run bears it out."""


def hold(count: tuple[int, int]) -> bool:
    """Whether a claim is borne out by most cases."""
    return 2 * count[0] > count[1]


def _pool(main: pd.DataFrame) -> dict[tuple[str, str], tuple[float, float, float]]:
    """SR and its Wilson interval by task and policy, over all seeds together."""
    pooled = {}
    for key, part in main.groupby(["task", "policy"]):
        # More seeds play in the same kitchens: they sharpen a mean, not the number of kitchens.
        sr, kitchens = part["sr"].mean(), int(part["episodes"].max())
        pooled[key] = (sr, *wilson_interval(sr * kitchens, kitchens))
    return pooled


def _describe(reference, found, changed, cells, claims, agrees) -> str:
    """The whole answer as text."""
    exact = [cell for cell in cells if cell.exact]
    trained = [cell for cell in cells if not cell.exact]
    width = max(len(cell.name) for cell in cells)
    lines = [f"{'':{width}}  reference  here  p"]
    for cell in cells:
        p = "exact" if cell.exact else f"{cell.p:.2f}"
        mark = "" if cell.agrees else "  DIFFERS"
        lines.append(f"{cell.name:{width}}  {cell.reference:9.2f}  {cell.found:4.2f}  {p}{mark}")
    lines.append("")
    for claim, there, here in claims:
        lines.append(f"{claim.format(*here)}; in the reference {there[0]} of {there[1]}.")
    lines.append("")
    for place, record in (("Reference", reference), ("Here", found)):
        hardware = record["hardware"]
        minutes = record["training_seconds"] / 60
        lines.append(
            f"{place}: commit {record['commit'] or 'unknown'}, {hardware['processor']} "
            f"({' '.join(hardware['instructions'])}), {minutes:.0f} minutes of training."
        )
    if changed:
        lines += [
            "",
            "Settings that differ, so results may, too:",
            *(f"  {line}" for line in changed),
        ]
    agreed = sum(cell.agrees for cell in trained)
    furthest = max(trained or cells, key=lambda cell: abs(cell.found - cell.reference))
    largest = f"{furthest.found - furthest.reference:+.2f}, {furthest.name}"
    alike = sum(hold(there) == hold(here) for _, there, here in claims)
    verdict = (
        f"{agreed} of {len(trained)} success rates of models agree with the reference (Fisher's exact "
        f"test, 5 % over all of them; the largest difference is {largest}), "
        f"{sum(cell.agrees for cell in exact)} of {len(exact)} of the exact expert are the same, and "
        f"{alike} of {len(claims)} claims fare as in the reference."
    )
    head = "AGREES" if agrees else "DIFFERS"
    if changed:
        head += ", under other settings"
    return "\n".join([*lines, "", f"{head}: {verdict}"])


def _read_table(path: Path, name: str) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError):
        raise UserError(
            f"{path}: is no table; make it with `snakemake results/tables/{name}.csv`."
        ) from None
    missing = [
        column for column in (*TABLES[name], "seed", "episodes", "sr") if column not in table
    ]
    if missing or table.empty:
        raise UserError(
            f"{path}: lacks {', '.join(missing) or 'rows'}; make it with `snakemake results/tables/{name}.csv`."
        )
    return table


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return decode(path.read_bytes())
    except (OSError, ValueError):
        raise UserError(f"{path}: can't be read; give the folder of a reference run.") from None
