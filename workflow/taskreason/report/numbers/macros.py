r"""Every number that the paper quotes, as a LaTeX macro in results/macros.tex.

Input: `Results` and the published numbers; output: \newcommand lines. A macro's name is its quantity followed by policy
and task, in letters only: \SrSftGrpoBurger, \PubSrSftGrpoBurger. What a run does not have (no success, a task left out)
prints as two dashes, so that the paper still compiles. Verdicts (`verdicts.py`) are phrases computed from the data, so
that no sentence of the paper can be falsified by a rerun.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

from taskreason.durability.files import list_runs
from taskreason.report import trainings as logs
from taskreason.report.labels import GRID_POLICY, POLICIES, list_reported_tasks
from taskreason.report.numbers import verdicts
from taskreason.report.numbers.departures import make_departure_macros
from taskreason.report.numbers.episode import make_episode_macros
from taskreason.report.numbers.pretrained import make_pretrained_macros
from taskreason.report.numbers.published import make_published_macros
from taskreason.report.numbers.settings import make_setting_macros
from taskreason.report.published import load_published
from taskreason.report.render import latex
from taskreason.report.render.latex import format_value, name_macro
from taskreason.report.results import Cell, Results
from taskreason.report.tables.gains import make_gains
from taskreason.report.tables.main import make_baselines, make_comparison
from taskreason.report.tables.splits import list_parts
from taskreason.report.trainings import count_parameters
from taskreason.rollouts.metrics import bootstrap_interval

Macros = Iterator[tuple[str, str]]
METRICS = {"sr": latex.format_rate, "asat": latex.format_steps, "asst": latex.format_steps}
GAINS = {"grpo": "sft", "grpo_over_longer": "sft_longer", "grpo_over_direct": "grpo"}
GAINS |= {"grpo_over_rule": "greedy"}
"""Name of GRPO's gain -> the policy that it is over."""


def collect_macros(results: Results) -> dict[str, str]:
    """Macro name -> LaTeX text."""
    tables = [make(results).csv for make in (make_comparison, make_baselines, make_gains)]
    macros = dict(make_setting_macros(results.cfg))
    macros |= verdicts.judge_tables(*tables) | verdicts.judge_results(results)
    macros |= make_published_macros(results) | make_pretrained_macros(results.cfg)
    for make in (
        _cell_macros,
        _world_macros,
        _training_macros,
        _provenance_macros,
        make_departure_macros,
    ):
        macros |= dict(make(results))
    return macros | dict(make_episode_macros(results))


def write_macros(macros: Mapping[str, str], path: Path) -> None:
    r"""Write one \newcommand a line, sorted by name."""
    lines = [rf"\newcommand{{\{name}}}{{{text}}}" for name, text in sorted(macros.items())]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def _cell_macros(results: Results) -> Macros:
    """The metrics of every policy on every task, ours and the published ones; the published setting; GRPO's gains."""
    published = load_published(results.cfg.env)
    for key, text in published.setting.items():
        yield name_macro("pub", "setting", key), latex.escape(text)
    for policy in dict.fromkeys((*POLICIES, *results.policies)):
        for task in list_reported_tasks(results.cfg):
            cell, theirs = results.cell(policy, task), published.main_cell(task, policy)
            for key, form in METRICS.items():
                yield name_macro(key, policy, task), form(cell and getattr(cell.metrics, key))
                yield name_macro("pub", key, policy, task), form(getattr(theirs, key, None))
            yield name_macro("single_turn", policy, task), _print_single_turn(cell, results)
            drawn = cell and results.find_sampled(cell)
            shown = verdicts.print_rate(drawn.metrics.rate) if drawn else latex.MISSING
            yield name_macro("sampled_sr", policy, task), shown
    expert = (results.cell("expert", task).metrics.rate for task in results.tasks)
    mean = verdicts.average_rates([rate] for rate in expert)
    yield "ExpertSrMean", verdicts.print_rate(mean)
    drawn = results.sampled.get(results.cfg.rollout.temperature)
    for (name, worse), (end, view) in product(GAINS.items(), (("", results), ("_sampled", drawn))):
        for task in list_reported_tasks(results.cfg):
            gain = [latex.MISSING] * 3
            if view and view.cell(worse, task):
                gain = map(latex.format_signed, view.gain(GRID_POLICY, worse, task))
            for suffix, text in zip(("", "low", "high"), gain, strict=True):
                yield name_macro("gain", f"{name}{end}", task, suffix), text


