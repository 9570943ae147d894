"""How long prompts and replies are in tokens, measured on generated kitchens.

Characters are counted, with an assumed number of them a token, so that no tokenizer has to be downloaded.
"""

from dataclasses import dataclass
from functools import cache
from itertools import count

from taskreason.config.models import Config
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.generator import Mode, draw_disjoint
from taskreason.environments.robotouille.simulator.layout import Layout
from taskreason.environments.robotouille.tasks import find_task
from taskreason.policies.prompt import build_prompt, list_messages

CHARACTERS_PER_TOKEN = 3.2
"""Qwen2.5 cuts kitchens into pieces of 3.3 characters and rules into 3.9 before it cuts rare words further."""
REPLY_CHARACTERS = 280
"""A thought and an action; the planner's have 250 to 290, a language model's are taken to be alike."""
TEMPLATE_TOKENS = 20
"""What a chat template adds: its marks and the names of the roles."""
LONGEST_REPLY = 2.0
"""The longest reply of a batch beside the mean one; the others wait for it."""
LONGEST_KITCHEN = 1.4
"""The longest kitchen text beside the mean one, which memory has to hold; 1.3 to 1.5 in the laptop's trajectories."""
SAMPLE = 16
"""Kitchens whose text is measured for each task."""


@dataclass(frozen=True)
class Lengths:
    """Tokens: of a mean prompt, of one among the longest, of the part that all prompts share, of replies."""

    prompt: float
    longest_prompt: float
    shared: float
    reply: float
    longest_reply: float


@cache
def measure_kitchens(template: Layout, mode: Mode, seed: int) -> float:
    """Mean characters of the text of a task's kitchens, in their initial states."""
    drawn = draw_disjoint(template, mode, count(seed), SAMPLE, set())
    kitchens = [Kitchen(layout) for _, layout in drawn]
    return sum(len(build_prompt(kitchen, kitchen.initial)) for kitchen in kitchens) / SAMPLE


def measure_lengths(task: str, cfg: Config) -> Lengths:
    """How long a task's prompts and replies are in tokens."""
    template = find_task(task, cfg.recipes).template
    kitchen = measure_kitchens(template, cfg.kitchens.mode, cfg.kitchens.train_seed)
    reply = min(cfg.rollout.max_new_tokens, REPLY_CHARACTERS / CHARACTERS_PER_TOKEN)
    shared = 0.0
    if cfg.prompt.style == "chat":
        around = sum(len(message["content"]) for message in list_messages(""))
        shared = around / CHARACTERS_PER_TOKEN + TEMPLATE_TOKENS
    fixed = shared + (reply if cfg.prompt.history else 0)
    return Lengths(
        prompt=fixed + kitchen / CHARACTERS_PER_TOKEN,
        longest_prompt=fixed + LONGEST_KITCHEN * kitchen / CHARACTERS_PER_TOKEN,
        shared=shared,
        reply=reply,
        longest_reply=min(cfg.rollout.max_new_tokens, LONGEST_REPLY * reply),
    )
