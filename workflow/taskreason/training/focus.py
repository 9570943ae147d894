"""Which expert states a training asks about: all in turn, and a share among those on which the policy is still wrong.

A laptop can't visit every state fifty times, as the paper does, and the policy is right on most of them from the start.
With ``grpo.focus`` at 0.5, half of the prompts come from the states that it misses; 0 is the paper's way. Longer SFT,
GRPO's control, draws its decisions by the same rule.
"""

import random
from collections.abc import Iterator

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from taskreason.config.models import Config
from taskreason.environments.base import Decision
from taskreason.policies.fused import is_supported
from taskreason.policies.generation import Sampling
from taskreason.policies.prompt import choose_format
from taskreason.policies.transformers import TransformersPolicy, choose_dtype
from taskreason.training.rewards import REWARDS
from taskreason.training.scoring import copy_model


def find_missed(
    pool: list[Decision], model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, cfg: Config
) -> list[Decision]:
    """The decisions for which the model's likeliest reply earns less than the expert's; none without ``grpo.focus``."""
    if not cfg.grpo.focus:
        return []
    sampling, size = Sampling(cfg.rollout.max_new_tokens), cfg.rollout.batch_size
    if not is_supported(model):
        model = copy_model(model).to(choose_dtype()).eval()
    policy = TransformersPolicy(model, tokenizer, "start", size, sampling, choose_format(cfg))
    pay = REWARDS[cfg.grpo.reward].function
    replies = policy.complete([decision.prompt for decision in pool])
    pairs = zip(pool, replies, strict=True)
    return [d for d, reply in pairs if sum(pay(reply, d)) < sum(pay(d.completion, d))]


def draw_focused(
    pool: list[Decision], missed: list[Decision], number: int, share: float, rng: random.Random
) -> Iterator[Decision]:
    """``number`` decisions, epoch after epoch of the pool, ``share`` of them of the missed ones, if there are any."""
    pending: dict[bool, list[Decision]] = {True: [], False: []}
    for _ in range(number):
        focused = bool(missed) and rng.random() < share
        if not pending[focused]:
            source = missed if focused else pool
            pending[focused] = rng.sample(source, len(source))
        yield pending[focused].pop()
