"""A local model as something whose replies can be searched: texts in, continuations of their prompts out.

Everything is computed in fp32, the policy's own sampled replies included, so that episodes and probabilities are of one
and the same policy. Always by this library or transformers, whatever ``rollout.engine`` runs elsewhere: serving engines
give no probabilities of all tokens.
"""

from pathlib import Path

import torch

from taskreason.config.models import Config
from taskreason.policies.batch import Ids
from taskreason.policies.continuations import CachedContinuations, Continuations
from taskreason.policies.fused import FusedModel, is_supported
from taskreason.policies.fused_continuations import FusedContinuations
from taskreason.policies.generation import Sampling
from taskreason.policies.prompt import choose_format
from taskreason.policies.transformers import TransformersPolicy


class Reader:
    """A policy that samples, and the distribution that it samples from."""

    def __init__(self, policy: TransformersPolicy):
        self.policy, self.model = policy, policy.generator.model
        self._fused = None
        if is_supported(self.model):
            with torch.no_grad():
                self._fused = FusedModel(self.model, torch.float32, torch.float32)

    @classmethod
    def load(cls, folder: Path, cfg: Config, temperature: float) -> "Reader":
        """The model of a folder at a temperature above 0, asked as the configuration has it."""
        sampling = Sampling(cfg.rollout.max_new_tokens, temperature, cfg.seed)
        asked, size = choose_format(cfg), cfg.theory.batch_size
        return cls(TransformersPolicy.load(folder, size, sampling, asked, torch.float32))

    def read(self, texts: list[str]) -> Continuations:
        """Replies to these texts, to be gone through."""
        policy = self.policy
        prompts = policy.prompt.tokenize(texts, policy.tokenizer)
        sampling = policy.sampling
        settings = (sampling.max_new_tokens, policy.generator.ends, sampling.temperature)
        if self._fused:
            return FusedContinuations(self._fused, prompts, *settings, policy.batch_size)
        return CachedContinuations(self.model, prompts, *settings, policy.batch_size)

    def decode(self, ids: Ids) -> str:
        """The text of a reply's tokens, as the policy's sampled replies are decoded."""
        return self.policy.tokenizer.decode(ids, skip_special_tokens=True)
