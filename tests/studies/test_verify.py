"""Whether a run agrees with the reference: outcomes world by world, and the verdict on made-up runs."""

import json
from math import comb
from pathlib import Path

import pandas as pd
import pytest

from synthetic_results import write_lines
from taskreason.cli.main import main
from taskreason.environments import load_environment
from taskreason.studies.reference import GREEDY, list_changes, read_outcomes, read_reference
from taskreason.studies.significance import mcnemar_power
from taskreason.studies.trainings import compare_trainings
from taskreason.studies.verify import compare_cells, count_claims, name_cell

TASKS = ("cheese_sandwich", "burger", "cheese_burger", "double_cheese_burger")
RATES = {"expert": 1.0, "base": 0.0, "sft": 0.9, "sft_grpo": 0.92}
WORLDS = 100


def write_cell(path: Path, wins, seed=0, start=0) -> None:
    """Episodes in WORLDS worlds, numbered from ``start``, of which those in ``wins`` are won in 8 steps."""
    numbers = range(start, start + WORLDS)
    rows = [
        {"layout_hash": f"{n:016x}", "task": path.stem, "steps": 8 if n in wins else 15}
        | {"success": n in wins, "optimal_steps": 8, "actions": []}
        | {"invalid": 0, "malformed": 0, "seed": seed}
        for n in numbers
    ]
    write_lines(path, rows)


def write_run(folder: Path, changes=None, beta=0.03, start=0, instructions=("avx2",)) -> Path:
    """A results folder with episodes and one provenance; changes: (policy, training task, task) -> worlds won."""
    cells = {(policy, "-", task): RATES[policy] for policy in ("expert", "base") for task in TASKS}
    cells |= {("sft", task, task): RATES["sft"] for task in TASKS}
    for trained in TASKS:
        for task in TASKS:
            down = TASKS.index(trained) > TASKS.index(task)
            rate = RATES["sft_grpo"] if trained == task else 0.9 if down else 0.4
            cells["sft_grpo", trained, task] = rate
    wins = {key: range(start, start + round(WORLDS * rate)) for key, rate in cells.items()}
    for (policy, trained, task), won in (wins | (changes or {})).items():
        path = folder / "laptop" / "episodes" / policy / trained / f"{task}.jsonl"
        write_cell(path, won, start=start)
    record = folder / "laptop" / "training" / "burger" / "grpo.provenance.json"
    record.parent.mkdir(parents=True)
    hardware = {"processor": "some processor", "instructions": [*instructions]}
    config = {"tasks": list(TASKS), "grpo": {"beta": beta}, "report": {"confidence": 0.95}}
    record.write_text(
        json.dumps(
            {"config": config, "versions": {}, "hardware": hardware}
            | {"commit": "abc", "wall_seconds": 120.0}
        )
    )
    return folder


def own(policy: str, wins: int, tasks=("burger",)) -> dict:
    """Changes: a trained policy wins the first so many worlds of its own tasks."""
    return {(policy, task, task): range(wins) for task in tasks}


@pytest.fixture
def reference(tmp_path):
    run = write_run(tmp_path / "first")
    assert main(["verify", str(run), "--reference", str(tmp_path / "kept"), "--keep"]) == 0
    return tmp_path / "kept"


def verify(run: Path, reference: Path) -> int:
    return main(["verify", str(run), "--reference", str(reference)])


def compare_runs(first: Path, second: Path) -> pd.DataFrame:
    outcomes = [read_outcomes(run, "laptop") for run in (first, second)]
    return compare_cells(*outcomes, exact=["expert"]).set_index("name")


def test_what_is_kept_is_what_was_played(tmp_path, reference):
    run = tmp_path / "first"
    folder = run / "laptop" / "episodes_sampled" / "sft" / "burger.seed3" / "T1"
    write_cell(folder / "burger.jsonl", {2, 3, 5}, seed=3)
    assert main(["verify", str(run), "--reference", str(reference), "--keep"]) == 0
    kept, played = read_reference(reference)[0], read_outcomes(run, "laptop")
    columns = sorted(played.columns)
    tables = [
        table[columns].sort_values(columns).reset_index(drop=True) for table in (kept, played)
    ]
    pd.testing.assert_frame_equal(*tables)
    sampled = kept[kept["decoding"] == "T1"]
    assert set(sampled["seed"]) == {3} and set(sampled["train_task"]) == {"burger"}
    won = sampled[sampled["steps"] > 0]
    assert won["world"].tolist() == [f"{n:016x}" for n in (2, 3, 5)] and set(won["steps"]) == {8}
    assert (reference / "outcomes.csv").stat().st_size < 40_000


