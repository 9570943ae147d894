"""What scores come to, held against numbers counted by hand and against scipy."""

from pathlib import Path

import pandas as pd
import pytest
from scipy.stats import binomtest

from kitchens import ENV
from taskreason.durability.errors import UserError
from taskreason.report.tables.leaderboard import list_published, print_comparison, print_leaderboard
from taskreason.rollouts.panel import find_folder, load_panel
from taskreason.rollouts.score import Score, read_score
from taskreason.studies.scores import ALL, compare_scores, list_rates

TASKS = ("burger", "cheese_burger")


def make_score(name, wins, splits=("unseen",), tasks=TASKS):
    """A policy that wins the worlds whose numbers are given, of ten a task and kind."""
    rows = [
        {
            "split": split,
            "task": task,
            "layout_hash": f"{split}{task}{n}",
            "success": n in wins,
            "steps": 8 if n in wins else 15,
            "optimal_steps": 8,
            "seed": 0,
        }
        for split in splits
        for task in tasks
        for n in range(10)
    ]
    return Score(name, {}, pd.DataFrame(rows))


def test_rates_are_by_kind_and_task_with_wilson_intervals():
    rates = list_rates([make_score("A", range(6), ("unseen", "hard"))])
    rows = rates.set_index(["split", "task"])
    assert set(rows.index) == {(s, t) for s in ("unseen", "hard") for t in (*TASKS, ALL)}
    one, whole = rows.loc[("hard", "burger")], rows.loc[("unseen", ALL)]
    assert (one.episodes, one.sr, whole.episodes, whole.sr) == (10, 0.6, 20, 0.6)
    wilson = binomtest(12, 20).proportion_ci(0.95, "wilson")
    assert (whole.sr_low, whole.sr_high) == pytest.approx((wilson.low, wilson.high))


def test_a_policy_that_has_not_played_all_tasks_has_no_rate_over_all():
    both = [make_score("A", range(6)), make_score("B", range(9), tasks=("burger",))]
    rates = list_rates(both).set_index(["policy", "task"])
    assert ("A", ALL) in rates.index and ("B", ALL) not in rates.index
    text = print_leaderboard(list_rates(both), ENV)
    first, second = text.split("\n\n")
    assert "| A | 0.60" in first and "| B" not in first
    assert second.index("| B | 0.90") < second.index("| A | 0.60"), "the better one first"


def test_a_comparison_is_paired_by_world():
    a, b = make_score("A", {0, 1, 2, 3}), make_score("B", {3, 4, 5, 6, 7, 8, 9})
    rows = compare_scores(a, b).set_index("task")
    one, whole = rows.loc["burger"], rows.loc[ALL]
    assert (one.worlds, one["first"], one.second) == (10, 0.4, 0.7)
    assert one.gain == pytest.approx(0.3) and (one.won, one.lost) == (6, 3)
    assert one.p == pytest.approx(binomtest(6, 9).pvalue)
    assert (whole.worlds, whole.won, whole.lost) == (20, 12, 6)
    assert whole.gain_low < 0 < whole.gain_high
    assert "| Unseen | Burger | 10 | 0.40 | 0.70 | +0.30 " in print_comparison(
        rows.reset_index(), ENV
    )


def test_what_only_one_has_played_is_left_out():
    a, b = (
        make_score("A", range(3), ("unseen", "hard")),
        make_score("B", range(4), ("hard", "larger")),
    )
    assert set(compare_scores(a, b)["split"]) == {"hard"}
    with pytest.raises(UserError, match="A and B have played no kind of worlds in common"):
        compare_scores(make_score("A", (), ("unseen",)), make_score("B", (), ("hard",)))


def test_published_rates_are_the_papers():
    rows = list_published(ENV)
    burger = rows[(rows["task"] == "burger") & rows["policy"].str.contains("GRPO")]
    assert burger["sr"].tolist() == [0.7] and burger["policy"].iloc[0].endswith("(10 kitchens)")
    wilson = binomtest(7, 10).proportion_ci(0.95, "wilson")
    assert burger[["sr_low", "sr_high"]].to_numpy()[0] == pytest.approx([wilson.low, wilson.high])


@pytest.mark.slow
def test_the_scores_that_come_along_do_what_they_say_and_the_docs_show_them():
    panel = load_panel(ENV)
    scores = [read_score(path, panel) for path in sorted(find_folder(ENV).glob("scores/*.gz"))]
    cells = {(split, task) for split in panel.starts for task in panel.timeouts}
    assert all(score.cells == cells for score in scores)
    page = Path(__file__).resolve().parents[2] / "docs" / "leaderboard.md"
    assert print_leaderboard(list_rates(scores), ENV) in page.read_text()
    exact = next(score for score in scores if score.name == "Expert (exact planner)").episodes
    assert (exact["success"] == (exact["optimal_steps"] <= exact["task"].map(panel.timeouts))).all()
    won = exact[exact["success"]]
    assert (won["steps"] == won["optimal_steps"]).all()