def _print_single_turn(cell: Cell | None, results: Results) -> str:
    """How often a single reply is right, or two dashes."""
    if cell is None or cell.single_turn_optimal_rate is None:
        return latex.MISSING
    return verdicts.print_rate(verdicts.read_single_turn(cell, results.cfg.report.confidence))


def _world_macros(results: Results) -> Macros:
    """Of the evaluation worlds: the mean shortest plan, and the share in which it is within the timeout; and failures
    of the trained policies in those within and beyond the bound on the expert's trajectories."""
    cfg = results.cfg
    for task in list_reported_tasks(cfg):
        mean = reachable = latex.MISSING
        if task in results.worlds:
            optima = results.worlds[task]["optimal_steps"]
            mean = f"{optima.mean():.1f}"
            reachable = latex.format_rate((optima <= cfg.timeout_of(task)).mean())
        yield name_macro("optimal_mean", task), mean
        yield name_macro("reachable", task), reachable
        yield name_macro("timeout", task), format_value(cfg.timeout_of(task))
        yield name_macro("bound", task), format_value(cfg.bound_of(task))
    parts = [list_parts(results, GRID_POLICY, task) for task in results.tasks]
    for side in ("within", "beyond"):
        won = [success for part in parts for success in part[side]["success"]]
        yield name_macro("episodes", side, "bound"), format_value(len(won))
        yield name_macro("failures", side, "bound"), format_value(len(won) - sum(won))


def _list_files(results: Results, task: str, name: str) -> list[Path]:
    """A file of every training on a task."""
    folder = results.root / "training"
    return [folder / f"{task}{run}" / name for run in list_runs(results.cfg.seeds)]


def _training_macros(results: Results) -> Macros:
    """Trajectories, and GRPO's mean reward in the first and the last quarter of its steps, over all seeds."""
    for task in list_reported_tasks(results.cfg):
        summary, rewards = {}, [latex.MISSING] * 2
        if task in results.tasks:
            summary = logs.read_json(results.root / "trajectories" / f"{task}.summary.json")
            files = _list_files(results, task, "grpo.csv")
            log = logs.average_logs([logs.read_training_log(f, logs.GRPO_COLUMNS) for f in files])
            curve = log["reward"].dropna().to_numpy()
            part, rewards = max(1, len(curve) // 4), []
            for steps in (curve[:part], curve[-part:]):
                ends = bootstrap_interval(steps, results.cfg.report.confidence)
                rewards.append(f"{steps.mean():.3f} {latex.format_interval(*ends, decimals=3)}")
        for key in ("accepted", "decisions"):
            yield name_macro("trajectories", key, task), format_value(summary.get(key))
        for end, text in zip(("first", "last"), rewards, strict=True):
            yield name_macro("grpo_reward", end, task), text


def _provenance_macros(results: Results) -> Macros:
    """Time, versions and hardware of the trainings, and the shape of the base model."""
    for stage in ("sft", "grpo"):
        name = f"{stage}.provenance.json"
        files = [file for task in results.tasks for file in _list_files(results, task, name)]
        records = [logs.read_json(file) for file in files]
        seconds = sum(record.get("wall_seconds") or 0.0 for record in records)
        yield name_macro(stage, "minutes", "total"), f"{seconds / 60:.1f}"
    versions, hardware = (records[-1].get(key, {}) for key in ("versions", "hardware"))
    for package in ("python", "torch", "transformers", "trl"):
        yield name_macro("version", package), latex.escape(versions.get(package, latex.MISSING))
    yield "HardwareProcessor", latex.escape(hardware.get("processor") or latex.MISSING)
    yield "HardwareCores", format_value(hardware.get("cores"))
    yield "HardwareMemory", format_value(hardware.get("memory_gib"))
    yield "HardwareGpus", latex.escape(", ".join(hardware.get("gpus", [])) or "none")
    base = results.root / "models" / "base"
    yield "BaseParameters", format_value(count_parameters(base))
    model = logs.read_json(base / "config.json")
    for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"):
        yield name_macro("base", key), format_value(model.get(key))
