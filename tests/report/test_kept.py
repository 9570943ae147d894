"""Tables of kept outcomes: against counts that are made from the file itself, and by hand."""

import csv
import json
import re

import pandas as pd
import pytest

from taskreason.config.load import load_config
from taskreason.environments import load_environment
from taskreason.report.labels import join_words
from taskreason.report.numbers import pretrained
from taskreason.report.render.tables import render_markdown
from taskreason.report.tables.kept import OVER, RATES, list_gains, list_rates
from taskreason.studies.reference import OUTCOMES, read_reference

FOLDER = load_environment("robotouille").data / "reference" / "laptop"
CFG = load_config({})
TASKS = list(CFG.tasks)


@pytest.fixture(scope="module")
def outcomes():
    return read_reference(FOLDER)[0]


@pytest.fixture(scope="module")
def steps():
    """Steps by (policy, training, decoding, task), world by world, from the bare file."""
    head, *rows = csv.reader((FOLDER / OUTCOMES).open())
    names, rows = list(zip(head, *rows[:3], strict=True))[2:], rows[4:]
    found = {}
    for column, (policy, trained, decoding, seed) in enumerate(names, start=2):
        for row in rows:
            if row[column] and seed == "0":
                found.setdefault((policy, trained, decoding, row[0]), {})[row[1]] = int(row[column])
    return found


def test_rates_and_steps_are_those_of_the_file(outcomes, steps):
    timeouts = {task: CFG.timeout_of(task) for task in TASKS}
    table = list_rates(outcomes, {task: CFG.task(task) for task in TASKS}, 0.95).set_index(
        ["task", "policy"]
    )
    assert {"expert", "base", "sft", "sft_longer", "sft_grpo"} <= set(table.index.levels[1])
    for (task, policy), row in table.iterrows():
        trained = "-" if policy in ("expert", "base") else task
        greedy = list(steps[policy, trained, "greedy", task].values())
        won = [n for n in greedy if n]
        assert row["episodes"] == len(greedy) and row["greedy"] == len(won) / len(greedy)
        assert (
            row["greedy_low"] < row["greedy"] + 1e-9 and row["greedy_high"] > row["greedy"] - 1e-9
        )
        assert row["asat"] == pytest.approx(sum(n or timeouts[task] for n in greedy) / len(greedy))
        assert not won or row["asst"] == pytest.approx(sum(won) / len(won))
        played = steps[policy, trained, "greedy", task].items()
        short = steps["expert", "-", "greedy", task]
        parts = {True: [], False: []}
        for world, n in played:
            parts[0 < short[world] <= CFG.bound_of(task)].append(bool(n))
        assert row["within"] == sum(parts[True]) / len(parts[True])
        assert row["beyond"] == sum(parts[False]) / len(parts[False])
        sampled = steps.get((policy, trained, "T1", task))
        if sampled:
            assert row["sampled"] == sum(map(bool, sampled.values())) / len(sampled)
        else:
            assert row.isna()["sampled"]
    assert "| Expert |" in render_markdown(RATES, table.reset_index())


def test_gains_count_worlds_that_one_side_alone_solves(outcomes, steps):
    table = list_gains(outcomes, TASKS, 0.95)
    assert len(table) == 4 * len(TASKS)
    for row in table.to_dict("records"):
        ours, theirs = (
            steps[policy, "-" if policy == "base" else row["task"], "greedy", row["task"]]
            for policy in (row["policy"], row["over"])
        )
        won = sum(bool(ours[world]) > bool(theirs[world]) for world in ours)
        lost = sum(bool(ours[world]) < bool(theirs[world]) for world in ours)
        assert (row["greedy_won"], row["greedy_lost"]) == (won, lost)
        assert row["greedy"] == pytest.approx((won - lost) / len(ours))
        assert row["greedy_low"] <= row["greedy"] <= row["greedy_high"]
    assert "| Longer SFT |" in render_markdown(OVER, table)


def test_a_cell_that_has_not_been_played_is_left_out(outcomes):
    part = outcomes[(outcomes["policy"] != "sft_longer") & (outcomes["decoding"] == "greedy")]
    rates = list_rates(part, {"burger": CFG.task("burger")}, 0.95)
    assert "sft_longer" not in set(rates["policy"]) and "sampled" not in rates
    unknown = list_rates(part[part["policy"] == "sft"], {"burger": CFG.task("burger")}, 0.95)
    assert "within" not in unknown, "without the expert nobody knows"
    assert list(list_gains(part, ["burger"], 0.95)["over"]) == ["base", "sft"]


def test_a_gain_counts_where_its_interval_is_above_zero():
    gains = pd.DataFrame(
        [("sft_grpo", "sft", low) for low in (0.01, -0.01, 0.2, None)] + [("sft", "base", 0.3)],
        columns=["policy", "over", "greedy_low"],
    )
    assert pretrained.count_gains(gains, "sft_grpo", "sft", "greedy") == "on 2 of the 3 tasks"
    assert pretrained.count_gains(gains, "sft", "base", "greedy") == "on the one task"
    assert pretrained.count_gains(gains, "sft_grpo", "sft", "sampled") == "on no task"
    assert pretrained.count_gains(gains, "sft_grpo", "sft_longer", "greedy") == "on no task"


def test_the_paper_quotes_how_the_kept_run_was_made(monkeypatch, steps):
    """With the laptop's outcomes in the place of those that are kept."""
    monkeypatch.setattr(pretrained, "find_kept", lambda cfg: FOLDER)
    macros = pretrained.make_pretrained_macros(CFG)
    record = json.loads((FOLDER / "provenance.json").read_text())
    made = record["config"]["grpo"]
    assert macros["PretrainedTasks"] == (
        "cheese sandwich, burger, cheese burger and double cheese burger"
    )
    replies = made["steps"] * made["prompts_per_step"] * made["group_size"]
    assert int(re.sub(r"\D", "", macros["PretrainedReplies"])) == replies
    assert float(macros["PretrainedMinutes"]) == pytest.approx(
        sum(record["training_seconds"].values()) / 60, abs=0.5
    )
    better = [
        task
        for task in TASKS
        if sum(map(bool, steps["sft", task, "greedy", task].values()))
        > 25 + sum(map(bool, steps["base", "-", "greedy", task].values()))
    ]
    assert better == TASKS, "so far apart that no interval reaches zero"
    assert macros["PretrainedSftHelps"] == "on 4 of the 4 tasks"


def test_words_are_joined_as_a_sentence_lists_them():
    assert [join_words(list("abc")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
