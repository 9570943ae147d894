"""Tasks beyond the four: what is refused, the two that come with the project, and their way through the workflow."""

import json
import re
from pathlib import Path

import pytest
from test_workflow import count_jobs, list_outputs, run_snakemake

from taskreason.cli.main import main
from taskreason.config.load import check_own_tasks, load_config
from taskreason.durability.errors import UserError
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.generator import generate_layout
from taskreason.environments.robotouille.simulator.layout_files import load_layouts, parse_layout
from taskreason.environments.robotouille.simulator.predicates import list_predicates
from taskreason.environments.robotouille.tasks import DATA, TASKS, find_task
from taskreason.environments.robotouille.teacher import Expert
from taskreason.report.published import load_published
from taskreason.rollouts.collect import collect
from taskreason.rollouts.dataset import load_decisions, load_starts, make_worlds

SHIPPED = ("lettuce_sandwich", "lettuce_tomato_sandwich")
FOLDER = DATA / "layouts"
TOAST = {
    "version": "1.0.0",
    "width": 4,
    "height": 4,
    "config": {},
    "stations": [{"name": "table", "x": 0, "y": y} for y in range(3)],
    "items": [
        {"name": "bread", "x": 0, "y": 0, "stack-level": 0},
        {"name": "cheese", "x": 0, "y": 1, "stack-level": 0},
    ],
    "players": [{"name": "robot", "x": 1, "y": 1, "direction": [-1, 0]}],
    "goal_description": "Cheese on bread.",
    "goal": [
        {"predicate": "item_on", "args": ["bread", "table"], "ids": [1, 2]},
        {"predicate": "atop", "args": ["cheese", "bread"], "ids": [3, 1]},
    ],
}
"""Three steps: pick up the cheese, go to the bread, stack."""


def write_layout(folder, name="cheese_toast", **changes):
    path = folder / f"{name}.json"
    path.write_text(json.dumps(TOAST | changes))
    return path


def enter(path, name="cheese_toast", **changes):
    """The configuration's entry for a layout file."""
    return {"task_settings": {name: {"layout": str(path), "timeout": 9, "bound": 6} | changes}}


def as_option(entry):
    """The entry as `--config` takes it."""
    return f"task_settings={json.dumps(entry['task_settings']).replace(chr(34), '')}"


def check(given):
    check_own_tasks(load_config(given))


POT = {"containers": [{"name": "pot", "x": 0, "y": 2}]}
FAR = {"players": [{"name": "robot", "x": 2, "y": 1, "direction": [1, 0]}]}
DONE = {"goal": TOAST["goal"][:1]}
TALL = [{"name": "bread", "x": 0, "y": 0, "stack-level": n} for n in range(8)]
CROWDED = {"width": 2, "height": 2, "stations": TOAST["stations"][:2]}


@pytest.mark.parametrize(
    "changes,words",
    [
        ({"goal": []}, "goal is empty"),
        ({"items": TOAST["items"][:1]}, "goal needs 1 cheese"),
        (FAR, "the goal can't be reached from this kitchen"),
        (DONE, "the goal is reached before the first step"),
        (POT, "containers can't be varied"),
        (CROWDED | {"items": TOAST["items"] + TALL[1:]}, "leave no room for the robot"),
        ({"extra": 1, "stations": []}, "stations is empty"),
    ],
)
def test_a_layout_that_no_run_could_use_is_refused_in_one_sentence(tmp_path, changes, words):
    path = write_layout(tmp_path, **changes)
    with pytest.raises(UserError) as caught:
        check(enter(path))
    message = str(caught.value)
    assert message.startswith(f"task_settings.cheese_toast: {path}")
    assert words in message and "\n" not in message


def test_files_that_are_missing_no_json_or_several_layouts_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"task_settings.cheese_toast: .*No such file"):
        check(enter(tmp_path / "missing.json"))
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(UserError, match=r"task_settings.cheese_toast: .*not valid JSON"):
        check(enter(broken))
    several = tmp_path / "several.jsonl"
    several.write_text(f"{json.dumps(TOAST)}\n" * 2)
    with pytest.raises(UserError, match="holds 2 layouts; give a file with one"):
        check(enter(several))


def test_a_bound_below_the_shortest_plan_is_refused(tmp_path):
    path = write_layout(tmp_path)
    check(enter(path, bound=3))
    with pytest.raises(UserError, match=r"task_settings.cheese_toast: is 2, below the 3 steps"):
        check(enter(path, bound=2))