def test_a_run_is_kept_in_parts_where_its_settings_are_the_same(tmp_path, reference):
    """Cells that another run of these settings lacks stay, those that it has are its own; else all are new.

    Which tasks a run has, and what changes no outcome, makes no difference.
    """
    part = write_run(tmp_path / "part")
    for path in (part / "laptop" / "episodes").rglob("*.jsonl"):
        if path.parts[-3:-1] != ("sft", "burger"):
            path.unlink()
    write_cell(part / "laptop/episodes/sft/burger/burger.jsonl", range(50))
    log = part / "laptop" / "training" / "burger" / "grpo.csv"
    log.write_text("step,reward\n1,0.5\n")
    record = log.with_name("sft.provenance.json")
    made = json.loads(log.with_name("grpo.provenance.json").read_text())
    made["config"] |= {"tasks": ["burger"], "report": {"confidence": 0.9}}
    record.write_text(json.dumps(made | {"commit": "def", "wall_seconds": 60.0}))
    log.with_name("grpo.provenance.json").unlink()
    keep = ["verify", "--reference", str(reference), "--keep"]
    assert main([*keep, str(part)]) == 0
    outcomes, record = read_reference(reference)
    rates = outcomes["steps"].gt(0).groupby([outcomes["policy"], outcomes["eval_task"]]).mean()
    assert rates["sft", "burger"] == 0.5 and rates["sft", "cheese_burger"] == 0.9
    assert len(outcomes) == 28 * WORLDS
    assert record["commit"] == "abc def" and record["config"]["tasks"] == list(TASKS)
    assert record["training_seconds"] == {"burger/grpo": 120, "burger/sft": 60}
    assert (reference / "training" / "burger" / "grpo.csv").read_text() == log.read_text()
    assert main([*keep, str(write_run(tmp_path / "other", beta=0.3))]) == 0
    outcomes, record = read_reference(reference)
    assert record["training_seconds"] == {"burger/grpo": 120} and record["commit"] == "abc"
    assert not (reference / "training").exists(), "logs of other settings"
    assert (outcomes["policy"] == "sft").sum() == 4 * WORLDS


def test_outcomes_are_compared_world_by_world(tmp_path):
    """By hand: seven worlds more, none lost, are 2 of 2^7 ways; ten lost and ten won are what chance gives."""
    first = write_run(tmp_path / "first")
    turned = {("sft", "cheese_burger", "cheese_burger"): range(10, 100)}
    cells = compare_runs(first, write_run(tmp_path / "other", own("sft", 97) | turned))
    assert len(cells) == 28 and cells["exact"].sum() == 4 and cells["paired"].all()
    assert cells.loc["sft, burger", "p"] == pytest.approx(2 / 2**7)
    row = cells.loc["sft, cheese_burger"]
    assert (row.sr_a, row.sr_b, row.only_a, row.only_b, row.p) == (0.9, 0.9, 10, 10, 1)
    others = cells.drop(["sft, burger", "sft, cheese_burger"])
    assert others.loc[~others["exact"], "p"].tolist() == [1] * 22
    # 27 worlds have turned, of the 24 cells of models.
    assert cells.loc["sft, burger", "churn"] == pytest.approx(27 / 2 / 2400)


def test_the_smallest_visible_difference_is_at_the_corrected_level(tmp_path):
    first = write_run(tmp_path / "first")
    row = compare_runs(first, first).loc["sft, burger"]
    # Ten worlds of one side alone are the fewest that 5 % over 24 cells reject: 2 / 2^10 < 0.05 / 24 < 2 / 2^9.
    assert 2 / 2**10 < 0.05 / 24 < 2 / 2**9

    def chance_of_ten(gain):
        return 1 - sum(comb(100, k) * gain**k * (1 - gain) ** (100 - k) for k in range(10))

    assert row.sees == pytest.approx(
        next(k / 100 for k in range(1, 100) if chance_of_ten(k / 100) >= 0.8)
    )
    other = write_run(tmp_path / "other", {("sft", "burger", "burger"): range(10, 100)})
    noisy = compare_runs(first, other).loc["sft, burger"]
    power = [mcnemar_power(100, noisy.sees - less, noisy.churn, 0.05 / 24) for less in (0, 0.01)]
    assert power[1] < 0.8 <= power[0]


