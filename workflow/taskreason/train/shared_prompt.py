"""GRPO with quicker sampling on a CPU: each prompt is read once per group, by a bf16 copy of the policy.

TRL hands every prompt to ``generate`` once per completion and, under autocast, converts all weights at every token.
:class:`GroupSamplingTrainer` replaces that one step: prompts are read once, their key-value cache is repeated for
the group, and where the processor multiplies bf16 the sampling runs in it throughout. Rewards, advantages and the
loss stay TRL's. Replies are thus drawn from the policy up to bf16 rounding, as they are with a serving engine.
"""

import copy

import torch
from transformers import DynamicCache
from trl import GRPOTrainer

from taskreason.policies.transformers import has_fast_bf16


class GroupSamplingTrainer(GRPOTrainer):
    """A :class:`trl.GRPOTrainer` whose transformers sampling shares the prompt within a group."""

    def _generate_single_turn(
        self, prompt_ids, images, multimodal_fields, num_generations, **options
    ):
        if (
            self.use_vllm
            or self.accelerator.num_processes > 1
            or self.accelerator.device.type != "cpu"
        ):
            return super()._generate_single_turn(
                prompt_ids, images, multimodal_fields, num_generations, **options
            )
        policy = self._copy_policy()
        tokenizer = self._tokenizer
        inputs = tokenizer.pad({"input_ids": prompt_ids}, padding_side="left", return_tensors="pt")
        cache = DynamicCache(config=policy.config)
        # TRL repeats each prompt num_generations times in a row.
        once = {name: values[::num_generations, :-1] for name, values in inputs.items()}
        positions = (once["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        with torch.inference_mode():
            policy(
                **once,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            cache.batch_repeat_interleave(num_generations)
            output = policy.generate(
                **inputs, past_key_values=cache, generation_config=self.generation_config
            )
        return [self._cut(row) for row in output[:, inputs["input_ids"].shape[1] :].tolist()], None

    def _copy_policy(self):
        """The policy for sampling: in bf16 where that is quick, else itself."""
        model = self.accelerator.unwrap_model(self.model)
        if not has_fast_bf16():
            return model.eval()
        if not hasattr(self, "_sampler"):
            self._sampler = copy.deepcopy(model).to(torch.bfloat16).eval()
        with torch.no_grad():
            for mine, theirs in zip(self._sampler.parameters(), model.parameters(), strict=True):
                mine.copy_(theirs)
        return self._sampler

    def _cut(self, ids: list[int]) -> list[int]:
        """The reply up to and with its end token."""
        end = next((n for n, token in enumerate(ids) if token in self.eos_token_ids), len(ids))
        return ids[: end + 1]
