"""The typed configuration, built once by `taskreason.config.load.load_config` and passed to every stage.

The dataclasses mirror workflow/schemas/config.schema.yaml, which describes and bounds each field.
"""

from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True)
class Recipe:
    """A recipe beside the four tasks. layout: file, relative to the project's folder; the others in steps."""

    layout: str
    timeout: int
    expert_bound: int


@dataclass(frozen=True)
class Kitchens:
    mode: str
    training: int
    evaluation: int
    validation: int
    train_seed: int
    eval_seed: int
    validation_seed: int


@dataclass(frozen=True)
class Expert:
    policy: str
    model: str
    trajectories: int
    noise: float
    attempts: int
    budget: int
    temperature: float
    tensor_parallel: int

    @property
    def is_exact(self) -> bool:
        """Whether every action of the expert is optimal."""
        return self.policy == "planner" and not self.noise


@dataclass(frozen=True)
class Base:
    model: str
    compare: tuple[str, ...]
    rebuild: bool
    hidden_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate_size: int
    drills: int
    small_chores: int
    chores: int
    epochs: int
    batch_size: int
    learning_rate: float
    save_steps: int
    seed: int


@dataclass(frozen=True)
class Prompt:
    style: str
    history: bool


@dataclass(frozen=True)
class Train:
    accelerate: str
    gradient_checkpointing: bool
    lora_rank: int
    lora_alpha: int
    lora_dropout: float


@dataclass(frozen=True)
class Sft:
    epochs: int
    batch_size: int
    micro_batch: int
    learning_rate: float
    warmup_ratio: float
    augment: bool
    rehearsal: float
    save_steps: int


@dataclass(frozen=True)
class RecipeSft:
    epochs: int
    learning_rate: float


@dataclass(frozen=True)
class Grpo:
    steps: int
    epochs: int
    prompts_per_step: int
    group_size: int
    micro_batch: int
    learning_rate: float
    beta: float
    temperature: float
    reward: str
    turns: str
    augment: bool
    rehearsal: float
    eval_steps: int
    save_steps: int
    vllm: str
    vllm_server: str
    vllm_memory: float


@dataclass(frozen=True)
class Sweep:
    task: str
    sft_learning_rate: tuple[float, ...]
    sft_epochs: tuple[int, ...]
    sft_rehearsal: tuple[float, ...]
    grpo_learning_rate: tuple[float, ...]
    grpo_beta: tuple[float, ...]
    grpo_temperature: tuple[float, ...]
    grpo_group_size: tuple[int, ...]
    grpo_prompts_per_step: tuple[int, ...]
    grpo_steps: tuple[int, ...]
    grpo_rehearsal: tuple[float, ...]
    grpo_reward: tuple[str, ...]


@dataclass(frozen=True)
class Ablation:
    task: str
    kitchens: int
    trajectories: tuple[int, ...]
    noise: tuple[float, ...]
    attempts: int
    reward: tuple[str, ...]
    turns_trajectories: int
    turns_tokens: int
    turns_seeds: tuple[int, ...]


@dataclass(frozen=True)
class Rollout:
    batch_size: int
    max_new_tokens: int
    single_turn_states: int
    do_sample: bool
    engine: str
    tensor_parallel: int
    gpu_memory: float
    max_model_len: int


@dataclass(frozen=True)
class Probes:
    questions: int
    readings: int
    chores: int


@dataclass(frozen=True)
class Theory:
    kitchens: int
    replies: int
    rollouts: int
    off_path: int
    batch_size: int


@dataclass(frozen=True)
class Endpoint:
    base_url: str
    key_variable: str
    concurrency: int
    retries: int
    timeout: float


@dataclass(frozen=True)
class Report:
    confidence: float
    kitchen_task: str
    gallery: int
    baselines: tuple[str, ...]
    theory: bool
    ablations: bool


@dataclass(frozen=True)
class Resources:
    gpu: int
    mem_mb: int
    runtime: int


@dataclass(frozen=True)
class Config:
    scale: str
    seeds: tuple[int, ...]
    tasks: tuple[str, ...]
    timeouts: dict[str, int]
    expert_bounds: dict[str, int]
    recipes: dict[str, Recipe]
    kitchens: Kitchens
    expert: Expert
    base: Base
    prompt: Prompt
    train: Train
    sft: Sft
    recipe_sft: RecipeSft
    grpo: Grpo
    sweep: Sweep
    rollout: Rollout
    endpoint: Endpoint
    probes: Probes
    theory: Theory
    ablation: Ablation
    report: Report
    resources: Resources

    @property
    def seed(self) -> int:
        """The seed of what is made once, whatever the number of trainings: the first one."""
        return self.seeds[0]

    def timeout_of(self, task: str) -> int:
        """Steps after which an episode of a task or a recipe ends."""
        return self.recipes[task].timeout if task in self.recipes else self.timeouts[task]

    def bound_of(self, task: str) -> int:
        """Steps that the expert's trajectories may take in a task or a recipe."""
        return self.recipes[task].expert_bound if task in self.recipes else self.expert_bounds[task]

    def sft_of(self, task: str) -> Sft:
        """SFT's settings for a task or a recipe."""
        if task not in self.recipes:
            return self.sft
        own = {key: value for key, value in asdict(self.recipe_sft).items() if value}
        return replace(self.sft, **own)

    def for_task(self, task: str) -> "Config":
        """The same configuration for the trainings of one task or recipe."""
        return replace(self, sft=self.sft_of(task))

    def for_seed(self, seed: int) -> "Config":
        """The same configuration for the training of one seed."""
        return replace(self, seeds=(seed,))
