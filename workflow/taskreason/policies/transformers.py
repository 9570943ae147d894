"""A causal language model as a policy, through transformers: prompts in, replies out, in batches."""

from collections.abc import Mapping
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    StoppingCriteria,
)

from taskreason.durability.bundled_files import verify_bundled
from taskreason.durability.errors import UserError
from taskreason.durability.progress import LONG, Progress
from taskreason.durability.provenance import list_instructions
from taskreason.policies.attention import GROUPED, share_prompts
from taskreason.policies.generation import GeneratingPolicy, Sampling
from taskreason.policies.model_names import check_folder
from taskreason.policies.prompt import PLAIN, PromptFormat

ATTENTION = "sdpa" if torch.cuda.is_available() else GROUPED
"""Attention kernel; on a CPU the fastest for a few hundred tokens and small heads."""


def has_fast_bf16() -> bool:
    """Whether this processor multiplies bf16 matrices in hardware."""
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(list_instructions())


def choose_dtype() -> torch.dtype:
    """What replies are generated in: bf16 where that is native. Its rounding moves no reply that matters."""
    native = torch.cuda.is_available() or has_fast_bf16()
    return torch.bfloat16 if native else torch.float32


def load_model(
    folder: Path, dtype: torch.dtype = torch.float32
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model and tokenizer of a Hugging Face folder (safetensors only); UserError when it is not one."""
    folder = Path(folder)
    check_folder(folder)
    verify_bundled(sorted(folder.iterdir()))
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            attn_implementation=ATTENTION,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
        )
        tokenizer = AutoTokenizer.from_pretrained(
            folder, padding_side="left", local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # transformers and safetensors raise many types for a damaged folder
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"{folder}: the model can't be loaded ({reason}); make or copy the folder again."
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    # Published models come with samplers and penalties of their own, which are not part of the policy.
    keys = ("bos_token_id", "eos_token_id", "pad_token_id")
    tokens = {key: getattr(model.generation_config, key) for key in keys}
    model.generation_config = GenerationConfig(**tokens)
    return model, tokenizer


class TransformersPolicy(GeneratingPolicy):
    """Replies of a local model, ``batch_size`` prompts at a time; prompts of like length share a batch."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        name: str,
        batch_size: int,
        sampling: Sampling,
        prompt: PromptFormat = PLAIN,
    ):
        super().__init__(name, sampling, prompt)
        self.model, self.tokenizer, self.batch_size = model, tokenizer, batch_size
        self.model.to(choose_dtype()).eval()
        self._options = {
            "max_new_tokens": sampling.max_new_tokens,
            "pad_token_id": tokenizer.pad_token_id,
            "do_sample": sampling.temperature > 0,
        }
        if sampling.temperature:
            self._options |= {"temperature": sampling.temperature, "top_k": 0, "top_p": 1.0}
        if sampling.seed is not None:
            torch.manual_seed(sampling.seed)

    @classmethod
    def load(
        cls, folder: Path, batch_size: int, sampling: Sampling, prompt: PromptFormat = PLAIN
    ) -> "TransformersPolicy":
        """The policy of a model's folder, by whose path episodes name it; other arguments as for the class."""
        model, tokenizer = load_model(folder, choose_dtype())
        prompt.check_template(tokenizer, folder)
        model.to("cuda" if torch.cuda.is_available() else "cpu")
        return cls(model, tokenizer, str(folder), batch_size, sampling, prompt)

    def sample(self, texts: list[str], number: int) -> list[list[str]]:
        """``number`` replies to each text, which is read once; ``batch_size`` replies at a time."""
        prompts = self.prompt.tokenize(texts, self.tokenizer)
        order = sorted(range(len(texts)), key=lambda n: len(prompts[n]))
        replies: list[list[str]] = [[] for _ in texts]
        size = max(1, self.batch_size // number)
        progress = Progress(self.name, len(texts) * number, "replies", LONG)
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            batch = {"input_ids": [prompts[n] for n in chosen for _ in range(number)]}
            inputs = self.tokenizer.pad(batch, padding_side="left", return_tensors="pt")
            inputs = inputs.to(self.model.device)
            output = generate_replies(self.model, inputs, number, **self._options)
            written = self.tokenizer.batch_decode(output, skip_special_tokens=True)
            self.cut |= {written[row] for row in self._list_cut(output)}
            for place, n in enumerate(chosen):
                replies[n] = written[place * number : (place + 1) * number]
            read = sum(len(prompts[n]) for n in chosen)
            self.usage.add(len(written), read, int((output != self.tokenizer.pad_token_id).sum()))
            progress.show((start + len(chosen)) * number)
        return replies

    def _list_cut(self, output: torch.Tensor) -> list[int]:
        """Rows that are as long as a reply may be and hold no end."""
        if output.shape[1] < self.sampling.max_new_tokens:
            return []
        ends = self.model.generation_config.eos_token_id
        known = torch.tensor(ends if ends is not None else [], device=output.device)
        return (~torch.isin(output, known).any(dim=1)).nonzero()[:, 0].tolist()


class _TokenCount(StoppingCriteria):
    """Stops nothing; tells how many tokens a batch has got where it takes long."""

    def __init__(self, prompt: int, limit: int):
        self.prompt = prompt
        self.progress = Progress("a batch of replies", limit, "tokens at most", LONG)

    def __call__(self, input_ids, scores, **kwargs):
        self.progress.show(input_ids.shape[1] - self.prompt)
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


@torch.inference_mode()
def generate_replies(
    model: PreTrainedModel, inputs: Mapping[str, torch.Tensor], group: int = 1, **options
) -> torch.Tensor:
    """Token ids (rows, new) of replies to left-padded prompts, of which ``group`` neighbours are the same one.

    Each prompt is read once. With grouped attention its keys and values stay where they are while the replies grow;
    a plain cache would be copied at every token. Options are those of ``generate``.
    """
    length = inputs["input_ids"].shape[1]
    limit = options.get("max_new_tokens") or options["generation_config"].max_new_tokens
    options["stopping_criteria"] = [_TokenCount(length, limit)]
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
