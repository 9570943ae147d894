r"""The configuration as LaTeX macros: each value by its key, and the rows of the appendix's table of settings.

Input: the configuration; output: macro name -> text. The table leaves out what is no setting of the experiment or means
nothing while another setting has its value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import accumulate, chain, groupby
from pathlib import Path

from taskreason.config.models import Config
from taskreason.policies.model_names import BUNDLED, expand
from taskreason.report.labels import join_words, label_policy, name_compared
from taskreason.report.render.latex import escape, format_value, make_row, name_macro
from taskreason.report.trainings import count_parameters
from taskreason.training.rewards import ACTION_REWARD, FORMAT_REWARD

# Not settings of the experiment: where things are, how a job is scheduled, what a study would try.
UNPRINTED_SETTINGS = (
    *("task_settings.", "resources.", "sweep.", "ablation.", "regimes.", "states.", "endpoint."),
    *("base.model", "base.compare", "base.rebuild", "report.drawn_task", "report.gallery"),
)
# Nor those that are switched off, and those that mean nothing while another has its value: (key, value) -> keys.
SWITCHES = (
    *("expert.noise", "train.accelerate", "train.gradient_checkpointing", "sft.micro_batch"),
    *("grpo.epochs", "grpo.filter_groups", "rollout.temperature", "rollout.sharpened"),
    *("report.ablations", "report.regimes", "report.states", "report.theory"),
)
IDLE_SETTINGS = {
    ("expert.policy", "planner"): (
        *("expert.model", "expert.attempts", "expert.budget"),
        *("expert.temperature", "expert.tensor_parallel"),
    ),
    ("train.lora_rank", 0): ("train.lora_alpha", "train.lora_dropout"),
    ("grpo.vllm", "none"): ("grpo.vllm_server", "grpo.vllm_memory"),
    ("grpo.vllm", "colocate"): ("grpo.vllm_server",),
    ("grpo.vllm", "server"): ("grpo.vllm_memory",),
    ("report.theory", False): ("theory.",),
    ("rollout.engine", "transformers"): (
        *("rollout.tensor_parallel", "rollout.gpu_memory", "rollout.max_model_len"),
    ),
}


def make_setting_macros(cfg: Config) -> Iterator[tuple[str, str]]:
    """The configuration: every value, the settings that the appendix prints, and what the text depends on."""
    settings = flatten_settings(asdict(cfg))
    for key, value in settings.items():
        yield name_macro("conf", key), format_value(value)
    yield "ConfGrpoBatch", format_value(cfg.grpo.prompts_per_step * cfg.grpo.group_size)
    if len(cfg.seeds) == 1:
        runs = f"One training run per task (seed {cfg.seed}) stands behind each cell, so the intervals cover "
        runs += f"the {cfg.env.worlds} and not the training."
    else:
        runs = f"{len(cfg.seeds)} training runs per task (seeds {', '.join(map(str, cfg.seeds))}) stand behind each "
        runs += f"cell, and the intervals cover both the {cfg.env.worlds} and the runs."
    yield "TrainingRuns", runs
    yield "ComparedModels", describe_compared(cfg)
    yield "ConfConfidencePercent", f"{100 * cfg.report.confidence:g}"
    yield "RewardFormat", f"{FORMAT_REWARD:g}"
    yield "RewardAction", f"{ACTION_REWARD:g}"
    # What the text says of model and expert hangs on these: 1 or 0.
    switches = {
        "BaseIsPretrained": is_pretrained(cfg),
        "ExpertIsModel": cfg.expert.policy == "model",
        "ModelsAreCompared": bool(cfg.base.compare),
        "TheoryIsMeasured": cfg.report.theory,
        "AblationsAreMade": cfg.report.ablations,
        "RegimesAreMapped": cfg.report.regimes,
        "StatesAreCompared": cfg.report.states,
    }
    yield from ((name, str(int(holds))) for name, holds in switches.items())
    for side, keys in zip(("left", "right"), split_columns(list_printed(cfg)), strict=True):
        yield name_macro("hyperparameter_rows", side), _print_rows(keys, settings)


def describe_compared(cfg: Config) -> str:
    """The models next to the base model, with their numbers of parameters where their weights are in a folder."""
    found = []
    for name in cfg.base.compare:
        label, folder = escape(label_policy(name_compared(name))), Path(expand(name, cfg.env))
        if folder.is_dir():
            label += f" ({format_value(count_parameters(folder))} parameters)"
        found.append(label)
    return join_words(found)


def flatten_settings(config: Mapping, prefix: str = "") -> dict[str, object]:
    """Every value by its whole key: 'grpo.beta' -> 0.03."""
    found: dict[str, object] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found |= flatten_settings(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def is_pretrained(cfg: Config) -> bool:
    """Whether the base model was trained by others."""
    return not cfg.base.rebuild and not cfg.base.model.startswith(BUNDLED)


def list_printed(cfg: Config) -> list[str]:
    """Keys of the settings that the appendix prints, in the order of the configuration."""
    settings = flatten_settings(asdict(cfg))
    idle = (keys for (key, value), keys in IDLE_SETTINGS.items() if settings[key] == value)
    left_out = (
        *UNPRINTED_SETTINGS,
        *(key for key in SWITCHES if not settings[key]),
        *chain.from_iterable(idle),
        *(["grpo.steps"] if cfg.grpo.epochs else []),
        *(["base."] if is_pretrained(cfg) else []),
    )
    return [key for key in settings if not key.startswith(left_out)]


def split_columns(keys: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The keys in two parts that are about as long; a group (what stands before the dot) is not torn apart."""
    *ends, _ = accumulate(map(len, _group(keys)))
    cut = min(ends, key=lambda end: abs(2 * end - len(keys)))
    return keys[:cut], keys[cut:]


def _group(keys: Sequence[str]) -> list[list[str]]:
    return [list(part) for _, part in groupby(keys, lambda key: key[: key.find(".") + 1])]


def _print_rows(keys: Sequence[str], settings: Mapping[str, object]) -> str:
    rows = {k: make_row(rf"\texttt{{{escape(k)}}}", format_value(settings[k])) + "\n" for k in keys}
    return "%\n" + "\\addlinespace\n".join("".join(map(rows.get, part)) for part in _group(keys))
