"""Whether a run agrees with the reference: the tests behind the verdict, and the verdict on made-up runs."""

import json
from math import comb
from pathlib import Path

import pandas as pd
import pytest

from taskreason.cli.main import main
from taskreason.environments import load_environment
from taskreason.studies.verify import compare_cells, list_changes, reject_by_holm

TASKS = ("cheese_sandwich", "burger", "cheese_burger", "double_cheese_burger")
RATES = {"expert": 1.0, "base": 0.0, "sft": 0.9, "sft_grpo": 0.92}


def write_run(folder: Path, changes=None, beta=0.03) -> Path:
    """A results folder with the two tables and one provenance; changes: (task, policy) -> SR."""
    tables = folder / "tables"
    tables.mkdir(parents=True)
    rates = {(task, policy): sr for task in TASKS for policy, sr in RATES.items()} | (changes or {})
    pd.DataFrame(
        [
            {"task": task, "policy": policy, "seed": 0, "episodes": 100, "sr": sr}
            | {"asat": 9.0, "minimal_rate": sr}
            for (task, policy), sr in rates.items()
        ]
    ).to_csv(tables / "main.csv", index=False)
    pd.DataFrame(
        [
            {"train_task": a, "eval_task": b, "seed": 0, "episodes": 100, "asat": 9.0}
            | {"sr": 0.9 if TASKS.index(a) >= TASKS.index(b) else 0.4}
            for a in TASKS
            for b in TASKS
        ]
    ).to_csv(tables / "generalization.csv", index=False)
    record = folder / "laptop" / "training" / "burger" / "grpo.provenance.json"
    record.parent.mkdir(parents=True)
    hardware = {"processor": "some processor", "instructions": ["avx2"]}
    config = {"grpo": {"beta": beta}, "report": {"confidence": 0.95}, "seed": 0}
    record.write_text(
        json.dumps(
            {"config": config, "versions": {}, "hardware": hardware}
            | {"commit": "abc", "wall_seconds": 120.0}
        )
    )
    return folder


@pytest.fixture
def reference(tmp_path):
    run = write_run(tmp_path / "first")
    assert main(["verify", str(run), "--reference", str(tmp_path / "kept"), "--keep"]) == 0
    return tmp_path / "kept"


def verify(run: Path, reference: Path) -> int:
    return main(["verify", str(run), "--reference", str(reference)])


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    return {path.stem: pd.read_csv(path) for path in (folder / "tables").glob("*.csv")}


def test_rates_are_compared_as_counts_of_the_same_cells(tmp_path):
    """The p-value by hand: of 200 hits in two runs of 100, all splits that are no likelier than 90 and 97."""
    first = write_run(tmp_path / "first")
    other = write_run(tmp_path / "other", {("burger", "sft"): 0.97})
    cells = compare_cells(read_tables(first), read_tables(other)).set_index("name")
    assert len(cells) == 28 and cells["exact"].sum() == 4
    ways = [comb(100, k) * comb(100, 187 - k) for k in range(87, 101)]
    seen = comb(100, 90) * comb(100, 97)
    by_hand = sum(way for way in ways if way <= seen) / comb(200, 187)
    assert cells.loc["burger, sft", "p"] == pytest.approx(by_hand)
    assert cells.drop("burger, sft")["p"].tolist() == pytest.approx([1] * 27)


def test_holms_procedure_stops_at_the_first_that_it_keeps():
    # By hand: 0.01 <= 0.05/4 and 0.015 <= 0.05/3, but 0.03 > 0.05/2, so 0.04 is kept, too.
    assert reject_by_holm([0.03, 0.01, 0.04, 0.015], 0.05) == [False, True, False, True]
    assert reject_by_holm([0.02] * 3, 0.05) == [False] * 3


