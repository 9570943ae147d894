"""From a decision to what a model reads: the user's text, and for chat models the messages around it.

``plain`` is the bare text, which the laptop's base model continues. ``chat`` is what an instruction-tuned model needs:
the environment's rules as the system's message, then one worked example and the text as the user's, in the model's own
chat template. With ``history`` the text begins with the last thought and action, as in the benchmark's ReAct agent.
A model whom training shows what is wanted can do without all that: with ``untrained: react`` only the others are told.
Training and rollouts build prompts here and nowhere else.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from taskreason.config.models import Config
from taskreason.durability.errors import UserError
from taskreason.environments.base import State, World
from taskreason.policies import Turn

if TYPE_CHECKING:  # the module serves light stages, too
    from transformers import PreTrainedTokenizerBase


def build_prompt(world: World, state: State, before: str = "") -> str:
    """The text for one decision; before: what :func:`taskreason.environments.reply.recount` says of the last step."""
    return f"{before}\n{world.observe(state)}" if before else world.observe(state)


@dataclass(frozen=True)
class PromptFormat:
    """How a run asks its models. rules, example: for the style "chat" alone."""

    style: str = "plain"
    history: bool = False
    rules: str = ""
    example: str = ""

    def describe(self, turn: Turn) -> str:
        """The user's text for one decision."""
        return build_prompt(turn.world, turn.state, turn.before if self.history else "")

    def list_messages(self, text: str) -> list[dict[str, str]]:
        """The conversation that asks a chat model for one decision."""
        messages = {"system": self.rules, "user": self.example + text}
        return [{"role": role, "content": content} for role, content in messages.items()]

    def ask(self, text: str) -> str | list[dict[str, str]]:
        """A prompt as TRL takes it: text, or a conversation."""
        return text if self.style == "plain" else self.list_messages(text)

    def tokenize(self, texts: list[str], tokenizer: "PreTrainedTokenizerBase") -> list[list[int]]:
        """Token ids of what the model reads, up to where its reply begins."""
        if self.style == "plain":
            return tokenizer(texts)["input_ids"]
        write = partial(tokenizer.apply_chat_template, tokenize=False, add_generation_prompt=True)
        conversations = [write(self.list_messages(text)) for text in texts]
        # The template has written every special token already.
        return tokenizer(conversations, add_special_tokens=False)["input_ids"]

    def check_template(self, tokenizer: "PreTrainedTokenizerBase", folder: Path) -> None:
        """Raise UserError where a model is to be asked in chat and knows none."""
        if self.style == "chat" and not tokenizer.chat_template:
            raise UserError(
                f"{folder}: the tokenizer has no chat template, which prompt.style: chat needs; "
                "name an instruction-tuned model or set prompt.style to plain."
            )


PLAIN = PromptFormat()


def choose_format(cfg: Config, trained: bool = True) -> PromptFormat:
    """The format in which a model is asked; trained: on a task, so that it need not be told what is wanted."""
    style, history = cfg.prompt.style, cfg.prompt.history
    if not trained and cfg.prompt.untrained == "react":
        style, history = "chat", True
    texts = () if style == "plain" else (cfg.env.rules, cfg.env.example)
    return PromptFormat(style, history, *texts)
