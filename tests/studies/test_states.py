"""Whose states: which trainings there are, and what their table and figure make of made-up results."""

import pytest

from synthetic_results import make_config
from synthetic_studies import write_states
from taskreason.report.figures.regimes import draw_states
from taskreason.report.figures.style import save_figure
from taskreason.report.numbers.states import judge_arms, make_state_macros, name_best
from taskreason.report.render.tables import render_latex
from taskreason.report.tables.states import make_states
from taskreason.studies.states import ARMS, CONTROL, OWN, SEEN, START, UNSEEN, list_trainings

CFG = make_config(tasks=["burger"], states={"task": "burger", "seeds": [0, 1], "tokens": 5000})


def test_each_stage_has_each_kind_of_states_and_grpo_has_episodes_too():
    kinds = {(arm.stage, arm.states, arm.turns) for arm in ARMS.values()}
    expected = {(s, k, "single") for s in ("sft_longer", "grpo") for k in (SEEN, UNSEEN, OWN)}
    assert kinds == expected | {("grpo", SEEN, "multi")} and len(ARMS) == 7
    trainings = list_trainings(CFG)
    assert len(trainings) == 14 and trainings["grpo_own.seed1"].seed == 1
    assert trainings["grpo_episodes.seed0"].changes["grpo"]["turns"] == "multi"
    assert all(t.changes["sft"] == {"rehearsal": 0.0} for t in trainings.values())
    assert all(t.changes["grpo"]["rehearsal"] == 0 for t in trainings.values())


def test_gains_are_over_the_start_and_over_sft_on_the_experts_states(tmp_path):
    table = make_states(write_states(tmp_path, CFG), CFG)
    rows = table.csv.set_index("arm")
    assert list(rows.index) == [START, *ARMS]
    assert rows.loc[START, "sr"] == 0.3 and rows.loc[START, ["gain", "gain_control"]].isna().all()
    own = rows.loc["grpo_own"]
    assert (own.seeds, own.episodes, own.sr) == (2, 40, pytest.approx(33 / 40))
    assert own.gain == pytest.approx(33 / 40 - 0.3)
    assert own.gain_control == pytest.approx((16 + 17 - 10 - 11) / 40) and own.gain_control_low > 0
    assert rows.loc["grpo_seen", "gain_control"] < 0
    assert rows.loc[CONTROL, "gain"] > 0 and rows.isna().loc[CONTROL, "gain_control"]
    assert own.expert == pytest.approx((36 + 37) / 80) and own.failed == pytest.approx(16 / 20)
    assert own.tokens == (5100 + 5200) / 2 and rows.loc["sft_own", "tokens"] == 5000
    text = render_latex(table)
    assert "GRPO, own states" in text and "nan" not in text
    for run in "ab":
        save_figure(draw_states(table.csv), tmp_path / f"{run}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_paper_is_told_which_arms_differ_from_the_control(tmp_path):
    macros = make_state_macros(make_states(write_states(tmp_path, CFG), CFG).csv, CFG)
    # Of 20 kitchens and two seeds, six more than the control's are beyond chance; two more or fewer are not.
    alike = (
        "SFT, expert's further states and SFT, own states (DAgger) and GRPO, expert's states and "
    )
    alike += "GRPO, expert's further states and GRPO, whole episodes"
    told = f"better: GRPO, own states; worse: none; not told apart: {alike}"
    assert macros["StatesVerdict"] == told
    assert macros["StatesBest"].startswith("GRPO, own states (0.82 [")
    assert macros["StatesStart"].startswith("0.30 [") and macros["StatesTask"] == "burger"
    assert (macros["StatesFailed"], macros["StatesFailedBefore"][:4]) == ("10", "0.30")


def test_no_arm_is_the_best_where_nothing_was_scored(tmp_path):
    rows = make_states(write_states(tmp_path, CFG, failed=0), CFG).csv
    assert name_best(rows, "failed") == "none"
    alike = rows[1:].assign(gain_control_low=-0.1, gain_control_high=0.1)
    assert judge_arms(alike).startswith("better: none; worse: none; not told apart: SFT, ")


def test_a_policy_that_never_fails_leaves_no_states_to_score(tmp_path):
    table = make_states(write_states(tmp_path, CFG, failed=0), CFG)
    assert table.csv["failed"].isna().all() and (table.csv["failed_states"] == 0).all()
    save_figure(draw_states(table.csv), tmp_path / "none.png")
    assert "nan" not in render_latex(table)
