"""Whether a run agrees with the reference results that come with the project, and what difference would have shown.

Worlds and rules are the same everywhere, so an exact expert and rules of thumb must play every world alike. Models need
not: processors round differently, and a rounding can turn a decision. So a model's outcomes are compared world by world
with McNemar's exact test (Fisher's where the worlds are others), at 5 % over all cells together by Holm's correction.
Agreement says as much as the test could see: each cell comes with the smallest difference that would have been noticed
with a chance of 0.8, at the strictest step of the correction, if chance turns as many worlds in either direction as it
did over all cells of the same decoding here. Then come the paper's claims, judged in both runs by the same words.

Where the two trained in different arithmetic, every training is another draw, which a test of worlds does not allow
for: then what was trained on several tasks is judged by :mod:`~taskreason.studies.trainings`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from taskreason.durability.errors import UserError
from taskreason.durability.provenance import name_arithmetic, name_machine
from taskreason.environments import load_environment
from taskreason.rollouts.metrics import wilson_interval
from taskreason.studies import significance
from taskreason.studies.reference import (
    GREEDY,
    KEY,
    list_changes,
    read_outcomes,
    read_provenance,
    read_reference,
)
from taskreason.studies.trainings import compare_trainings, describe_trainings

LEVEL = 0.05
"""Chance that a run which differs by chance alone is said to differ."""
CLAIMS = (
    "SFT+GRPO does better than the untrained model, intervals apart, on {} of {} tasks",
    "SFT+GRPO does better than SFT alone, intervals apart, on {} of {} tasks",
    "training on the more complex task carries over better than the reverse in {} of {} pairs of tasks",
)
"""What the paper claims."""
Count = tuple[int, int]
"""In how many cases a claim holds, and out of how many."""


@dataclass(frozen=True)
class Verdict:
    """What a comparison came to; text: for people, the verdict in its last paragraph."""

    agrees: bool
    text: str


def verify(results: Path, scale: str, folder: Path) -> Verdict:
    """Hold the episodes of a run against the reference."""
    kept, reference = read_reference(folder)
    found, record = read_outcomes(results, scale), read_provenance(results, scale)
    cells = compare_cells(kept, found, list_exact(reference["config"]))
    if cells.empty:
        raise UserError(f"{results}/{scale}: has no cell in common with {folder}.")
    tasks = reference["config"]["tasks"]
    counts = [count_claims(outcomes, tasks) for outcomes in (kept, found)]
    alike = [hold(there) == hold(here) for there, here in zip(*counts, strict=True)]
    there, here = (name_arithmetic(of["hardware"]) for of in (reference, record))
    trainings = compare_trainings(cells if there != here else cells[:0], LEVEL)
    judged = cells[~cells["policy"].isin(trainings["policy"])]
    agrees = bool(judged["agrees"].all() and trainings["agrees"].all() and all(alike))
    changed = list_changes(reference["config"], record["config"])
    missing = {"here": _list_missing(kept, found), "in the reference": _list_missing(found, kept)}
    lines = [*_describe_cells(cells), ""]
    if len(trainings):
        lines += [
            f"Trained in {here}, the reference in {there}; so much higher is SR here on average:"
        ]
        lines += [*describe_trainings(trainings), ""]
    for claim, kept_count, count in zip(CLAIMS, *counts, strict=True):
        lines.append(
            f"{claim.format(*count)}; in the reference {kept_count[0]} of {kept_count[1]}."
        )
    lines += ["", _describe_run("Reference", reference), _describe_run("Here", record)]
    if changed:
        lines += ["", "Settings that differ, so results may, too:", *(f"  {it}" for it in changed)]
    for place, names in missing.items():
        if names:
            lines += ["", f"Cells that are missing {place}:", *(f"  {name}" for name in names)]
    notes = ["under other settings"] if changed else []
    notes += [f"trained in {here}, the reference in {there}"] if len(trainings) else []
    notes += [f"with {len(n)} cells missing {place}" for place, n in missing.items() if n]
    head = ", ".join(["AGREES" if agrees else "DIFFERS", *notes])
    verdict = (
        f"{head}: {_sum_up_trainings(trainings)}{_sum_up(cells)} {sum(alike)} of {len(alike)} claims fare as in the "
        "reference."
    )
    return Verdict(agrees, "\n".join([*lines, "", verdict]))


def list_exact(config: Mapping[str, Any]) -> list[str]:
    """The policies of a run that must play every world alike on every machine: no model plays, and nothing is drawn."""
    rules = load_environment(config.get("environment", "robotouille")).rule_policies
    teacher = config.get("expert", {}).get("policy", "planner") == "planner"
    return [*rules, *(["expert"] if teacher else [])]


def compare_cells(
    reference: pd.DataFrame, found: pd.DataFrame, exact: Collection[str] = ()
) -> pd.DataFrame:
    """The cells that two runs' outcomes have in common, one a row; exact: policies that must be the same.

    columns: those of ``KEY``; name; worlds, those of the reference; sr_a, sr_b, the reference's rate and this run's;
    paired, whether the worlds are the same; only_a, only_b, worlds that one side alone solves where they are; exact;
    churn, the share of worlds that chance turns either way; p; sees, the smallest difference that the test notices with
    a chance of 0.8, NaN where there is none; agrees, after Holm's correction, or step by step where a cell is exact.
    """
    both = reference.merge(found, on=[*KEY, "world"], how="outer", suffixes=("_a", "_b"))
    records = []
    for key, part in both.groupby(KEY, sort=False):
        first, second = (part[f"steps_{side}"] for side in "ab")
        if first.isna().all() or second.isna().all():
            continue
        won, won_here, paired = first > 0, second > 0, not (first.isna() | second.isna()).any()
        records.append(
            {
                **dict(zip(KEY, key, strict=True)),
                "name": name_cell(*key),
                "worlds": first.count(),
                "worlds_here": second.count(),
                "sr_a": won.sum() / first.count(),
                "sr_b": won_here.sum() / second.count(),
                "paired": paired,
                "only_a": (won & ~won_here).sum(),
                "only_b": (won_here & ~won).sum(),
                "exact": paired and key[0] in exact,
                "same": paired and (first == second).all(),
            }
        )
    return pd.DataFrame(records) if not records else _test_cells(pd.DataFrame(records))


def _test_cells(cells: pd.DataFrame) -> pd.DataFrame:
    """The same cells with what the tests say."""
    tested = cells[~cells["exact"]]
    turned = tested[tested["paired"]].groupby("decoding")[["only_a", "only_b", "worlds"]].sum()
    churn = (turned["only_a"] + turned["only_b"]) / (2 * turned["worlds"])
    cells["churn"] = cells["decoding"].map(churn).where(cells["paired"] & ~cells["exact"])
    cells["p"] = tested.apply(_find_p, axis=1, result_type="reduce") if len(tested) else None
    level = LEVEL / max(1, len(tested))
    sees = [None if cell.exact else find_visible(cell, level) for cell in cells.itertuples()]
    cells["sees"] = pd.Series(sees, dtype=float)
    rejected = significance.reject_by_holm(cells.loc[tested.index, "p"].tolist(), LEVEL)
    cells["agrees"] = cells["same"]
    cells.loc[tested.index, "agrees"] = [not it for it in rejected]
    return cells


def _find_p(cell: Any) -> float:
    if cell.paired:
        return significance.mcnemar(int(cell.only_a), int(cell.only_b))
    sides = ((cell.sr_a, cell.worlds), (cell.sr_b, cell.worlds_here))
    counts = [number for sr, worlds in sides for number in (round(sr * worlds), int(worlds))]
    return significance.fisher(*counts)


def find_visible(cell: Any, level: float) -> float | None:
    """The smallest difference from the reference that a cell's test would have noticed with a chance of 0.8."""
    worlds, here, rate = int(cell.worlds), int(cell.worlds_here), cell.sr_a
    if cell.paired:
        churn = cell.churn
        return significance.find_smallest(
            lambda gain: significance.mcnemar_power(worlds, gain, churn, level),
            1 - 2 * churn,
            1 / worlds,
        )
    # A rate has more room on one side: a loss where it is high, a gain where it is low.
    sign = -1 if rate > 0.5 else 1
    return significance.find_smallest(
        lambda gain: significance.fisher_power(worlds, here, rate, rate + sign * gain, level),
        max(rate, 1 - rate),
    )


