"""What a job costs on a GPU, by its model's shape, the card's data sheet and the configuration: seconds and bytes.

Constants marked "measured" were set so that the steps come out which `benchmarks/published_size.py` timed on one H200
(`benchmarks/published_size.csv`); the others are assumptions. Training is of all weights, in fp32 under bf16 autocast,
or of low-rank adapters (LoRA) on bf16 weights, on one GPU. Where the outcome decides, the assumption is on the side of
more work: trajectories are as long as the bound allows, and episodes as the timeout. A job that does not fit the card
takes as long as if it did. Lengths of texts are counted in characters, so that no tokenizer has to be downloaded.

Left out, since each changes the whole by less than some 10 %: products of attention and of the output head, the
optimiser's step and what it holds of adapters, handing weights to vLLM, what vLLM computes and launches while it writes
and holds while it reads, how far prompts of a task differ, and the time to download, read and write weights.
"""

from dataclasses import dataclass
from functools import cache, cached_property

from taskreason.config.models import Config
from taskreason.environments.base import Environment, TaskSpec
from taskreason.policies.prompt import choose_format
from taskreason.rollouts.collect import CHUNK
from taskreason.training import count_steps

TRAINING_MFU = 0.14  # share of peak FLOP/s: transformers, not compiled (measured)
PREFILL_MFU = 0.4  # the same while prompts are read: forward alone, in bf16
BANDWIDTH_SHARE = 0.5  # share of the memory bandwidth that decoding reaches
PARALLEL_SHARE = 0.8  # speed of each of several GPUs with one model: they wait for each other
PYTHON_SECONDS = 1.7e-3  # to launch a layer's kernels from Python, as transformers does (measured)
ADAPTER_LAUNCHES = 1.5  # of a layer with adapters: casts and two more products a matrix (measured)
SFT_PASS_SECONDS = 0.2  # of a pass of SFT, on top of its layers' kernels (measured)
# How often the cache is moved for each token: transformers copies it to append to it, then repeats it for the queries
# of a group, some six, and reads that; under fp32 weights keys are kept in fp32, and cast (measured).
CACHE_MOVES = {"vllm": 1, "transformers": 14, "adapters": 14, "autocast": 41}
RUNTIME_BYTES = 2e9  # CUDA context, libraries' workspace, logits at once in TRL's fused head
SAMPLING_BYTES = 1.5  # of those that replies take in bf16, where a training samples them (measured)
CHARACTERS_PER_TOKEN = 3.2  # Qwen2.5: 3.3 of worlds and 3.9 of rules, but for rare words
REPLY_TOKENS = 90  # the planner's have 250 to 290 characters, a model's are taken to be alike
LONGEST_REPLY = 2.0  # of a batch, for which the others wait, by the mean one
SAMPLE = 16  # worlds of each task whose text is measured
EPISODES_PER_TRAJECTORY = 10  # of a language model: its published SR on the hardest task is 0.1
LIGHT_SECONDS = 60  # a job without a GPU
START_SECONDS = 120  # imports and CUDA, and with vLLM compilation and CUDA graphs
TRAININGS = ("sft", "sft_longer", "grpo")


@dataclass(frozen=True)
class Gpu:
    """A card by its data sheet. flops: dense bf16 with fp32 accumulation, 1/s. memory: bytes. bandwidth: bytes/s."""

    name: str
    flops: float
    memory: float
    bandwidth: float


GPUS = {
    "h100": Gpu("H100 SXM 80 GB", 989e12, 80e9, 3.35e12),
    "h200": Gpu("H200 141 GB", 989e12, 141e9, 4.8e12),
    "a100": Gpu("A100 SXM 80 GB", 312e12, 80e9, 2.04e12),
    "rtx4090": Gpu("RTX 4090 24 GB", 165e12, 24e9, 1.01e12),
}


