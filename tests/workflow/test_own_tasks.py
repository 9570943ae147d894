"""Tasks beyond the four, on their way through the workflow."""

import json

import pytest
from test_workflow import count_jobs, list_outputs, run_snakemake

from kitchens import write_layout
from taskreason.config.load import check_own_tasks, load_config
from taskreason.durability.errors import UserError
from taskreason.environments.robotouille.tasks import PUBLISHED
from taskreason.report.published import load_published
from taskreason.rollouts.collect import collect
from taskreason.rollouts.dataset import load_decisions, load_starts, make_worlds


def enter(path, name="cheese_toast", **changes):
    """The configuration's entry for a layout file."""
    return {"task_settings": {name: {"layout": str(path), "timeout": 9, "bound": 6} | changes}}


def as_option(entry):
    """The entry as `--config` takes it."""
    return f"task_settings={json.dumps(entry['task_settings']).replace(chr(34), '')}"


def test_a_task_that_no_run_could_use_is_refused_by_its_key(tmp_path):
    path = write_layout(tmp_path)
    check_own_tasks(load_config(enter(path, bound=3)))
    with pytest.raises(UserError, match="^task_settings.cheese_toast: bound is 2, below the 3"):
        check_own_tasks(load_config(enter(path, bound=2)))


def test_the_paper_has_no_number_for_the_shipped_recipes():
    cfg = load_config({})
    published = load_published(cfg.env)
    assert not {task for task, _ in published.main} & {
        "lettuce_sandwich",
        "lettuce_tomato_sandwich",
    }


def test_a_task_of_ones_own_is_collected_as_the_others_are(tmp_path):
    cfg = load_config(enter(write_layout(tmp_path)) | {"scale": "smoke"})
    train, unseen = tmp_path / "train.jsonl", tmp_path / "eval.jsonl"
    make_worlds("cheese_toast", "train", cfg, train)
    make_worlds("cheese_toast", "eval", cfg, unseen, disjoint_from=[train])
    assert len(load_starts("cheese_toast", unseen, cfg.env)) == cfg.worlds.evaluation
    output, summary = tmp_path / "trajectories.jsonl", tmp_path / "summary.json"
    collect("cheese_toast", cfg, train, output, summary)
    decisions = load_decisions(output)
    assert json.loads(summary.read_text())["accepted"] == cfg.expert.trajectories
    assert max(decision.optimal_steps_left for decision in decisions) <= 6


def test_a_task_of_ones_own_runs_every_stage_by_itself(tmp_path):
    """A file anywhere and one entry; what lies below results/SCALE is none of the four tasks', but for the base."""
    option = ["--config", as_option(enter(write_layout(tmp_path))), "tasks=[cheese_toast]"]
    jobs = count_jobs(run_snakemake(tmp_path, "-n", *option))
    stages = ["collect", "prepare_base", "train_sft", "train_grpo", "train_sft_longer"]
    stages += ["train_grpo_base", "evaluate_grpo", "evaluate_sft", "evaluate_base"]
    stages += ["evaluate_compared", "probe_base", "make_macros", "make_gallery", "make_page"]
    stages += ["play_splits", "make_cards"]
    several = {"draw_worlds": 3, "evaluate_rules": 3, "evaluate_control": 2}
    several |= {"draw_rehearsal": 2, "draw_splits": 3, "play_splits_by_rule": 2}
    several |= {"make_table": 18, "make_figure": 9}
    assert jobs == dict.fromkeys(stages, 1) | several
    own = set(list_outputs(tmp_path, *option))
    assert "results/tables/main_cheese_toast.csv" in own and "paper/main.pdf" not in own
    shared = {path for path in own & set(list_outputs(tmp_path)) if "laptop/" in path}
    once = (
        "models/base/",
        "training/base.csv",
        "probes/base.json",
        "rehearsal/",
        "trajectories/README.md",
        "trajectories/croissant.json",
    )
    assert all(path.startswith(tuple(f"results/laptop/{name}" for name in once)) for path in shared)


def test_a_task_of_ones_own_among_the_others_joins_every_table(tmp_path):
    option = as_option(enter(write_layout(tmp_path)))
    tasks = f"tasks=[{', '.join(PUBLISHED)}, cheese_toast]"
    outputs = set(list_outputs(tmp_path, "--config", option, tasks))
    assert "results/tables/main_cheese_toast.tex" in outputs
    assert "results/laptop/episodes/sft_grpo/burger/cheese_toast.jsonl" in outputs
    assert "results/laptop/episodes/sft_grpo/cheese_toast/burger.jsonl" in outputs
    assert "paper/main.pdf" not in outputs


def test_a_changed_layout_makes_its_worlds_again(tmp_path):
    path = write_layout(tmp_path)
    target = "results/smoke/worlds/cheese_toast/train.jsonl"
    command = [target, "--config", "scale=smoke", "tasks=[cheese_toast]", as_option(enter(path))]
    assert run_snakemake(tmp_path, *command).returncode == 0
    assert count_jobs(run_snakemake(tmp_path, "-n", *command)) == {}
    write_layout(tmp_path, goal_description="Bread, and cheese on it.")
    assert count_jobs(run_snakemake(tmp_path, "-n", *command)) == {"draw_worlds": 1}


def test_a_task_is_trained_by_its_own_settings_and_the_others_by_theirs(tmp_path):
    """Nothing of burger's has to be made again for them."""
    target = "results/smoke/training/{}/sft.provenance.json"
    other, burger = target.format("lettuce_sandwich"), target.format("burger")
    given = ["--config", "scale=smoke", "tasks=[burger, lettuce_sandwich]"]
    longer = "task_settings={lettuce_sandwich: {sft: {epochs: 2}}}"
    assert run_snakemake(tmp_path, other, burger, *given, longer).returncode == 0
    records = [
        json.loads((tmp_path / path).read_text())["config"]["sft"] for path in (other, burger)
    ]
    assert [record["epochs"] for record in records] == [2, 1]
    jobs = count_jobs(run_snakemake(tmp_path, "-n", other, burger, *given))
    assert jobs == {"train_sft": 1}


def test_a_bad_task_stops_the_run_before_any_job(tmp_path):
    option = as_option(enter(tmp_path / "nowhere.json"))
    done = run_snakemake(tmp_path, "--quiet", "--config", option)
    assert done.returncode != 0 and not (tmp_path / "results").exists()
    lines = [line for line in done.stderr.splitlines() if "nowhere.json" in line]
    assert len(lines) == 1 and lines[0].startswith("task_settings.cheese_toast: ")
    assert "Traceback" not in done.stderr + done.stdout
