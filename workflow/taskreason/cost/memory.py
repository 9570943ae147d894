"""How much memory each stage needs on a GPU, bytes: what the model itself takes, and what its work adds for a while.

The trainings keep weights, gradients and moments beside the activations of one micro-batch; rollouts keep the keys and
values of what they write side by side. The parts are those of `taskreason.cost.model` and `taskreason.cost.generation`.
"""

from taskreason.cost.generation import generation_bytes, sampling_bytes
from taskreason.cost.lengths import Lengths, measure_lengths
from taskreason.cost.model import (
    RUNTIME_BYTES,
    Architecture,
    Rows,
    activation_bytes,
    head_bytes,
    state_bytes,
)
from taskreason.cost.workload import Workload


def sft_memory(work: Workload, lengths: Lengths) -> float:
    """Bytes on each GPU in SFT."""
    micro = work.sft_micro_batch
    return _training_memory(work, Rows(micro, lengths.longest_prompt, micro, lengths.reply))


def grpo_memory(work: Workload, lengths: Lengths) -> float:
    """Bytes on each GPU in GRPO: the reference model and an engine beside it come on top of training."""
    cfg, grpo = work.cfg, work.cfg.grpo
    completions = grpo.prompts_per_step * grpo.group_size // work.processes
    micro = min(grpo.micro_batch, completions)
    prompts = -(-micro // grpo.group_size) if work.shares_prompts else micro
    held = 0.0
    if grpo.beta and not cfg.train.lora_rank:
        held += 4 * work.base.parameters / work.shards[0]
    if grpo.vllm == "colocate":
        held += grpo.vllm_memory * work.gpu.memory
    rows = Rows(prompts, lengths.longest_prompt, micro, lengths.longest_reply)
    # Sampling and training take turns; a look at validation kitchens works on a copy of the model.
    others = [work.saved_bytes if grpo.eval_steps else 0]
    if grpo.vllm == "none":
        longest = lengths.longest_prompt, lengths.longest_reply
        # There are no gradients while replies are sampled.
        others.append(sampling_bytes(work.base, completions, *longest) - 4 * work.trained)
    return held + _training_memory(work, rows, max(others))


def _training_memory(work: Workload, rows: Rows, other: float = 0.0) -> float:
    """Bytes of a training; ``other``: what is needed while no activations are there."""
    train = work.cfg.train
    busy = activation_bytes(work.base, rows, train.gradient_checkpointing)
    busy += head_bytes(work.base, bool(train.lora_rank))
    state = state_bytes(work.base, train.lora_rank, work.shards)
    return RUNTIME_BYTES + state + max(busy, other)


def rollout_memory(work: Workload, model: Architecture, gpus: int) -> float:
    """Bytes on each GPU that a rollout needs; vLLM takes its share of the card however little that is.

    gpus: across which vLLM splits the model.
    """
    if work.cfg.rollout.engine == "vllm":
        return generation_bytes(model, 1, work.cfg.rollout.max_model_len, "vllm", gpus)
    return batch_memory(work, model)


def batch_memory(work: Workload, model: Architecture) -> float:
    """Bytes of generation with transformers in batches of rollouts."""
    longest = max(measure_lengths(task, work.cfg).longest_prompt for task in work.cfg.tasks)
    tokens = longest + work.cfg.rollout.max_new_tokens
    return generation_bytes(model, work.cfg.rollout.batch_size, tokens, "transformers")
