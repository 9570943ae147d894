"""How long a job takes on a card, and in how much memory: SFT, GRPO, collection, evaluation, probes.

Where the outcome decides, the assumption is on the side of more work: trajectories are as long as the bound allows, and
the last of several episodes as the timeout. The time of a job that does not fit the card is what it would be if it did.
Lengths of texts are counted in characters, so that no tokenizer has to be downloaded.
"""

from dataclasses import dataclass
from functools import cache, cached_property

from taskreason.config.models import Config
from taskreason.cost import model
from taskreason.cost.model import Gpu, Rows, Shape
from taskreason.environments.base import Environment, TaskSpec
from taskreason.policies.prompt import choose_format
from taskreason.rollouts.collect import CHUNK
from taskreason.training import VALIDATION_STATES, count_steps

TRAININGS = ("sft", "sft_longer", "grpo")
CHARACTERS_PER_TOKEN = 3.2  # Qwen2.5: 3.3 of worlds and 3.9 of rules, but for rare words
REPLY_TOKENS = 90  # the planner's have 250 to 290 characters, a model's are taken to be alike
LONGEST_REPLY = 2.0  # of a batch, for which the others wait, by the mean one
LONGEST_WORLD = 1.4  # the same of worlds' texts; 1.3 to 1.5 in the laptop's trajectories
SAMPLE = 16  # worlds of each task whose text is measured
EPISODES_PER_TRAJECTORY = 10  # of a language model: its published SR on the hardest task is 0.1
PROBE_SORTS = 4  # sorts of questions, at most, for each number that the configuration gives
LIGHT_SECONDS = 60  # a job without a GPU
START_SECONDS = 120  # imports and CUDA, and with vLLM compilation and CUDA graphs
NETWORK_BYTES_PER_S = 1e8  # downloading weights
STORAGE_BYTES_PER_S = 1e9  # reading and writing them
VLLM_SYNC_SECONDS = 1.0  # handing a step's weights to the vLLM engine
SFT_PASS_SECONDS = 0.2  # of a pass of SFT, on top of its layers' kernels (measured)


@dataclass(frozen=True, order=True)
class Lengths:
    """Tokens: of a mean prompt, of one among the longest, of the part that all prompts share, of replies."""

    prompt: float
    longest_prompt: float
    shared: float
    reply: float
    longest_reply: float


@cache
def measure_worlds(environment: Environment, task: TaskSpec, mode: str) -> float:
    """Mean tokens of the text of a task's worlds, in their initial states."""
    worlds = [environment.draw(task, seed, mode) for seed in range(SAMPLE)]
    characters = sum(len(world.observe(world.initial)) for world in worlds)
    return characters / SAMPLE / CHARACTERS_PER_TOKEN


def measure_lengths(task: str, cfg: Config) -> Lengths:
    """How long a task's prompts and replies are in tokens."""
    world, asked = measure_worlds(cfg.env, cfg.task(task), cfg.mode), choose_format(cfg)
    shared = len(asked.rules + asked.example) / CHARACTERS_PER_TOKEN
    fixed = shared + REPLY_TOKENS * cfg.prompt.history
    longest = min(cfg.rollout.max_new_tokens, LONGEST_REPLY * REPLY_TOKENS)
    return Lengths(fixed + world, fixed + LONGEST_WORLD * world, shared, REPLY_TOKENS, longest)