def test_other_worlds_are_compared_as_independent_draws(tmp_path, reference, capsys):
    """The p-value by hand: of 182 hits in two runs of 100, all splits that are no likelier than 90 and 92."""
    first = write_run(tmp_path / "one")
    cells = compare_runs(first, write_run(tmp_path / "other", start=1000))
    assert not cells["paired"].any() and not cells["exact"].any()
    shifted = write_run(
        tmp_path / "shifted", {("sft", "burger", "burger"): range(1000, 1097)}, start=1000
    )
    row = compare_runs(first, shifted).loc["sft, burger"]
    ways = [comb(100, k) * comb(100, 187 - k) for k in range(87, 101)]
    seen = comb(100, 90) * comb(100, 97)
    assert row.p == pytest.approx(sum(way for way in ways if way <= seen) / comb(200, 187))
    assert row.sees > cells["sees"].min() > 0.08
    assert verify(shifted, reference) == 0
    shown = capsys.readouterr().out
    assert "Fisher's in other worlds" in shown and "other worlds" in shown


def test_a_run_agrees_with_itself_and_with_one_that_differs_by_chance(tmp_path, reference, capsys):
    assert verify(tmp_path / "first", reference) == 0
    shown = capsys.readouterr().out
    assert "largest difference is +0.00" in shown
    assert "sees differences from 0.13 on with a chance of 0.8" in shown
    assert verify(write_run(tmp_path / "other", own("sft", 84)), reference) == 0
    shown = capsys.readouterr().out
    assert "AGREES: 24 of 24 success rates" in shown and "-0.06, sft, burger" in shown
    assert "intervals apart, on 4 of 4 tasks; in the reference 4 of 4" in shown
    assert "in 6 of 6 pairs of tasks" in shown and "4 of 4 of the exact policies" in shown


def test_what_chance_does_not_explain_is_named(tmp_path, reference, capsys):
    assert verify(write_run(tmp_path / "worse", own("sft_grpo", 60)), reference) == 1
    shown = capsys.readouterr().out
    assert "DIFFERS: 23 of 24" in shown
    (line,) = [line for line in shown.splitlines() if line.endswith("DIFFERS")]
    assert line.startswith("sft_grpo, burger ")


def shift(policy: str, by: dict[str, int]) -> dict:
    """Changes: on its own tasks a trained policy wins so many worlds more."""
    return {(policy, t, t): range(round(RATES[policy] * WORLDS) + n) for t, n in by.items()}


def test_trainings_in_other_arithmetic_are_judged_by_their_mean(tmp_path, reference, capsys):
    # One training ends far off, which worlds do not explain and another draw of the training does.
    one_off = shift("sft_grpo", dict(zip(TASKS, (-22, 6, -3, 7), strict=True)))
    bf16 = ("avx2", "avx512_bf16")
    assert verify(write_run(tmp_path / "same", one_off), reference) == 1
    assert "AGREES" not in capsys.readouterr().out
    assert verify(write_run(tmp_path / "bf16", one_off, instructions=bf16), reference) == 0
    shown = capsys.readouterr().out
    assert "AGREES, trained in bf16, the reference in fp32: 2 of 2 trained" in shown
    (line,) = [line for line in shown.splitlines() if line.endswith("DIFFERS")]
    assert line.startswith("sft_grpo, cheese_sandwich "), "still named"


def test_trainings_that_are_all_worse_differ_in_any_arithmetic(tmp_path, reference, capsys):
    worse = shift("sft_grpo", dict(zip(TASKS, (-10, -12, -11, -13), strict=True)))
    amx = ("avx2", "amx_bf16")
    assert verify(write_run(tmp_path / "worse", worse, instructions=amx), reference) == 1
    shown = capsys.readouterr().out
    assert "1 of 2 trained policies" in shown and "DIFFERS, trained in bf16" in shown


def test_the_mean_over_trainings_has_students_interval():
    cells = pd.DataFrame({"policy": "sft", "train_task": TASKS, "eval_task": TASKS})
    cells = cells.assign(decoding=GREEDY, worlds=10000, worlds_here=10000, paired=True)
    cells = cells.assign(only_a=0, only_b=0, sr_a=0.1, sr_b=[0.2, 0.3, 0.4, 0.5])
    (row,) = compare_trainings(cells, 0.05).itertuples()
    # t of .975 and 3 degrees of freedom, in tables: 3.182; standard error: (1/60) ** .5 / 2.
    half = 3.182 * (1 / 60) ** 0.5 / 2
    assert (row.trainings, round(row.mean, 9), row.agrees) == (4, 0.25, False)
    assert (row.low, row.high) == pytest.approx((0.25 - half, 0.25 + half), abs=1e-4)
    assert compare_trainings(cells[:1], 0.05).empty, "one training has no spread"
    # Alike in both: as uncertain as what two worlds of ten turn, by t of 1 degree, 12.706.
    alike = cells[:2].assign(worlds=10, only_a=0, only_b=2, sr_a=0.1, sr_b=0.3)
    (row,) = compare_trainings(alike, 0.05).itertuples()
    assert row.high - row.mean == pytest.approx(12.706 * (2 * 2 / 100) ** 0.5 / 2, abs=1e-3)


