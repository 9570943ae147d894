"""GRPO that reads each prompt once per group, in sampling and in the loss.

TRL runs the model over prompt and completion for every completion, so a group of eight reads its prompt eight times,
twice over (policy and reference), and once more to sample. :class:`SharedPromptTrainer` reads it once each time: the
key-value cache of a prompt serves all its completions (:mod:`taskreason.policies.attention`), gradients flowing
through it. Rewards, advantages and the loss stay TRL's; log-probabilities and gradients are those of stock TRL up to
rounding. Where a CPU multiplies bf16, sampling runs in a bf16 copy of the policy, so replies are drawn from the policy
up to rounding, as they are with a serving engine.

Four private methods of TRL are overridden, as they are in the release ``TRL_RELEASE``; a test compares their signatures
and says which has changed.
"""

import copy

import torch
from transformers import DynamicCache, PreTrainedModel
from trl import GRPOTrainer
from trl.trainer.utils import split_tensor_dict

from taskreason.policies.attention import GROUPED, share_prompts
from taskreason.policies.transformers import generate_replies, has_fast_bf16

TRL_RELEASE = "1.16"
"""What the overridden methods were written for."""


class SharedPromptTrainer(GRPOTrainer):
    """A :class:`trl.GRPOTrainer` whose groups share one pass over their prompt.

    Sharing needs one process, no gradient checkpointing (which excludes a key-value cache) and text alone; where
    that does not hold, every method is TRL's own.
    """

    _drawn = 0  # tokens sampled for the step in progress

    @property
    def shares_prompts(self) -> bool:
        """Whether this run's loss shares prompts."""
        return self.accelerator.num_processes == 1 and not self.args.gradient_checkpointing

    # Overridden to keep the completions of a group in one micro-batch. TRL's own caches a generation batch under
    # _buffered_inputs and counts passes in _step; should either be renamed, groups are torn apart again and nothing
    # is shared, which tests/training/test_training.py notices by the number of prompts read.
    def _prepare_inputs(self, generation_batch):
        aligned = self.args.gradient_accumulation_steps % self.args.steps_per_generation == 0
        if not (self.shares_prompts and aligned and self.model.training):
            return super()._prepare_inputs(generation_batch)
        # TRL shuffles completions before it cuts them into micro-batches, which tears groups apart. All micro-batches
        # enter the same optimiser step here, so their order changes nothing but the sharing.
        slices = self.args.steps_per_generation
        if self._step % (slices * self.num_iterations) == 0 or self._buffered_inputs is None:
            batch = self._generate_and_score_completions(generation_batch)
            self._buffered_inputs = split_tensor_dict(batch, slices)
        return self._buffered_inputs[self._step % slices]

    # Overridden only to log how many tokens were sampled, by which single decisions and episodes are compared.
    def _generate_and_score_completions(self, inputs):
        output = super()._generate_and_score_completions(inputs)
        mode = "train" if self.model.training else "eval"
        self._metrics[mode]["generated_tokens"].append(self._drawn)
        self._drawn = 0
        return output

    # Overridden to read each prompt once. What TRL passes beyond text (images and the like) goes to its own method.
    def _get_per_token_logps_and_entropies(
        self,
        model,
        input_ids,
        attention_mask,
        logits_to_keep,
        batch_size=None,
        compute_entropy=False,
        compute_aux_loss=False,
        **modalities,
    ):
        plain = not compute_aux_loss and all(value is None for value in modalities.values())
        if not (self.shares_prompts and plain):
            return super()._get_per_token_logps_and_entropies(
                model,
                input_ids,
                attention_mask,
                logits_to_keep,
                batch_size,
                compute_entropy,
                compute_aux_loss,
                **modalities,
            )
        rows = batch_size or len(input_ids)
        with self.accelerator.autocast():
            parts = [
                score_completions(self.accelerator.unwrap_model(model), *chunk, logits_to_keep)
                for chunk in zip(input_ids.split(rows), attention_mask.split(rows), strict=True)
            ]
        logps = torch.cat([part.log_probs for part in parts])
        entropies = torch.cat([part.entropy for part in parts]) if compute_entropy else None
        return logps, entropies, None

    # Overridden to sample from the policy with shared prompts; TRL repeats every prompt for each completion.
    def _generate_single_turn(
        self, prompt_ids, images, multimodal_fields, num_generations, **options
    ):
        replies, log_probs = self._draw_replies(
            prompt_ids, images, multimodal_fields, num_generations, **options
        )
        self._drawn += sum(map(len, replies))
        return replies, log_probs

    def _draw_replies(self, prompt_ids, images, multimodal_fields, num_generations, **options):
        if (
            self.use_vllm
            or self.accelerator.num_processes > 1
            or self.accelerator.device.type != "cpu"
        ):
            return super()._generate_single_turn(
                prompt_ids, images, multimodal_fields, num_generations, **options
            )
        policy = self._copy_policy()
        training = policy.training
        policy.eval()
        inputs = self._tokenizer.pad(
            {"input_ids": prompt_ids}, padding_side="left", return_tensors="pt"
        )
        # TRL repeats each prompt num_generations times in a row.
        output = generate_replies(
            policy, inputs, num_generations, generation_config=self.generation_config
        )
        policy.train(training)  # without a copy it is the model that is being trained
        return [self._cut(row) for row in output.tolist()], None

    def _copy_policy(self):
        """The policy for sampling: in bf16 where that is quick, else itself."""
        model = self.accelerator.unwrap_model(self.model)
        if not has_fast_bf16():
            return model
        if not hasattr(self, "_sampler"):
            self._sampler = copy_model(model).to(torch.bfloat16)
        with torch.no_grad():
            for mine, theirs in zip(self._sampler.parameters(), model.parameters(), strict=True):
                mine.copy_(theirs)
        return self._sampler

    def _cut(self, ids: list[int]) -> list[int]:
        """The reply up to and with its end token."""
        end = next((n for n, token in enumerate(ids) if token in self.eos_token_ids), len(ids))
        return ids[: end + 1]