@dataclass(frozen=True)
class Shape:
    """The shape of a Llama or Qwen2 model. group: query heads of a key head. tied: the output head is the embedding."""

    layers: int
    hidden: int
    intermediate: int
    group: int
    vocabulary: int
    tied: bool

    @property
    def matrices(self) -> int:
        """Entries of all layers' weight matrices; a token takes two FLOPs for each."""
        attention = 2 * self.hidden * (self.hidden + self.hidden // self.group)
        return self.layers * (attention + 3 * self.hidden * self.intermediate)

    @property
    def parameters(self) -> int:
        """All but biases and norms, which are less than a thousandth."""
        return self.matrices + (2 - self.tied) * self.vocabulary * self.hidden

    @property
    def cached(self) -> int:
        """Bytes of one token's keys and values in bf16."""
        return 2 * 2 * self.layers * self.hidden // self.group


SHAPES = {
    "Qwen2.5-1.5B-Instruct": Shape(28, 1536, 8960, 6, 151936, True),
    "Qwen2.5-3B-Instruct": Shape(36, 2048, 11008, 8, 151936, True),
    "Qwen2.5-7B-Instruct": Shape(28, 3584, 18944, 7, 152064, False),
    "Qwen2.5-14B-Instruct": Shape(48, 5120, 13824, 5, 152064, False),
    "Llama-3.3-70B-Instruct": Shape(80, 8192, 28672, 8, 128256, False),
}


def generation_seconds(
    shape: Shape, read: float, held: float, longest: float, gpu: Gpu, engine: str, gpus: int = 1
) -> float:
    """Time to read ``read`` tokens of prompts and write replies side by side until the longest, of ``longest`` tokens.

    Each new token reads all weights and ``held`` tokens of cache, or waits for the launch of its kernels. engine: vllm,
    transformers, or in training autocast (fp32 weights) or adapters (not merged). gpus: that share the model.
    """
    speed = gpus * PARALLEL_SHARE if gpus > 1 else 1.0
    moved = 2 * shape.parameters + held * shape.cached * CACHE_MOVES[engine]
    launches = {"vllm": 0, "adapters": ADAPTER_LAUNCHES}.get(engine, 1) * shape.layers
    token = max(moved / (gpu.bandwidth * BANDWIDTH_SHARE * speed), launches * PYTHON_SECONDS)
    return 2 * shape.matrices * read / (gpu.flops * PREFILL_MFU * speed) + longest * token


def generation_bytes(shape: Shape, tokens: float) -> float:
    """Bytes beside the weights in which transformers continues texts of ``tokens``: their cache, one layer's state."""
    return tokens * (shape.cached + 4 * shape.hidden + 6 * shape.intermediate)


@dataclass(frozen=True, order=True)
class Lengths:
    """Tokens: of a mean prompt, of the part that all prompts share, of a mean reply and of the longest of a batch."""

    prompt: float
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
    """How long a task's prompts and replies are."""
    world, asked = measure_worlds(cfg.env, cfg.task(task), cfg.mode), choose_format(cfg)
    shared = len(asked.rules + asked.example) / CHARACTERS_PER_TOKEN
    prompt = shared + REPLY_TOKENS * cfg.prompt.history + world
    longest = min(cfg.rollout.max_new_tokens, LONGEST_REPLY * REPLY_TOKENS)
    return Lengths(prompt, shared, REPLY_TOKENS, longest)


@dataclass(frozen=True)
class Job:
    """What a job does with a model of some shape on a kind of card.

    kind: of ``TRAININGS``, collect, evaluate or probe, on some tasks; copy, of weights; or light. stage: jobs shown as
    one. needs: numbers of the jobs that it waits for.
    """

    cfg: Config
    gpu: Gpu
    shape: Shape
    kind: str
    tasks: tuple[str, ...] = ()
    stage: str = ""
    gpus: int = 0
    needs: frozenset[int] = frozenset()

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
        decisions = cfg.expert.trajectories * cfg.bound_of(self.tasks[0])
        if self.kind == "sft":
            return cfg.sft.epochs * decisions / (1 - cfg.sft.rehearsal) / cfg.sft.batch_size
        steps = count_steps(cfg.grpo, round(decisions / (1 - cfg.grpo.rehearsal)))
        replies = cfg.grpo.prompts_per_step * cfg.grpo.group_size
        return steps if self.kind == "grpo" else steps * replies / cfg.sft.batch_size

    @cached_property
    def seconds(self) -> float:
        """Wall time from the job's start to its end."""
        cfg, seconds, task = self.cfg, START_SECONDS, self.tasks[0]
        if self.kind in ("light", "copy"):
            return LIGHT_SECONDS
        if self.kind in TRAININGS:
            seconds += self.steps * self.step_seconds(measure_lengths(task, cfg))
        if self.kind == "grpo" and cfg.grpo.eval_steps:
            look = self.ask_seconds(task, cfg.worlds.validation, cfg.timeout_of(task) + 1)
            seconds += (1 + self.steps / cfg.grpo.eval_steps) * look
        elif self.kind == "evaluate":
            for name in self.tasks:  # single replies take one more round
                rounds, gpus = cfg.timeout_of(name) + 1, cfg.rollout.tensor_parallel
                seconds += self.ask_seconds(name, cfg.worlds.evaluation, rounds, gpus)
        elif self.kind == "collect":
            episodes = cfg.expert.trajectories * EPISODES_PER_TRAJECTORY
            rounds = min(episodes, cfg.expert.budget or episodes) / CHUNK * cfg.bound_of(task)
            seconds += self.ask_seconds(task, CHUNK, rounds, cfg.expert.tensor_parallel)
        elif self.kind == "probe":
            seconds += self.ask_seconds(task, sum(cfg.probes.values()), 1)
        return seconds

    def ask_seconds(self, task: str, prompts: float, rounds: float, gpus: int = 0) -> float:
        """Time of ``prompts`` asked side by side, ``rounds`` times after each other.

        gpus: over which the engine of rollouts splits the model; 0: transformers asks, on one.
        """
        rollout, length = self.cfg.rollout, measure_lengths(task, self.cfg)
        engine, width = rollout.engine if gpus else "transformers", min(prompts, rollout.batch_size)
        # vLLM still holds what prompts share.
        read = width * (length.prompt - (length.shared if engine == "vllm" else 0))
        work = read, width * (length.prompt + length.reply / 2), length.longest_reply
        once = generation_seconds(self.shape, *work, self.gpu, engine, gpus)
        return prompts / width * rounds * once

    def step_seconds(self, lengths: Lengths) -> float:
        """Time of one optimiser step: of arithmetic, or of the launches of every pass, and in GRPO of sampling."""
        grpo, shape, train = self.cfg.grpo, self.shape, self.cfg.train
        rank, again = train.lora_rank, train.gradient_checkpointing
        (replies, micro, group), samples = self.passes, self.kind == "grpo"
        # The policy that sampled scores the replies as well, since its engine rounds, and so does the reference, which
        # for adapters is the model without them.
        sampler, reference = samples and grpo.vllm != "none", samples and grpo.beta > 0
        tokens = replies * (lengths.prompt / min(group, micro) + lengths.reply)
        # Backward costs two forward passes, for gradients of inputs and of weights: one of arithmetic under adapters.
        forwards = (2 if rank else 3) + again + sampler + reference
        flops = 2 * shape.matrices * tokens * forwards
        launches = (3 + again + sampler) * (ADAPTER_LAUNCHES if rank else 1) + reference
        # A prompt that is shared goes through the layers before the replies.
        one = launches * shape.layers * PYTHON_SECONDS * (2 if group > 1 else 1)
        one += 0 if samples else SFT_PASS_SECONDS
        busy = max(flops / (self.gpu.flops * TRAINING_MFU), replies / micro * one)
        return busy + (self.sampling_seconds(lengths) if samples else 0)

    def sampling_seconds(self, lengths: Lengths) -> float:
        """Time in which the replies of one step of GRPO are sampled; vLLM reads a group's prompt once."""
        grpo, alone = self.cfg.grpo, self.cfg.grpo.vllm == "none"
        engine = "vllm" if not alone else "adapters" if self.cfg.train.lora_rank else "autocast"
        replies = grpo.prompts_per_step * grpo.group_size
        read = lengths.prompt * (replies if alone else grpo.prompts_per_step)
        work = read, replies * (lengths.prompt + lengths.reply / 2), lengths.longest_reply
        return generation_seconds(self.shape, *work, self.gpu, engine)

    @property
    def memory(self) -> tuple[float, float]:
        """Bytes on each GPU that the job needs, and that it may take: none where vLLM's share is too small for it."""
        rollout, grpo, card = self.cfg.rollout, self.cfg.grpo, self.gpu.memory
        if self.kind in ("light", "copy"):
            return 0.0, card
        lengths = max(measure_lengths(task, self.cfg) for task in self.tasks)
        if self.kind in TRAININGS:
            engine = self.kind == "grpo" and grpo.vllm == "colocate"
            starts = not engine or self.engine_bytes() <= grpo.vllm_memory * card
            return self.training_bytes(lengths), card if starts else 0.0
        if rollout.engine == "vllm" and self.kind != "probe":
            gpus = (self.cfg.expert if self.kind == "collect" else rollout).tensor_parallel
            return self.engine_bytes(gpus), rollout.gpu_memory * card
        tokens = rollout.batch_size * (lengths.prompt + rollout.max_new_tokens)
        weights = 2 * self.shape.parameters
        return RUNTIME_BYTES + weights + generation_bytes(self.shape, tokens), card

    def engine_bytes(self, gpus: int = 1) -> float:
        """Bytes on each GPU without which vLLM does not start: weights, and the cache of one sequence."""
        cache = self.cfg.rollout.max_model_len * self.shape.cached
        return (2 * self.shape.parameters + cache) / gpus + RUNTIME_BYTES

    def training_bytes(self, lengths: Lengths) -> float:
        """Bytes on the GPU in SFT or GRPO, in which the reference model and an engine come on top.

        Weights, gradients and two moments in fp32 with autocast's copies in bf16, under adapters weights in bf16; and
        what backward needs of each layer and token: what norms read and write in fp32 and products take in bf16 (36 x
        hidden, 8 x intermediate), and keys and values, repeated for every query head, that each reply sees (4 x
        hidden). With checkpointing each layer keeps its fp32 input, and one layer at a time the rest.
        """
        grpo, shape, (replies, micro, group) = self.cfg.grpo, self.shape, self.passes
        held = RUNTIME_BYTES + (2 if self.cfg.train.lora_rank else 18) * shape.parameters
        tokens = -(-micro // group) * lengths.prompt + micro * lengths.longest_reply
        layer = tokens * (36 * shape.hidden + 8 * shape.intermediate)
        layer += micro * (lengths.prompt + lengths.longest_reply) * 4 * shape.hidden
        kept = shape.layers * tokens * 4 * shape.hidden
        busy = kept + layer if self.cfg.train.gradient_checkpointing else shape.layers * layer
        if self.kind != "grpo":
            return held + busy
        held += 4 * shape.parameters if grpo.beta and not self.cfg.train.lora_rank else 0
        held += grpo.vllm_memory * self.gpu.memory if grpo.vllm == "colocate" else 0
        if grpo.vllm == "none":  # sampling and learning take turns
            tokens = replies * (lengths.prompt + lengths.longest_reply)
            busy = max(busy, SAMPLING_BYTES * generation_bytes(shape, tokens))
        return held + busy