def test_the_exact_expert_must_be_the_same(tmp_path, reference, capsys):
    slipped = write_run(tmp_path / "slipped", {("expert", "-", "burger"): range(1, 100)})
    assert verify(slipped, reference) == 1
    assert "3 of 4 of the exact policies" in capsys.readouterr().out


def test_a_claim_that_fares_otherwise_is_no_agreement(tmp_path, reference, capsys):
    # Each rate is within chance of the reference's; together they turn a claim over.
    changes = own("sft", 82, TASKS) | own("sft_grpo", 97, TASKS)
    assert verify(write_run(tmp_path / "other", changes), reference) == 1
    assert "24 of 24" in (shown := capsys.readouterr().out) and "2 of 3 claims" in shown


def test_claims_are_counted_where_both_sides_are_known(tmp_path):
    outcomes = read_outcomes(write_run(tmp_path / "run"), "laptop")
    assert count_claims(outcomes, TASKS) == [(4, 4), (0, 4), (6, 6)]
    part = outcomes[outcomes["train_task"] != "burger"]
    assert count_claims(part, TASKS) == [(3, 3), (0, 3), (3, 3)]
    sampled = outcomes.assign(decoding="T1")
    assert count_claims(sampled, TASKS) == [(0, 0)] * 3


def test_missing_cells_are_named(tmp_path, reference, capsys):
    other = write_run(tmp_path / "other")
    (other / "laptop/episodes/sft_grpo/burger/cheese_burger.jsonl").unlink()
    write_cell(other / "laptop/episodes_sampled/sft/burger/T0.5/burger.jsonl", range(50))
    assert verify(other, reference) == 0
    shown = capsys.readouterr().out
    assert "missing here:\n  sft_grpo, burger -> cheese_burger\n" in shown
    assert "missing in the reference:\n  sft, burger, T0.5\n" in shown
    assert "AGREES, with 1 cells missing here, with 1 cells missing in the reference" in shown
    assert name_cell("sft", "burger", "T1", 2, "burger") == "sft, burger, T1, seed 2"


def test_other_settings_are_listed(tmp_path, reference, capsys):
    assert verify(write_run(tmp_path / "other", beta=0.3), reference) == 0
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


def test_a_run_without_its_parts_is_refused(tmp_path, reference, capsys):
    other = write_run(tmp_path / "other")
    (other / "laptop/training/burger/grpo.provenance.json").unlink()
    assert verify(other, reference) == 2
    assert "no provenance of a training is there" in capsys.readouterr().err
    assert main(["verify", str(other), "--scale", "smoke", "--reference", str(reference)]) == 2
    assert "smoke/episodes: no episode is there" in capsys.readouterr().err
    path = other / "laptop/episodes/sft/burger/burger.jsonl"
    path.write_text(path.read_text() + path.read_text().splitlines()[0] + "\n")
    assert verify(other, reference) == 2
    assert "burger.jsonl: holds a world twice" in capsys.readouterr().err
    assert verify(tmp_path / "first", tmp_path / "nowhere") == 2
    assert "nowhere/outcomes.csv: is no outcomes of a reference" in capsys.readouterr().err
    (reference / "outcomes.csv").write_text("task,policy\nburger,sft\n")
    assert verify(tmp_path / "first", reference) == 2
    assert "--keep" in capsys.readouterr().err


def test_the_kept_reference_is_of_the_default_run():
    """What the project ships is whole: every task and policy, and the settings of the default scale."""
    outcomes, record = read_reference(load_environment("robotouille").data / "reference" / "laptop")
    own_task = outcomes[outcomes["train_task"].isin(["-", *TASKS])]
    cells = set(zip(own_task["eval_task"], own_task["policy"], strict=True))
    assert cells >= {(task, policy) for task in TASKS for policy in RATES}
    grid = outcomes[(outcomes["policy"] == "sft_grpo") & (outcomes["decoding"] == "greedy")]
    assert grid.groupby(["train_task", "eval_task"])["world"].nunique().tolist() == [100] * 16
    assert record["config"]["scale"] == "laptop" and record["commit"]


def test_without_a_folder_the_reference_of_the_runs_environment_is_taken(tmp_path, capsys):
    """The one that comes along, which names itself where it can't be read or where made-up rates differ."""
    assert main(["verify", str(write_run(tmp_path / "first"))]) in (1, 2)
    said = "".join(capsys.readouterr())
    assert "robotouille/data/reference/laptop" in said or "double_cheese_burger" in said
