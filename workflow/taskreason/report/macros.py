r"""Every number that the paper quotes, as a LaTeX macro in results/macros.tex.

Input: `Results`, the published numbers, the resolved config and results/SCALE; output: \newcommand
lines. A macro's name is its quantity followed by policy and task, in letters only:
\SrSftGrpoBurger, \SrLowSftGrpoBurger, \PubSrSftGrpoBurger. What a run does not have (no success, a
task left out) prints as two dashes, so that the paper still compiles. Verdicts (`verdicts.py`) are
phrases computed from the data, so that no sentence of the paper can be falsified by a rerun.
"""

import json
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from taskreason.errors import UserError
from taskreason.files import list_runs
from taskreason.report.bound_table import SIDES, split_at_bound
from taskreason.report.episode_choice import choose_episode
from taskreason.report.labels import GRID_POLICY, POLICIES, task_title
from taskreason.report.published import Published
from taskreason.report.results import Results
from taskreason.report.tex import (
    MISSING,
    escape,
    format_rate,
    format_steps,
    format_value,
    make_row,
)
from taskreason.report.training_logs import (
    GRPO_COLUMNS,
    SFT_COLUMNS,
    average_logs,
    read_json,
    read_training_log,
)
from taskreason.report.verdicts import make_verdicts
from taskreason.task import ACTION_REWARD, FORMAT_REWARD, TASKS

