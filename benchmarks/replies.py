"""What language models say at the same state: the first replies of three policies in the first kitchens, unedited.

Every policy begins an evaluation kitchen at its initial state, so the first replies of their greedy episodes can be
laid side by side. Read from the results of a scale, whole or of one task; `make readme` puts them into docs/replies.md.
"""

from pathlib import Path

from taskreason.config.models import Config
from taskreason.durability.files import read_lines
from taskreason.environments.reply import parse_reply
from taskreason.report.inputs import name_episodes
from taskreason.report.labels import is_untrained, label_policy, task_title
from taskreason.rollouts.dataset import load_starts
from taskreason.rollouts.episode import Start

ROOT = Path(__file__).resolve().parents[1]
POLICIES = ("base", "sft", "sft_grpo")
NUMBER = 10


def make_replies(cfg: Config, task: str) -> str | None:
    """The page's generated part; None where not all of the policies have played the task."""
    out = ROOT / "results" / cfg.scale
    files = {
        policy: out / name_episodes(policy, "-" if is_untrained(policy) else task, task)
        for policy in POLICIES
    }
    worlds = out / "worlds" / task / "eval.jsonl"
    if not all(file.exists() for file in [worlds, *files.values()]):
        return None
    starts = load_starts(task, worlds, cfg.env)[:NUMBER]
    said = {policy: read_first_replies(file) for policy, file in files.items()}
    parts = [
        _print_kitchen(number, start, {p: said[p][start.world.id] for p in POLICIES})
        for number, start in enumerate(starts, start=1)
    ]
    return "\n\n".join([*parts, f"Task: {task_title(task)}. Made by `benchmarks/replies.py`."])


def read_first_replies(file: Path) -> dict[str, str]:
    """World -> the first reply of the episode in it."""
    rows = read_lines(file, ["layout_hash", "replies"], str(file))
    return {row["layout_hash"]: row["replies"][0] for row in rows if row["replies"]}


def _print_kitchen(number: int, start: Start, replies: dict[str, str]) -> str:
    """The observation, and what every policy replies to it, with a verdict on the action."""
    world = start.world
    best = start.plan[0].optimal if start.plan else ()
    valid = {*world.actions(world.initial)}
    lines = [f"### Kitchen {number}", "", "```text", world.observe(world.initial).strip(), "```"]
    for policy, reply in replies.items():
        action = parse_reply(reply).action
        verdict = "valid, begins no shortest plan" if action in valid else "not a valid action"
        if action in best:
            verdict = "begins a shortest plan"
        lines += ["", f"{label_policy(policy)} ({verdict}):", "", "```text", reply.strip(), "```"]
    return "\n".join(lines)
