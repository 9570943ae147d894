"""Whether a run's results agree with the reference results that come with the project.

Input: a results folder and a folder of reference tables; output: a verdict in plain words. Worlds and rules are the
same everywhere, so policies without a model must come out exactly alike. Trained ones need not: processors round
differently, and a rounding can turn a decision. So success rates are compared cell by cell with Fisher's exact test, as
if the worlds were two independent draws (which errs on the lenient side, since they are the same), at 5 % over all
cells together (Holm's correction). Then come the paper's claims, which are judged in both by the same words.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.stats import fisher_exact

from taskreason.durability.errors import UserError
from taskreason.durability.files import decode, write_json
from taskreason.environments import load_environment
from taskreason.rollouts.metrics import wilson_interval
from taskreason.studies.compare import TABLES

LEVEL = 0.05
PROVENANCE = "provenance.json"
EXACT = "expert"
"""The policy without a model, the same on every machine in all of SAME."""
SAME = ("sr", "asat", "minimal_rate")
APART = {"report", "resources", "probes", "theory", "ablation", "sweep", "endpoint"}
"""Parts of the configuration that change no number of the tables that are kept."""
Count = tuple[int, int]
"""In how many cases a claim holds, and out of how many."""


@dataclass(frozen=True)
class Verdict:
    """What a comparison came to; text: for people, the verdict in its last paragraph."""

    agrees: bool
    text: str


def reject_by_holm(p_values: Sequence[float], level: float = LEVEL) -> list[bool]:
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
    provenance = read_provenance(results, scale)
    tables = [results / "tables" / f"{name}.csv" for name in TABLES]
    for table in tables:
        _read_table(table)
    folder.mkdir(parents=True, exist_ok=True)
    for table in tables:
        shutil.copyfile(table, folder / table.name)
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


def find_reference(results: Path, scale: str) -> Path:
    """The folder with the reference that came along for a run's environment."""
    name = read_provenance(results, scale)["config"].get("environment", "robotouille")
    data = load_environment(name).data
    if data is None:
        raise UserError(f"{name} has no reference results; name a folder with --reference.")
    return data / "reference"


def verify(results: Path, scale: str, folder: Path) -> Verdict:
    """Hold the tables of a run against the reference."""
    reference, found = _read_json(folder / PROVENANCE), read_provenance(results, scale)
    sides = [
        {name: _read_table(place / f"{name}.csv") for name in TABLES}
        for place in (folder, results / "tables")
    ]
    cells = compare_cells(*sides)
    if cells.empty:
        raise UserError(f"{results}/tables: has no row in common with {folder}.")
    claims = {text: tuple(count(**side) for side in sides) for text, count in CLAIMS.items()}
    agrees = bool(cells["agrees"].all()) and all(hold(a) == hold(b) for a, b in claims.values())
    changed = list_changes(reference["config"], found["config"])
    return Verdict(agrees, _describe(reference, found, changed, cells, claims, agrees))


