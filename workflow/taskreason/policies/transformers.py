"""A causal language model as a policy, through transformers: prompts in, replies out, in batches."""

from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from taskreason.errors import UserError
from taskreason.policies import Turn

ATTENTION = "eager"
"""Attention kernel: the plain one is the fastest for a few hundred tokens and small heads on a CPU."""


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
        folder: Path,
        batch_size: int,
        max_new_tokens: int,
        do_sample: bool = False,
        temperature: float = 1.0,
        seed: int = 0,
    ):
        self.name = str(folder)
        self.model, self.tokenizer = load_model(folder)
        self.model.eval()
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
        torch.manual_seed(seed)

    def act(self, turns: list[Turn]) -> list[str]:
        """One reply a turn; prompts of like length share a batch."""
        order = sorted(range(len(turns)), key=lambda n: len(turns[n].prompt))
        replies = [""] * len(turns)
        for start in range(0, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            for n, reply in zip(
                chosen, self._generate([turns[n].prompt for n in chosen]), strict=True
            ):
                replies[n] = reply
        return replies

    @torch.inference_mode()
    def _generate(self, prompts: list[str]) -> list[str]:
        inputs = self.tokenizer(prompts, return_tensors="pt", padding=True).to(self.model.device)
        output = self.model.generate(**inputs, **self._options)
        return self.tokenizer.batch_decode(
            output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
