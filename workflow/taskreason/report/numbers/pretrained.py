"""What the paper quotes of the pretrained scale, whose results are kept with the code.

Input: the configuration, whose environment names the kept outcomes; output: macro name -> LaTeX text. A gain counts
where its interval, paired by world, lies above zero: "on 2 of the 4 tasks".
"""

import pandas as pd

from taskreason.config.models import Config
from taskreason.report.inputs import find_kept
from taskreason.report.labels import GRID_POLICY, join_words, task_title
from taskreason.report.numbers.verdicts import count_tasks
from taskreason.report.render.latex import escape, format_value
from taskreason.report.tables.kept import GAINS, list_gains
from taskreason.studies.reference import read_reference, select_cell

HELPS = ("SftHelps", "LongerHelps", "GrpoHelps", "GrpoOverLonger")
"""What the macros of the gains are called, in their order."""


def make_pretrained_macros(cfg: Config) -> dict[str, str]:
    """All macros of the section; where nothing is kept, that alone."""
    folder = find_kept(cfg)
    if folder is None:
        return {"PretrainedIsKept": "0"}
    outcomes, record = read_reference(folder)
    made = record["config"]
    epochs = made["sft"]["epochs"]
    tasks = [t for t in made["tasks"] if len(select_cell(outcomes, GRID_POLICY, t, t))]
    gains = list_gains(outcomes, tasks, cfg.report.confidence)
    return {
        "PretrainedIsKept": "1",
        "PretrainedModel": escape(made["base"]["model"].rpartition("/")[2].partition(".")[0]),
        "PretrainedTasks": escape(join_words([task_title(task).lower() for task in tasks])),
        "PretrainedWorlds": format_value(made["worlds"]["evaluation"]),
        "PretrainedEpochs": f"{epochs} epoch{'s' if epochs != 1 else ''}",
        "PretrainedSteps": format_value(made["grpo"]["steps"]),
        "PretrainedReplies": format_value(
            made["grpo"]["steps"] * made["grpo"]["prompts_per_step"] * made["grpo"]["group_size"]
        ),
        "PretrainedMinutes": f"{sum(record['training_seconds'].values()) / 60:.0f}",
        "PretrainedProcessor": escape(record["hardware"]["processor"]),
        **{
            f"Pretrained{name}{end}": count_gains(gains, *pair, decoding)
            for name, pair in zip(HELPS, GAINS, strict=True)
            for end, decoding in (("", "greedy"), ("Sampled", "sampled"))
        },
    }


def count_gains(gains: pd.DataFrame, better: str, worse: str, decoding: str) -> str:
    """On how many of the tasks that both have played the gain's interval lies above zero."""
    low = f"{decoding}_low"
    if low not in gains:
        return count_tasks([])
    rows = gains[(gains["policy"] == better) & (gains["over"] == worse)].dropna(subset=low)
    return count_tasks([*(rows[low] > 0)])
