"""Success rates by how kitchens start and in other kinds of kitchens, counted anew from the made-up files."""

import json
from collections import defaultdict

import pandas as pd
import pytest

from synthetic_results import OPTIMA, TASKS, TIMEOUTS, make_config, write_lines, write_results
from taskreason.durability.errors import UserError
from taskreason.report.inputs import list_inputs
from taskreason.report.render.tables import render_markdown
from taskreason.report.results import load_results
from taskreason.report.tables.registry import make_table
from taskreason.rollouts.metrics import wilson_interval

CFG = make_config(report={"baselines": ["greedy", "sft_longer"]})
POLICIES = {"greedy": 0.7, "sft": 0.5, "sft_longer": 0.6, "sft_grpo": 0.9}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """One burger kitchen in four is further away than the timeout."""
    root = write_results(tmp_path_factory.mktemp("work") / "laptop", 24, rates=POLICIES)
    file = root / "worlds/burger/eval.jsonl"
    worlds = read(file)
    far = {row["layout_hash"] for row in worlds[::4]}
    farther = {"optimal_steps": TIMEOUTS["burger"] + 1}
    write_lines(file, [row | (farther if row["layout_hash"] in far else {}) for row in worlds])
    failed = {"success": False, "outcome": "timeout", "steps": TIMEOUTS["burger"]}
    for path in root.glob("episodes/*/*/burger.jsonl"):
        rows = read(path)
        write_lines(path, [e | (farther | failed if e["layout_hash"] in far else {}) for e in rows])
    return root


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_success_is_counted_by_how_kitchens_start(root):
    table = make_table("starts", root, CFG).csv.set_index(["task", "part", "policy"])
    assert len(table) == len(TASKS) * 5 * len(POLICIES)
    for task in TASKS:
        worlds = {row["layout_hash"]: row for row in read(root / f"worlds/{task}/eval.jsonl")}
        for policy in POLICIES:
            trained = "-" if policy == "greedy" else task
            counts = defaultdict(list)
            for episode in read(root / f"episodes/{policy}/{trained}/{task}.jsonl"):
                world = worlds[episode["layout_hash"]]
                steps = world["optimal_steps"]
                counts[world["start"]].append(episode["success"])
                side = "within" if steps <= CFG.bound_of(task) else "beyond"
                counts[side].append(episode["success"])
                if steps > TIMEOUTS[task]:
                    counts["too_long"].append(episode["success"])
            for part in ("holding", "empty-handed", "within", "beyond", "too_long"):
                row, won = table.loc[task, part, policy], counts[part]
                assert (row.kitchens, row.failures) == (len(won), len(won) - sum(won))
                if won and part != "too_long":
                    assert row.sr == pytest.approx(sum(won) / len(won))
                    low, high = wilson_interval(sum(won), len(won))
                    assert (row.sr_low, row.sr_high) == pytest.approx((low, high))
                else:
                    assert pd.isna(row.sr)
    assert table.loc[("burger", "too_long", "sft"), "kitchens"] == 6


def test_what_the_environment_says_of_no_start_is_not_shown(tmp_path):
    root = write_results(tmp_path / "laptop", 6, rates=POLICIES)
    for file in root.glob("worlds/*/eval.jsonl"):
        rows = read(file)
        write_lines(file, [{k: v for k, v in row.items() if k != "start"} for row in rows])
    table = make_table("starts", root, CFG)
    assert set(table.csv["part"]) == {"within", "beyond", "too_long"}
    assert "olding" not in render_markdown(table.specs[0], table.csv)


def test_success_is_counted_by_the_kind_of_kitchen(root):
    table = make_table("splits", root, CFG)
    rows = table.csv.set_index(["task", "policy", "split"])
    for task in TASKS:
        for policy in CFG.report.split_policies:
            won = {
                e["layout_hash"]: e["success"] for e in read(root / f"splits/{policy}/{task}.jsonl")
            }
            for split in CFG.env.splits:
                ids = [r["layout_hash"] for r in read(root / f"worlds/{task}/{split}.jsonl")]
                row = rows.loc[task, policy, split]
                assert row.kitchens == row.episodes == len(ids)
                assert row.sr == pytest.approx(sum(won[key] for key in ids) / len(ids))
    unseen = make_table("main", root, CFG).csv.set_index(["policy", "task"])
    assert (
        rows.loc[("burger", "sft_grpo", "eval"), "sr"] == unseen.loc[("sft_grpo", "burger"), "sr"]
    )
    printed = render_markdown(table.specs[0], table.csv)
    assert "Planning-hard, Kitchens" in printed and "As in training, SR" in printed


def test_several_trainings_are_pooled_in_every_kind_of_kitchen(tmp_path):
    root = write_results(tmp_path / "laptop", 6, rates=POLICIES)
    cfg = make_config(seeds=[0, 1], report={"split_policies": ["sft_grpo"]})
    for task in TASKS:
        again = root / f"episodes/sft_grpo/{task}.seed1/{task}.jsonl"
        first = root / f"episodes/sft_grpo/{task}/{task}.jsonl"
        write_lines(again, [row | {"seed": 1} for row in read(first)])
        rows = read(root / f"splits/sft_grpo/{task}.jsonl")
        failed = {"seed": 1, "success": False, "outcome": "timeout", "steps": TIMEOUTS[task]}
        write_lines(root / f"splits/sft_grpo/{task}.seed1.jsonl", [row | failed for row in rows])
        for number, row in enumerate(rows):
            rows[number] = row | {"success": True, "outcome": "success", "steps": OPTIMA[task]}
        write_lines(root / f"splits/sft_grpo/{task}.jsonl", rows)
    table = make_table("splits", root, cfg).csv
    others = table[table["split"] != "eval"]
    assert set(others["sr"]) == {0.5} and set(others["episodes"]) == {8}
    assert set(others["kitchens"]) == {4}


def test_a_kind_of_kitchen_without_its_episodes_is_refused(tmp_path):
    root = write_results(tmp_path / "laptop", 4, rates=POLICIES)
    path = root / "splits/sft_grpo/burger.jsonl"
    write_lines(path, read(path)[:-1])
    with pytest.raises(UserError, match=r"splits/sft_grpo/burger\.jsonl: holds world \w+ 0 times"):
        make_table("splits", root, CFG)


def test_the_table_needs_the_files_that_it_reads_and_no_others(root):
    wanted = {path for path in list_inputs("tables", "splits", CFG, root)}
    assert str(root / "splits/sft_grpo/burger.jsonl") in wanted
    assert str(root / "worlds/burger/hard.jsonl") in wanted
    assert not any("/sft/" in path or "sft_longer" in path for path in wanted)
    assert {key[0] for key in load_results(root, CFG, "tables", "splits").episodes} == {
        *("expert", "greedy", "sft_grpo")
    }
