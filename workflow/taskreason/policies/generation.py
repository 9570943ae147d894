"""What every language model as a policy shares, whichever engine runs it: prompts in, replies out.

An engine implements :meth:`GeneratingPolicy.sample`. Greedy replies depend on the prompt alone, so each prompt is
answered once and remembered: a stuck episode asks the same question until the timeout.
"""

from abc import ABC, abstractmethod
from copy import copy
from dataclasses import astuple, dataclass, replace
from typing import Self

from taskreason.policies import Turn
from taskreason.policies.prompt import PLAIN, PromptFormat


@dataclass(frozen=True)
class Sampling:
    """How replies are drawn. temperature 0: greedy. seed: of the draws; None leaves the generator as it is."""

    max_new_tokens: int
    temperature: float = 0.0
    seed: int | None = None


@dataclass
class Usage:
    """What has been asked of a model so far; tokens of the prompts and of the replies."""

    requests: int = 0
    prompt_tokens: int = 0
    reply_tokens: int = 0

    def add(self, requests: int, prompt_tokens: int, reply_tokens: int) -> None:
        """Count some more requests."""
        self.requests += requests
        self.prompt_tokens += prompt_tokens
        self.reply_tokens += reply_tokens

    def since(self, before: "Usage") -> "Usage":
        """What was asked after ``before``."""
        pairs = zip(astuple(self), astuple(before), strict=True)
        return Usage(*(now - then for now, then in pairs))


class GeneratingPolicy(ABC):
    """A language model that answers turns; ``name`` goes into the episodes as ``model``.

    cut: its replies that ended at the limit of tokens, unfinished.
    """

    def __init__(self, name: str, sampling: Sampling, prompt: PromptFormat = PLAIN):
        self.name, self.sampling, self.prompt = name, sampling, prompt
        self._forget()

    def _forget(self) -> None:
        """Begin as if nothing had been asked."""
        self.usage = Usage()
        self.cut: set[str] = set()
        self._known: dict[str, str] | None = None if self.sampling.temperature else {}

    def at_temperature(self, temperature: float) -> Self:
        """The same model, loaded once, whose replies are drawn at another temperature."""
        other = copy(self)
        other.sampling = replace(self.sampling, temperature=temperature)
        other._forget()
        return other

    def restart(self, seed: int) -> None:  # noqa: B027
        """Draw from here on what this seed says, whatever was drawn before; an endpoint draws as it likes."""

    def act(self, turns: list[Turn]) -> list[str]:
        """One reply a turn."""
        return self.complete([self.prompt.describe(turn) for turn in turns])

    def complete(self, texts: list[str]) -> list[str]:
        """What the model answers to each text, in order; a greedy reply is generated once."""
        if self._known is None:
            return self.generate(texts)
        unknown = [text for text in dict.fromkeys(texts) if text not in self._known]
        if unknown:
            self._known |= zip(unknown, self.generate(unknown), strict=True)
        return [self._known[text] for text in texts]

    def generate(self, texts: list[str]) -> list[str]:
        """Run the model: one reply a text, in order."""
        return [reply for (reply,) in self.sample(texts, 1)]

    @abstractmethod
    def sample(self, texts: list[str], number: int) -> list[list[str]]:
        """Run the model: ``number`` replies to each text, in order; counts them in ``usage``."""
