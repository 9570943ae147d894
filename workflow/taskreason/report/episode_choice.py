"""Which episode the report draws: one rule, shared by the figure and its caption's macros."""

from collections.abc import Sequence
from dataclasses import dataclass

from taskreason.environments.base import World
from taskreason.report.labels import GRID_POLICY
from taskreason.report.results import Results


@dataclass(frozen=True)
class ChosenEpisode:
    """The drawn episode and the world in which it was played."""

    task: str
    world: World
    actions: Sequence[str]
    replies: Sequence[str]
    steps: int
    optimal_steps: int
    success: bool


def choose_episode(results: Results) -> ChosenEpisode:
    """The trained policy's first successful episode on the task to draw, or its first if none succeeded."""
    task = results.cfg.report.drawn_task
    frame = results.episodes[results.key(GRID_POLICY, task)]
    won = frame[frame["success"]]
    row = (won if len(won) else frame).iloc[0]
    worlds = results.worlds[task]
    found = worlds[worlds["layout_hash"] == row["layout_hash"]].iloc[0].to_dict()
    return ChosenEpisode(
        task=task,
        world=results.cfg.env.load(found, f"world {row['layout_hash']}"),
        actions=[action or "(no action)" for action in row["actions"]],
        replies=list(row["replies"]),
        steps=int(row["steps"]),
        optimal_steps=int(row["optimal_steps"]),
        success=bool(row["success"]),
    )
