r"""The configuration as LaTeX macros: each value by its key, and the rows of the appendix's table of settings.

Input: the resolved configuration; output: macro name -> text. The table leaves out what is no setting of the
experiment or means nothing while another setting has its value.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from taskreason.environments.robotouille.tasks import PROJECT
from taskreason.policies.model_names import is_api
from taskreason.policies.reply import ACTION_REWARD, FORMAT_REWARD
from taskreason.report.labels import label_policy, name_compared
from taskreason.report.render.latex import escape, format_value, make_row, name_macro
from taskreason.report.weights import count_parameters

SHIPPED_BASE = "workflow/taskreason/environments/robotouille/data/base_model"
# Not settings of the experiment: where things are, how a job is scheduled, what a sweep would try.
UNPRINTED_SETTINGS = (
    *("recipes.", "recipe_sft.", "resources.", "sweep.", "ablation."),
    *("base.model", "base.compare", "base.rebuild"),
    *("endpoint.", "report.kitchen_task", "report.gallery"),
)
# Nor those that mean nothing while another setting has its value: (key, value) -> keys.
IDLE_SETTINGS = {
    ("expert.policy", "planner"): (
        *("expert.model", "expert.attempts", "expert.budget"),
        *("expert.temperature", "expert.tensor_parallel"),
    ),
    ("expert.noise", 0): ("expert.noise",),
    ("train.accelerate", ""): ("train.accelerate",),
    ("train.gradient_checkpointing", False): ("train.gradient_checkpointing",),
    ("train.lora_rank", 0): ("train.lora_alpha", "train.lora_dropout"),
    ("sft.micro_batch", 0): ("sft.micro_batch",),
    ("grpo.epochs", 0): ("grpo.epochs",),
    ("grpo.vllm", "none"): ("grpo.vllm_server", "grpo.vllm_memory"),
    ("grpo.vllm", "colocate"): ("grpo.vllm_server",),
    ("grpo.vllm", "server"): ("grpo.vllm_memory",),
    ("report.ablations", False): ("report.ablations",),
    ("report.theory", False): (
        *("report.theory", "theory.kitchens", "theory.replies", "theory.rollouts"),
        *("theory.off_path", "theory.batch_size"),
    ),
    ("rollout.engine", "transformers"): (
        *("rollout.tensor_parallel", "rollout.gpu_memory", "rollout.max_model_len"),
    ),
}


def make_setting_macros(config: Mapping) -> Iterator[tuple[str, str]]:
    """The configuration: every value, the settings that the appendix prints, and what the text depends on."""
    settings = flatten_settings(config)
    for key, value in settings.items():
        yield name_macro("conf", key), format_value(value)
    grpo = config["grpo"]
    yield "ConfGrpoBatch", format_value(grpo["prompts_per_step"] * grpo["group_size"])
    seeds = config["seeds"]
    if len(seeds) == 1:
        runs = f"One training run per task (seed {seeds[0]}) stands behind each cell, so the intervals cover "
        runs += "the kitchens and not the training."
    else:
        runs = f"{len(seeds)} training runs per task (seeds {', '.join(map(str, seeds))}) stand behind each "
        runs += "cell, and the intervals cover both the kitchens and the runs."
    yield "TrainingRuns", runs
    # What the text says of model and expert hangs on these: 1 or 0.
    yield "BaseIsPretrained", str(int(is_pretrained(config)))
    yield "ExpertIsModel", str(int(config["expert"]["policy"] == "model"))
    yield "ModelsAreCompared", str(int(bool(config["base"]["compare"])))
    yield "ComparedModels", describe_compared(config["base"]["compare"])
    yield "TheoryIsMeasured", str(int(config["report"]["theory"]))
    yield "AblationsAreMade", str(int(config["report"]["ablations"]))
    yield "ConfConfidencePercent", f"{100 * config['report']['confidence']:g}"
    yield "RewardFormat", f"{FORMAT_REWARD:g}"
    yield "RewardAction", f"{ACTION_REWARD:g}"
    for side, keys in zip(("left", "right"), split_columns(list_printed(config)), strict=True):
        yield name_macro("hyperparameter_rows", side), _print_rows(keys, settings)


def describe_compared(names: Sequence[str]) -> str:
    """The models beside the base model, with their numbers of parameters where their weights are in a folder."""
    found = []
    for name in names:
        label, folder = escape(label_policy(name_compared(name))), PROJECT / name
        if not is_api(name) and folder.is_dir():
            label += f" ({format_value(count_parameters(folder))} parameters)"
        found.append(label)
    return " and ".join([", ".join(found[:-1]), found[-1]] if found[1:] else found)


def flatten_settings(config: Mapping, prefix: str = "") -> dict[str, object]:
    """Every value by its whole key: 'grpo.beta' -> 0.03."""
    found: dict[str, object] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found |= flatten_settings(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def is_pretrained(config: Mapping) -> bool:
    """Whether the base model was trained by others."""
    base = config["base"]
    return not base["rebuild"] and base["model"] != SHIPPED_BASE


def list_printed(config: Mapping) -> list[str]:
    """Keys of the settings that the appendix prints, in the order of the configuration."""
    settings = flatten_settings(config)
    idle = {
        idle_key
        for (key, value), idle_keys in IDLE_SETTINGS.items()
        if settings[key] == value
        for idle_key in idle_keys
    }
    if settings["grpo.epochs"]:
        idle.add("grpo.steps")
    if is_pretrained(config):
        idle |= {key for key in settings if key.startswith("base.")}
    return [key for key in settings if not key.startswith(UNPRINTED_SETTINGS) and key not in idle]


def split_columns(keys: Sequence[str]) -> tuple[list[str], list[str]]:
    """The keys in two parts that are about as long; a group (what stands before the dot) is not torn apart."""
    groups = [list(group) for _, group in groupby(keys, key=_name_group)]
    cuts = range(len(groups) + 1)
    sizes = [abs(2 * sum(map(len, groups[:cut])) - len(keys)) for cut in cuts]
    cut = sizes.index(min(sizes))
    left, right = (
        [key for group in part for key in group] for part in (groups[:cut], groups[cut:])
    )
    return left, right


def _name_group(key: str) -> str:
    return key.partition(".")[0] if "." in key else ""


def _print_rows(keys: Sequence[str], settings: Mapping[str, object]) -> str:
    blocks = [
        [make_row(rf"\texttt{{{escape(key)}}}", format_value(settings[key])) for key in group]
        for _, group in groupby(keys, key=_name_group)
    ]
    return "%\n" + "\\addlinespace\n".join("\n".join(rows) + "\n" for rows in blocks)
