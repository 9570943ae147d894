"""Every table by its name: how it is made from results, how it is printed, and the two files that it becomes."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from taskreason.config.models import Config
from taskreason.durability.errors import UserError
from taskreason.environments.base import Environment
from taskreason.report.inputs import list_tables
from taskreason.report.render.tables import render_latex, write_csv
from taskreason.report.results import Results, load_results
from taskreason.report.tables import (
    expert,
    fixed_point,
    gains,
    kept,
    main,
    published,
    regimes,
    splits,
    states,
    studies,
    theory_specs,
)
from taskreason.report.tables.spec import Spec, Table

MAKERS: dict[str, Callable[[Results], Table]] = {
    "main": main.make_main,
    **{name: partial(main.make_grid, name=name) for name in main.SPECS if name.startswith("gen")},
    "comparison": main.make_comparison,
    "published_tests": published.make_published_tests,
    "baselines": main.make_baselines,
    "gains": gains.make_gains,
    "sharpening": gains.make_sharpening,
    "starts": splits.make_starts,
    "splits": splits.make_splits,
    "probes": expert.make_probes,
    "collection": expert.make_collection,
    "seeds": main.make_seeds,
    **{name: partial(kept.make_kept, name=name) for name in kept.SPECS},
}
"""The tables of every run; those of the studies are made from files of their own."""


def find_specs(name: str, env: Environment) -> Sequence[Spec]:
    """How a table is printed, in the words of an environment; most tables have one part."""
    parts = (main, gains, kept, published, studies, regimes, states, fixed_point)
    known = {name: spec for part in parts for name, spec in part.SPECS.items()}
    for part in (expert, splits, theory_specs):
        known = known | part.make_specs(env)
    return known[name]


def make_table(name: str, root: Path, cfg: Config) -> Table:
    """The table of that name, from what it needs of results/SCALE (``root``); UserError for an unknown one."""
    known = list_tables(cfg)
    if name not in known:
        raise UserError(
            f"table '{name}': is not one that this run makes; choose one of {', '.join(known)}"
        )
    maker = MAKERS["main" if name.startswith("main_") else name]
    return maker(load_results(root, cfg, "tables", name))


def write_table(table: Table, folder: Path, name: str) -> None:
    """Write NAME.csv and NAME.tex."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.csv").write_text(write_csv(table.csv))
    (folder / f"{name}.tex").write_text(render_latex(table))
