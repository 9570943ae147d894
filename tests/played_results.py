"""A results folder with true episodes in a few kitchens: the planner's, and those of policies that go wrong as told.

Of the two tasks, the trained policy of the same task plays as the planner does, that of the other one never acts; the
SFT policy wastes its first three steps in three ways and then plays as the planner does.
"""

from pathlib import Path

from taskreason.config.load import load_config
from taskreason.config.models import Config
from taskreason.environments.reply import format_reply
from taskreason.policies.loading import load_rules
from taskreason.rollouts.dataset import load_starts, make_worlds
from taskreason.rollouts.episode import rollout_to_file

TASKS = ("cheese_sandwich", "burger")
TIMEOUT = 25
KITCHENS = 4
SILENT = "I do not know <b>what</b> to do."
IMPOSSIBLE = format_reply("A dance.", "Dance with robot1")
IDLE = format_reply("No hurry.", "Do nothing")


class Told:
    """Says the given replies first, in every episode, then what the planner says; for one episode at a time."""

    name = "told"

    def __init__(self, replies, planner):
        self.told, self.planner, self.world = list(replies), planner, None

    def act(self, turns):
        (turn,) = turns
        if turn.world is not self.world:
            self.world, self.waiting = turn.world, list(self.told)
        return [self.waiting.pop(0)] if self.waiting else self.planner.act(turns)


def configure_played(shown: int = 100) -> Config:
    """The configuration of these results; shown: kitchens a task that a gallery shows at most."""
    return load_config(
        {
            "tasks": list(TASKS),
            "task_settings": {task: {"timeout": TIMEOUT} for task in TASKS},
            "worlds": {"evaluation": KITCHENS},
            "report": {"gallery": shown, "drawn_task": "burger"},
        }
    )


def write_played_results(root: Path) -> Path:
    """Write results/SCALE at ``root``: kitchens, and the episodes that a gallery shows."""
    config = configure_played()
    planner = load_rules("expert", 0, config.env)
    for task in TASKS:
        path = root / "worlds" / task / "eval.jsonl"
        make_worlds(task, "eval", config, path)
        starts = load_starts(task, path, config.env)
        never = [IDLE, IMPOSSIBLE] * TIMEOUT
        policies = {
            ("expert", "-"): [],
            ("base", "-"): [SILENT] * TIMEOUT,
            ("sft", task): [SILENT, IMPOSSIBLE, IDLE],
            **{("sft_grpo", other): [] if other == task else never for other in TASKS},
        }
        for (policy, train_task), replies in policies.items():
            episodes = root / "episodes" / policy / train_task / f"{task}.jsonl"
            rollout_to_file(Told(replies, planner), starts, TIMEOUT, 1, episodes)
    return root