def name_cell(policy: str, train_task: str, decoding: str, seed: int, eval_task: str) -> str:
    """'sft_grpo, burger -> cheese_burger, T1, seed 2'; what is as usual goes unsaid."""
    own = train_task in ("-", eval_task)
    parts = [policy, eval_task if own else f"{train_task} -> {eval_task}"]
    parts += [decoding] if decoding != GREEDY else []
    return ", ".join(parts + ([f"seed {seed}"] if seed else []))


def _list_missing(outcomes: pd.DataFrame, other: pd.DataFrame) -> list[str]:
    """Names of the cells of one run that the other lacks."""
    cells, known = (frame[KEY].drop_duplicates() for frame in (outcomes, other))
    lacking = pd.MultiIndex.from_frame(cells).difference(pd.MultiIndex.from_frame(known))
    return [name_cell(*key) for key in lacking]


def _describe_cells(cells: pd.DataFrame) -> Iterator[str]:
    """A line for every cell that is compared, under a head."""
    width = cells["name"].str.len().max()
    yield f"{'':{width}}  reference  here       p  sees"
    for cell in cells.itertuples():
        sees = "none" if pd.isna(cell.sees) else f"{cell.sees:.2f}"
        tested = f"{'exact':>6}  {'':4}" if cell.exact else f"{cell.p:6.3f}  {sees:4}"
        kind = "" if cell.paired else "  other worlds"
        mark = "" if cell.agrees else "  DIFFERS"
        line = f"{cell.name:{width}}  {cell.sr_a:9.2f}  {cell.sr_b:4.2f}  {tested}{kind}{mark}"
        yield line.rstrip()