def copy_model(model: PreTrainedModel) -> PreTrainedModel:
    """A copy that runs on its own weights.

    TRL's fused head replaces ``model.forward`` by one that calls the original model's; a plain deep copy would too.
    """
    twin = copy.deepcopy(model)
    find_causal_model(twin).__dict__.pop("forward", None)
    return twin


def find_causal_model(model: torch.nn.Module) -> PreTrainedModel:
    """The language model itself, which low-rank adapters (peft) wrap."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def score_completions(
    model: PreTrainedModel, input_ids: torch.Tensor, attention_mask: torch.Tensor, size: int
):
    """Log-probabilities and entropies, each (rows, size), of the last ``size`` tokens of every row.

    Neighbouring rows of (rows, length) with equal prompts, padding included, share one pass over the prompt. ``model``
    carries TRL's fused head, which applies the temperature.
    """
    split = input_ids.shape[1] - size
    rows = torch.cat([input_ids[:, :split], attention_mask[:, :split]], dim=1)
    unique, owner, sizes = rows.unique_consecutive(dim=0, return_inverse=True, return_counts=True)
    ids, mask = unique.split(split, dim=1)
    positions = (attention_mask.cumsum(-1) - 1).clamp(min=0)
    cache = DynamicCache(config=model.config)
    # The prompt's last token goes with the completions: its output predicts their first token.
    find_causal_model(model).base_model(
        input_ids=ids[:, :-1],
        attention_mask=mask[:, :-1],
        position_ids=(mask[:, :-1].cumsum(-1) - 1).clamp(min=0),
        past_key_values=cache,
        use_cache=True,
    )
    if model.config._attn_implementation == GROUPED and (sizes == sizes[0]).all():
        cache = share_prompts(cache)
    else:
        cache.batch_select_indices(owner)
    completions, kept = input_ids[:, split:], attention_mask[:, split:]
    return model(
        input_ids=input_ids[:, split - 1 : -1],
        attention_mask=attention_mask[:, :-1],
        position_ids=positions[:, split - 1 : -1],
        past_key_values=cache,
        shift_labels=completions.masked_fill(kept == 0, -100),
        fused_lm_head=True,
    )
