"""Whose states: one SFT policy, trained on in the expert's states, in further ones of its, and in the policy's own.

Every training begins with the same SFT policy and takes the same number of tokens of replies: those that GRPO samples,
and those that SFT is trained on. What the policy's episodes cost that its own states come from is not counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taskreason.config.models import Config

SEEN, UNSEEN, OWN = "seen", "unseen", "own"
"""The expert's states that SFT has seen, those of further worlds, and those that the SFT policy comes to itself."""
START = "start"
"""The SFT policy, trained on no further."""


@dataclass(frozen=True)
class Arm:
    """One kind of training. stage: of :class:`taskreason.training.launch.Job`; states: ``SEEN``, ``UNSEEN`` or ``OWN``.

    turns: of GRPO. label: how tables call it.
    """

    stage: str
    states: str
    label: str
    turns: str = "single"


ARMS: Mapping[str, Arm] = {
    "sft_seen": Arm("sft_longer", SEEN, "SFT, expert's states"),
    "sft_unseen": Arm("sft_longer", UNSEEN, "SFT, expert's further states"),
    "sft_own": Arm("sft_longer", OWN, "SFT, own states (DAgger)"),
    "grpo_seen": Arm("grpo", SEEN, "GRPO, expert's states"),
    "grpo_unseen": Arm("grpo", UNSEEN, "GRPO, expert's further states"),
    "grpo_own": Arm("grpo", OWN, "GRPO, own states"),
    "grpo_episodes": Arm("grpo", SEEN, "GRPO, whole episodes", turns="multi"),
}
CONTROL = "sft_seen"
"""What the others are compared with."""


@dataclass(frozen=True)
class Training:
    """One arm with one seed."""

    arm: str
    seed: int

    @property
    def changes(self) -> dict[str, dict[str, Any]]:
        """What differs from the configuration. Nothing is rehearsed, so that all tokens are spent on the task."""
        grpo = {"turns": ARMS[self.arm].turns, "rehearsal": 0.0, "eval_steps": 0}
        return {"sft": {"rehearsal": 0.0}, "grpo": grpo}


def list_trainings(cfg: Config) -> dict[str, Training]:
    """All trainings by name."""
    return {f"{arm}.seed{seed}": Training(arm, seed) for arm in ARMS for seed in cfg.states.seeds}
