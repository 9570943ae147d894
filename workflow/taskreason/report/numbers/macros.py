r"""Every number that the paper quotes, as a LaTeX macro in results/macros.tex.

Input: `Results` and the published numbers; output: \newcommand lines. A macro's name is its quantity followed by policy
and task, in letters only: \SrSftGrpoBurger, \PubSrSftGrpoBurger. What a run does not have (no success, a task left out)
prints as two dashes, so that the paper still compiles. Verdicts (`verdicts.py`) are phrases computed from the data, so
that no sentence of the paper can be falsified by a rerun.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from taskreason.report.labels import GRID_POLICY, POLICIES, list_reported_tasks
from taskreason.report.numbers.episode import make_episode_macros
from taskreason.report.numbers.means import average_rates, print_rate
from taskreason.report.numbers.settings import make_setting_macros
from taskreason.report.numbers.training import make_provenance_macros, make_training_macros
from taskreason.report.numbers.verdicts import judge_results, judge_tables
from taskreason.report.published import Published, load_published
from taskreason.report.render import latex
from taskreason.report.results import Cell, Results
from taskreason.report.tables.expert import SIDES, split_at_bound
from taskreason.report.tables.main import make_baselines, make_comparison
from taskreason.rollouts.metrics import wilson_interval

Macros = Iterator[tuple[str, str]]
METRICS = {"sr": latex.format_rate, "asat": latex.format_steps, "asst": latex.format_steps}
GAINS = {"grpo": "sft", "grpo_over_longer": "sft_longer"}
"""Name of GRPO's gain -> the policy that it is over."""


def collect_macros(results: Results) -> dict[str, str]:
    """Macro name -> LaTeX text."""
    published = load_published(results.cfg.env)
    claims = judge_tables(make_comparison(results).csv, make_baselines(results).csv)
    macros: dict[str, str] = {}
    for part in (
        make_setting_macros(results.cfg),
        (
            (latex.name_macro("pub", "setting", k), latex.escape(v))
            for k, v in published.setting.items()
        ),
        _cell_macros(results, published),
        _gain_macros(results),
        _world_macros(results),
        _bound_macros(results),
        make_training_macros(results),
        make_provenance_macros(results),
        make_episode_macros(results),
        claims.items(),
        judge_results(results).items(),
    ):
        macros |= dict(part)
    return macros


def write_macros(macros: Mapping[str, str], path: Path) -> None:
    r"""Write one \newcommand a line, sorted by name."""
    lines = [rf"\newcommand{{\{name}}}{{{text}}}" for name, text in sorted(macros.items())]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("\n".join(lines) + "\n")


def _cell_macros(results: Results, published: Published) -> Macros:
    for policy in dict.fromkeys((*POLICIES, *results.policies)):
        for task in list_reported_tasks(results.cfg):
            cell, theirs = results.cell(policy, task), published.main_cell(task, policy)
            for key, form in METRICS.items():
                yield latex.name_macro(key, policy, task), form(cell and getattr(cell.metrics, key))
                yield latex.name_macro("pub", key, policy, task), form(getattr(theirs, key, None))
            yield latex.name_macro("single_turn", policy, task), _print_single_turn(cell, results)
    expert = (results.cell("expert", task).metrics.rate for task in results.tasks)
    yield "ExpertSrMean", print_rate(average_rates([rate] for rate in expert))


def _gain_macros(results: Results) -> Macros:
    for name, worse in GAINS.items():
        for task in list_reported_tasks(results.cfg):
            gain = [latex.MISSING] * 3
            if results.cell(worse, task):
                gain = map(latex.format_signed, results.gain(GRID_POLICY, worse, task))
            for suffix, text in zip(("", "low", "high"), gain, strict=True):
                yield latex.name_macro("gain", name, task, suffix), text


def _world_macros(results: Results) -> Macros:
    """Of the evaluation worlds: the mean shortest plan, and the share in which it is within the timeout."""
    cfg = results.cfg
    for task in list_reported_tasks(cfg):
        mean = reachable = latex.MISSING
        if task in results.worlds:
            optima = results.worlds[task]["optimal_steps"]
            mean = f"{optima.mean():.1f}"
            reachable = latex.format_rate(float((optima <= cfg.timeout_of(task)).mean()))
        yield latex.name_macro("optimal_mean", task), mean
        yield latex.name_macro("reachable", task), reachable
        yield latex.name_macro("timeout", task), latex.format_value(cfg.timeout_of(task))
        yield latex.name_macro("bound", task), latex.format_value(cfg.bound_of(task))


def _bound_macros(results: Results) -> Macros:
    """Failures of the trained policies in worlds within and beyond the bound on the expert's trajectories."""
    parts = [split_at_bound(results, GRID_POLICY, task) for task in results.tasks]
    for side in SIDES:
        frames = [part[side] for part in parts]
        episodes = sum(map(len, frames))
        failures = episodes - int(sum(frame["success"].sum() for frame in frames))
        yield f"Episodes{side.title()}Bound", latex.format_value(episodes)
        yield f"Failures{side.title()}Bound", latex.format_value(failures)


def _print_single_turn(cell: Cell | None, results: Results) -> str:
    """Share of unseen expert states with an optimal reply, and Wilson's interval for that number of states."""
    rate = cell.single_turn_optimal_rate if cell else None
    if rate is None:
        return latex.MISSING
    states = cell.single_turn_states
    interval = wilson_interval(rate * states, states, results.cfg.report.confidence)
    return f"{latex.format_rate(rate)} {latex.format_interval(*interval)}"
