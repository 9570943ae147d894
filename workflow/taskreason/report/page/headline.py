"""What the page says first: success rates of the four policies, GRPO's gain, and in how many tasks claims hold.

Input: comparison.csv and baselines.csv; output: a table with one row a task, which README.md shows as well, and
sentences.
"""

from collections.abc import Iterator

import pandas as pd

from taskreason.report.labels import GRID_POLICY, POLICIES, is_compared, label_policy
from taskreason.report.numbers.verdicts import judge_tables, read_rate
from taskreason.report.render.latex import MISSING
from taskreason.report.tables.main import TASK, name_gain
from taskreason.report.tables.spec import SIGNED, Column, Spec, spread

HEADLINE = Spec(
    names=[TASK],
    values=[
        *(Column(policy, label_policy(policy)) for policy in POLICIES),
        Column("gain", "Gain of GRPO over SFT", SIGNED),
        Column("published", f"{label_policy(GRID_POLICY)}, published"),
    ],
)


def make_headline(comparison: pd.DataFrame, baselines: pd.DataFrame) -> pd.DataFrame:
    """One row a task: SR of the paper's policies, GRPO's gain over SFT, and the published SR after GRPO."""
    rows = baselines.set_index(["row", "task"])
    main = comparison[comparison["part"] == "main"].set_index(["policy", "eval_task"])
    found = []
    for task in baselines["task"].unique():
        rates = {policy: read_rate(rows.loc[(policy, task)]) for policy in POLICIES}
        rates["gain"] = read_rate(rows.loc[(name_gain("sft"), task)], "gain")
        rates["published"] = read_rate(main.loc[(GRID_POLICY, task)], "published_sr")
        found.append({"task": task} | spread(rates))
    return pd.DataFrame(found)


def list_findings(comparison: pd.DataFrame, baselines: pd.DataFrame) -> Iterator[str]:
    """Sentences on the paper's claims, each with what this run counts."""
    told = judge_tables(comparison, baselines)
    yield (
        "On average over the tasks the success rate goes from {MeanSrBase} (base) through {MeanSrSft} (SFT) to "
        "{MeanSrSftGrpo} (SFT + GRPO)."
    ).format(**told)
    yield (
        "SFT improves on the base model {VerdictSftHelps}, and GRPO on SFT {VerdictGrpoHelps}; the interval of GRPO's "
        "gain lies above zero {VerdictGrpoSignificant} and below zero {VerdictGrpoHarms}."
    ).format(**told)
    compared = [label_policy(row) for row in baselines["row"].unique() if is_compared(row)]
    if compared:
        yield (
            f"SFT + GRPO is ahead of the best of what is evaluated untrained ({'; '.join(compared)}), the interval of "
            f"the gain above zero, {told['VerdictOverUntrained']}."
        )
    if comparison["published_sr"].notna().any():
        yield (
            "SFT + GRPO reaches at least the published success rate {VerdictAtLeastPublished}."
        ).format(**told)
    if told["GridMeanUp"] != MISSING:
        down, up = (
            told[f"GridMean{way}"]
            + (f" (published: {told[theirs]})" if told[theirs] != MISSING else "")
            for way, theirs in (("Down", "PubGridMeanDown"), ("Up", "PubGridMeanUp"))
        )
        yield (
            f"Trained on the more complex of two tasks and evaluated on the simpler, the mean success rate is {down}; "
            f"the other way round it is {up}."
        )
