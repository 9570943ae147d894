"""What a reply earns: every reward is one function of (reply, decision), and this module is the only place to add one.

    @reward("format", "action")
    def expert(reply: str, decision: Decision) -> tuple[float, float]: ...

A function returns one number a part; GRPO pays their sum and logs each part by its name. The decorator enters it in
``REWARDS``, from which the configuration takes the values of ``grpo.reward``, the ablations their studies and the docs
their list. Light: no torch.
"""

from collections.abc import Callable
from dataclasses import dataclass

from taskreason.environments.base import REHEARSED, Decision
from taskreason.environments.reply import parse_reply

FORMAT_REWARD, ACTION_REWARD = 0.1, 0.9
"""The published weights."""


@dataclass(frozen=True)
class Reward:
    """A registered reward. parts: what its function's numbers are called."""

    parts: tuple[str, ...]
    function: Callable[[str, Decision], tuple[float, ...]]


REWARDS: dict[str, Reward] = {}
"""By the function's name."""


def reward(*parts: str) -> Callable:
    """Register a function under its own name."""

    def register(function: Callable[[str, Decision], tuple[float, ...]]) -> Callable:
        REWARDS[function.__name__] = Reward(parts, function)
        return function

    return register


@reward("format", "action")
def expert(reply: str, decision: Decision) -> tuple[float, float]:
    """0.1 for the format and 0.9 for the expert's action: the paper's single-turn reward."""
    # The expert's choice among equally good actions is worth learning in the task alone.
    rehearsed = decision.layout_hash == REHEARSED
    return _pay(reply, decision.optimal_actions if rehearsed else (decision.action,))


@reward("format", "action")
def optimal(reply: str, decision: Decision) -> tuple[float, float]:
    """0.1 for the format and 0.9 for any action that begins a shortest plan."""
    return _pay(reply, decision.optimal_actions)


@reward("binary")
def binary(reply: str, decision: Decision) -> tuple[float]:
    """1 for the expert's action and nothing for the format alone."""
    return (float(expert(reply, decision)[1] > 0),)


def _pay(reply: str, accepted: tuple[str, ...]) -> tuple[float, float]:
    read = parse_reply(reply)
    return FORMAT_REWARD * read.well_formed, ACTION_REWARD * (read.action in accepted)
