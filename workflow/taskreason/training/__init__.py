"""SFT and GRPO on single decisions. What others need to know of them without torch is here."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the configuration reads this package's rewards
    from taskreason.config.models import Grpo

VALIDATION_STATES = 150
"""States of either kind that one look at validation worlds asks about, at most."""
GRPO_LOSS = {"loss_type": "grpo", "scale_rewards": "group", "epsilon": 0.2, "num_iterations": 1}
"""TRL's names for the loss: a mean over tokens within a reply, rewards over their group's deviation, the range of the
clipped ratio, and updates on each batch. With one update the ratio is 1 in every gradient, and nothing is clipped."""


def count_steps(grpo: "Grpo", states: int) -> int:
    """Optimiser steps of GRPO: ``grpo.steps``, or as many as ``grpo.epochs`` passes over the states take."""
    return -(-grpo.epochs * states // grpo.prompts_per_step) or grpo.steps