def compare_cells(
    reference: Mapping[str, pd.DataFrame], found: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """The rows that the reference's tables and this run's have in common, with the same seed.

    columns: name; sr_a, sr_b, the reference's rate and this run's; p, of Fisher's test; exact, whether no model plays;
    agrees, after Holm's correction, or exactly where it must.
    """
    parts = []
    for table, keys in TABLES.items():
        both = reference[table].merge(found[table], on=[*keys, "seed"], suffixes=("_a", "_b"))
        if table == "generalization":  # its diagonal stands in the other table already
            both = both[both["train_task"] != both["eval_task"]]
        between = " -> " if table == "generalization" else ", "
        both["name"] = [between.join(names) for names in both[keys].itertuples(index=False)]
        both["exact"] = both["policy"] == EXACT if "policy" in both else False
        known = [key for key in SAME if f"{key}_a" in both]
        left, right = (both[[f"{key}{end}" for key in known]].to_numpy() for end in ("_a", "_b"))
        parts.append(both.assign(same=(left == right).all(axis=1)))
    cells = pd.concat(parts, ignore_index=True)
    hits = [(cells[f"sr{end}"] * cells[f"episodes{end}"]).round() for end in ("_a", "_b")]
    misses = [cells[f"episodes{end}"] - part for end, part in zip(("_a", "_b"), hits, strict=True)]
    splits = zip(*hits, *misses, strict=True)
    cells["p"] = [float(fisher_exact([[a, b], [c, d]]).pvalue) for a, b, c, d in splits]
    rejected = pd.Series(reject_by_holm(cells["p"].tolist()), dtype=bool)
    cells["agrees"] = cells["same"].where(cells["exact"], ~rejected)
    return cells


def list_changes(reference: Any, found: Any, path: str = "") -> list[str]:
    """Settings in which two configurations differ, in words."""
    if isinstance(reference, dict) and isinstance(found, dict):
        # What came after the reference changed nothing by default, and is not listed.
        keys = sorted(key for key in reference if path or key not in APART)
        parts = [
            list_changes(reference[key], found.get(key), f"{path}.{key}".strip(".")) for key in keys
        ]
        return sum(parts, [])
    if reference == found:
        return []
    return [f"{path}: {json.dumps(reference)} there, {json.dumps(found)} here"]


def _count_better(main: pd.DataFrame, policy: str, other: str) -> Count:
    """On how many tasks the Wilson interval of one policy lies above the other's, and how many tasks have both."""
    # More seeds play in the same worlds: they sharpen a mean, not the number of worlds.
    rates = main.groupby(["policy", "task"]).agg({"sr": "mean", "episodes": "max"})
    ends = {
        key: wilson_interval(row.sr * row.episodes, int(row.episodes))
        for key, row in rates.iterrows()
    }
    tasks = [task for name, task in ends if name == policy and (other, task) in ends]
    return sum(ends[policy, task][0] > ends[other, task][1] for task in tasks), len(tasks)


def _count_downward(grid: pd.DataFrame) -> Count:
    """For how many pairs of tasks SR from the complex one to the simple one is higher than the other way round."""
    rates = grid.groupby(["train_task", "eval_task"])["sr"].mean()
    # The table lists tasks from simple to complex.
    pairs = list(combinations(grid["train_task"].unique(), 2))
    return sum(rates[hard, easy] > rates[easy, hard] for easy, hard in pairs), len(pairs)


CLAIMS = {
    "SFT+GRPO does better than the untrained model, intervals apart, on {} of {} tasks": (
        lambda main, generalization: _count_better(main, "sft_grpo", "base")
    ),
    "SFT+GRPO does better than SFT alone, intervals apart, on {} of {} tasks": (
        lambda main, generalization: _count_better(main, "sft_grpo", "sft")
    ),
    "training on the more complex task carries over better than the reverse in {} of {} pairs of tasks": (
        lambda main, generalization: _count_downward(generalization)
    ),
}
"""What the paper claims, and in how many cases a run bears it out."""


def hold(count: Count) -> bool:
    """Whether a claim is borne out by most cases."""
    return 2 * count[0] > count[1]


def _describe(
    reference: Mapping,
    found: Mapping,
    changed: Sequence[str],
    cells: pd.DataFrame,
    claims: Mapping[str, tuple[Count, Count]],
    agrees: bool,
) -> str:
    """The whole answer as text."""
    width = cells["name"].str.len().max()
    lines = [f"{'':{width}}  reference  here  p"]
    for cell in cells.itertuples():
        p, mark = "exact" if cell.exact else f"{cell.p:.2f}", "" if cell.agrees else "  DIFFERS"
        lines.append(f"{cell.name:{width}}  {cell.sr_a:9.2f}  {cell.sr_b:4.2f}  {p}{mark}")
    lines.append("")
    for claim, (there, here) in claims.items():
        lines.append(f"{claim.format(*here)}; in the reference {there[0]} of {there[1]}.")
    lines.append("")
    for place, record in (("Reference", reference), ("Here", found)):
        hardware, minutes = record["hardware"], record["training_seconds"] / 60
        machine = f"{hardware['processor']} ({' '.join(hardware['instructions'])})"
        commit = record["commit"] or "unknown"
        lines.append(f"{place}: commit {commit}, {machine}, {minutes:.0f} minutes of training.")
    if changed:
        lines += ["", "Settings that differ, so results may, too:"]
        lines += [f"  {line}" for line in changed]
    exact, trained = cells[cells["exact"]], cells[~cells["exact"]]
    seen = trained if len(trained) else cells
    furthest = seen.loc[(seen["sr_b"] - seen["sr_a"]).abs().idxmax()]
    alike = sum(hold(there) == hold(here) for there, here in claims.values())
    head = ("AGREES" if agrees else "DIFFERS") + (", under other settings" if changed else "")
    verdict = (
        f"{head}: {trained['agrees'].sum()} of {len(trained)} success rates of models agree with the reference "
        f"(Fisher's exact test, 5 % over all of them; the largest difference is "
        f"{furthest['sr_b'] - furthest['sr_a']:+.2f}, {furthest['name']}), {exact['agrees'].sum()} of {len(exact)} of "
        f"the exact expert are the same, and {alike} of {len(claims)} claims fare as in the reference."
    )
    return "\n".join([*lines, "", verdict])


def _read_table(path: Path) -> pd.DataFrame:
    fix = f"make it with `snakemake results/tables/{path.name}`."
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError):
        raise UserError(f"{path}: is no table; {fix}") from None
    missing = [key for key in (*TABLES[path.stem], "seed", "episodes", "sr") if key not in table]
    if missing or table.empty:
        raise UserError(f"{path}: lacks {', '.join(missing) or 'rows'}; {fix}")
    return table


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return decode(path.read_bytes())
    except (OSError, ValueError):
        raise UserError(f"{path}: can't be read; give the folder of a reference run.") from None
