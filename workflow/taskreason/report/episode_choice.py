"""Which episode the report draws: one rule, shared by the figure and its caption's macros."""

from dataclasses import dataclass

from taskreason.report.labels import GRID_POLICY
from taskreason.report.results import Results


@dataclass(frozen=True)
class ChosenEpisode:
    """The drawn episode with its layout (the benchmark's own dict)."""

    task: str
    layout_hash: str
    layout: dict
    actions: list[str]
    replies: list[str]
    steps: int
    optimal_steps: int
    success: bool


def choose_episode(results: Results, task: str) -> ChosenEpisode:
    """The trained policy's first successful episode on the task, or its first if none succeeded."""
    frame = results.episodes[results.key(GRID_POLICY, task)]
    won = frame[frame["success"]]
    row = (won if len(won) else frame).iloc[0]
    kitchens = results.kitchens[task]
    layout = kitchens.loc[kitchens["layout_hash"] == row["layout_hash"], "layout"].iloc[0]
    return ChosenEpisode(
        task=task,
        layout_hash=row["layout_hash"],
        layout=layout,
        actions=[action or "(no action)" for action in row["actions"]],
        replies=list(row["replies"]),
        steps=int(row["steps"]),
        optimal_steps=int(row["optimal_steps"]),
        success=bool(row["success"]),
    )
