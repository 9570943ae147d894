r"""Every number that the paper quotes, as a LaTeX macro in results/macros.tex.

Input: `Results`, the published numbers, the resolved config and results/SCALE; output: \newcommand
lines. A macro's name is its quantity followed by policy and task, in letters only:
\SrSftGrpoBurger, \SrLowSftGrpoBurger, \PubSrSftGrpoBurger. What a run does not have (no success, a
task left out) prints as two dashes, so that the paper still compiles. Verdicts (`verdicts.py`) are
phrases computed from the data, so that no sentence of the paper can be falsified by a rerun.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from taskreason.config.load import list_bounds, list_timeouts
from taskreason.durability.files import list_runs
from taskreason.environments.robotouille.tasks import TASKS
from taskreason.report.labels import GRID_POLICY, POLICIES
from taskreason.report.numbers.episode import make_episode_macros
from taskreason.report.numbers.means import average_rates, read_rate
from taskreason.report.numbers.settings import make_setting_macros
from taskreason.report.numbers.training import (
    make_provenance_macros,
    make_training_macros,
    make_trajectory_macros,
)
from taskreason.report.numbers.verdicts import make_verdicts, print_rate
from taskreason.report.published import Published
from taskreason.report.render.latex import (
    MISSING,
    escape,
    format_interval,
    format_rate,
    format_steps,
    format_value,
    name_macro,
)
from taskreason.report.results import Cell, Results
from taskreason.report.tables.bound import SIDES, split_at_bound
from taskreason.rollouts.metrics import wilson_interval

GAINS = (
    ("grpo", "sft_grpo", "sft"),
    ("grpo_over_longer", "sft_grpo", "sft_longer"),
    ("sft", "sft", "base"),
)


def collect_macros(
    results: Results, published: Published, config: Mapping, root: Path
) -> dict[str, str]:
    """Macro name -> LaTeX text; `root` is results/SCALE, `config` the resolved configuration."""
    root, runs = Path(root), list_runs(config["seeds"])
    macros: dict[str, str] = {}
    for part in (
        make_setting_macros(config),
        _setting_macros(published),
        _cell_macros(results, published),
        _grid_macros(results, published),
        _gain_macros(results),
        _kitchen_macros(results, config),
        _bound_macros(results),
        make_trajectory_macros(results, root),
        make_training_macros(results, root, runs),
        make_provenance_macros(results, root, runs),
        _expert_macros(results),
        make_episode_macros(results, config["report"]["kitchen_task"]),
        make_verdicts(results, published).items(),
    ):
        macros |= dict(part)
    return macros


def write_macros(macros: Mapping[str, str], path: Path) -> None:
    r"""Write one \newcommand a line, sorted by name."""
    lines = [rf"\newcommand{{\{name}}}{{{text}}}" for name, text in sorted(macros.items())]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("\n".join(lines) + "\n")


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
            yield name_macro("single_turn", policy, task), _print_single_turn(cell, results)
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
    timeouts, bounds = list_timeouts(config), list_bounds(config)
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
        yield name_macro("timeout", task), format_value(timeouts.get(task))
        yield name_macro("bound", task), format_value(bounds.get(task))


def _bound_macros(results: Results) -> Iterator[tuple[str, str]]:
    """Failures of the trained policies in kitchens within and beyond the bound on the expert's trajectories."""
    parts = [split_at_bound(results, GRID_POLICY, task) for task in results.tasks]
    for side in SIDES:
        frames = [part[side] for part in parts]
        episodes = sum(len(frame) for frame in frames)
        failures = episodes - int(sum(frame["success"].sum() for frame in frames))
        yield f"Episodes{side.title()}Bound", format_value(episodes)
        yield f"Failures{side.title()}Bound", format_value(failures)


def _print_single_turn(cell: Cell | None, results: Results) -> str:
    """Share of unseen expert states with an optimal reply, and Wilson's interval for as many states."""
    rate = cell.single_turn_optimal_rate if cell else None
    if rate is None:
        return MISSING
    states = cell.single_turn_states
    low, high = wilson_interval(rate * states, states, results.confidence)
    return f"{format_rate(rate)} {format_interval(low, high)}"


def _expert_macros(results: Results) -> Iterator[tuple[str, str]]:
    cells = [results.cell("expert", task) for task in results.tasks]
    rates = [[read_rate(cell)] for cell in cells if cell]
    yield "ExpertSrMean", print_rate(average_rates(rates)) if rates else MISSING
