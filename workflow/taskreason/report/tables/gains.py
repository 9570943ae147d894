"""What one policy gains over another in the same worlds, and whether a gain of sampled replies is mere sharpening.

Gains: of SFT over the base model, and of SFT + GRPO over every control, with the likeliest replies and, where both
sides have such episodes, with sampled ones. Each has an interval that is paired by world, the numbers of worlds in
which one side alone succeeds, and McNemar's exact test. Sharpening: SFT sampled at lower and lower temperatures beside
SFT + GRPO, whose training may do no more than make likely replies likelier. Departure from the paper, which prints
success rates alone.
"""

from collections.abc import Iterator

import pandas as pd

from taskreason.report.labels import GREEDY, GRID_POLICY, is_base, label_policy
from taskreason.report.results import Results
from taskreason.report.tables.main import ACROSS, TASK
from taskreason.report.tables.spec import (
    COUNT,
    P_VALUE,
    RATE,
    SIGNED,
    TEMPERATURE,
    Column,
    Spec,
    Table,
    name,
    spread,
)
from taskreason.rollouts.metrics import compare_pairs

DECODINGS = {"": "greedy", "sampled_": "sampled"}
"""What the columns of a decoding begin with, and its name in print."""
GAIN_COLUMNS = ["policy", "over", "task", "worlds"]
GAIN_COLUMNS += [
    f"{before}{column}"
    for before in DECODINGS
    for column in ("gain", "gain_low", "gain_high", "won", "lost", "p")
]
SHARPENING_COLUMNS = ["kind", "policy", "temperature", "task", "value", "low", "high"]
KINDS = {"sr": "SR", "gain": "Gain over"}
VALUE = Column("value", "SR", lambda row: SIGNED if row["kind"] == "gain" else RATE, bounds="")


def _name_pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """What a gain is over, in a narrow column; all are of SFT + GRPO but those that say otherwise."""
    named = [
        label_policy(over) + ("" if policy == GRID_POLICY else f", of {label_policy(policy)}")
        for policy, over in zip(rows["policy"], rows["over"], strict=True)
    ]
    return rows.assign(pair=named)


SPECS = {
    "gains": [
        Spec(
            [TASK, name("pair", "Gain over")],
            [
                column
                for before, title in DECODINGS.items()
                for column in (
                    Column(f"{before}gain", f"{title}|Gain", SIGNED),
                    Column(f"{before}won", f"{title}|Won", COUNT),
                    Column(f"{before}lost", f"{title}|Lost", COUNT),
                    Column(f"{before}p", f"{title}|p", P_VALUE),
                )
            ],
            select=_name_pairs,
        )
    ],
    "sharpening": [
        Spec(
            [
                name("kind", "", KINDS.get),
                name("policy", "Policy", label_policy),
                name("temperature", "T", lambda text: format(float(text), TEMPERATURE)),
            ],
            [VALUE],
            ACROSS,
        )
    ],
}


def list_comparisons(results: Results) -> Iterator[tuple[str, str]]:
    """Pairs of policies, the one whose gain is told and the one that it is over, as far as the run has them."""
    cfg, known = results.cfg, set(results.policies)
    yield "sft", "base"
    controls = ["sft", "sft_longer", "grpo", *cfg.env.rule_policies]
    controls += filter(is_base, results.policies)
    yield from ((GRID_POLICY, control) for control in controls if control in known)


def make_gains(results: Results) -> Table:
    """One row a comparison and task; columns of episodes with sampled replies begin with ``sampled_``."""
    records = [
        {"policy": policy, "over": over, "task": task, "worlds": len(results.worlds[task])}
        | _compare(results, policy, over, task)
        for task in results.tasks
        for policy, over in list_comparisons(results)
    ]
    return Table(pd.DataFrame(records, columns=GAIN_COLUMNS), SPECS["gains"])


def _compare(results: Results, policy: str, over: str, task: str) -> dict[str, float]:
    found, views = {}, (results, results.sampled.get(results.cfg.rollout.temperature))
    for before, view in zip(DECODINGS, views, strict=True):
        if view is None or not {policy, over} <= set(view.policies):
            continue
        pair = [view.episodes[view.key(side, task)] for side in (policy, over)]
        won, lost, p = compare_pairs(*pair)
        found |= spread({f"{before}gain": view.gain(policy, over, task)})
        found |= {f"{before}won": won, f"{before}lost": lost, f"{before}p": p}
    return found


def make_sharpening(results: Results) -> Table:
    """SR of SFT and of SFT + GRPO at every temperature, and the gain of the latter's sampled replies over SFT's."""
    shared, records = results.cfg.rollout.temperature, []
    for policy in ("sft", GRID_POLICY):
        for temperature in sorted({GREEDY, *results.sampled}):
            view = results.at(temperature)
            if policy in view.policies:
                for task in results.tasks:
                    rate = view.cell(policy, task).metrics.rate
                    records.append(("sr", policy, temperature, task, *rate))
    drawn = results.at(shared)
    for temperature in sorted({GREEDY, *results.sampled}) if shared else ():
        for task in results.tasks:
            gain = drawn.gain(GRID_POLICY, "sft", task, results.at(temperature))
            records.append(("gain", "sft", temperature, task, *gain))
    return Table(pd.DataFrame(records, columns=SHARPENING_COLUMNS), SPECS["sharpening"])
