"""Several trainings of one kind: read from their folders, pooled in print, and set side by side."""

import json
import shutil
from pathlib import Path

import pytest

from synthetic_results import CONFIG, TASKS, make_config, write_lines, write_results
from taskreason.report.numbers.verdicts import judge_results
from taskreason.report.render.tables import render_latex
from taskreason.report.results import Results, load_results
from taskreason.report.tables.main import make_grid, make_main, make_seeds
from taskreason.rollouts.metrics import wilson_interval


def write_second_seed(root: Path, **changes) -> Results:
    """Trainings of seed 5 next to those of seed 0, with the same episodes but for the changes."""
    for folder in ("episodes", "episodes_sampled", "single_turn"):
        for policy in ("sft", "sft_grpo"):
            for task in TASKS:
                home = root / folder / policy
                shutil.copytree(home / task, home / f"{task}.seed5")
    for path in root.glob("episodes*/*/*.seed5/**/*.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        write_lines(path, [row | {"seed": 5} | changes for row in rows])
    return load_results(root, make_config(seeds=[0, 5]))


def test_seeds_are_rows_of_the_csv_and_pooled_in_print(tmp_path):
    root = write_results(tmp_path / "laptop", kitchens=4)
    path = root / "episodes" / "sft" / "burger" / "burger.jsonl"
    episodes = [json.loads(line) for line in path.read_text().splitlines()]
    write_lines(path, episodes + [episode | {"seed": 1} for episode in episodes])
    results = load_results(root, CONFIG)
    csv = make_main(results).csv
    assert csv[(csv.task == "burger") & (csv.policy == "sft")].seed.tolist() == [0, 1]
    assert results.cell("sft", "burger").metrics.episodes == 8


def test_trainings_of_several_seeds_are_read_from_their_folders(tmp_path):
    root = write_results(tmp_path / "laptop", kitchens=4)
    results = write_second_seed(root, success=False)
    csv = make_grid(results).csv
    assert csv.groupby("seed").size().to_dict() == {0: 16, 5: 16}
    assert (csv[csv.seed == 5].sr == 0).all() and (csv[csv.seed == 0].sr > 0).any()
    cell = results.cell("sft_grpo", "burger")
    assert (
        cell.metrics.sr == csv[csv.train_task.eq("burger") & csv.eval_task.eq("burger")].sr.mean()
    )
    assert cell.metrics.sr_low == 0, "a training that never succeeds is within the spread"


def read_rows(table, row: str, task: str) -> dict[str, tuple[float, float, float]]:
    """The values of a row of the table of seeds for one task, by seed."""
    found = table.csv[(table.csv.row == row) & (table.csv.task == task)]
    return {line.seed: (line.value, line.low, line.high) for line in found.itertuples()}


def test_the_table_of_seeds_shows_each_training_and_all(tmp_path):
    rates = {"sft": 0.0, "sft_grpo": 1.0}
    root = write_results(tmp_path / "laptop", kitchens=6, rates=rates)
    results = write_second_seed(root, success=False)
    table = make_seeds(results)
    success = read_rows(table, "sft_grpo", "burger")
    won = round(6 * success["0"][0])
    assert won > 0, "steps above the timeout apart, this policy always wins"
    assert success["0"][1:] == pytest.approx(wilson_interval(won, 6))
    assert success["5"][0] == 0 and success["all"][0] == pytest.approx(won / 12)
    gains = read_rows(table, "sft_grpo - sft", "burger")
    assert gains["0"][0] == pytest.approx(won / 6) and gains["5"][0] == 0
    assert gains["0"][1] <= gains["0"][0] <= gains["0"][2]
    shown = render_latex(table)
    assert shown.count("SFT + GRPO") == 1, "the name of a policy stands once, before its seeds"


def test_downward_is_the_lowest_of_a_task_and_simpler_ones(tmp_path):
    root = write_results(tmp_path / "laptop", kitchens=6, rates={"sft_grpo": 1.0})
    path = root / "episodes" / "sft_grpo" / "cheese_burger"
    for task, successes in (("burger", 2), ("double_cheese_burger", 0)):
        rows = [json.loads(line) for line in (path / f"{task}.jsonl").read_text().splitlines()]
        rows = [row | {"success": n < successes} for n, row in enumerate(rows)]
        write_lines(path / f"{task}.jsonl", rows)
    results = load_results(root, CONFIG)
    table = make_seeds(results)
    lowest = {task: read_rows(table, "down", task)["0"][0] for task in TASKS}
    assert lowest["cheese_burger"] == pytest.approx(2 / 6), "a harder task does not count"
    assert lowest["cheese_sandwich"] > 2 / 6 and lowest["burger"] > 2 / 6


def test_verdicts_count_every_training(tmp_path):
    root = write_results(tmp_path / "laptop", kitchens=6, rates={"sft": 0.0, "sft_grpo": 1.0})
    verdicts = judge_results(write_second_seed(root, success=False))
    assert verdicts["SeedTrainingsAbove"] == "4 of the 8"
    assert verdicts["SeedTrainingsBelow"] == "none of the 8"
    assert verdicts["SeedTrainingsSignificant"] == "4 of the 8"
    # Wilson's upper bound for 0 of 6: z^2 / (6 + z^2).
    assert verdicts["SeedLowestOwn"] == verdicts["SeedLowestDown"] == "0.00 [0.00, 0.39]"
    assert verdicts["SeedDownBeatsUp"] == "in none of the 12 pairs of tasks and seeds"
