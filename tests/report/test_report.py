"""Tables, figures, macros and the paper, from a made-up results folder."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from safetensors import safe_open

from synthetic_results import (
    CONFIG,
    TASKS,
    TIMEOUTS,
    make_config,
    write_ablations,
    write_fixed_point,
    write_json,
    write_lines,
    write_results,
    write_theory,
)
from synthetic_studies import write_map, write_states
from taskreason.config.load import resolve_config
from taskreason.durability.errors import UserError
from taskreason.report.figures.fixed_point import draw_fixed_point
from taskreason.report.figures.regimes import REGIME_FIGURES, draw_states
from taskreason.report.figures.results import make_figure
from taskreason.report.figures.studies import ABLATION_FIGURES, THEORY_FIGURES
from taskreason.report.figures.style import save_figure
from taskreason.report.inputs import NEEDS, list_inputs, list_tables
from taskreason.report.labels import list_policies
from taskreason.report.numbers.macros import collect_macros, write_macros
from taskreason.report.numbers.regimes import find_law, make_regime_macros
from taskreason.report.numbers.settings import describe_compared
from taskreason.report.numbers.states import make_state_macros
from taskreason.report.numbers.studies import make_ablation_macros
from taskreason.report.numbers.theory import make_theory_macros
from taskreason.report.numbers.verdicts import count_tasks, judge_tables
from taskreason.report.render.latex import escape, format_value, name_macro
from taskreason.report.render.tables import render_latex
from taskreason.report.results import load_results
from taskreason.report.tables.fixed_point import load_fixed
from taskreason.report.tables.fixed_point import make_table as make_fixed_table
from taskreason.report.tables.gains import make_gains
from taskreason.report.tables.main import make_baselines, make_comparison, make_main
from taskreason.report.tables.regimes import make_regimes
from taskreason.report.tables.registry import make_table, write_table
from taskreason.report.tables.states import make_states
from taskreason.report.tables.studies import (
    load_ablations,
    make_experts,
    make_points,
    make_turns,
)
from taskreason.report.tables.theory import load_theory, make_tables
from taskreason.report.trainings import count_parameters
from taskreason.rollouts.metrics import wilson_interval
from taskreason.studies.ablations import list_experts, list_studies

PROJECT = Path(__file__).resolve().parents[2]
PAPER = PROJECT / "paper"
EVERYTHING = dict.fromkeys(("theory", "ablations", "regimes", "states"), True)
FIGURES = NEEDS["figures"]
BOUNDS = {task: CONFIG.bound_of(task) for task in TASKS}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("work") / "results" / "laptop")


@pytest.fixture(scope="module")
def results(root):
    return load_results(root, CONFIG)


@pytest.fixture(scope="module")
def macros(results):
    return collect_macros(results)


def write_tables(root: Path, cfg, folder: Path) -> None:
    for name in list_tables(cfg):
        write_table(make_table(name, root, cfg), folder, name)


def read_success(root: Path, policy: str, train_task: str, task: str) -> list[bool]:
    path = root / "episodes" / policy / train_task / f"{task}.jsonl"
    return [json.loads(line)["success"] for line in path.read_text().splitlines()]


def test_main_table_says_what_the_episodes_say(root):
    table = make_table("main", root, CONFIG)
    assert ",".join(table.csv.columns) == (
        "task,policy,model,seed,episodes,sr,sr_low,sr_high,asat,asst,minimal_rate,excess_steps,"
        "invalid_rate,malformed_rate,single_turn_optimal_rate,cut_rate,"
        "temperature,sampled_sr,sampled_sr_low,sampled_sr_high"
    )
    assert len(table.csv) == len(TASKS) * 4
    row = table.csv[(table.csv.task == "burger") & (table.csv.policy == "sft_grpo")].iloc[0]
    won = read_success(root, "sft_grpo", "burger", "burger")
    assert row.sr == pytest.approx(sum(won) / len(won))
    assert (row.sr_low, row.sr_high) == pytest.approx(wilson_interval(sum(won), len(won)))
    low, high = wilson_interval(sum(won), len(won))
    assert f"{row.sr:.2f} {{\\scriptsize [{low:.2f}, {high:.2f}]}}" in render_latex(table)
    base = table.csv[table.csv.policy == "base"]
    assert (base.sr == 0).all() and base.asst.isna().all()
    for name in TASKS:
        assert make_table(f"main_{name}", root, CONFIG).csv.equals(
            table.csv[table.csv.task == name].reset_index(drop=True)
        )
    drawn = root / "episodes_sampled" / "sft_grpo" / "burger" / "T1" / "burger.jsonl"
    won = [json.loads(line)["success"] for line in drawn.read_text().splitlines()]
    assert row.sampled_sr == pytest.approx(sum(won) / len(won)) and row.temperature == 1
    assert (row.sampled_sr_low, row.sampled_sr_high) == pytest.approx(
        wilson_interval(sum(won), len(won))
    )
    assert table.csv[table.csv.policy == "expert"].sampled_sr.isna().all()


def test_without_sampling_the_tables_have_greedy_episodes_alone(tmp_path):
    root = write_results(tmp_path / "laptop", kitchens=4)
    shutil.rmtree(root / "episodes_sampled")
    cfg = make_config(rollout={"temperature": 0, "sharpened": []})
    write_tables(root, cfg, tmp_path / "tables")
    main = (tmp_path / "tables" / "main.tex").read_text()
    assert "sampled" not in main and "greedy" in main
    sharpening = pd.read_csv(tmp_path / "tables" / "sharpening.csv")
    assert set(zip(sharpening.kind, sharpening.temperature, strict=True)) == {("sr", 0)}
    macros = collect_macros(load_results(root, cfg))
    assert macros["SampledSrSftBurger"] == macros["GainGrpoSampledBurger"] == "--"
    assert macros["VerdictGrpoSampledHelps"] == "on no task"


def test_written_csv_satisfies_the_asat_identity(root, tmp_path):
    write_tables(root, CONFIG, tmp_path)
    for name, task in (("main", "task"), ("generalization", "eval_task")):
        for row in pd.read_csv(tmp_path / f"{name}.csv").itertuples():
            asst = 0 if row.sr == 0 else row.asst
            expected = row.sr * asst + (1 - row.sr) * TIMEOUTS[getattr(row, task)]
            assert row.asat == pytest.approx(expected, abs=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{name}.{kind}" for name in list_tables(CONFIG) for kind in ("csv", "tex")
    )


def test_grid_holds_every_pair_once(root):
    table = make_table("generalization", root, CONFIG).csv
    assert ",".join(table.columns) == (
        "train_task,eval_task,seed,episodes,sr,sr_low,sr_high,asat,asst"
    )
    assert len(table) == len(set(zip(table.train_task, table.eval_task, strict=True))) == 16


@pytest.mark.parametrize("kind", ["tables", "figures"])
def test_tables_and_figures_are_made_from_the_files_that_they_name_and_no_others(
    root, tmp_path, kind
):
    cfg = make_config(report={"baselines": ["random"]})
    names = list_tables(cfg) if kind == "tables" else FIGURES
    for name in names:
        own = tmp_path / name
        for file in map(Path, list_inputs(kind, name, cfg, root)):
            if file.is_relative_to(root) and "random" not in file.parts:
                copy = own / file.relative_to(root)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(file.read_bytes())
        shutil.copytree(root / "episodes" / "base", own / "episodes" / "random")
        if kind == "tables":
            assert len(make_table(name, own, cfg).csv), name
        else:
            make_figure(name, own, cfg)
    grid = list_inputs("tables", "generalization", cfg, Path("r"))
    assert len(grid) == 4 + 16 and not [file for file in grid if "base" in file]
    inputs = list_inputs("tables", "main_burger", make_config(seeds=[0, 7]), Path("r"))
    assert inputs[-6:-5] == ["r/single_turn/sft_grpo/burger.seed7/burger.json"]
    assert inputs[-4:] == [
        f"r/episodes_sampled/{policy}/burger{run}/T1/burger.jsonl"
        for policy in ("sft", "sft_grpo")
        for run in ("", ".seed7")
    ]


def test_comparison_has_each_policy_with_its_published_row(root, results):
    table = make_table("comparison", root, CONFIG)
    main = table.csv[table.csv.part == "main"]
    assert len(main) == 28 and len(table.csv) == 44
    row = main[(main.eval_task == "burger") & (main.policy == "sft_grpo")].iloc[0]
    assert row.published_model == "Qwen2.5-1.5B + SFT + GRPO"
    assert (row.published_sr, row.published_asat, row.published_asst) == (0.7, 10.1, 8.0)
    assert row.sr == results.cell("sft_grpo", "burger").metrics.sr
    assert main[main.published_model == "Qwen2.5-14B"].sr.isna().all()
    assert r"15.0\textsuperscript{a}" in render_latex(table)
    assert render_latex(table).count(r"\textsuperscript{a}") == 1


def test_baselines_are_listed_with_the_policies_and_gains_are_paired(tmp_path):
    rates = {"random": 0.0, "greedy": 1.0, "sft_longer": 0.0, "sft": 0.0, "sft_grpo": 1.0}
    cfg = make_config(report={"baselines": ["random", "greedy", "sft_longer", "grpo"]})
    rates["grpo"] = 0.0
    root = write_results(tmp_path / "laptop", kitchens=8, rates=rates)
    results = load_results(root, cfg)
    table = make_baselines(results)
    assert table.csv.policy.unique().tolist() == [
        *("random", "greedy", "base", "grpo", "sft", "sft_longer", "sft_grpo", "expert"),
    ]
    gains = make_gains(results)
    pairs = list(zip(gains.csv.policy, gains.csv.over, strict=True))
    controls = ("sft", "sft_longer", "grpo", "greedy", "base")
    assert pairs == 4 * [("sft", "base"), *(("sft_grpo", over) for over in controls)]
    won = gains.csv[gains.csv.policy.eq("sft_grpo") & gains.csv.over.ne("greedy")]
    assert (won.gain == 1).all() and (won.gain_low > 0).all() and len(won) == 16
    assert (won.won == 8).all() and (won.lost == 0).all()
    assert won.p.tolist() == pytest.approx([2 * 0.5**8] * 16)
    others = gains.csv[gains.csv.over == "greedy"]
    assert (others.gain == 0).all() and others.sampled_gain.isna().all()
    assert "Rule of thumb" in render_latex(table) and "Longer SFT" in render_latex(table)
    main = make_main(results)
    assert main.csv.policy.tolist()[:6] == [
        *("expert", "base", "grpo", "sft", "sft_longer", "sft_grpo")
    ]
    assert "Rule of thumb" not in render_latex(main) and "greedy" not in set(main.csv.policy)


def test_models_that_stay_untrained_are_compared_with_the_trained_one(tmp_path):
    """One of them solves burger alone, so that SFT+GRPO, which solves everything, is ahead on the other three."""
    rates = {"base:tiny": 0.0, "base:small": 0.0, "sft_grpo": 1.0}
    root = write_results(tmp_path / "laptop", kitchens=8, rates=rates)
    path = root / "episodes" / "base:tiny" / "-" / "burger.jsonl"
    rows = [json.loads(line) | {"success": True} for line in path.read_text().splitlines()]
    write_lines(path, rows)
    compare = ["bundled:base_models/tiny", "bundled:base_models/small"]
    results = load_results(root, make_config(base={"compare": compare}))
    tables = [make(results).csv for make in (make_comparison, make_baselines, make_gains)]
    gains = tables[2].set_index(["policy", "over", "task"]).gain["sft_grpo"]
    assert (gains["base:tiny"] == [1, 0, 1, 1]).all()
    assert (gains.loc[["base", "base:small"]] == 1).all()
    verdicts = judge_tables(*tables)
    assert verdicts["VerdictOverUntrained"] == "on 3 of the 4 tasks"
    assert verdicts["UntrainedBest"].startswith("Base, tiny, on burger: 1.00 [")


def test_the_text_names_the_models_that_are_compared_and_counts_their_weights():
    weights = CONFIG.env.data / "base_models" / "small" / "model.safetensors"
    with safe_open(weights, "np") as file:
        size = sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    names = ["Qwen/Qwen2.5-3B", "api:big", "bundled:base_models/small"]
    cfg = make_config(base={"compare": names})
    text = describe_compared(cfg)
    printed = f"({size // 1000}\\,{size % 1000:03} parameters)"
    assert text.endswith(f" and Base, small {printed}") and text.count("parameters") == 1
    assert text.startswith("Base, ") and describe_compared(CONFIG) == ""
    assert "base:big" in list_policies(cfg) and "base:small" in list_policies(cfg)


def test_the_collection_table_accounts_for_every_world(root):
    table = make_table("collection", root, CONFIG).csv
    rejected = table.filter(like="rejected_").sum(axis=1)
    assert (table["kitchens"] == table["accepted"] + rejected).all()
    low, high = wilson_interval(100, 112, 0.95)
    assert table.loc[0, ["low", "high"]].tolist() == pytest.approx([low, high])


def test_failures_are_counted_on_either_side_of_the_bound(root, macros):
    table = make_table("starts", root, CONFIG).csv.set_index(["policy", "task", "part"])
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


def test_a_subset_of_tasks_makes_all_tables_figures_and_macros(tmp_path):
    tasks = ("burger", "cheese_burger")
    root = write_results(tmp_path / "laptop", kitchens=4, tasks=tasks)
    cfg = make_config(tasks=list(tasks))
    write_tables(root, cfg, tmp_path / "tables")
    for name in FIGURES:
        save_figure(make_figure(name, root, cfg), tmp_path / f"{name}.pdf")
    macros = collect_macros(load_results(root, cfg))
    assert macros["SrSftDoubleCheeseBurger"] == "--"


class Bare:
    """The environment without anything that is optional: no published numbers, labels, comparison or drawing."""

    worlds, data, probe_labels, rule_policies, splits = "worlds", None, {}, {}, {}

    def __init__(self, env):
        self.tasks, self.default_tasks, self.load = env.tasks, env.default_tasks, env.load

    def compare_tasks(self, trained, wanted):
        return {}

    def draw_figure(self, world, actions):
        return None


def test_an_environment_without_published_numbers_makes_all_tables_and_figures(
    root, tmp_path, monkeypatch
):
    monkeypatch.setattr(type(CONFIG), "env", Bare(CONFIG.env))
    write_tables(root, CONFIG, tmp_path)
    for name in FIGURES:
        save_figure(make_figure(name, root, CONFIG), tmp_path / f"{name}.pdf")
    table = pd.read_csv(tmp_path / "comparison.csv")
    assert len(table) == 16 + 16 and table["published_sr"].isna().all()
    assert "ublished" not in (tmp_path / "comparison.tex").read_text()
    assert "Worlds" in (tmp_path / "starts.tex").read_text()


def test_missing_and_doubled_worlds_are_refused(tmp_path):
    root = write_results(tmp_path / "laptop", kitchens=4)
    path = root / "episodes" / "sft" / "burger" / "burger.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3]))
    with pytest.raises(UserError, match=r"sft/burger/burger\.jsonl: holds world \w+ 0 times"):
        load_results(root, CONFIG)
    path.write_text("".join([*lines, lines[0]]))
    with pytest.raises(UserError, match=r"holds world \w+ 2 times"):
        load_results(root, CONFIG)


def test_damaged_inputs_are_refused_by_name(tmp_path):
    root = write_results(tmp_path / "laptop", kitchens=4)
    counts = root / "single_turn" / "sft" / "burger" / "burger.json"
    write_json(counts, {"states": 4})
    with pytest.raises(UserError, match=r"single_turn/sft/burger/burger\.json: lacks the counts"):
        load_results(root, CONFIG)
    log = root / "training" / "burger" / "grpo.csv"
    log.write_text("step,reward\n1,0.5\n")
    with pytest.raises(UserError, match=r"burger/grpo\.csv: lacks the column 'reward_std'"):
        make_figure("learning_grpo", root, CONFIG)
    with pytest.raises(UserError, match="figure 'pie': does not exist; choose one of"):
        make_figure("pie", root, CONFIG)


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_byte_identical_from_run_to_run(name, root, tmp_path):
    for run in ("first", "second"):
        paths = [tmp_path / f"{run}.{kind}" for kind in ("pdf", "png")]
        save_figure(make_figure(name, root, CONFIG), *paths)
    for kind in ("pdf", "png"):
        first = (tmp_path / f"first.{kind}").read_bytes()
        assert len(first) > 5000
        assert first == (tmp_path / f"second.{kind}").read_bytes()


def test_figures_and_tables_survive_a_run_without_any_success(tmp_path):
    root = tmp_path / "laptop"
    write_results(root, kitchens=4, rates=dict.fromkeys(("expert", "base", "sft", "sft_grpo"), 0.0))
    for name in FIGURES:
        save_figure(make_figure(name, root, CONFIG), tmp_path / f"{name}.pdf")
    steps = render_latex(make_table("generalization_asst", root, CONFIG))
    assert steps.count("--") == len(TASKS) ** 2
    macros = collect_macros(load_results(root, CONFIG))
    assert macros["AsstSftGrpoBurger"] == "--"
    assert macros["VerdictOrdering"] == "on none of the 4 tasks (reversed on none, open on 4)"
    assert macros["KitchenOutcome"] == "does not reach the goal"


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
    assert count_tasks([True, False]) == "on 1 of the 2 tasks"
    assert count_tasks([]) == "on no task"
    assert [count_tasks([held]) for held in (True, False)] == [
        "on the one task",
        "on no task",
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
        "taskreason.report.tables.registry, taskreason.report.page.build, taskreason.report.cards.write; "
        "sys.exit('torch' in sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "workflow")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def list_overfull(log: Path) -> list[float]:
    """Widths in pt by which lines of a LaTeX log stick out."""
    text = log.read_text(errors="replace")
    return [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", text)]


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="LaTeX is not installed")
def test_every_table_fits_its_place_in_two_columns(root, tmp_path):
    write_tables(root, CONFIG, tmp_path)
    body = ""
    for name in list_tables(CONFIG):
        place = "table" if name == "probes" else "table*"
        size = "scriptsize" if name in ("main", "gains", "comparison") else "small"
        body += rf"\begin{{{place}}}\{size}\setlength{{\tabcolsep}}{{4pt}}"
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
    grid = out / "tables" / "generalization.csv"
    theory = load_theory(write_theory(root / "theory"), grid, CONFIG)
    tables = make_tables(theory)
    for name, table in tables.items():
        write_table(table, out / "tables", name)
    for name, draw in THEORY_FIGURES.items():
        save_figure(draw(theory), out / "figures" / f"{name}.pdf")
    (root / "fixed").mkdir()
    fixed = load_fixed(*write_fixed_point(root / "fixed"), 8, 0.95)
    tables["theory_fixed_point"] = make_fixed_table(fixed)
    write_table(tables["theory_fixed_point"], out / "tables", "theory_fixed_point")
    save_figure(draw_fixed_point(fixed), out / "figures" / "theory_fixed_point.pdf")
    rows = {name: table.csv for name, table in tables.items()}
    write_macros(make_theory_macros(rows), out / "theory.tex")


def draw_ablations(root, out):
    """What the section on the ablations reads."""
    cfg = make_config(ablation={"task": "burger"})
    config, folder = resolve_config({"scale": "laptop"}), root / "ablation"
    studies = list_studies(config)
    own = write_ablations(folder, studies)
    ablations = load_ablations(folder, studies, list_experts(config), own, cfg)
    tables = [make(ablations) for make in (make_points, make_experts, make_turns)]
    for name, table in zip(("points", "experts", "turns"), tables, strict=True):
        write_table(table, out / "tables", f"ablation_{name}")
    for name, draw in ABLATION_FIGURES.items():
        save_figure(draw(ablations), out / "figures" / f"{name}.pdf")
    write_macros(make_ablation_macros(*tables, cfg), out / "ablations.tex")


def draw_map_and_states(root, out):
    """What the sections on where GRPO gains and on whose states read."""
    cfg = make_config(regimes={"task": "burger"}, states={"task": "burger"})
    table = make_regimes(write_map(root / "regimes", cfg), cfg)
    write_table(table, out / "tables", "regimes")
    for name, draw in REGIME_FIGURES.items():
        save_figure(draw(table.csv), out / "figures" / f"{name}.pdf")
    write_macros(make_regime_macros(table.csv, find_law(table.csv, cfg), cfg), out / "regimes.tex")
    table = make_states(write_states(root / "states", cfg), cfg)
    write_table(table, out / "tables", "states")
    save_figure(draw_states(table.csv), out / "figures" / "states.pdf")
    write_macros(make_state_macros(table.csv, cfg), out / "states.tex")


@pytest.mark.skipif(not shutil.which("latexmk"), reason="LaTeX is not installed")
@pytest.mark.parametrize("published_scale", [False, True])
def test_the_paper_compiles_cleanly_in_another_folder(root, results, macros, published_scale):
    """Its text has two versions: of the laptop's model and expert, and of the published ones, here with all studies."""
    work = root.parents[1]
    out = work / "results"
    write_tables(root, CONFIG, out / "tables")
    (out / "figures").mkdir(exist_ok=True)
    if published_scale:
        cfg = make_config(scale="paper", base={}, report=EVERYTHING)
        macros = collect_macros(replace(results, cfg=cfg))
        draw_theory(root, out)
        draw_ablations(root, out)
        draw_map_and_states(root, out)
    for name in FIGURES:
        save_figure(make_figure(name, root, CONFIG), out / "figures" / f"{name}.pdf")
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


def test_losses_lie_within_their_axis(root):
    axis = make_figure("learning_sft", root, CONFIG).axes[0]
    low, high = axis.get_ylim()
    losses = [value for line in axis.get_lines() for value in line.get_ydata()]
    assert axis.get_yscale() == "log"
    assert losses and 0 < low <= min(losses) and max(losses) <= high < 20 * max(losses)
