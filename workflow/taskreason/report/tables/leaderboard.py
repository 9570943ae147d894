"""Tables of scores on the panel: policies side by side, and one against another, for the terminal and the docs.

Input: rows of :mod:`taskreason.studies.scores`; output: Markdown. The paper's success rates stand below, as far as it
has the same tasks: they are of other kitchens, and of few.
"""

import pandas as pd

from taskreason.environments.base import Environment
from taskreason.report.labels import task_title
from taskreason.report.published import PUBLISHED_MODELS, load_published
from taskreason.report.render.tables import render_markdown
from taskreason.report.tables.spec import COUNT, P_VALUE, RATE, SIGNED, Column, Spec, columns, name
from taskreason.rollouts.panel import RENAMED, UNSEEN
from taskreason.studies.scores import ALL

SR = Column("sr", "SR")
POLICY = name("policy", "Policy")


def title_split(key: str, env: Environment) -> str:
    """'hard' -> 'Planning-hard'."""
    known = {UNSEEN: "Unseen", RENAMED: "Renamed"} | {k: s.title for k, s in env.splits.items()}
    return known.get(key, key.capitalize())


def _title_task(task: str) -> str:
    return "All" if task == ALL else task_title(task)


def make_specs(env: Environment) -> dict[str, Spec]:
    """All tasks together by kind of worlds; each task in the worlds like those of training; a comparison."""
    split = name("split", env.worlds.capitalize(), lambda key: title_split(key, env))
    task = name("task", "Task", _title_task)
    return {
        "kinds": Spec([POLICY], [SR], name("split", "", split.words)),
        "tasks": Spec([POLICY], [SR], name("task", "", _title_task)),
        "comparison": Spec(
            [split, task],
            [
                Column("worlds", "Number", COUNT),
                *columns(RATE, first="SR, A", second="SR, B"),
                Column("gain", "B - A", SIGNED),
                *columns(COUNT, won="B alone", lost="A alone"),
                Column("p", "p", P_VALUE),
                Column("smallest", "Smallest visible gain", SIGNED),
            ],
        ),
    }


def list_published(env: Environment) -> pd.DataFrame:
    """The paper's rates as rows of a leaderboard, with the Wilson intervals of their few episodes."""
    published = load_published(env)
    rows = []
    for model in PUBLISHED_MODELS.values():
        for (task, other), cell in published.main.items():
            if other == model:
                low, high = published.interval(cell, 0.95)
                title = f"{model}, published ({published.episodes} kitchens)"
                row = {"policy": title, "split": UNSEEN, "task": task, "sr": cell.sr}
                rows.append(row | {"sr_low": low, "sr_high": high})
    return pd.DataFrame(rows)


def print_leaderboard(rates: pd.DataFrame, env: Environment) -> str:
    """Policies by kind of worlds, and below by task in worlds like those of training with the published rates."""
    specs, parts = make_specs(env), []
    whole = rates[rates["task"] == ALL]
    if len(whole):
        parts.append(render_markdown(specs["kinds"], _rank(whole)))
    tasks = rates[(rates["split"] == UNSEEN) & (rates["task"] != ALL)]
    if len(tasks):
        below = list_published(env)
        parts.append(render_markdown(specs["tasks"], pd.concat([_rank(tasks), below])))
    return "\n\n".join(parts)


def _rank(rows: pd.DataFrame) -> pd.DataFrame:
    """The policy with the highest mean rate first; what belongs to one policy stays in its order."""
    means = rows.groupby("policy")["sr"].transform("mean")
    return rows.assign(mean=-means).sort_values(["mean", "policy"], kind="stable")


def print_comparison(rows: pd.DataFrame, env: Environment) -> str:
    """One row a kind of worlds and task."""
    return render_markdown(make_specs(env)["comparison"], rows)
