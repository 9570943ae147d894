"""How much work each stage is: tokens, steps and rounds, and from these seconds on a given card.

The time of a stage that does not fit the card is what it would be if it did.
Where the outcome decides (how long trajectories and episodes get, how often the expert succeeds), the assumption is on
the side of more work: trajectories are as long as the bound allows. Assumptions are the constants in capitals.
"""

from dataclasses import dataclass
from pathlib import Path

import yaml

from taskreason.config.models import Config
from taskreason.cost.generation import count_side_by_side, generation_seconds
from taskreason.cost.lengths import Lengths, measure_lengths
from taskreason.cost.model import (
    SFT_PASS_SECONDS,
    TRAINING_MFU,
    Architecture,
    Gpu,
    Rows,
    forward_flops,
    launch_seconds,
    optimizer_seconds,
    share_speed,
    training_flops,
)
from taskreason.durability.errors import UserError

EPISODES_PER_TRAJECTORY = 10
"""Episodes of a language model for one accepted trajectory: its published SR on the hardest task is 0.1."""
COLLECTION_BATCH = 50
"""Kitchens that one round of collection tries (`taskreason.rollouts.collect.CHUNK`)."""
LOOK_STATES = 150
"""Single replies of either kind in one look at validation kitchens (`taskreason.training.validation.STATES`)."""
QUESTION_SORTS = 4
"""Of the probes: at, on, under, which."""
START_SECONDS = {"transformers": 60, "vllm": 120}
"""From a job's start until its model can be read: imports, CUDA, and with vLLM compilation and CUDA graphs."""
STORAGE_BYTES_PER_S = 1e9
"""Reading and writing weights."""
VLLM_SYNC_SECONDS = 1.0
"""Handing a step's weights to the vLLM engine."""
SPREAD = {"FSDP": (True, True), "DEEPSPEED": (False, True)}
"""Whether accelerate spreads weights, and gradients with moments, over the processes; other kinds spread neither."""


def count_processes(cfg: Config, project: Path) -> tuple[int, tuple[int, int]]:
    """Processes of one training, and over how many of them weights, and gradients with moments, are spread."""
    if not cfg.train.accelerate:
        return 1, (1, 1)
    path = project / cfg.train.accelerate
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        number, kind = int(values["num_processes"]), values["distributed_type"]
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        raise UserError(
            f"train.accelerate: {path} is no accelerate configuration with num_processes and "
            "distributed_type; name one of envs/accelerate/."
        ) from None
    weights, moments = SPREAD.get(kind, (False, False))
    return number, (number if weights else 1, number if moments else 1)


