"""Ablations: which trainings there are, and what their tables and figures make of made-up results."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from synthetic_results import make_config, write_ablations, write_course
from taskreason.config.load import load_config, resolve_config
from taskreason.report.figures.studies import ABLATION_FIGURES
from taskreason.report.figures.style import save_figure
from taskreason.report.numbers.studies import (
    judge_experts,
    judge_turns,
    make_ablation_macros,
)
from taskreason.report.tables.studies import (
    label_expert,
    load_ablations,
    make_experts,
    make_points,
    make_turns,
    read_course,
)
from taskreason.rollouts.dataset import make_worlds
from taskreason.studies.ablations import PLAIN, list_experts, list_starts, list_studies

PAPER = Path(__file__).resolve().parents[2] / "paper"
CONFIG = resolve_config({"scale": "laptop"})
STUDIES, EXPERTS = list_studies(CONFIG), list_experts(CONFIG)
CFG = make_config(ablation={"task": "burger"})


@pytest.fixture(scope="module")
def ablations(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablation")
    own = write_ablations(folder, STUDIES)
    return load_ablations(folder, STUDIES, EXPERTS, own, CFG)


def test_the_trainings_are_those_that_the_configuration_asks_for():
    starts = list_starts(CONFIG)
    assert starts["trajectories=300"] == {"trajectories": 300}
    slips = {"policy": "planner", "noise": 0.4, "thought_noise": 0.0, "attempts": 20}
    assert starts["noise=0.4"] == slips
    assert starts["thoughts=none"] == {"thoughts": "none"} and len(starts) == 3 + 9 + 2
    assert "trajectories=100" not in list_starts(CONFIG) and len(STUDIES) == 3 + 9 + 2 + 2 + 6
    assert STUDIES["reward=optimal"].start == PLAIN
    multi = STUDIES["turns=multi.seed2"]
    assert (multi.start, multi.seed, multi.grpo["turns"]) == ("trajectories=10", 2, "multi")
    assert (
        multi.tokens == STUDIES["turns=single.seed0"].tokens == CONFIG["ablation"]["turns_tokens"]
    )
    assert STUDIES["reward=optimal"].tokens == 0, "the steps of the reproduction"
    assert multi.grpo["rehearsal"] == STUDIES["turns=single.seed2"].grpo["rehearsal"] == 0
    # The reproduction's own number of trajectories: nothing of its own to train.
    own = CONFIG["ablation"] | {"trajectories": [100], "turns_trajectories": 100}
    same = CONFIG | {"ablation": own}
    assert list_studies(same)["turns=multi.seed0"].start == PLAIN
    assert not [name for name in list_starts(same) if name.startswith("trajectories")]


def test_each_expert_errs_in_one_way_whatever_the_configured_one_does():
    noisy = CONFIG | {"expert": CONFIG["expert"] | {"thought_noise": 0.3, "noise": 0.2}}
    experts = list_experts(noisy)
    assert list(experts) == [
        *("perfect", "names=0.1", "names=0.3", "names=0.5", "missing=0.3", "foreign=0.3"),
        *("noise=0.2", "noise=0.4", "policy=greedy"),
    ]
    for name, changes in experts.items():
        made = CONFIG["expert"] | changes
        errors = [made["thought_noise"] > 0, made["noise"] > 0, made["policy"] != "planner"]
        assert sum(errors) == (name != "perfect"), name
    assert experts["foreign=0.3"]["thought_fault"] == "foreign"


def test_the_reproductions_training_worlds_come_first(tmp_path):
    """And none of the others is one in which policies are judged."""
    cfg = load_config({"scale": "smoke", "worlds": {"training": 6}})
    files = {name: tmp_path / f"{name}.jsonl" for name in ("train", "validation", "eval", "more")}
    make_worlds("burger", "train", cfg, files["train"])
    make_worlds("burger", "validation", cfg, files["validation"], [files["train"]])
    judged = [files["validation"], files["eval"]]
    # The seed of the evaluation is the next that the training would use.
    near = replace(cfg, worlds=replace(cfg.worlds, eval_seed=cfg.worlds.train_seed + 6))
    make_worlds("burger", "eval", near, files["eval"], [files["train"], files["validation"]])
    more = replace(cfg, worlds=replace(cfg.worlds, training=12))
    make_worlds("burger", "train", more, files["more"], judged)
    lines = {name: path.read_text().splitlines() for name, path in files.items()}
    assert len(lines["more"]) == 12 and lines["more"][:6] == lines["train"]
    hashes = {
        name: {json.loads(line)["layout_hash"] for line in part} for name, part in lines.items()
    }
    assert not hashes["more"] & (hashes["eval"] | hashes["validation"])


def test_a_gain_is_that_over_the_policy_that_it_started_from(ablations):
    table = make_points(ablations).csv.set_index("study")
    assert not set(table.index) & set(EXPERTS)
    assert table.index[0] == PLAIN and not [name for name in table.index if "turns" in name]
    assert table.loc[PLAIN, ["sft", "sft_grpo"]].tolist() == [0.9, 0.95]
    assert table.loc["trajectories=10", ["sft", "sft_grpo"]].tolist() == [0.5, 0.7]
    assert table.loc["trajectories=10", "gain"] == pytest.approx(0.2)
    assert table.loc["reward=optimal", "sft"] == 0.9
    assert (table.gain_low <= table.gain).all() and (table.gain <= table.gain_high).all()


def test_with_each_expert_grpo_is_held_against_longer_sft(ablations):
    table = make_experts(ablations).csv.set_index("expert")
    assert list(table.index) == list(EXPERTS)
    names, slips = table.loc["names=0.3"], table.loc["noise=0.4"]
    assert (names.sft, names.sft_longer, names.sft_grpo) == (0.5, 0.55, 0.7)
    assert names.gain == pytest.approx(0.2) and names.gain_longer == pytest.approx(0.15)
    assert slips.gain_longer == pytest.approx(-0.3) and slips.gain_longer_high < 0
    assert (names.suboptimal, slips.suboptimal) == (0, 0.2)
    told = judge_experts(table.reset_index())
    assert told.startswith("Of 9 experts") and told.endswith("these: slips, 0.2; slips, 0.4")
    assert label_expert("policy=greedy") == "rule of thumb"


def test_single_decisions_and_episodes_are_compared_seed_by_seed(ablations):
    table = make_turns(ablations).csv.set_index(["turns", "seed"])
    assert table.loc[("single", "1"), "sft_grpo"] == 0.75
    assert table.loc[("single", "mean"), "gain"] == pytest.approx((0.2 + 0.25 + 0.3) / 3)
    low, high = table.loc[("single", "mean"), ["gain_low", "gain_high"]]
    single = table.loc["single"].drop("mean")
    assert (high - low) / 2 >= 1.959964 * 0.05 / 3**0.5
    # A training's own interval, over its worlds, is the wider one here.
    assert (low, high) == pytest.approx((single["gain_low"].mean(), single["gain_high"].mean()))
    assert table.loc[("multi", "mean"), "tokens"] == 6000
    # Of 20 worlds single decisions win 14, 15 and 16, episodes 12, the same ones.
    gain, low, high = table.loc[("difference", "mean"), ["gain", "gain_low", "gain_high"]]
    assert gain == pytest.approx((2 + 3 + 4) / 60) and low < gain < high
    assert table.loc[("multi", "0"), "seconds"] == 120


def test_a_course_sets_success_beside_what_was_spent(tmp_path):
    write_course(tmp_path, 100, [0.1, 0.2, 0.3])
    course = read_course(tmp_path)
    assert course.to_numpy().tolist() == [[0, 0, 0, 0.1], [2, 200, 60, 0.2], [4, 400, 120, 0.3]]


@pytest.mark.parametrize("name", ABLATION_FIGURES)
def test_figures_are_drawn_and_the_same_again(ablations, tmp_path, name):
    for run in "ab":
        save_figure(ABLATION_FIGURES[name](ablations), tmp_path / f"{run}.png")
    first, second = ((tmp_path / f"{run}.png").read_bytes() for run in "ab")
    assert len(first) > 5000 and first == second


def test_the_papers_section_uses_the_macros_that_there_are(ablations):
    text = (PAPER / "ablations.tex").read_text()
    macros = make_ablation_macros(
        make_points(ablations), make_experts(ablations), make_turns(ablations), CFG
    )
    assert set(re.findall(r"\\(Ablation\w+)", text)) <= set(macros)
    assert macros["AblationLargest"] == r"\ensuremath{+0.20}" and macros["AblationPoints"] == "8"
    assert macros["AblationSft"] == "0.50 to 0.90"
    assert macros["AblationTokens"] == r"300\,k"


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.01, 0.2, "single decisions do"), (-0.2, -0.01, "episodes do"), (-0.1, 0.1, "not tell")],
)
def test_a_difference_is_called_one_only_where_its_interval_is(low, high, verdict):
    difference = pd.Series({"gain": (low + high) / 2, "gain_low": low, "gain_high": high})
    assert verdict in judge_turns(difference)