def test_a_run_agrees_with_itself_and_with_one_that_differs_by_chance(tmp_path, reference, capsys):
    assert verify(tmp_path / "first", reference) == 0
    assert "largest difference is +0.00" in capsys.readouterr().out
    other = write_run(tmp_path / "other", {("burger", "sft"): 0.84})
    assert verify(other, reference) == 0
    shown = capsys.readouterr().out
    assert "AGREES: 24 of 24 success rates" in shown and "-0.06, burger, sft" in shown
    assert "intervals apart, on 4 of 4 tasks; in the reference 4 of 4" in shown
    assert "in 6 of 6 pairs of tasks" in shown and "4 of 4 of the exact expert" in shown


def test_what_chance_does_not_explain_is_named(tmp_path, reference, capsys):
    worse = write_run(tmp_path / "worse", {("burger", "sft_grpo"): 0.6})
    assert verify(worse, reference) == 1
    shown = capsys.readouterr().out
    assert "DIFFERS: 23 of 24" in shown
    (line,) = [line for line in shown.splitlines() if line.endswith("DIFFERS")]
    assert line.startswith("burger, sft_grpo")


def test_the_exact_expert_must_be_the_same(tmp_path, reference, capsys):
    slipped = write_run(tmp_path / "slipped", {("burger", "expert"): 0.99})
    assert verify(slipped, reference) == 1
    assert "3 of 4 of the exact expert" in capsys.readouterr().out


def test_a_claim_that_fares_otherwise_is_no_agreement(tmp_path, reference, capsys):
    # Each rate is within chance of the reference's; together they turn a claim over.
    changes = {(task, "sft"): 0.8 for task in TASKS} | {(task, "sft_grpo"): 0.97 for task in TASKS}
    other = write_run(tmp_path / "other", changes)
    assert verify(other, reference) == 1
    assert "24 of 24" in (shown := capsys.readouterr().out) and "2 of 3 claims" in shown


def test_other_settings_are_listed(tmp_path, reference, capsys):
    other = write_run(tmp_path / "other", beta=0.3)
    assert verify(other, reference) == 0
    shown = capsys.readouterr().out
    assert "grpo.beta: 0.03 there, 0.3 here" in shown and "AGREES, under other settings" in shown
    same = {"report": {"confidence": 0.9}, "task_settings": {}, "grpo": {"beta": 1}}
    same |= {"base": {"seed": 0, "compare": ["one"]}}
    other = same | {"report": {}, "task_settings": {"lettuce_sandwich": {"timeout": 30}}}
    other |= {"base": {"seed": 0, "compare": []}}
    assert list_changes(same, other) == [], (
        "neither what is shown nor another task nor an untrained model changes a result"
    )
    assert list_changes(same, other | {"base": {"seed": 1}}) == ["base.seed: 0 there, 1 here"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("laptop/training/burger/grpo.provenance.json", "no provenance of a training is there"),
        ("tables/main.csv", "main.csv: is no table; make it with"),
    ],
)
def test_a_run_without_its_parts_is_refused(tmp_path, reference, capsys, damage, message):
    other = write_run(tmp_path / "other")
    (other / damage).unlink()
    assert verify(other, reference) == 2
    assert message in capsys.readouterr().err
    assert verify(tmp_path / "first", tmp_path / "nowhere") == 2
    assert "nowhere/provenance.json: can't be read" in capsys.readouterr().err


def test_the_kept_reference_is_of_the_default_run():
    """What the project ships is whole: every task and policy, and the settings of the default scale."""
    folder = load_environment("robotouille").data / "reference"
    table = pd.read_csv(folder / "main.csv")
    cells = set(zip(table["task"], table["policy"], strict=True))
    assert cells == {(task, policy) for task in TASKS for policy in RATES}
    grid = pd.read_csv(folder / "generalization.csv")
    assert len(grid) == 16 and (grid["episodes"] == 100).all() and (table["episodes"] == 100).all()
    record = json.loads((folder / "provenance.json").read_text())
    assert record["config"]["scale"] == "laptop" and record["commit"]


def test_without_a_folder_the_reference_of_the_runs_environment_is_taken(tmp_path, capsys):
    """Rates that were made up are no reproduction of the reference that comes along."""
    run = write_run(tmp_path / "first")
    assert main(["verify", str(run)]) == 1
    assert "double_cheese_burger" in capsys.readouterr().out
