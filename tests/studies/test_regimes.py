"""The map of regimes: which trainings there are, equal replies of the control, and what made-up results come to."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from kitchens import ENV
from synthetic_results import make_config
from synthetic_studies import write_map
from taskreason.config.load import load_config, resolve_config
from taskreason.durability.errors import UserError
from taskreason.report.figures.regimes import REGIME_FIGURES
from taskreason.report.figures.style import save_figure
from taskreason.report.numbers.regimes import correlate_ranks, find_law, make_regime_macros
from taskreason.report.render.tables import render_latex
from taskreason.report.tables.regimes import make_regimes
from taskreason.rollouts.dataset import load_decisions
from taskreason.studies.regimes import Start, list_points, list_starts
from taskreason.training import sft
from taskreason.training.grpo import draw_prompts
from training_files import files_in, make_data

CFG = make_config(tasks=["burger"], regimes={"task": "burger"})


def test_the_whole_grid_has_one_seed_and_the_shorter_training():
    points = list_points(CFG).values()
    grid = {(p.noise, p.trajectories, p.epochs) for p in points}
    full = CFG.sft.epochs
    assert len(grid) == 4 * 3 * 3 and {epochs for *_, epochs in grid} == {0, 1, full}
    whole = [p for p in points if (p.seed, p.steps) == (0, 16)]
    assert {(p.noise, p.trajectories, p.epochs) for p in whole} == grid and len(whole) == len(grid)
    again = [p for p in points if p.seed]
    assert len(again) == 2 * 12 and {(p.epochs, p.steps) for p in again} == {(full, 16)}
    longer = [p for p in points if p.steps == 64]
    assert {(p.noise, p.epochs, p.seed) for p in longer} == {(q, full, 0) for q in (0, 0.3, 0.5)}
    assert len(longer) == 9 and len(points) == 36 + 24 + 9
    starts = list_starts(CFG)
    assert len(starts) == 24 + 24 and all(start.epochs for start in starts.values())


def test_a_points_changes_are_its_own_and_no_others():
    point = list_points(CFG)["noise=0.3.trajectories=30.sft=1.seed0.steps=16"]
    assert point.changes["expert"] == {
        "policy": "planner",
        "noise": 0.0,
        "thought_noise": 0.3,
        "trajectories": 30,
    }
    assert point.changes["sft"] == {"epochs": 1}
    assert point.changes["grpo"] == {"steps": 16, "epochs": 0, "eval_steps": 0}
    base = list_points(CFG)["noise=0.trajectories=10.sft=0.seed0.steps=16"]
    assert "sft" not in base.changes, "the control keeps its settings"
    assert base.start == Start(0.0, 10, 0, 0)


def test_shares_of_few_epochs_are_whole_epochs_once():
    single = replace(CFG, sft=replace(CFG.sft, epochs=1))
    assert {p.epochs for p in list_points(single).values()} == {0, 1}
    assert len(list_points(single)) == 24 + 24 + 9
    many = replace(CFG, sft=replace(CFG.sft, epochs=8))
    assert {p.epochs for p in list_points(many).values()} == {0, 4, 8}


def test_a_mistaken_map_is_refused_in_one_sentence():
    for changes, complaint in (
        ({"regimes": {"sft": [-1]}}, "regimes.sft is -1; set it to 0 or more"),
        ({"regimes": {"task": "soup"}}, "regimes.task names 'soup'"),
        ({"states": {"trajectories": 500}}, r"states.trajectories is 500, more than states.worlds"),
        ({"expert": {"policy": "wizard"}}, "expert.policy names 'wizard'"),
        ({"ablation": {"policies": ["wizard"]}}, "ablation.policies names 'wizard'"),
    ):
        with pytest.raises(UserError, match=complaint):
            resolve_config(changes)


# ------------------------------------------------------------- the control


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("control")
    make_data(folder, "cheese_sandwich", load_config({"scale": "smoke"}))
    return folder


@pytest.mark.parametrize("rehearsal", [0.0, 0.25])
def test_the_control_trains_on_as_many_replies_as_grpo_samples(made, monkeypatch, rehearsal):
    cfg = load_config({"scale": "smoke"})
    grpo = {"steps": 7, "prompts_per_step": 6, "group_size": 4, "rehearsal": rehearsal}
    cfg = replace(cfg, grpo=replace(cfg.grpo, **grpo), sft=replace(cfg.sft, rehearsal=rehearsal))
    trained = []
    monkeypatch.setattr(sft, "_fit", lambda rows, *_: trained.append(rows))
    files = files_in(made, made / "decisions.jsonl", ENV.data / "base_models" / "tiny")
    sft.train_sft_longer("cheese_sandwich", cfg, files)
    assert len(trained[0]) == 7 * 6 * 4, "steps times prompts times completions"
    twice = replace(cfg, grpo=replace(cfg.grpo, steps=14))
    sft.train_sft_longer("cheese_sandwich", twice, files)
    assert len(trained[1]) == 2 * len(trained[0])


def test_a_number_of_tokens_makes_as_many_replies_as_have_them(made, monkeypatch):
    cfg = load_config({"scale": "smoke"})
    trained = []
    monkeypatch.setattr(sft, "_fit", lambda rows, *_: trained.append(rows))
    files = files_in(made, made / "decisions.jsonl", ENV.data / "base_models" / "tiny")
    sft.train_sft_longer("cheese_sandwich", cfg, files, tokens=20_000)
    _, tokenizer = sft.setup.load_trainee(files.start, cfg)
    rows = sft.encode(trained[0], tokenizer)
    learnt = sum(label != -100 for row in rows for label in row["labels"])
    assert learnt == pytest.approx(20_000, rel=0.05)


def test_a_longer_training_begins_with_the_prompts_of_the_shorter_one(made):
    """So that 64 steps go on where 16 end: the same states, under the same names, in the same order."""
    decisions = load_decisions(made / "decisions.jsonl")
    short, long = (list(draw_prompts(decisions, [], n, CFG)) for n in (16 * 8, 64 * 8))
    assert long[: len(short)] == short


# -------------------------------------------------------------- the report


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return make_regimes(write_map(tmp_path_factory.mktemp("map"), CFG), CFG)


def test_a_cell_pools_its_seeds_and_its_gain_is_over_the_control(table):
    keys = ["thought_noise", "trajectories", "epochs", "steps"]
    rows = table.csv.set_index(keys)
    assert len(rows) == 36 + 9 and rows.index.is_unique
    one = rows.loc[(0.3, 30, 1, 16)]
    assert (one.seeds, one.episodes, one.start, one.sft_longer) == (1, 20, 0.2, 0.4)
    assert one.sft_grpo == 0.7 and one.gain == pytest.approx(0.3) and one.gain_low > 0
    assert one.spread == pytest.approx(0.4), "of the first five steps"
    three = rows.loc[(0.3, 30, CFG.sft.epochs, 16)]
    # Of 20 kitchens the seeds win 14, 13 and 12, and the controls 8.
    assert (three.seeds, three.episodes) == (3, 60)
    assert three.gain == pytest.approx((6 + 5 + 4) / 60)
    assert three.gain_low < three.gain < three.gain_high
    assert rows.loc[(0.3, 30, 0, 16)].start == 0, "the base model's"
    assert rows.loc[(0.0, 10, 0, 16)].gain == 0
    assert render_latex(table).count("\n0") >= 3


def test_the_law_is_told_from_the_grid_of_the_shorter_trainings(table):
    law = find_law(table.csv, CFG)
    part = table.csv[table.csv["steps"] == 16]
    assert law.cells == 36
    assert law.rank[0] == pytest.approx(spearmanr(part["spread"], part["gain"]).statistic)
    assert law.rank[1] > 0.8 and law.slope[0] == pytest.approx(1, abs=0.05)
    assert "its gain over SFT on as many replies rises with" in law.sentence
    assert " of the 36 cells and below in none of the 36." in law.sentence
    assert law.noise[0] == pytest.approx(spearmanr(part["thought_noise"], part["gain"]).statistic)
    assert "It rises with the chance of a wrong name" in law.sentence
    assert law.sentence.endswith("which was looked for after the map had been seen.")
    macros = make_regime_macros(table.csv, law, CFG)
    assert macros["RegimesCells"] == "45" and macros["RegimesTask"] == "burger"
    assert macros["RegimesLargest"] == r"\ensuremath{+0.50}"
    falling = find_law(table.csv.assign(spread=1 - table.csv["spread"]), CFG)
    assert "falls with" in falling.sentence
    alike = find_law(table.csv.assign(spread=0.5), CFG)
    assert alike.rank is None and "can't be set against" in alike.sentence


def test_an_interval_of_ranks_covers_no_relation_where_there_is_none():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 40))
    value, low, high = correlate_ranks(x, y, 0.95)
    assert low < value < high and low < 0 < high
    assert correlate_ranks(x, x, 0.95)[0] == pytest.approx(1)


@pytest.mark.parametrize("name", REGIME_FIGURES)
def test_figures_are_drawn_and_the_same_again(table, tmp_path, name):
    for run in "ab":
        save_figure(REGIME_FIGURES[name](table.csv), tmp_path / f"{run}.png")
    first, second = ((tmp_path / f"{run}.png").read_bytes() for run in "ab")
    assert len(first) > 5000 and first == second


def test_a_panel_of_the_map_shows_the_gain_where_it_belongs(table):
    figure = REGIME_FIGURES["regimes_map"](table.csv)
    panels = {axis.get_title(): axis for axis in figure.axes if axis.get_title()}
    axis = panels["SFT of 1 epoch, 16 steps"]
    down = [label.get_text() for label in axis.get_yticklabels()]
    right = [label.get_text() for label in axis.get_xticklabels()]
    texts = {text.get_position(): text.get_text() for text in axis.texts}
    assert (down, right) == (["0.0", "0.1", "0.3", "0.5"], ["10", "30", "100"])
    assert texts[(1.5, 2.5)] == "+0.30*" and texts[(1.5, 0.5)] == "+0.00"
    assert "SFT of 1 epoch, 64 steps" not in panels, "not trained"
    apart = panels[f"SFT of {CFG.sft.epochs} epochs, 64 steps"]
    shown = {text.get_position(): text.get_text() for text in apart.texts}
    assert shown.get((1.5, 1.5), "") == "" and shown[(1.5, 2.5)] == "+0.30*"