def _sum_up(cells: pd.DataFrame) -> str:
    """How many cells agree by which test, and from which difference on they would not have."""
    exact, tested = cells[cells["exact"]], cells[~cells["exact"]]
    parts = [
        f"{exact['agrees'].sum()} of {len(exact)} of the exact policies are the same step by step."
    ]
    if tested.empty:
        return parts[0]
    furthest = tested.loc[(tested["sr_b"] - tested["sr_a"]).abs().idxmax()]
    tests = {True: "McNemar's exact test in the same worlds", False: "Fisher's in other worlds"}
    parts.insert(
        0,
        f"{tested['agrees'].sum()} of {len(tested)} success rates agree with the reference "
        f"({', '.join(tests[kind] for kind in tests if kind in set(tested['paired']))}; {LEVEL:.0%} over all of them; "
        f"the largest difference is {furthest['sr_b'] - furthest['sr_a']:+.2f}, {furthest['name']}).",
    )
    for (decoding, paired), part in tested.groupby(["decoding", "paired"], sort=False):
        # The cell that sees least.
        sees = part["sees"].max(skipna=False)
        seen = "no difference" if pd.isna(sees) else f"differences from {sees:.2f} on"
        churn = part["churn"].iloc[0]
        given = f", if chance turns {churn:.1%} of the worlds either way" if paired else ""
        parts.append(
            f"A test ({decoding}, {'the same' if paired else 'other'} worlds) sees {seen} with a chance of "
            f"{significance.POWER:g}, at a level of {LEVEL / len(tested):.2g}{given}."
        )
    return " ".join(parts)


def _sum_up_trainings(trainings: pd.DataFrame) -> str:
    """How many trained policies agree on average, if they were judged so."""
    if trainings.empty:
        return ""
    return (
        f"{trainings['agrees'].sum()} of {len(trainings)} trained policies agree on average over their trainings "
        f"(Student's intervals, {LEVEL:.0%} over all of them). As if the trainings had been the same, "
    )


def _describe_run(place: str, record: Mapping[str, Any]) -> str:
    """What a run was made with."""
    minutes = sum(record["training_seconds"].values()) / 60
    machine = name_machine(record["hardware"])
    commit = record["commit"] or "unknown"
    return f"{place}: commit {commit}, {machine}, {minutes:.0f} minutes of training."


def count_claims(outcomes: pd.DataFrame, tasks: Sequence[str]) -> list[Count]:
    """In how many cases greedy outcomes bear out each of ``CLAIMS``, and out of how many; tasks: simple ones first."""
    played = outcomes[outcomes["decoding"] == GREEDY]
    played = played.assign(won=played["steps"] > 0)
    # More seeds play in the same worlds: they sharpen a mean, not the number of worlds.
    cells = played.groupby(["policy", "train_task", "eval_task"]).agg(
        {"won": "mean", "world": "nunique"}
    )
    ends = {
        cell.Index: wilson_interval(cell.won * cell.world, cell.world)
        for cell in cells.itertuples()
    }

    def count_better(other: str) -> Count:
        """On how many tasks SFT+GRPO's interval lies above another policy's."""
        worse = {task: (other, "-" if other == "base" else task, task) for task in tasks}
        own = {task: ("sft_grpo", task, task) for task in tasks}
        known = [task for task in tasks if own[task] in ends and worse[task] in ends]
        return sum(ends[own[task]][0] > ends[worse[task]][1] for task in known), len(known)

    grid = cells.loc["sft_grpo", "won"].to_dict() if "sft_grpo" in cells.index else {}
    pairs = [pair for pair in combinations(tasks, 2) if pair in grid and pair[::-1] in grid]
    down = sum(grid[hard, easy] > grid[easy, hard] for easy, hard in pairs)
    return [count_better("base"), count_better("sft"), (down, len(pairs))]


def hold(count: Count) -> bool:
    """Whether a claim is borne out by most cases."""
    return 2 * count[0] > count[1]
