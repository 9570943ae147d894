"""Sweeps: which trainings a configuration asks for, and the table of what came out."""

import pandas as pd
import pytest

from taskreason.config.load import load_config, resolve_config
from taskreason.durability.errors import UserError
from taskreason.report.render.tables import render_latex
from taskreason.report.tables.studies import make_sweep
from taskreason.studies.ablations import UNCHANGED, list_points

SWEPT = {
    "sft_learning_rate": [0.0001],
    "grpo_beta": [0.0, 0.1],
    "grpo_group_size": [16],
    "grpo_reward": ["optimal"],
}


def merge(config, changes):
    return config | {stage: config[stage] | part for stage, part in changes.items()}


def test_a_sweep_changes_one_setting_at_a_time_and_keeps_the_batch():
    config = resolve_config({"scale": "smoke", "sweep": SWEPT})
    before = load_config(config)
    points = list_points(config)
    assert list(points) == [
        *("sft_learning_rate=0.0001", "grpo_beta=0", "grpo_beta=0.1", "grpo_group_size=16"),
        "grpo_reward=optimal",
    ]
    assert [list(changes) for changes in points.values()] == [["sft"], *[["grpo"]] * 4]
    after = load_config(merge(config, points["grpo_group_size=16"])).grpo
    batch = before.grpo.prompts_per_step * before.grpo.group_size
    assert after.group_size == 16 and after.prompts_per_step * after.group_size == batch
    assert load_config(merge(config, points["sft_learning_rate=0.0001"])).grpo == before.grpo
    assert load_config(merge(config, points["grpo_reward=optimal"])).sft == before.sft


@pytest.mark.parametrize(
    ("swept", "complaint"),
    [
        ({"grpo_gamma": [1]}, "unknown key 'sweep.grpo_gamma'"),
        ({"grpo_beta": [-1]}, "sweep.grpo_beta is -1; set it to 0 or more"),
        ({"grpo_beta": 0.1}, "sweep.grpo_beta is 0.1; write a list"),
    ],
)
def test_a_mistaken_sweep_is_refused_in_one_sentence(swept, complaint):
    with pytest.raises(UserError, match=complaint):
        resolve_config({"sweep": swept})


def test_the_table_tells_sr_before_from_sr_after(tmp_path):
    looks = {"step": [0, 10], "training_states": [0.5, 0.9], "unseen_states": [0.4, 0.7]}
    pd.DataFrame(looks | {"sr": [0.1, 0.8]}).to_csv(tmp_path / "looks.csv", index=False)
    steps = {"step": range(1, 11), "reward": [0.0] * 5 + [1.0] * 5, "kl": [0.5] * 10}
    steps |= {"zero_std_share": [0.25] * 10, "seconds": range(10, 110, 10)}
    pd.DataFrame(steps).to_csv(tmp_path / "log.csv", index=False)
    table = make_sweep({UNCHANGED: (tmp_path / "looks.csv", tmp_path / "log.csv")})
    row = table.csv.iloc[0].to_dict()
    assert row["point"] == UNCHANGED and (row["sr_before"], row["sr_after"]) == (0.1, 0.8)
    assert (row["training_states"], row["unseen_states"], row["reward"]) == (0.9, 0.7, 1.0)
    assert row["seconds"] == 100 and render_latex(table).count("0.80") == 1


def test_a_point_without_kl_has_none_in_the_table(tmp_path):
    """Without beta there is no reference policy, so TRL logs no KL."""
    looks = {"step": [0, 10], "training_states": [0.5, 0.9], "unseen_states": [0.4, 0.7]}
    pd.DataFrame(looks | {"sr": [0.1, 0.8]}).to_csv(tmp_path / "looks.csv", index=False)
    steps = {"step": [1, 2], "reward": [0.5, 0.5], "kl": [None, None], "zero_std_share": [1.0, 1.0]}
    pd.DataFrame(steps | {"seconds": [1, 2]}).to_csv(tmp_path / "log.csv", index=False)
    files = (tmp_path / "looks.csv", tmp_path / "log.csv")
    (tmp_path / "other.csv").write_text(files[1].read_text().replace(",,", ",0.5,"))
    with_kl = (files[0], tmp_path / "other.csv")
    table = render_latex(make_sweep({UNCHANGED: with_kl, "grpo_beta=0": files}))
    assert "nan" not in table and table.count("--") == 1 and table.count("0.5000") == 1
    alone = render_latex(make_sweep({"grpo_beta=0": files}))
    assert "KL" in table and "KL" not in alone, "a column without a value is left out"
