"""Tables, figures, macros and the paper, from a made-up results folder."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from safetensors import safe_open

from synthetic_results import (
    BOUNDS,
    CONFIG,
    TASKS,
    TIMEOUTS,
    write_ablations,
    write_json,
    write_lines,
    write_results,
    write_theory,
)
from taskreason.config.load import resolve_config
from taskreason.durability.errors import UserError
from taskreason.environments.robotouille.drawing import Move, find_moves, name_objects
from taskreason.environments.robotouille.tasks import DATA
from taskreason.report import ablation_figures, ablation_tables, theory_figures
from taskreason.report.figures.results import FIGURES, FigureSources, make_figure
from taskreason.report.figures.style import save_figure
from taskreason.report.labels import list_policies
from taskreason.report.numbers.macros import collect_macros, write_macros
from taskreason.report.numbers.settings import describe_compared
from taskreason.report.numbers.theory import make_theory_macros
from taskreason.report.numbers.verdicts import count_tasks, make_verdicts
from taskreason.report.published import load_published
from taskreason.report.render.latex import escape, format_value, name_macro
from taskreason.report.results import load_results
from taskreason.report.tables.ablations import load_ablations, make_ablation_macros
from taskreason.report.tables.main import list_tables, make_table, write_tables
from taskreason.report.tables.theory import TABLES
from taskreason.report.theory_data import load_theory, read_grid
from taskreason.report.weights import count_parameters
from taskreason.rollouts.metrics import wilson_interval
from taskreason.studies.ablations import list_studies

PROJECT = Path(__file__).resolve().parents[2]
PAPER = PROJECT / "paper"
EVERYTHING = {"baselines": [], "theory": True, "ablations": True}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("work") / "results" / "laptop")


@pytest.fixture(scope="module")
def results(root):
    return load_results(root, TASKS, TIMEOUTS, bounds=BOUNDS)


@pytest.fixture(scope="module")
def published():
    return load_published(TIMEOUTS)


@pytest.fixture(scope="module")
def sources(root, published):
    return FigureSources(root, TASKS, TIMEOUTS, published, 0.95, "burger")


@pytest.fixture(scope="module")
def macros(results, published, root):
    return collect_macros(results, published, CONFIG, root)


def read_success(root: Path, policy: str, train_task: str, task: str) -> list[bool]:
    path = root / "episodes" / policy / train_task / f"{task}.jsonl"
    return [json.loads(line)["success"] for line in path.read_text().splitlines()]


def test_main_table_says_what_the_episodes_say(results, published, root):
    table = make_table("main", results, published)
    assert ",".join(table.csv.columns) == (
        "task,policy,model,seed,episodes,sr,sr_low,sr_high,asat,asst,minimal_rate,excess_steps,"
        "invalid_rate,malformed_rate,single_turn_optimal_rate"
    )
    assert len(table.csv) == len(TASKS) * 4
    row = table.csv[(table.csv.task == "burger") & (table.csv.policy == "sft_grpo")].iloc[0]
    won = read_success(root, "sft_grpo", "burger", "burger")
    assert row.sr == pytest.approx(sum(won) / len(won))
    assert (row.sr_low, row.sr_high) == pytest.approx(wilson_interval(sum(won), len(won)))
    low, high = wilson_interval(sum(won), len(won))
    assert f"{row.sr:.2f} {{\\scriptsize [{low:.2f}, {high:.2f}]}}" in table.tex
    base = table.csv[table.csv.policy == "base"]
    assert (base.sr == 0).all() and base.asst.isna().all()
    for name in TASKS:
        assert make_table(f"main_{name}", results, published).csv.equals(
            table.csv[table.csv.task == name].reset_index(drop=True)
        )


def test_written_csv_satisfies_the_asat_identity(results, published, tmp_path):
    write_tables(list_tables(TASKS), results, published, tmp_path)
    for name, task in (("main", "task"), ("generalization", "eval_task")):
        for row in pd.read_csv(tmp_path / f"{name}.csv").itertuples():
            asst = 0 if row.sr == 0 else row.asst
            expected = row.sr * asst + (1 - row.sr) * TIMEOUTS[getattr(row, task)]
            assert row.asat == pytest.approx(expected, abs=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{name}.{kind}" for name in list_tables(TASKS) for kind in ("csv", "tex")
    )


def test_grid_holds_every_pair_once(results, published):
    table = make_table("generalization", results, published).csv
    assert ",".join(table.columns) == (
        "train_task,eval_task,seed,episodes,sr,sr_low,sr_high,asat,asst"
    )
    assert len(table) == len(set(zip(table.train_task, table.eval_task, strict=True))) == 16


def test_comparison_sets_each_policy_beside_its_published_row(results, published):
    table = make_table("comparison", results, published)
    main = table.csv[table.csv.part == "main"]
    assert len(main) == 28 and len(table.csv) == 44
    row = main[(main.eval_task == "burger") & (main.policy == "sft_grpo")].iloc[0]
    assert row.published_model == "Qwen2.5-1.5B + SFT + GRPO"
    assert (row.published_sr, row.published_asat, row.published_asst) == (0.7, 10.1, 8.0)
    assert row.sr == results.cell("sft_grpo", "burger").metrics.sr
    assert main[main.published_model == "Qwen2.5-14B"].sr.isna().all()
    assert r"15.0\textsuperscript{a}" in table.tex
    assert table.tex.count(r"\textsuperscript{a}") == 1


def test_baselines_stand_beside_the_policies_with_paired_gains(tmp_path, published):
    rates = {"random": 0.0, "greedy": 1.0, "sft_longer": 0.0, "sft": 0.0, "sft_grpo": 1.0}
    policies = ("expert", "base", "sft", "sft_grpo", "random", "greedy", "sft_longer")
    root = write_results(tmp_path / "laptop", kitchens=8, rates=rates)
    results = load_results(root, TASKS, TIMEOUTS, policies, bounds=BOUNDS)
    table = make_table("baselines", results, published)
    assert table.csv.row.unique().tolist() == [
        *("random", "greedy", "base", "sft", "sft_longer", "sft_grpo", "expert"),
        "sft_grpo - sft",
        "sft_grpo - sft_longer",
    ]
    gains = table.csv.dropna(subset=["gain"])
    assert (gains.gain == 1).all() and (gains.gain_low > 0).all() and len(gains) == 8
    assert "Rule of thumb" in table.tex and "Longer SFT" in table.tex
    main = make_table("main", results, published)
    assert "Rule of thumb" not in main.tex and "greedy" not in set(main.csv.policy)


def test_models_that_stay_untrained_stand_beside_the_trained_one(tmp_path, published):
    """The large one solves burger alone, so that SFT+GRPO, which solves everything, is ahead on the other three."""
    rates = {"base:large": 0.0, "base:small": 0.0, "sft_grpo": 1.0}
    root = write_results(tmp_path / "laptop", kitchens=8, rates=rates)
    path = root / "episodes" / "base:large" / "-" / "burger.jsonl"
    rows = [json.loads(line) | {"success": True} for line in path.read_text().splitlines()]
    write_lines(path, rows)
    policies = ("expert", "base", "base:large", "base:small", "sft", "sft_grpo")
    results = load_results(root, TASKS, TIMEOUTS, policies, bounds=BOUNDS)
    gains = make_table("baselines", results, published).csv.set_index(["row", "task"]).gain
    assert (gains["sft_grpo - base:large"] == [1, 0, 1, 1]).all()
    assert (gains["sft_grpo - base:small"] == 1).all()
    verdicts = make_verdicts(results, published)
    assert verdicts["VerdictOverUntrained"] == "on 3 of the 4 tasks"
    assert verdicts["UntrainedBest"].startswith("Base, large, on burger: 1.00 [")


def test_the_text_names_the_models_that_are_compared_and_counts_their_weights():
    weights = DATA / "base_models" / "small" / "model.safetensors"
    with safe_open(weights, "np") as file:
        size = sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    folder = "workflow/taskreason/environments/robotouille/data/base_models/small"
    text = describe_compared(["Qwen/Qwen2.5-3B", "api:big", folder])
    printed = f"({size // 1000}\\,{size % 1000:03} parameters)"
    assert text.endswith(f" and Base, small {printed}") and text.count("parameters") == 1
    assert text.startswith("Base, ") and describe_compared([]) == ""
    policies = list_policies(resolve_config({"base": {"compare": ["api:org/big", folder]}}))
    assert "base:big" in policies and "base:small" in policies


def test_the_collection_table_accounts_for_every_kitchen(results, published):
    table = make_table("collection", results, published).csv
    rejected = table.filter(like="rejected_").sum(axis=1)
    assert (table["kitchens"] == table["accepted"] + rejected).all()
    low, high = wilson_interval(100, 112, 0.95)
    assert table.loc[0, ["low", "high"]].tolist() == pytest.approx([low, high])


def test_failures_are_counted_on_either_side_of_the_bound(root, results, published, macros):
    table = make_table("bound", results, published).csv.set_index(["policy", "task", "side"])
    total = {"within": 0, "beyond": 0}
    for policy in ("sft", "sft_grpo"):
        for task in TASKS:
            path = root / "episodes" / policy / task / f"{task}.jsonl"
            episodes = [json.loads(line) for line in path.read_text().splitlines()]
            for side, is_beyond in (("within", False), ("beyond", True)):
                part = [e for e in episodes if (e["optimal_steps"] > BOUNDS[task]) == is_beyond]
                failures = sum(not e["success"] for e in part)
                row = table.loc[policy, task, side]
                assert (row.kitchens, row.episodes, row.failures) == (
                    len(part),
                    len(part),
                    failures,
                )
                if part:
                    assert row.sr == pytest.approx(1 - failures / len(part))
                total[side] += failures * (policy == "sft_grpo")
    assert total["within"] and total["beyond"]
    shown = [macros[f"Failures{side}Bound"] for side in ("Within", "Beyond")]
    assert shown == [str(total["within"]), str(total["beyond"])]


def test_a_subset_of_tasks_makes_all_tables_figures_and_macros(tmp_path, published):
    tasks = ("burger", "cheese_burger")
    root = write_results(tmp_path / "laptop", kitchens=4, tasks=tasks)
    results = load_results(root, tasks, TIMEOUTS, bounds=BOUNDS)
    write_tables(list_tables(tasks), results, published, tmp_path / "tables")
    sources = FigureSources(root, tasks, TIMEOUTS, published, 0.95, "burger")
    for name in FIGURES:
        save_figure(make_figure(name, sources), tmp_path / f"{name}.pdf")
    config = CONFIG | {"tasks": list(tasks)}
    assert collect_macros(results, published, config, root)["SrSftDoubleCheeseBurger"] == "--"


def test_missing_and_doubled_kitchens_are_refused(tmp_path):
    root = write_results(tmp_path / "laptop", kitchens=4)
    path = root / "episodes" / "sft" / "burger" / "burger.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3]))
    with pytest.raises(UserError, match=r"sft/burger/burger\.jsonl: holds kitchen \w+ 0 times"):
        load_results(root, TASKS, TIMEOUTS, bounds=BOUNDS)
    path.write_text("".join([*lines, lines[0]]))
    with pytest.raises(UserError, match=r"holds kitchen \w+ 2 times"):
        load_results(root, TASKS, TIMEOUTS, bounds=BOUNDS)


def test_damaged_inputs_are_refused_by_name(tmp_path, published):
    root = write_results(tmp_path / "laptop", kitchens=4)
    counts = root / "single_turn" / "sft" / "burger" / "burger.json"
    write_json(counts, {"states": 4})
    with pytest.raises(UserError, match=r"single_turn/sft/burger/burger\.json: lacks the counts"):
        load_results(root, TASKS, TIMEOUTS, bounds=BOUNDS)
    log = root / "training" / "burger" / "grpo.csv"
    log.write_text("step,reward\n1,0.5\n")
    sources = FigureSources(root, TASKS, TIMEOUTS, published, 0.95, "burger")
    with pytest.raises(UserError, match=r"burger/grpo\.csv: lacks the column 'reward_std'"):
        make_figure("learning_grpo", sources)
    with pytest.raises(UserError, match="figure 'pie': does not exist; choose one of"):
        make_figure("pie", sources)


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_byte_identical_from_run_to_run(name, sources, tmp_path):
    for run in ("first", "second"):
        paths = [tmp_path / f"{run}.{kind}" for kind in ("pdf", "png")]
        save_figure(make_figure(name, sources), *paths)
    for kind in ("pdf", "png"):
        first = (tmp_path / f"first.{kind}").read_bytes()
        assert len(first) > 5000
        assert first == (tmp_path / f"second.{kind}").read_bytes()


def test_figures_survive_a_run_without_any_success(tmp_path, published):
    root = tmp_path / "laptop"
    write_results(root, kitchens=4, rates=dict.fromkeys(("expert", "base", "sft", "sft_grpo"), 0.0))
    sources = FigureSources(root, TASKS, TIMEOUTS, published, 0.95, "burger")
    for name in FIGURES:
        save_figure(make_figure(name, sources), tmp_path / f"{name}.pdf")
    results = load_results(root, TASKS, TIMEOUTS, bounds=BOUNDS)
    macros = collect_macros(results, published, CONFIG, root)
    assert macros["AsstSftGrpoBurger"] == "--"
    assert macros["VerdictOrdering"] == "on none of the 4 tasks"
    assert macros["KitchenOutcome"] == "does not reach the goal"


def test_objects_are_named_by_kind_after_a_stable_sort():
    objects = [
        {"name": "table", "x": 2, "y": 1},
        {"name": "stove", "x": 0, "y": 4},
        {"name": "table", "x": 0, "y": 3},
        {"name": "table", "x": 2, "y": 0},
    ]
    names = [name for name, _ in name_objects(objects)]
    assert names == ["table1", "stove1", "table2", "table3"]


def test_only_moves_that_start_at_the_robot_are_drawn():
    layout = {
        "stations": [{"name": "table", "x": x, "y": 0} for x in range(3)],
        "players": [{"name": "robot", "x": 0, "y": 1, "direction": [0, -1]}],
    }
    actions = [
        "Move robot1 from table2 to table3",
        "Move robot1 from table1 to table3",
        "Move robot1 from table3 to table9",
        "Do nothing",
        "Move robot1 from table3 to table1",
    ]
    assert find_moves(layout, actions) == [Move(2, "table1", "table3"), Move(5, "table3", "table1")]


def test_macro_names_are_letters_and_values_are_those_of_the_tables(macros, results):
    assert name_macro("sr", "base:qwen-3b", "burger") == "SrBaseQwenThreeBBurger"
    assert all(re.fullmatch("[A-Za-z]+", name) for name in macros)
    metrics = results.cell("sft_grpo", "burger").metrics
    assert macros["SrSftGrpoBurger"] == f"{metrics.sr:.2f}"
    assert macros["AsstBaseBurger"] == "--"
    assert macros["ConfGrpoBatch"] == "256"
    assert macros["PubAsatSftGrpoBurger"] == "10.1"
    assert macros["GrpoMinutesTotal"] == "26.7"
    assert macros["VerdictSftHelps"] == "on 4 of the 4 tasks"


def test_parameters_are_counted_from_the_weights_header(root, tmp_path):
    assert count_parameters(root / "models" / "base") == 808
    (tmp_path / "model.safetensors").write_bytes(b"short")
    with pytest.raises(UserError, match="is not a safetensors file"):
        count_parameters(tmp_path)


def test_values_print_as_latex():
    assert escape("a_b & 5%") == r"a\_b \& 5\%"
    assert format_value(0.0005) == r"\ensuremath{5 \times 10^{-4}}"
    assert format_value(1e-4) == r"\ensuremath{10^{-4}}"
    assert format_value(1234567) == r"1\,234\,567"
    assert [format_value(value) for value in (None, True, 0.0, 1.0)] == ["--", "yes", "0", "1"]
    assert count_tasks([True, False], 2) == "on 1 of the 2 tasks"
    assert count_tasks([], 0) == "on no task"
    assert [count_tasks([held], 1) for held in (True, False)] == [
        "on the one task",
        "not on the one task",
    ]


def test_the_paper_uses_only_macros_that_exist(macros):
    text = (PAPER / "main.tex").read_text()
    families = (
        "Sr|Asat|Asst|Conf|Pub|Grid|Gain|Optimal|Reachable|Timeout|Bound|Trajectories|Sft|Grpo|"
        "Version|Hardware|Base|Kitchen|Expert|Verdict|Best|Worst|Mean|Single|Number|Reward|Hyper|Episode"
    )
    used = set(re.findall(rf"\\((?:{families})[A-Za-z]*)", text))
    assert len(used) > 80
    assert used <= macros.keys(), sorted(used - macros.keys())


def test_no_light_stage_imports_torch():
    code = (
        "import sys, taskreason.report.figures.results, taskreason.report.numbers.macros, "
        "taskreason.report.tables.main, taskreason.report.page.build; sys.exit('torch' in sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "workflow")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def list_overfull(log: Path) -> list[float]:
    """Widths in pt by which lines of a LaTeX log stick out."""
    text = log.read_text(errors="replace")
    return [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", text)]


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="LaTeX is not installed")
def test_every_table_fits_its_place_in_two_columns(results, published, tmp_path):
    write_tables(list_tables(TASKS), results, published, tmp_path)
    wide = {
        "main": "small",
        "generalization": "small",
        "comparison": "scriptsize",
        "baselines": "small",
        "bound": "small",
        "collection": "small",
        "seeds": "small",
    }
    body = ""
    for name in list_tables(TASKS):
        place = "table*" if name in wide else "table"
        body += rf"\begin{{{place}}}\{wide.get(name, 'small')}\setlength{{\tabcolsep}}{{4pt}}"
        body += rf"\input{{{name}}}\end{{{place}}}"
    (tmp_path / "all.tex").write_text(
        r"\documentclass[twocolumn]{article}\usepackage{booktabs}\usepackage{lmodern}"
        r"\usepackage[letterpaper,margin=0.75in,columnsep=0.25in]{geometry}"
        rf"\begin{{document}}{body}\end{{document}}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert list_overfull(tmp_path / "all.log") == []


def draw_theory(root, out):
    """What the section on the theory reads."""
    grid = read_grid(out / "tables" / "generalization.csv")
    theory = load_theory(write_theory(root / "theory"), TASKS, 0.03, 0.95, grid)
    tables = {name: make(theory) for name, make in TABLES.items()}
    for name, table in tables.items():
        (out / "tables" / f"{name}.tex").write_text(table.tex)
    for name, draw in theory_figures.FIGURES.items():
        save_figure(draw(theory), out / "figures" / f"{name}.pdf")
    write_macros(make_theory_macros(tables), out / "theory.tex")


def draw_ablations(root, out, config):
    """What the section on the ablations reads."""
    studies = list_studies(config)
    folder = root / "ablation"
    own = write_ablations(folder, studies)
    ablations = load_ablations(folder, studies, own, TIMEOUTS["burger"], 0.95)
    for name, make in ablation_tables.TABLES.items():
        (out / "tables" / f"{name}.tex").write_text(make(ablations).tex)
    for name, draw in ablation_figures.FIGURES.items():
        figure = draw(ablations, {"trajectories": 100, "noise": 0.0, "reward": "expert"})
        save_figure(figure, out / "figures" / f"{name}.pdf")
    write_macros(make_ablation_macros(ablations, config["ablation"]), out / "ablations.tex")


@pytest.mark.skipif(not shutil.which("latexmk"), reason="LaTeX is not installed")
@pytest.mark.parametrize("published_scale", [False, True])
def test_the_paper_compiles_cleanly_in_another_folder(
    root, results, published, macros, sources, published_scale
):
    """Its text has two versions: of the laptop's model and expert, and of the published ones, here with the theory."""
    work = root.parents[1]
    out = work / "results"
    write_tables(list_tables(TASKS), results, published, out / "tables")
    (out / "figures").mkdir(exist_ok=True)
    if published_scale:
        config = resolve_config({"scale": "paper", "report": EVERYTHING})
        macros = collect_macros(results, published, config, root)
        draw_theory(root, out)
        draw_ablations(root, out, config)
    for name in FIGURES:
        save_figure(make_figure(name, sources), out / "figures" / f"{name}.pdf")
    write_macros(macros, out / "macros.tex")
    paper = os.path.relpath(PAPER, work)
    paths = {name: f"{paper}:" for name in ("TEXINPUTS", "BIBINPUTS", "BSTINPUTS")}
    command = ["latexmk", "-pdf", "-interaction=nonstopmode", "-halt-on-error"]
    command += ["-outdir=results/paper-build", f"{paper}/main.tex"]
    done = subprocess.run(command, cwd=work, env=os.environ | paths, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    log = out / "paper-build" / "main.log"
    assert "undefined" not in log.read_text(errors="replace").lower()
    assert max(list_overfull(log), default=0) <= 5
    first = (out / "paper-build" / "main.pdf").read_bytes()
    shutil.rmtree(out / "paper-build")
    subprocess.run(command, cwd=work, env=os.environ | paths, capture_output=True, check=True)
    assert (out / "paper-build" / "main.pdf").read_bytes() == first
