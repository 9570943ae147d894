"""From a decision to what a model reads: the user's text, and for chat models the messages around it.

``plain`` is the bare text, which the laptop's base model continues. ``chat`` is what an instruction-tuned model needs:
the rules of the kitchen as the system's message, then one worked example from a task outside the four and the text as
the user's, in the model's own chat template. With ``history`` the text begins with the last thought and action, as in
the benchmark's ReAct agent.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from taskreason.config.models import Prompt
from taskreason.durability.bundled_files import verify_shipped
from taskreason.durability.errors import UserError
from taskreason.environments.robotouille.simulator.engine import Kitchen, State
from taskreason.environments.robotouille.simulator.observation import observe
from taskreason.environments.robotouille.tasks import DATA
from taskreason.policies import Turn

if TYPE_CHECKING:  # the module serves light stages, too
    from transformers import PreTrainedTokenizerBase

FOLDER = DATA / "prompt"
PLAIN = Prompt(style="plain", history=False)


def build_prompt(kitchen: Kitchen, state: State, before: str = "") -> str:
    """The prompt for one decision; training and rollouts both build it here.

    before: what :func:`taskreason.policies.reply.recount` says of the step before, where prompts tell it.
    """
    return f"{before}\n{observe(kitchen, state)}" if before else observe(kitchen, state)


def describe_turn(turn: Turn, prompt: Prompt) -> str:
    """The user's text for one decision."""
    return build_prompt(turn.kitchen, turn.state, turn.before if prompt.history else "")


def list_messages(text: str) -> list[dict[str, str]]:
    """The conversation that asks a chat model for one decision."""
    return [
        {"role": "system", "content": _read("rules.txt")},
        {"role": "user", "content": _read("example.txt") + text},
    ]


@cache
def _read(name: str) -> str:
    verify_shipped([FOLDER / name])
    return (FOLDER / name).read_text(encoding="utf-8")


def tokenize(
    texts: list[str], tokenizer: "PreTrainedTokenizerBase", prompt: Prompt
) -> list[list[int]]:
    """Token ids of what the model reads, up to where its reply begins."""
    if prompt.style == "plain":
        return tokenizer(texts)["input_ids"]
    conversations = [
        tokenizer.apply_chat_template(
            list_messages(text), tokenize=False, add_generation_prompt=True
        )
        for text in texts
    ]
    # The template has written every special token already.
    return tokenizer(conversations, add_special_tokens=False)["input_ids"]


def check_template(tokenizer: "PreTrainedTokenizerBase", prompt: Prompt, folder: Path) -> None:
    """Raise UserError where a model is to be asked in chat and knows none."""
    if prompt.style == "chat" and not tokenizer.chat_template:
        raise UserError(
            f"{folder}: the tokenizer has no chat template, which prompt.style: chat needs; "
            "name an instruction-tuned model or set prompt.style to plain."
        )
