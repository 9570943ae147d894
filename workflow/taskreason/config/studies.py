"""The groups of the studies that cross several choices: the map of regimes, and whose states are trained on.

Each becomes a part of :class:`taskreason.config.models.Config`.
"""

from typing import Annotated

from pydantic import Field

from taskreason.config.groups import Seed, Unique, group

Noise = Annotated[float, Field(ge=0, lt=1)]
Number = Annotated[int, Field(ge=1, le=100_000)]
Share = Annotated[float, Field(ge=0, le=100)]


@group
class Regimes:
    """What `snakemake regimes` crosses: where GRPO gains over as much more SFT, and where it does not."""

    task: str = ""
    """The task; empty takes the first of tasks."""
    thought_noise: Unique[Noise] = Field((0.0, 0.1, 0.3, 0.5), min_length=1)
    """Values of expert.thought_noise."""
    trajectories: Unique[Number] = Field((10, 30, 100), min_length=1)
    """Numbers of expert trajectories."""
    sft: Unique[Share] = Field((0.0, 0.5, 1.0), min_length=1)
    """Shares of sft.epochs before GRPO, in whole epochs; at 0 GRPO and its control start from the base model."""
    steps: Unique[Annotated[int, Field(ge=1, le=1_000_000)]] = Field((16, 64), min_length=1)
    """Steps of GRPO: the first number everywhere, the others where prolonged_noise and prolonged_sft say so."""
    seeds: Unique[Annotated[int, Field(ge=0, le=400_000)]] = Field((0, 1, 2), min_length=1)
    """Seeds of the trainings: the first everywhere, the others at the shares of repeated_sft."""
    repeated_sft: Unique[Share] = (1.0,)
    """Shares of sft at which every seed is trained, with the first number of steps."""
    prolonged_noise: Unique[Noise] = (0.0, 0.3, 0.5)
    """Values of thought_noise at which all numbers of steps are trained, with the first seed."""
    prolonged_sft: Unique[Share] = (1.0,)
    """Shares of sft at which they are."""
    evaluation: Number = 100
    """Worlds in which every policy is judged; none of them is in another split."""
    eval_seed: Seed = 3_000_001
    """First seed of those worlds."""


@group
class States:
    """What `snakemake states` compares: training in the expert's states, in further ones, and in the policy's own."""

    task: str = ""
    """The task; empty takes the first of tasks."""
    worlds: Number = 400
    """Further training worlds, from which the expert's unseen states are drawn."""
    trajectories: Number = 100
    """Trajectories of the expert in those."""
    sampled: bool = True
    """Whether the SFT policy's own states are met by sampled replies (true) or by the likeliest ones (false)."""
    tokens: int = Field(600_000, ge=1, le=10**12)
    """Tokens of replies that each training samples (GRPO) or is trained on (SFT)."""
    seeds: Unique[Annotated[int, Field(ge=0, le=400_000)]] = Field((0, 1, 2), min_length=1)
    """Seeds, one training of each kind for each, all from the first seed's SFT policy."""