@dataclass(frozen=True)
class Workload:
    """The trainings and rollouts of a configuration on one kind of card; base: the shape of the trained model."""

    cfg: Config
    gpu: Gpu
    base: Architecture
    processes: int
    shards: tuple[int, int]

    def count_decisions(self, task: str) -> int:
        """Expert decisions to train on, were every trajectory as long as the bound allows."""
        expert, limit = self.cfg.expert, self.cfg.expert.trajectories
        if expert.policy == "model" and expert.budget:
            limit = min(limit, -(-expert.budget // EPISODES_PER_TRAJECTORY))
        return limit * self.cfg.bound_of(task)

    def count_grpo_steps(self, task: str) -> int:
        """Optimiser steps of GRPO."""
        grpo = self.cfg.grpo
        states = self.count_decisions(task) / (1 - grpo.rehearsal)
        return round(-(-grpo.epochs * states // grpo.prompts_per_step)) or grpo.steps

    def count_replies(self, stage: str, task: str) -> float:
        """Rows that SFT, or longer SFT, goes through."""
        grpo, sft = self.cfg.grpo, self.cfg.sft_of(task)
        if stage == "sft_longer":
            return self.count_grpo_steps(task) * grpo.prompts_per_step * grpo.group_size
        return sft.epochs * self.count_decisions(task) / (1 - sft.rehearsal)

    @property
    def trained(self) -> int:
        """Parameters that an optimiser moves."""
        rank = self.cfg.train.lora_rank
        return self.base.count_adapters(rank) if rank else self.base.parameters

    @property
    def saved_bytes(self) -> int:
        """Bytes of a saved model: bf16, as published weights are and stay on disk."""
        return 2 * self.base.parameters

    @property
    def checkpoint_bytes(self) -> int:
        """Bytes of a checkpoint: what is trained and two moments, fp32; two are there while one replaces the other."""
        return 2 * 12 * self.trained

    def start_seconds(self, engine: str, stored: float) -> float:
        """From a job's start until its model is ready."""
        return START_SECONDS[engine] + stored / STORAGE_BYTES_PER_S

    def sft_seconds(self, stage: str, task: str) -> float:
        """Wall time of SFT or longer SFT."""
        steps = self.count_replies(stage, task) / self.cfg.sft.batch_size
        return (
            self.start_seconds("transformers", self.saved_bytes)
            + steps * self.sft_step_seconds(measure_lengths(task, self.cfg))
            + self.saved_bytes / STORAGE_BYTES_PER_S
        )

    def sft_step_seconds(self, lengths: Lengths) -> float:
        """Time of one optimiser step of SFT."""
        train, batch = self.cfg.train, self.cfg.sft.batch_size
        rows = Rows(batch, lengths.prompt, batch, lengths.reply)
        flops = training_flops(self.base, rows, self.has_adapters, train.gradient_checkpointing)
        moving = optimizer_seconds(self.gpu, self.trained / self.shards[1])
        launching = launch_seconds(
            self.base, 1 + train.gradient_checkpointing, 1, self.has_adapters
        )
        passes = batch / self.sft_micro_batch
        return self._learning_seconds(flops, passes, launching + SFT_PASS_SECONDS) + moving

    def grpo_seconds(self, task: str) -> float:
        """Wall time of GRPO: its steps, and looks at validation kitchens."""
        lengths, steps = measure_lengths(task, self.cfg), self.count_grpo_steps(task)
        engine = "transformers" if self.cfg.grpo.vllm == "none" else "vllm"
        return (
            self.start_seconds(engine, 2 * self.saved_bytes)
            + steps * self.grpo_step_seconds(lengths)
            + self._count_looks(steps) * self._look_seconds(task, lengths)
            + self.saved_bytes / STORAGE_BYTES_PER_S
        )

    def grpo_step_seconds(self, lengths: Lengths) -> float:
        """Time of one optimiser step of GRPO: sampling, scoring by policy and reference, and backward."""
        grpo, train = self.cfg.grpo, self.cfg.train
        completions = grpo.prompts_per_step * grpo.group_size
        # A pass over fewer completions than a group has reads their prompt again.
        sharing = min(grpo.group_size, grpo.micro_batch) if self.shares_prompts else 1
        prompts = completions / sharing
        rows = Rows(prompts, lengths.prompt, completions, lengths.reply)
        flops = training_flops(self.base, rows, self.has_adapters, train.gradient_checkpointing)
        # The reference's pass, and the sampling policy's, which corrects for what the engine rounds.
        reference, sampler = grpo.beta > 0, grpo.vllm != "none"
        flops += (reference + sampler) * forward_flops(self.base, rows)
        # With a shared prompt, the prompts go through the layers first and the completions after them.
        parts = 2 if self.shares_prompts else 1
        forward = parts * (1 + sampler + train.gradient_checkpointing)
        # The reference of adapters is the model without them.
        launching = launch_seconds(
            self.base, forward, parts, self.has_adapters, bare=parts * reference
        )
        learning = self._learning_seconds(flops, completions / grpo.micro_batch, launching)
        moving = optimizer_seconds(self.gpu, self.trained / self.shards[1])
        return learning + self.sampling_seconds(lengths) + moving

    @property
    def shares_prompts(self) -> bool:
        """Whether a group's completions share one pass over their prompt (`taskreason.training.trainer`)."""
        return self.processes == 1 and not self.cfg.train.gradient_checkpointing

    @property
    def sft_micro_batch(self) -> int:
        """Decisions that one process reads at a time."""
        sft = self.cfg.sft
        return min(sft.micro_batch or sft.batch_size, sft.batch_size // self.processes or 1)

    @property
    def has_adapters(self) -> bool:
        """Whether adapters are trained instead of all weights."""
        return bool(self.cfg.train.lora_rank)

    def _learning_seconds(self, flops: float, chunks: float, launching: float) -> float:
        """Time to score and learn so many micro-batches: of arithmetic, or of each one's launches."""
        arithmetic = flops / (self.gpu.flops * TRAINING_MFU)
        return max(arithmetic, chunks * launching) / share_speed(self.processes)

    def sampling_seconds(self, lengths: Lengths) -> float:
        """Time in which the replies of one step of GRPO are sampled."""
        grpo = self.cfg.grpo
        replies = grpo.prompts_per_step * grpo.group_size / self.processes
        if grpo.vllm == "none":
            rows = Rows(replies, lengths.prompt, replies, lengths.reply)
            longest = lengths.longest_reply
            return generation_seconds(
                self.base,
                rows,
                longest,
                self.gpu,
                "transformers",
                autocast=not self.has_adapters,
                adapters=self.has_adapters,
            )
        # A group's prompt is read, and kept, once.
        share = grpo.vllm_memory if grpo.vllm == "colocate" else self.cfg.rollout.gpu_memory
        tokens = lengths.prompt / grpo.group_size + lengths.longest_reply
        room = count_side_by_side(self.base, tokens, share * self.gpu.memory)
        rounds = max(1.0, replies / room) if room >= 1 else 1.0
        rows = Rows(
            replies / grpo.group_size / rounds, lengths.prompt, replies / rounds, lengths.reply
        )
        seconds = generation_seconds(self.base, rows, lengths.longest_reply, self.gpu, "vllm")
        return VLLM_SYNC_SECONDS + rounds * seconds

    def _count_looks(self, steps: int) -> int:
        every = self.cfg.grpo.eval_steps
        return 1 + -(-steps // every) if every else 0

    def _look_seconds(self, task: str, lengths: Lengths) -> float:
        cfg = self.cfg
        unseen = min(LOOK_STATES, cfg.kitchens.validation * cfg.bound_of(task))
        known = min(LOOK_STATES, self.count_decisions(task))
        ask = self._rounds_seconds
        return ask(known + unseen, 1, lengths) + ask(
            cfg.kitchens.validation, self.episode_steps(task), lengths
        )

    def _rounds_seconds(self, prompts: float, rounds: float, lengths: Lengths) -> float:
        """So many prompts, so many times after each other, in batches through transformers."""
        width = min(prompts, self.cfg.rollout.batch_size)
        rows = Rows(width, lengths.prompt, width, lengths.reply)
        seconds = generation_seconds(
            self.base, rows, lengths.longest_reply, self.gpu, "transformers"
        )
        return -(-prompts // width) * rounds * seconds

    def episode_steps(self, task: str, trained: bool = True) -> float:
        """Steps until the last of several episodes ends: a trained policy's between bound and timeout."""
        timeout = self.cfg.timeout_of(task)
        return (self.cfg.bound_of(task) + timeout) / 2 if trained else timeout

    def evaluate_seconds(self, model: Architecture, tasks: list[str], trained: bool) -> float:
        """Wall time of one evaluation: episodes and single replies on each of the tasks."""
        cfg, seconds = self.cfg, self.start_seconds(self.cfg.rollout.engine, 2 * model.parameters)
        for task in tasks:
            episodes = cfg.kitchens.evaluation
            states = min(cfg.rollout.single_turn_states, episodes * cfg.bound_of(task))
            rounds = self.episode_steps(task, trained)
            gpus = cfg.rollout.tensor_parallel
            seconds += self.ask_seconds(model, task, episodes, rounds, gpus)
            seconds += self.ask_seconds(model, task, states, 1, gpus)
        return seconds

    def ask_seconds(
        self, model: Architecture, task: str, prompts: float, rounds: float, gpus: int
    ) -> float:
        """So many prompts side by side, so many times after each other, through the engine of rollouts.

        gpus: across which vLLM splits the model; transformers runs it on one.
        """
        rollout, lengths = self.cfg.rollout, measure_lengths(task, self.cfg)
        gpus = gpus if rollout.engine == "vllm" else 1
        width, known = min(prompts, rollout.batch_size), 0.0
        if rollout.engine == "vllm":
            memory = rollout.gpu_memory * self.gpu.memory
            tokens = lengths.prompt + lengths.longest_reply
            room = count_side_by_side(model, tokens, memory, gpus)
            width = min(prompts, room) if room >= 1 else prompts
            known = lengths.shared / lengths.prompt
        rows = Rows(width, lengths.prompt, width, lengths.reply)
        one = generation_seconds(
            model, rows, lengths.longest_reply, self.gpu, rollout.engine, gpus, known
        )
        return max(1.0, prompts / width) * rounds * one

    def count_expert_episodes(self) -> int:
        """Episodes that a language model plays for one task's trajectories."""
        expert = self.cfg.expert
        limits = [expert.trajectories * EPISODES_PER_TRAJECTORY]
        limits.append(self.cfg.kitchens.training * expert.attempts)
        return min([*limits, expert.budget] if expert.budget else limits)

    def collect_seconds(self, model: Architecture, task: str) -> float:
        """Wall time of one task's collection by a local language model."""
        width = min(COLLECTION_BATCH, self.cfg.rollout.batch_size)
        batches = self.count_expert_episodes() / width
        rounds = batches * self.cfg.bound_of(task)
        asked = self.ask_seconds(model, task, width, rounds, self.cfg.expert.tensor_parallel)
        return self.start_seconds(self.cfg.rollout.engine, 2 * model.parameters) + asked

    def probe_seconds(self) -> float:
        """Wall time of the base model's probes."""
        lengths = measure_lengths(self.cfg.tasks[0], self.cfg)
        probes = self.cfg.probes
        prompts = QUESTION_SORTS * probes.questions + 2 * probes.readings + probes.chores
        asked = self._rounds_seconds(prompts, 1, lengths)
        return self.start_seconds("transformers", 2 * self.base.parameters) + asked
