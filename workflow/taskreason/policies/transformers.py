"""A causal language model as a policy, through transformers: prompts in, replies out, in batches."""

from collections.abc import Sequence
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
from taskreason.durability.provenance import BF16_INSTRUCTIONS, list_instructions
from taskreason.policies.batch import Ids
from taskreason.policies.decoding import decode
from taskreason.policies.fused import FusedModel, is_supported
from taskreason.policies.generation import GeneratingPolicy, Sampling
from taskreason.policies.memory import SURPLUS, keep_freed_memory
from taskreason.policies.model_names import check_folder
from taskreason.policies.prompt import PLAIN, PromptFormat


def has_fast_bf16() -> bool:
    """Whether this processor multiplies bf16 matrices in hardware."""
    return not set(BF16_INSTRUCTIONS).isdisjoint(list_instructions())


def choose_dtype() -> torch.dtype:
    """What replies are generated in: bf16 where that is native. Its rounding moves no reply that matters."""
    native = torch.cuda.is_available() or has_fast_bf16()
    return torch.bfloat16 if native else torch.float32


def load_model(
    folder: Path, dtype: torch.dtype = torch.float32
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model and tokenizer of a Hugging Face folder (safetensors only); UserError when it is not one."""
    folder = Path(folder)
    keep_freed_memory()
    check_folder(folder)
    verify_bundled(sorted(folder.iterdir()))
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            attn_implementation="sdpa",
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


class Generator:
    """What writes a model's replies: :func:`taskreason.policies.decoding.decode` where it can, else transformers.

    A snapshot of the weights in ``dtype`` in the first case, the model itself in the second.
    """

    def __init__(self, model: PreTrainedModel, pad_token: int, dtype: torch.dtype):
        self.model, self.pad_token = model, pad_token
        ends = model.generation_config.eos_token_id
        self.ends = {ends} if isinstance(ends, int) else set(ends or ())
        self._fused = None
        if is_supported(model):
            with torch.no_grad():
                self._fused = FusedModel(model, dtype, dtype)

    def write(
        self, prompts: Sequence[Ids], limit: int, temperature: float, group: int = 1
    ) -> list[Ids]:
        """``group`` replies to each prompt, in order, each at most ``limit`` tokens with the one that ends it.

        temperature 0: greedy. Each prompt is read once for all its replies.
        """
        progress = Progress("a batch of replies", limit, "tokens at most", LONG)
        SURPLUS.give_back()  # of training's last pass, or of the last batch
        if self._fused:
            return decode(self._fused, prompts, limit, self.ends, group, temperature, progress.show)
        return self._generate(prompts, limit, temperature, group, progress)

    @torch.inference_mode()
    def _generate(self, prompts, limit, temperature, group, progress) -> list[Ids]:
        model, width = self.model, max(map(len, prompts))
        padded = [[self.pad_token] * (width - len(p)) + p for p in prompts for _ in range(group)]
        kept = [[0] * (width - len(p)) + [1] * len(p) for p in prompts for _ in range(group)]
        inputs = {"input_ids": padded, "attention_mask": kept}
        inputs = {name: torch.tensor(rows, device=model.device) for name, rows in inputs.items()}
        options = {"max_new_tokens": limit, "pad_token_id": self.pad_token, "do_sample": False}
        if temperature:
            options |= {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
        if group > 1:
            cache = DynamicCache(config=model.config)
            # The prompt's last token goes with the replies: its output predicts their first token.
            once = {name: values[::group, :-1] for name, values in inputs.items()}
            positions = (once["attention_mask"].cumsum(-1) - 1).clamp(min=0)
            more = {"past_key_values": cache, "use_cache": True, "logits_to_keep": 1}
            model(**once, position_ids=positions, **more)
            cache.batch_repeat_interleave(group)
            options["past_key_values"] = cache
        counted = [_TokenCount(width, progress)]
        output = model.generate(**inputs, stopping_criteria=counted, **options)[:, width:]
        return [self._end(row) for row in output.tolist()]

    def _end(self, ids: Ids) -> Ids:
        """Up to the token that ends a reply."""
        end = next((n for n, token in enumerate(ids) if token in self.ends), len(ids))
        return ids[: end + 1]


class _TokenCount(StoppingCriteria):
    """Stops nothing; tells how many tokens a batch has got where it takes long."""

    def __init__(self, prompt: int, progress: Progress):
        self.prompt, self.progress = prompt, progress

    def __call__(self, input_ids, scores, **kwargs):
        self.progress.show(input_ids.shape[1] - self.prompt)
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


class TransformersPolicy(GeneratingPolicy):
    """Replies of a local model, ``batch_size`` prompts at a time; prompts of like length share a batch.

    dtype: in what they are generated; None leaves the choice to :func:`choose_dtype`.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        name: str,
        batch_size: int,
        sampling: Sampling,
        prompt: PromptFormat = PLAIN,
        dtype: torch.dtype | None = None,
    ):
        super().__init__(name, sampling, prompt)
        self.tokenizer, self.batch_size = tokenizer, batch_size
        self.generator = Generator(model, tokenizer.pad_token_id, dtype or choose_dtype())
        if sampling.seed is not None:
            self.restart(sampling.seed)

    @classmethod
    def load(
        cls,
        folder: Path,
        batch_size: int,
        sampling: Sampling,
        prompt: PromptFormat = PLAIN,
        dtype: torch.dtype | None = None,
    ) -> "TransformersPolicy":
        """The policy of a model's folder, by whose path episodes name it; other arguments as for the class."""
        model, tokenizer = load_model(folder, dtype or choose_dtype())
        prompt.check_template(tokenizer, folder)
        model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        return cls(model, tokenizer, str(folder), batch_size, sampling, prompt, dtype)

    def restart(self, seed: int) -> None:
        """Seed torch's generator, which is one for all of a process."""
        torch.manual_seed(seed)

    def sample(self, texts: list[str], number: int) -> list[list[str]]:
        """``number`` replies to each text, which is read once; ``batch_size`` replies at a time."""
        prompts = self.prompt.tokenize(texts, self.tokenizer)
        order = sorted(range(len(texts)), key=lambda n: len(prompts[n]))
        replies: list[list[str]] = [[] for _ in texts]
        size = max(1, self.batch_size // number)
        limit, temperature = self.sampling.max_new_tokens, self.sampling.temperature
        progress = Progress(self.name, len(texts) * number, "replies", LONG)
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            asked = [prompts[n] for n in chosen]
            output = self.generator.write(asked, limit, temperature, number)
            written = self.tokenizer.batch_decode(output, skip_special_tokens=True)
            for ids, reply in zip(output, written, strict=True):
                if len(ids) == limit and ids[-1] not in self.generator.ends:
                    self.cut.add(reply)
            for place, n in enumerate(chosen):
                replies[n] = written[place * number : (place + 1) * number]
            self.usage.add(len(written), sum(map(len, asked)), sum(map(len, output)))
            progress.show((start + len(chosen)) * number)
        return replies
