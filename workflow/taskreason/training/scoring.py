"""Log-probabilities of completions with every prompt read once, as TRL's trainers ask a model for them.

TRL runs a model over prompt and completion for every completion, and on a CPU it scores the prompt's tokens, too.
:func:`read_prompts_once` replaces that forward pass, and nothing else of TRL, by one with the same results: on a CPU
that of :mod:`taskreason.policies.fused`, elsewhere one with a key-value cache that the completions of a group share.
Gradients flow through both.
"""

import copy
import functools
import types
from itertools import groupby

import torch
from transformers import DynamicCache, PreTrainedModel, TrainingArguments
from trl.trainer.utils import FusedCausalLMOutput

from taskreason.policies.batch import Batch, Ids
from taskreason.policies.fused import FusedModel, is_supported, read
from taskreason.policies.fused_head import score

IGNORED = -100
"""Label of tokens that are not scored."""
INPUTS = {"input_ids", "attention_mask", "labels"}


def read_prompts_once(model: torch.nn.Module, dtype: torch.dtype, temperature: float = 1.0) -> None:
    """Replace what ``model(.., labels=.., fused_lm_head=True)`` does, which TRL's trainers have given it.

    dtype: of matrix products on a CPU. temperature: by which logits are divided, as TRL's head does. Calls with more
    than ids, mask and labels go to TRL.
    """
    causal, fused = find_causal_model(model), is_supported(model)
    before = causal.forward

    @functools.wraps(before)  # generation checks its arguments by the signature
    def forward(self, *args, **inputs):
        scored = inputs.get("fused_lm_head") and not args
        if not scored or inputs.keys() - {"fused_lm_head", "use_cache"} != INPUTS:
            return before(*args, **inputs)
        wanted = {name: inputs[name] for name in INPUTS}
        if fused:
            return score_fused(self, dtype, temperature, **wanted)
        return score_shared(self, before, **wanted)

    causal.forward = types.MethodType(forward, causal)


def choose_products(arguments: TrainingArguments) -> torch.dtype:
    """In what a trainer multiplies matrices."""
    return torch.bfloat16 if arguments.bf16 else torch.float32


def score_fused(
    model: PreTrainedModel,
    dtype: torch.dtype,
    temperature: float,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    labels: torch.Tensor,
) -> FusedCausalLMOutput:
    """What TRL's fused head returns of (rows, length) ids, each of the fields (rows, length - 1).

    Neighbouring rows of one prompt share a pass over it where every prompt has as many of them.
    """
    mask = labels[:, 1:] != IGNORED
    prompts, completions = _split(input_ids, attention_mask, labels)
    groups = [(prompt, len(list(same))) for prompt, same in groupby(prompts)]
    if len({size for _, size in groups}) == 1:
        prompts = [prompt for prompt, _ in groups]
    with torch.autocast("cpu", enabled=False):
        fused = FusedModel(model, dtype, torch.float32)
        hidden = fused.normalise(read(fused, Batch(fused, prompts, completions)), fused.norm)
        wanted = torch.tensor([token for ids in completions for token in ids])
        chosen, entropy, best = score(hidden, model.lm_head.weight, wanted, temperature)

    def spread(values: torch.Tensor) -> torch.Tensor:
        return values.new_zeros(mask.shape).masked_scatter(mask, values)

    fields = {"log_probs": chosen, "entropy": entropy, "is_top1": best}
    return FusedCausalLMOutput(
        **{name: spread(values) for name, values in fields.items()}, label_mask=mask
    )


def _split(
    input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor
) -> tuple[list[Ids], list[Ids]]:
    """Prompts and completions of the rows; what has a label from a row's second token on is completion."""
    prompts, completions = [], []
    rows = zip(input_ids.tolist(), attention_mask.tolist(), labels.tolist(), strict=True)
    for ids, mask, wanted in rows:
        first = next(n for n, label in enumerate(wanted) if n and label != IGNORED)
        prompts.append([token for token, kept in zip(ids[:first], mask, strict=False) if kept])
        completions.append(
            [i for i, label in zip(ids[first:], wanted[first:], strict=True) if label != IGNORED]
        )
    return prompts, completions


def score_shared(model: PreTrainedModel, head, input_ids, attention_mask, labels):
    """The same by ``head``, the model's forward pass with TRL's fused head, and a cache of the prompts.

    Rows with the same ids and mask before the first label share a pass over them.
    """
    split = int((labels != IGNORED).any(dim=0).nonzero()[0])
    rows = torch.cat([input_ids[:, :split], attention_mask[:, :split]], dim=1)
    unique, owner = rows.unique_consecutive(dim=0, return_inverse=True)
    ids, mask = unique.split(split, dim=1)
    positions = (attention_mask.cumsum(-1) - 1).clamp(min=0)
    cache = DynamicCache(config=model.config)
    # The prompt's last token goes with the completions: its output predicts their first token.
    model.base_model(
        input_ids=ids[:, :-1],
        attention_mask=mask[:, :-1],
        position_ids=(mask[:, :-1].cumsum(-1) - 1).clamp(min=0),
        past_key_values=cache,
        use_cache=True,
    )
    cache.batch_select_indices(owner)
    found = head(
        input_ids=input_ids[:, split - 1 : -1],
        attention_mask=attention_mask[:, :-1],
        position_ids=positions[:, split - 1 : -1],
        past_key_values=cache,
        shift_labels=labels[:, split:],
        fused_lm_head=True,
    )
    for name in ("log_probs", "entropy", "is_top1", "label_mask"):
        values = getattr(found, name)
        if values is not None:
            before = values.new_zeros(len(values), split - 1)
            setattr(found, name, torch.cat([before, values], dim=1))
    return found


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