def test_the_entry_in_the_readme_is_what_propose_prints(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    layout = (FOLDER / "cheese_sandwich.json").read_text().replace("cheese", "tomato")
    (tmp_path / "tomato_sandwich.json").write_text(layout)
    assert main(["propose", "tomato_sandwich.json"]) == 0
    # Outside the project's folder the entry names the whole path.
    shown = capsys.readouterr().out.replace(f"{tmp_path}/", "")
    entry = re.search(r"^recipes:\n  .*$", shown, re.MULTILINE)[0]
    page = (Path(__file__).parents[2] / "README.md").read_text()
    assert re.sub("^", "   ", entry, flags=re.MULTILINE) in page


def test_what_propose_prints_is_an_entry_that_is_accepted(tmp_path, capsys):
    path = write_layout(tmp_path)
    assert main(["propose", str(path)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("The shortest plan takes 3 steps")
    entry = re.search(r"cheese_toast: \{layout: (.*), timeout: (\d+), bound: (\d+)\}", shown)
    assert entry[1] == str(path)
    check(enter(path, timeout=int(entry[2]), bound=int(entry[3])))
    assert main(["propose", str(write_layout(tmp_path, "burger"))]) == 2
    assert "recipes has the name 'burger'" in capsys.readouterr().err


# ------------------------------------------------------------------ the two recipes that come with the project


@pytest.mark.parametrize("name,fewest", [("lettuce_sandwich", 14), ("lettuce_tomato_sandwich", 24)])
def test_the_plan_of_the_own_kitchen_counts_up_by_hand(name, fewest):
    """A carry is four steps and a cut is three.

    The robot starts at the lowest bread. The lettuce and the tomato each go to the board, are cut and picked up there,
    and go on (4 + 3 + 3 steps); then the upper bread is carried.
    """
    assert fewest == 10 * (1 + ("tomato" in name)) + 4
    kitchen = Kitchen(load_layouts(FOLDER / f"{name}.json")[0])
    assert len(Expert(kitchen).plan(kitchen.initial)) == fewest


@pytest.mark.parametrize("mode", ["scattered", "grouped"])
@pytest.mark.parametrize("name", SHIPPED)
def test_plans_replay_to_a_sandwich(name, mode):
    """Read from the predicates alone: bread on a table, what is cut above it, bread on top."""
    filling = {kind for kind in ("lettuce", "tomato") if kind in name}
    for seed in range(4):
        kitchen = Kitchen(
            generate_layout(find_task(name, load_config({}).recipes).template, seed, mode)
        )
        texts = [action.text for _, action in Expert(kitchen).plan(kitchen.initial)]
        replayed = kitchen.replay(texts)
        assert all(accepted for _, accepted in replayed)
        states = [kitchen.initial, *(state for state, _ in replayed)]
        assert [kitchen.is_goal(state) for state in states] == [False] * len(texts) + [True]
        facts = set(list_predicates(kitchen, states[-1]))
        above = {b: a for a, b in re.findall(r"atop\((\w+),(\w+)\)", " ".join(facts))}
        bottoms = re.findall(r"item_on\((bread\d+),table\d+\)", " ".join(facts))
        stacks = []
        for item in bottoms:
            stack = [item]
            while stack[-1] in above:
                stack.append(above[stack[-1]])
            stacks.append(stack)
        assert any(
            stack[-1].startswith("bread")
            and filling
            <= {item.rstrip("0123456789") for item in stack[1:-1] if f"iscut({item})" in facts}
            for stack in stacks
            if len(stack) >= len(filling) + 2
        )


def test_the_paper_has_no_number_for_the_shipped_recipes():
    cfg = load_config({})
    published = load_published({task: cfg.timeout_of(task) for task in cfg.env.tasks})
    assert not {task for task, _ in published.main} & set(SHIPPED)


def test_the_worked_example_of_chat_prompts_is_one_of_them():
    """README says so: at the published scale, the lettuce sandwich is not unseen."""
    example = parse_layout(json.loads((DATA / "prompt" / "example.json").read_text()), "example")
    shipped = load_layouts(FOLDER / "lettuce_sandwich.json")[0]
    goals = [{(g.predicate, g.args) for g in layout.goal} for layout in (example, shipped)]
    assert goals[0] == goals[1] and example.hash != shipped.hash


# ------------------------------------------------------------------ through the workflow


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
    stages += ["evaluate_grpo", "probe_base", "make_macros", "make_gallery", "make_page"]
    several = {"draw_worlds": 3, "evaluate_rules": 3, "evaluate_base": 3, "evaluate_sft": 2}
    several |= {"make_table": 12, "make_figure": 9}
    assert jobs == dict.fromkeys([*stages, "make_cards"], 1) | several
    own = set(list_outputs(tmp_path, *option))
    assert "results/tables/main_cheese_toast.csv" in own and "paper/main.pdf" not in own
    shared = {path for path in own & set(list_outputs(tmp_path)) if "laptop/" in path}
    once = ("models/base/", "training/base.csv", "probes/base.json", "trajectories/README.md")
    assert all(path.startswith(tuple(f"results/laptop/{name}" for name in once)) for path in shared)


def test_a_task_of_ones_own_among_the_others_joins_every_table(tmp_path):
    option = as_option(enter(write_layout(tmp_path)))
    tasks = f"tasks=[{', '.join(TASKS)}, cheese_toast]"
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
