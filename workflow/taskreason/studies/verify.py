"""Two results folders side by side, and whether a run agrees with the reference results that come with the project.

Worlds and rules are the same everywhere, so policies without a model must come out exactly alike. Trained ones need
not: processors round differently, and a rounding can turn a decision. So success rates are compared cell by cell with
Fisher's exact test, as if the worlds were two independent draws (which errs on the lenient side, since they are the
same), at 5 % over all cells together (Holm's correction). Then come the paper's claims, which are judged in both by the
same words.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
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

TABLES = {"main": ["task", "policy"], "generalization": ["train_task", "eval_task"]}
"""The tables that are compared, or kept as a reference, and what names a row of each."""
PROVENANCE = "provenance.json"
SAME = ("sr", "asat", "minimal_rate")
"""What the policy without a model must have in common with the reference, on every machine."""
APART = {
    *("report", "resources", "probes", "endpoint", "base.compare"),
    *("theory", "ablation", "sweep", "regimes", "states"),
}
"""Parts of the configuration that change no number of the tables that are kept."""
CLAIMS = (
    "SFT+GRPO does better than the untrained model, intervals apart, on {} of {} tasks",
    "SFT+GRPO does better than SFT alone, intervals apart, on {} of {} tasks",
    "training on the more complex task carries over better than the reverse in {} of {} pairs of tasks",
)
"""What the paper claims."""
Tables = Mapping[str, pd.DataFrame]
Count = tuple[int, int]
"""In how many cases a claim holds, and out of how many."""


@dataclass(frozen=True)
class Verdict:
    """What a comparison came to; text: for people, the verdict in its last paragraph."""

    agrees: bool
    text: str


def compare(first: Path, second: Path) -> str:
    """SR and ASAT of two results folders, row by row; a star marks rows whose intervals of SR do not touch."""
    parts = []
    for name, keys in TABLES.items():
        files = [folder / "tables" / f"{name}.csv" for folder in (first, second)]
        means = [_read_means(file, keys) for file in files]
        both = pd.concat(means, axis=1, join="inner", keys=["A", "B"])
        if both.empty:
            raise UserError(f"{files[1]}: has no row of {first}; compare runs of the same tasks.")
        a, b = both["A"], both["B"]
        apart = (a["sr_low"] > b["sr_high"]) | (b["sr_low"] > a["sr_high"])
        shown = {
            "SR A": a.apply(_print_rate, axis=1),
            "SR B": b.apply(_print_rate, axis=1),
            "B - A": (b["sr"] - a["sr"]).map("{:+.2f}".format),
            "": apart.map({True: "*", False: ""}),
            "ASAT A": a["asat"].map("{:.1f}".format),
            "ASAT B": b["asat"].map("{:.1f}".format),
        }
        parts.append(pd.DataFrame(shown).reset_index().to_string(index=False))
    head = f"A: {first}\nB: {second}\n*: the intervals of SR do not touch"
    return "\n\n".join([head, *parts])


def _print_rate(row: pd.Series) -> str:
    return f"{row.sr:.2f} ({row.sr_low:.2f}-{row.sr_high:.2f})"


def _read_means(path: Path, keys: list[str]) -> pd.DataFrame:
    """Rates of every row, their means over seeds."""
    try:
        rows = pd.read_csv(path).groupby(keys, sort=False)
        return rows[["sr", "sr_low", "sr_high", "asat"]].mean()
    except (OSError, ValueError, KeyError):
        raise UserError(
            f"{path}: is no table of this report; give a results folder of a finished run."
        ) from None


def reject_by_holm(p_values: Sequence[float], level: float = 0.05) -> list[bool]:
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
    _read_tables(results / "tables")
    folder.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        shutil.copyfile(results / "tables" / f"{name}.csv", folder / f"{name}.csv")
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
    sides = [_read_tables(folder), _read_tables(results / "tables")]
    cells = compare_cells(*sides)
    if cells.empty:
        raise UserError(f"{results}/tables: has no row in common with {folder}.")
    claims = list(zip(CLAIMS, *map(count_claims, sides), strict=True))
    alike = sum(hold(there) == hold(here) for _, there, here in claims)
    agrees = bool(cells["agrees"].all() and alike == len(CLAIMS))
    changed = list_changes(reference["config"], found["config"])
    head = ("AGREES" if agrees else "DIFFERS") + (", under other settings" if changed else "")
    exact, trained = cells[cells["exact"]], cells[~cells["exact"]]
    seen = trained if len(trained) else cells
    furthest = seen.loc[(seen["sr_b"] - seen["sr_a"]).abs().idxmax()]
    lines = [*_describe_cells(cells), ""]
    for claim, there, here in claims:
        lines.append(f"{claim.format(*here)}; in the reference {there[0]} of {there[1]}.")
    lines += ["", _describe_run("Reference", reference), _describe_run("Here", found)]
    if changed:
        lines += ["", "Settings that differ, so results may, too:", *(f"  {it}" for it in changed)]
    verdict = (
        f"{head}: {trained['agrees'].sum()} of {len(trained)} success rates of models agree with the reference "
        f"(Fisher's exact test, 5 % over all of them; the largest difference is "
        f"{furthest['sr_b'] - furthest['sr_a']:+.2f}, {furthest['name']}), {exact['agrees'].sum()} of {len(exact)} of "
        f"the exact expert are the same, and {alike} of {len(claims)} claims fare as in the reference."
    )
    return Verdict(agrees, "\n".join([*lines, "", verdict]))


def _describe_cells(cells: pd.DataFrame) -> Iterator[str]:
    """A line for every rate that is compared, under a head."""
    width = cells["name"].str.len().max()
    yield f"{'':{width}}  reference  here  p"
    for cell in cells.itertuples():
        p, mark = "exact" if cell.exact else f"{cell.p:.2f}", "" if cell.agrees else "  DIFFERS"
        yield f"{cell.name:{width}}  {cell.sr_a:9.2f}  {cell.sr_b:4.2f}  {p}{mark}"


def _describe_run(place: str, record: Mapping[str, Any]) -> str:
    """What a run was made with."""
    hardware, minutes = record["hardware"], record["training_seconds"] / 60
    machine = f"{hardware['processor']} ({' '.join(hardware['instructions'])})"
    commit = record["commit"] or "unknown"
    return f"{place}: commit {commit}, {machine}, {minutes:.0f} minutes of training."


def compare_cells(reference: Tables, found: Tables) -> pd.DataFrame:
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
        both["exact"] = both["policy"] == "expert" if "policy" in both else False
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
        changes = []
        # What came after the reference changed nothing by default, and is not listed.
        for key in sorted(reference):
            place = f"{path}.{key}".strip(".")
            if place not in APART:
                changes += list_changes(reference[key], found.get(key), place)
        return changes
    if reference == found:
        return []
    return [f"{path}: {json.dumps(reference)} there, {json.dumps(found)} here"]


def _count_better(main: pd.DataFrame, other: str) -> Count:
    """On how many tasks SFT+GRPO's Wilson interval lies above another policy's, and how many tasks have both."""
    # More seeds play in the same worlds: they sharpen a mean, not the number of worlds.
    rates = main.groupby(["policy", "task"]).agg({"sr": "mean", "episodes": "max"})
    cells = rates.itertuples()
    ends = {cell.Index: wilson_interval(cell.sr * cell.episodes, cell.episodes) for cell in cells}
    tasks = [task for policy, task in ends if policy == "sft_grpo" and (other, task) in ends]
    return sum(ends["sft_grpo", task][0] > ends[other, task][1] for task in tasks), len(tasks)


def _count_downward(grid: pd.DataFrame) -> Count:
    """For how many pairs of tasks SR from the complex one to the simple one is higher than the other way round."""
    rates = grid.groupby(["train_task", "eval_task"])["sr"].mean()
    # The table lists tasks from simple to complex.
    pairs = list(combinations(grid["train_task"].unique(), 2))
    return sum(rates[hard, easy] > rates[easy, hard] for easy, hard in pairs), len(pairs)


def count_claims(tables: Tables) -> list[Count]:
    """In how many cases the tables bear out each of ``CLAIMS``, and out of how many."""
    main, grid = tables["main"], tables["generalization"]
    return [_count_better(main, "base"), _count_better(main, "sft"), _count_downward(grid)]


def hold(count: Count) -> bool:
    """Whether a claim is borne out by most cases."""
    return 2 * count[0] > count[1]


def _read_tables(folder: Path) -> Tables:
    tables = {}
    for name, keys in TABLES.items():
        path, fix = folder / f"{name}.csv", f"make it with `snakemake results/tables/{name}.csv`."
        try:
            tables[name] = pd.read_csv(path)
        except (OSError, ValueError):
            raise UserError(f"{path}: is no table; {fix}") from None
        missing = [key for key in (*keys, "seed", "episodes", "sr") if key not in tables[name]]
        if missing or tables[name].empty:
            raise UserError(f"{path}: lacks {', '.join(missing) or 'rows'}; {fix}")
    return tables


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return decode(path.read_bytes())
    except (OSError, ValueError):
        raise UserError(f"{path}: can't be read; give the folder of a reference run.") from None
