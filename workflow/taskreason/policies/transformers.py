"""A causal language model as a policy, through transformers: prompts in, replies out, in batches."""

from collections.abc import Mapping
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from taskreason.errors import UserError
from taskreason.policies import Turn
from taskreason.policies.attention import GROUPED, share_prompts
from taskreason.provenance import list_instructions

ATTENTION = "sdpa" if torch.cuda.is_available() else GROUPED
"""Attention kernel; on a CPU the fastest for a few hundred tokens and small heads."""


def has_fast_bf16() -> bool:
    """Whether this processor multiplies bf16 matrices in hardware."""
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(list_instructions())


def load_model(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model and tokenizer of a Hugging Face folder (safetensors only); UserError when it is not one."""
    folder = Path(folder)
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise UserError(
                f"{folder}: {name} is missing; give the folder of a saved causal language model."
            )
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            attn_implementation=ATTENTION,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(
            folder, padding_side="left", local_files_only=True
        )
    except Exception as error:  # transformers and safetensors raise many types for a damaged folder
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"{folder}: the model can't be loaded ({reason}); make or copy the folder again."
        ) from error
    return model, tokenizer


class TransformersPolicy:
    """Greedy (or sampled) replies of a local model, ``batch_size`` prompts at a time."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        name: str,
        batch_size: int,
        max_new_tokens: int,
        do_sample: bool = False,
        temperature: float = 1.0,
        seed: int | None = None,
    ):
        self.name = name
        self.model, self.tokenizer = model, tokenizer
        # Rounding to bf16 moves no reply that matters, and generation is several times as fast where it is native.
        self.model.to(
            torch.bfloat16 if torch.cuda.is_available() or has_fast_bf16() else torch.float32
        ).eval()
        self.batch_size = batch_size
        options = (
            {"do_sample": True, "temperature": temperature, "top_k": 0}
            if do_sample
            else {"do_sample": False}
        )
        self._options = {
            "max_new_tokens": max_new_tokens,
            "pad_token_id": self.tokenizer.pad_token_id,
            **options,
        }
        # Greedy replies depend on the prompt alone; a stuck episode asks for the same one until the timeout.
        self._known: dict[str, str] | None = None if do_sample else {}
        if seed is not None:
            torch.manual_seed(seed)

    @classmethod
    def load(cls, folder: Path, *arguments, **options) -> "TransformersPolicy":
        """The policy of a model's folder, by whose path episodes name it; other arguments as for the class."""
        return cls(*load_model(folder), str(folder), *arguments, **options)

    def act(self, turns: list[Turn]) -> list[str]:
        """One reply a turn; prompts of like length share a batch, and a greedy reply is generated once."""
        prompts = [turn.prompt for turn in turns]
        if self._known is None:
            return self.complete(prompts)
        unknown = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._known]
        self._known |= zip(unknown, self.complete(unknown), strict=True)
        return [self._known[prompt] for prompt in prompts]

    def complete(self, prompts: list[str]) -> list[str]:
        """What the model writes after each text."""
        order = sorted(range(len(prompts)), key=lambda n: len(prompts[n]))
        replies = [""] * len(prompts)
        for start in range(0, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            texts = self._generate([prompts[n] for n in chosen])
            for n, text in zip(chosen, texts, strict=True):
                replies[n] = text
        return replies

    def _generate(self, prompts: list[str]) -> list[str]:
        inputs = self.tokenizer(prompts, return_tensors="pt", padding=True).to(self.model.device)
        output = generate_replies(self.model, inputs, **self._options)
        return self.tokenizer.batch_decode(output, skip_special_tokens=True)


@torch.inference_mode()
def generate_replies(
    model: PreTrainedModel, inputs: Mapping[str, torch.Tensor], group: int = 1, **options
) -> torch.Tensor:
    """Token ids (rows, new) of replies to left-padded prompts, of which ``group`` neighbours are the same one.

    Each prompt is read once. With grouped attention its keys and values stay where they are while the replies grow;
    a plain cache would be copied at every token. Options are those of ``generate``.
    """
    length = inputs["input_ids"].shape[1]
    grouped = model.config._attn_implementation == GROUPED
    if group == 1 and not grouped:
        return model.generate(**inputs, **options)[:, length:]
    cache = DynamicCache(config=model.config)
    # The prompt's last token goes with the replies: its output predicts their first token.
    once = {name: values[::group, :-1] for name, values in inputs.items()}
    positions = (once["attention_mask"].cumsum(-1) - 1).clamp(min=0)
    model(**once, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1)
    if grouped:
        cache = share_prompts(cache)
    else:
        cache.batch_repeat_interleave(group)
    return model.generate(**inputs, past_key_values=cache, **options)[:, length:]