DIGITS = ["Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"]
GAINS = (
    ("grpo", "sft_grpo", "sft"),
    ("grpo_over_longer", "sft_grpo", "sft_longer"),
    ("sft", "sft", "base"),
)
SHIPPED_BASE = "workflow/resources/base_model"
# Not settings of the experiment: where things are, how a job is scheduled, what a sweep would try.
UNPRINTED_SETTINGS = (
    *("resources.", "sweep.", "ablation.", "base.model", "base.compare", "base.rebuild"),
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


def name_macro(*parts: str) -> str:
    """('sr', 'sft_grpo', 'burger') -> 'SrSftGrpoBurger'; digits are spelt, as TeX demands."""
    words = re.findall(r"[A-Za-z]+|\d", " ".join(parts))
    return "".join(DIGITS[int(word)] if word.isdigit() else word.capitalize() for word in words)


def collect_macros(
    results: Results, published: Published, config: Mapping, root: Path
) -> dict[str, str]:
    """Macro name -> LaTeX text; `root` is results/SCALE, `config` the resolved configuration."""
    root, runs = Path(root), list_runs(config["seeds"])
    macros: dict[str, str] = {}
    for part in (
        _config_macros(config),
        _setting_macros(published),
        _cell_macros(results, published),
        _grid_macros(results, published),
        _gain_macros(results),
        _kitchen_macros(results, config),
        _bound_macros(results),
        _trajectory_macros(results, root),
        _training_macros(results, root, runs),
        _provenance_macros(results, root, runs),
        _episode_macros(results, config["report"]["kitchen_task"]),
        make_verdicts(results, published).items(),
    ):
        macros |= dict(part)
    return macros


def write_macros(macros: Mapping[str, str], path: Path) -> None:
    r"""Write one \newcommand a line, sorted by name."""
    lines = [rf"\newcommand{{\{name}}}{{{text}}}" for name, text in sorted(macros.items())]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("\n".join(lines) + "\n")


def count_parameters(folder: Path) -> int:
    """Parameters of a model folder, from the headers of its safetensors files alone."""
    count = 0
    for path in sorted(Path(folder).glob("*.safetensors")):
        with path.open("rb") as file:
            try:
                (length,) = struct.unpack("<Q", file.read(8))
                header = json.loads(file.read(length))
            except (struct.error, ValueError):
                raise UserError(f"{path}: is not a safetensors file; make it again") from None
        for name, tensor in header.items():
            if name != "__metadata__":
                size = 1
                for extent in tensor["shape"]:
                    size *= extent
                count += size
    return count


def _flatten(config: Mapping, prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _config_macros(config: Mapping) -> Iterator[tuple[str, str]]:
    settings = dict(_flatten(config))
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
    base, expert = config["base"], config["expert"]
    pretrained = not base["rebuild"] and base["model"] != SHIPPED_BASE
    yield "BaseIsPretrained", str(int(pretrained))
    yield "ExpertIsModel", str(int(expert["policy"] == "model"))
    yield "TheoryIsMeasured", str(int(config["report"]["theory"]))
    yield "AblationsAreMade", str(int(config["report"]["ablations"]))
    yield "ConfConfidencePercent", f"{100 * config['report']['confidence']:g}"
    yield "RewardFormat", f"{FORMAT_REWARD:g}"
    yield "RewardAction", f"{ACTION_REWARD:g}"
    idle = {
        idle_key
        for (key, value), idle_keys in IDLE_SETTINGS.items()
        if settings[key] == value
        for idle_key in idle_keys
    }
    if settings["grpo.epochs"]:
        idle.add("grpo.steps")
    if pretrained:
        idle |= {key for key in settings if key.startswith("base.")}
    rows = [
        make_row(rf"\texttt{{{escape(key)}}}", format_value(value))
        for key, value in settings.items()
        if not key.startswith(UNPRINTED_SETTINGS) and key not in idle
    ]
    yield "HyperparameterRows", "%\n" + "\n".join(rows) + "%\n"


def _setting_macros(published: Published) -> Iterator[tuple[str, str]]:
    for key, value in published.setting.items():
        yield name_macro("pub", "setting", key), escape(value)


def _cell_macros(results: Results, published: Published) -> Iterator[tuple[str, str]]:
    for policy in dict.fromkeys((*POLICIES, *results.policies)):
        for task in dict.fromkeys((*TASKS, *results.tasks)):
            cell, theirs = results.cell(policy, task), published.main_cell(task, policy)
            ours = cell.metrics if cell else None
            rates = ("sr", "sr_low", "sr_high", "minimal_rate", "invalid_rate", "malformed_rate")
            for field in rates:
                yield name_macro(field, policy, task), format_rate(getattr(ours, field, None))
            for field in ("asat", "asat_low", "asat_high", "asst"):
                yield name_macro(field, policy, task), format_steps(getattr(ours, field, None))
            rate = cell.single_turn_optimal_rate if cell else None
            yield name_macro("single_turn", policy, task), format_rate(rate)
            yield name_macro("pub_sr", policy, task), format_rate(getattr(theirs, "sr", None))
            for field in ("asat", "asst"):
                text = format_steps(getattr(theirs, field, None))
                yield name_macro("pub", field, policy, task), text


def _grid_macros(results: Results, published: Published) -> Iterator[tuple[str, str]]:
    tasks = dict.fromkeys((*TASKS, *results.tasks))
    for train_task in tasks:
        for eval_task in tasks:
            place = ("from", train_task, "to", eval_task)
            cell = results.cell(GRID_POLICY, eval_task, train_task)
            theirs = published.grid.get((train_task, eval_task))
            ours = cell.metrics if cell else None
            for field in ("sr", "sr_low", "sr_high"):
                yield name_macro("grid", field, *place), format_rate(getattr(ours, field, None))
            yield name_macro("pub_grid_sr", *place), format_rate(getattr(theirs, "sr", None))


def _gain_macros(results: Results) -> Iterator[tuple[str, str]]:
    for name, better, worse in GAINS:
        for task in dict.fromkeys((*TASKS, *results.tasks)):
            gain = (MISSING,) * 3
            if results.cell(better, task) and results.cell(worse, task):
                gain = (f"{value:+.2f}" for value in results.gain(better, worse, task))
            for suffix, text in zip(("", "low", "high"), gain, strict=True):
                # Math mode prints a minus sign rather than a hyphen.
                text = text if text == MISSING else rf"\ensuremath{{{text}}}"
                yield name_macro("gain", name, task, suffix), text


def _kitchen_macros(results: Results, config: Mapping) -> Iterator[tuple[str, str]]:
    for task in dict.fromkeys((*TASKS, *results.tasks)):
        mean = low = high = reachable = MISSING
        if task in results.kitchens:
            optima = results.kitchens[task]["optimal_steps"]
            mean, low, high = f"{optima.mean():.1f}", str(optima.min()), str(optima.max())
            reachable = format_rate(float((optima <= results.timeouts[task]).mean()))
        yield name_macro("optimal_mean", task), mean
        yield name_macro("optimal_min", task), low
        yield name_macro("optimal_max", task), high
        yield name_macro("reachable", task), reachable
        yield name_macro("timeout", task), format_value(config["timeouts"].get(task))
        yield name_macro("bound", task), format_value(config["expert_bounds"].get(task))


def _bound_macros(results: Results) -> Iterator[tuple[str, str]]:
    """Failures of the trained policies in kitchens within and beyond the bound on the expert's trajectories."""
    parts = [split_at_bound(results, GRID_POLICY, task) for task in results.tasks]
    for side in SIDES:
        frames = [part[side] for part in parts]
        episodes = sum(len(frame) for frame in frames)
        failures = episodes - int(sum(frame["success"].sum() for frame in frames))
        yield f"Episodes{side.title()}Bound", format_value(episodes)
        yield f"Failures{side.title()}Bound", format_value(failures)


def _trajectory_macros(results: Results, root: Path) -> Iterator[tuple[str, str]]:
    for task in dict.fromkeys((*TASKS, *results.tasks)):
        summary: dict = {}
        if task in results.tasks:
            summary = read_json(root / "trajectories" / f"{task}.summary.json")
        for key in ("kitchens_tried", "accepted", "decisions"):
            yield name_macro("trajectories", key, task), format_value(summary.get(key))
        yield (
            name_macro("trajectories_mean_steps", task),
            format_steps(summary.get("mean_steps")),
        )


def _training_macros(
    results: Results, root: Path, runs: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """First and last tenth of each curve, over all seeds: a single step of either is noise."""
    wanted = {
        "sft": (SFT_COLUMNS, ("loss", "mean_token_accuracy")),
        "grpo": (GRPO_COLUMNS, ("reward", "kl", "zero_std_share", "entropy")),
    }
    for task in dict.fromkeys((*TASKS, *results.tasks)):
        for stage, (required, columns) in wanted.items():
            log = None
            if task in results.tasks:
                files = [root / "training" / f"{task}{run}" / f"{stage}.csv" for run in runs]
                log = average_logs([read_training_log(file, required) for file in files])
            for column in columns:
                first = last = MISSING
                if log is not None and log[column].notna().any():
                    curve = log[column].dropna()
                    part = max(1, len(curve) // 10)
                    first, last = f"{curve[:part].mean():.3f}", f"{curve[-part:].mean():.3f}"
                yield name_macro(stage, column, "first", task), first
                yield name_macro(stage, column, "last", task), last


def _provenance_macros(
    results: Results, root: Path, runs: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Time, versions and hardware of the trainings; minutes are a training's mean over the seeds."""
    records = {
        (stage, task): [
            read_json(root / "training" / f"{task}{run}" / f"{stage}.provenance.json")
            for run in runs
        ]
        for stage in ("sft", "grpo")
        for task in results.tasks
    }
    for stage in ("sft", "grpo"):
        total = 0.0
        for task in dict.fromkeys((*TASKS, *results.tasks)):
            known = [record.get("wall_seconds") or 0.0 for record in records.get((stage, task), [])]
            seconds = fmean(known) if known else None
            total += sum(known)
            minutes = MISSING if seconds is None else f"{seconds / 60:.1f}"
            yield name_macro(stage, "minutes", task), minutes
        yield name_macro(stage, "minutes", "total"), f"{total / 60:.1f}"
    last = records["grpo", results.tasks[-1]][-1]
    for package in ("python", "torch", "transformers", "trl"):
        yield name_macro("version", package), escape(last.get("versions", {}).get(package, MISSING))
    hardware = last.get("hardware", {})
    yield "HardwareProcessor", escape(hardware.get("processor") or MISSING)
    yield "HardwareCores", format_value(hardware.get("cores"))
    yield "HardwareMemory", format_value(hardware.get("memory_gib"))
    yield "HardwareGpus", escape(", ".join(hardware.get("gpus", [])) or "none")
    parameters = count_parameters(root / "models" / "base")
    yield "BaseParameters", format_value(parameters)
    model = read_json(root / "models" / "base" / "config.json")
    for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"):
        yield name_macro("base", key), format_value(model.get(key))


def _episode_macros(results: Results, task: str) -> Iterator[tuple[str, str]]:
    episode = choose_episode(results, task)
    yield "KitchenTask", task_title(task).lower()
    yield "KitchenSteps", str(episode.steps)
    yield "KitchenOptimal", str(episode.optimal_steps)
    outcome = "reaches the goal" if episode.success else "does not reach the goal"
    yield "KitchenOutcome", outcome
    expert = [results.cell("expert", name) for name in results.tasks]
    rates = [cell.metrics.sr for cell in expert if cell]
    yield "ExpertSrMean", format_rate(fmean(rates) if rates else None)
    yield "ExpertSrMin", format_rate(min(rates, default=None))
