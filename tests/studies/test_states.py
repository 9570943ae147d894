"""Whose states: which trainings there are, and what their table and figure make of made-up results."""

import pytest

from synthetic_results import make_config, make_episode, write_json, write_lines
from taskreason.report.figures.regimes import draw_states
from taskreason.report.figures.style import save_figure
from taskreason.report.render.tables import render_latex
from taskreason.report.tables.states import make_states
from taskreason.studies.states import ARMS, CONTROL, OWN, SEEN, START, UNSEEN, list_trainings

CFG = make_config(tasks=["burger"], states={"task": "burger", "seeds": [0, 1], "tokens": 5000})
WINS = {"sft_seen": 10, "grpo_own": 16, "grpo_seen": 8}


def test_each_stage_has_each_kind_of_states_and_grpo_has_episodes_too():
    kinds = {(arm.stage, arm.states, arm.turns) for arm in ARMS.values()}
    expected = {(s, k, "single") for s in ("sft_longer", "grpo") for k in (SEEN, UNSEEN, OWN)}
    assert kinds == expected | {("grpo", SEEN, "multi")} and len(ARMS) == 7
    trainings = list_trainings(CFG)
    assert len(trainings) == 14 and trainings["grpo_own.seed1"].seed == 1
    assert trainings["grpo_episodes.seed0"].changes["grpo"]["turns"] == "multi"
    assert all(t.changes["sft"] == {"rehearsal": 0.0} for t in trainings.values())
    assert all(t.changes["grpo"]["rehearsal"] == 0 for t in trainings.values())


def write_states(folder, failed=10):
    """Of 20 kitchens the SFT policy wins 6; each arm as ``WINS`` says, or 12, its second seed one more."""
    rows = [{"layout_hash": f"{n:016x}", "optimal_steps": 8} for n in range(20)]
    for name in [START, *list_trainings(CFG)]:
        arm, _, seed = name.partition(".seed")
        wins = 6 if name == START else WINS.get(arm, 12) + int(seed)
        won = [
            make_episode(row, "burger", n < wins, 8 if n < wins else 15)
            for n, row in enumerate(rows)
        ]
        write_lines(folder / name / "episodes.jsonl", won)
        counts = {"expert": {"states": 40, "optimal": 20 + wins, "expert": 20}}
        counts["failed"] = {"states": failed, "optimal": failed and wins // 2, "expert": 0}
        write_json(folder / name / "single_turn.json", counts)
        if name.startswith("grpo"):
            text = f"step,generated_tokens\n1,2500\n2,{2600 + 100 * int(seed)}\n"
            (folder / name / "log.csv").write_text(text)
    return folder


def test_gains_are_over_the_start_and_over_sft_on_the_experts_states(tmp_path):
    table = make_states(write_states(tmp_path), CFG)
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


def test_a_policy_that_never_fails_leaves_no_states_to_score(tmp_path):
    table = make_states(write_states(tmp_path, failed=0), CFG)
    assert table.csv["failed"].isna().all() and (table.csv["failed_states"] == 0).all()
    save_figure(draw_states(table.csv), tmp_path / "none.png")
    assert "nan" not in render_latex(table)