@dataclass(frozen=True)
class Work:
    """What a job does with a model of some shape on a kind of card.

    kind: of ``TRAININGS``, collect, evaluate or probe, on some tasks; copy, of weights; or light.
    """

    cfg: Config
    gpu: Gpu
    shape: Shape
    kind: str
    tasks: tuple[str, ...] = ()

    @property
    def passes(self) -> tuple[int, int, int]:
        """Replies of an optimiser step, of one pass, and of a group that shares a pass over its prompt."""
        sft, grpo = self.cfg.sft, self.cfg.grpo
        if self.kind != "grpo":
            return sft.batch_size, sft.micro_batch or sft.batch_size, 1
        # Under checkpointing they don't share it (`taskreason.training.trainer`).
        group = 1 if self.cfg.train.gradient_checkpointing else grpo.group_size
        return grpo.prompts_per_step * grpo.group_size, grpo.micro_batch, group

    @property
    def steps(self) -> float:
        """Optimiser steps of a training."""
        cfg = self.cfg.for_task(self.tasks[0])
        decisions, sft, grpo = (
            cfg.expert.trajectories * cfg.bound_of(self.tasks[0]),
            cfg.sft,
            cfg.grpo,
        )
        if self.kind == "sft":
            return sft.epochs * decisions / (1 - sft.rehearsal) / sft.batch_size
        steps = count_steps(grpo, round(decisions / (1 - grpo.rehearsal)))
        replies = grpo.prompts_per_step * grpo.group_size
        return steps if self.kind == "grpo" else steps * replies / sft.batch_size

    @cached_property
    def seconds(self) -> float:
        """Wall time from the job's start to its end."""
        cfg, stored = self.cfg, 2 * self.shape.parameters
        if self.kind in ("light", "copy"):
            return LIGHT_SECONDS + (stored / NETWORK_BYTES_PER_S if self.kind == "copy" else 0)
        seconds, task = START_SECONDS + 2 * stored / STORAGE_BYTES_PER_S, self.tasks[0]
        if self.kind == "evaluate":
            for name in self.tasks:  # single replies take one more round
                prompts, rounds = cfg.worlds.evaluation, cfg.timeout_of(name) + 1
                seconds += self.ask_seconds(name, prompts, rounds, cfg.rollout.tensor_parallel)
        elif self.kind == "collect":
            episodes = cfg.expert.trajectories * EPISODES_PER_TRAJECTORY
            rounds = min(episodes, cfg.expert.budget or episodes) / CHUNK * cfg.bound_of(task)
            seconds += self.ask_seconds(task, CHUNK, rounds, cfg.expert.tensor_parallel)
        elif self.kind == "probe":
            questions = PROBE_SORTS * sum(cfg.probes.values())
            seconds += self.ask_seconds(task, questions, 1)
        else:
            seconds += self.steps * self.step_seconds(measure_lengths(task, cfg))
        if self.kind == "grpo" and cfg.grpo.eval_steps:
            look = self.ask_seconds(task, 2 * VALIDATION_STATES, 1)
            look += self.ask_seconds(task, cfg.worlds.validation, cfg.timeout_of(task))
            seconds += (1 + -(-self.steps // cfg.grpo.eval_steps)) * look
        return seconds

    def ask_seconds(self, task: str, prompts: float, rounds: float, gpus: int = 0) -> float:
        """Time of ``prompts`` asked side by side, ``rounds`` times after each other.

        gpus: over which the engine of rollouts splits the model; 0: transformers asks, on one.
        """
        rollout, length = self.cfg.rollout, measure_lengths(task, self.cfg)
        engine, width = rollout.engine if gpus else "transformers", min(prompts, rollout.batch_size)
        # vLLM still holds what prompts share.
        read = 1 - length.shared / length.prompt if engine == "vllm" else 1
        rows, longest = Rows(read * width, length.prompt, width, length.reply), length.longest_reply
        one = model.generation_seconds(self.shape, rows, longest, self.gpu, engine, gpus)
        return prompts / width * rounds * one

    def step_seconds(self, lengths: Lengths) -> float:
        """Time of one optimiser step: of arithmetic, or of the launches of every pass, and in GRPO of sampling."""
        grpo, shape, train = self.cfg.grpo, self.shape, self.cfg.train
        rank, again = train.lora_rank, train.gradient_checkpointing
        (replies, micro, group), samples = self.passes, self.kind == "grpo"
        # The policy that sampled scores the replies as well, since its engine rounds, and so does the reference, which
        # for adapters is the model without them.
        sampler, reference = samples and grpo.vllm != "none", samples and grpo.beta > 0
        rows = Rows(replies / min(group, micro), lengths.prompt, replies, lengths.reply)
        flops = model.training_flops(shape, rows, rank, again)
        flops += (sampler + reference) * model.forward_flops(shape, rows)
        launches = 1 + model.BACKWARD_LAUNCHES + again + sampler
        launches = launches * (model.ADAPTER_LAUNCHES if rank else 1) + reference
        # A prompt that is shared goes through the layers before the replies.
        one = launches * shape.layers * model.PYTHON_SECONDS * (2 if group > 1 else 1)
        one += 0 if samples else SFT_PASS_SECONDS
        busy = max(flops / (self.gpu.flops * model.TRAINING_MFU), replies / micro * one)
        moved = model.OPTIMIZER_TRAFFIC * shape.count_trained(rank)
        busy += moved / (self.gpu.bandwidth * model.BANDWIDTH_SHARE)
        return busy + (self.sampling_seconds(lengths) if samples else 0)

    def sampling_seconds(self, lengths: Lengths) -> float:
        """Time in which the replies of one step of GRPO are sampled; vLLM reads a group's prompt once."""
        grpo, longest, alone = self.cfg.grpo, lengths.longest_reply, self.cfg.grpo.vllm == "none"
        engine = "vllm" if not alone else "adapters" if self.cfg.train.lora_rank else "autocast"
        replies = grpo.prompts_per_step * grpo.group_size
        prompts = replies if alone else grpo.prompts_per_step
        rows = Rows(prompts, lengths.prompt, replies, lengths.reply)
        seconds = model.generation_seconds(self.shape, rows, longest, self.gpu, engine)
        return seconds if alone else seconds + VLLM_SYNC_SECONDS

    @property
    def disk(self) -> tuple[float, float]:
        """Bytes that the job leaves on disk, and further ones meanwhile.

        A checkpoint is what is trained and two moments in fp32; two are there while one replaces the other.
        """
        trains, rank = self.kind in TRAININGS, self.cfg.train.lora_rank
        left = 2 * self.shape.parameters if trains or self.kind == "copy" else 0
        return left, 2 * 12 * self.shape.count_trained(rank) if trains else 0

    @property
    def memory(self) -> tuple[float, float]:
        """Bytes on each GPU that the job needs, and that it may take: none where vLLM's share is too small for it."""
        rollout, card = self.cfg.rollout, self.gpu.memory
        if self.kind in ("light", "copy"):
            return 0.0, card
        lengths = max(measure_lengths(task, self.cfg) for task in self.tasks)
        if self.kind in TRAININGS:
            grpo, beside = self.cfg.grpo, self.kind == "grpo" and self.cfg.grpo.vllm == "colocate"
            starts = not beside or self.engine_bytes() <= grpo.vllm_memory * card
            return self.training_bytes(lengths), card if starts else 0.0
        if rollout.engine == "vllm" and self.kind != "probe":
            gpus = (self.cfg.expert if self.kind == "collect" else rollout).tensor_parallel
            return self.engine_bytes(gpus), rollout.gpu_memory * card
        tokens, width = lengths.longest_prompt + rollout.max_new_tokens, rollout.batch_size
        return model.generation_bytes(self.shape, width, tokens, "transformers"), card

    def engine_bytes(self, gpus: int = 1) -> float:
        """Bytes on each GPU without which vLLM does not start."""
        return model.generation_bytes(self.shape, 1, self.cfg.rollout.max_model_len, "vllm", gpus)

    def training_bytes(self, lengths: Lengths) -> float:
        """Bytes on the GPU in SFT or GRPO, in which the reference model and an engine come on top."""
        grpo, shape, (replies, micro, group) = self.cfg.grpo, self.shape, self.passes
        rank, again = self.cfg.train.lora_rank, self.cfg.train.gradient_checkpointing
        prompt, reply = lengths.longest_prompt, lengths.longest_reply
        held = model.training_bytes(shape, rank)
        busy = model.activation_bytes(shape, Rows(-(-micro // group), prompt, micro, reply), again)
        if self.kind != "grpo":
            return held + busy
        held += 4 * shape.parameters if grpo.beta and not rank else 0
        held += grpo.vllm_memory * self.gpu.memory if grpo.vllm == "colocate" else 0
        if grpo.vllm == "none":
            # Sampling and learning take turns, and there are no gradients while replies are sampled. Keys are kept in
            # fp32 and values in bf16; of the layer that reads prompts there are four copies of the residual stream in
            # fp32, and what its feed-forward part holds in bf16 (measured).
            layer = 16 * shape.hidden + 8 * shape.intermediate
            sampling = replies * (prompt * layer + (prompt + reply) * 1.5 * shape.cached)
            busy = max(busy, sampling - 4 * shape.count_trained(rank))
        return held + busy
