"""The gallery's data: replayed states, the planner's judgement, the choice of kitchens, a page that needs no other."""

import base64
import gzip
import json
import random
import re
from collections import deque
from html.parser import HTMLParser

import pytest

from kitchens import ENV, make_start, make_world, read_jsonl
from played_results import KITCHENS, SILENT, TASKS, configure_played, write_played_results
from taskreason.durability.errors import UserError
from taskreason.environments.reply import format_reply
from taskreason.environments.robotouille.planner.search import Planner
from taskreason.environments.robotouille.teacher import KitchenTeacher
from taskreason.report.gallery.page import (
    SOURCES,
    Rollouts,
    WorldRecord,
    collect_task,
    rank_worlds,
    write_gallery,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_played_results(tmp_path_factory.mktemp("results") / "played")


@pytest.fixture(scope="module")
def data(root):
    return {task: collect_task(configure_played(), root, task) for task in TASKS}


def all_episodes(data, name):
    for task, values in data.items():
        for world in values["worlds"]:
            yield world, world["episodes"][name.replace("TASK", task)]


def test_every_step_of_the_expert_brings_the_goal_one_step_nearer(root, data):
    stored = {
        row["layout_hash"]: row
        for t in TASKS
        for row in read_jsonl(root / f"episodes/expert/-/{t}.jsonl")
    }
    for kitchen, episode in all_episodes(data, "expert/-"):
        states = [kitchen["states"][step[0]] for step in episode["steps"]]
        states.append(kitchen["states"][episode["end"]])
        steps = stored[kitchen["hash"]]["optimal_steps"]
        assert [state["left"] for state in states] == list(range(steps, -1, -1))
        for step, state in zip(episode["steps"], states[:-1], strict=True):
            assert step[1] in state["optimal"]
        assert states[-1]["optimal"] == []


def test_replies_without_a_valid_action_change_nothing_and_are_kept(data):
    for kitchen, episode in all_episodes(data, "sft/TASK"):
        silent, impossible, idle, first = episode["steps"][:4]
        assert silent[0] == impossible[0] == idle[0] == first[0]
        state = kitchen["states"][silent[0]]
        assert silent[1] == -1 and kitchen["texts"][silent[3]] == SILENT
        assert kitchen["actions"][impossible[1]] == "Dance with robot1"
        assert impossible[1] not in state["valid"] and len(impossible) == 3
        assert idle[1] in state["valid"] and idle[1] not in state["optimal"]
        assert len(episode["steps"]) == state["left"] + 3
        assert kitchen["states"][episode["end"]]["left"] == 0


def search_distance(world, state, limit=99):
    """Steps to the goal, or the limit if they are no fewer: breadth first, without the planner."""
    seen, waiting = {state}, deque([(state, 0)])
    while waiting:
        state, steps = waiting.popleft()
        if steps == limit or world.solved(state):
            return steps
        for action in world.actions(state):
            after = world.step(state, action)
            if after not in seen:
                seen.add(after)
                waiting.append((after, steps + 1))


def test_what_is_said_of_a_state_is_what_the_prompt_and_a_blind_search_say():
    world = make_start("cheese_sandwich", 3, left=4).world
    rng, state, states, actions = random.Random(0), world.initial, [], []
    for _ in range(3):
        states.append(state)
        actions.append(rng.choice(world.actions(state)))
        state = world.step(state, actions[-1])
    replies = [format_reply("Hm.", action) for action in actions]
    record = WorldRecord(ENV, world, 1)
    success = world.solved(state)
    record.add_episode("x", {"actions": actions, "replies": replies, "success": success}, "x")
    shown = record.to_json()
    steps = shown["episodes"]["x"]["steps"]
    assert len({number for number, *_ in steps}) == 3
    for (number, *_), state in zip(steps, states, strict=True):
        described, names = shown["states"][number], shown["actions"]
        prompt = world.observe(state)
        listed = prompt[prompt.index("Valid actions:\n") : prompt.index("Goal:")].splitlines()[1:]
        assert [names[a] for a in described["valid"]] == listed
        left = search_distance(world, state)
        after = {action: world.step(state, action) for action in world.actions(state)}
        best = [text for text, end in after.items() if search_distance(world, end, left) < left]
        assert described["left"] == left
        assert [names[a] for a in described["optimal"]] == best


def test_episodes_that_contradict_their_actions_are_refused(root):
    world = make_world("burger", 1)
    record = WorldRecord(ENV, world, 1)
    with pytest.raises(
        UserError, match=f"^some.jsonl: the episode of world {world.id} has another"
    ):
        record.add_episode("x", {"actions": [], "replies": [], "success": True}, "some.jsonl")
    with pytest.raises(UserError, match="0 replies for 1 actions"):
        record.add_episode("x", {"actions": ["Do nothing"], "replies": [], "success": False}, "x")


def test_a_file_that_lacks_a_kitchen_is_refused(tmp_path, root):
    name = "episodes/base/-/burger.jsonl"
    lines = (root / name).read_text().splitlines()
    for path in [*root.rglob("eval.jsonl"), *root.rglob("episodes/*/*/*.jsonl")]:
        copy = tmp_path / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    (tmp_path / name).write_text("\n".join(lines[1:]) + "\n")
    missing = json.loads(lines[0])["layout_hash"]
    with pytest.raises(UserError, match=f"{name}: has no episode in world {missing}"):
        collect_task(configure_played(), tmp_path, "burger")


def test_kitchens_are_chosen_by_failures_of_the_task_s_own_policies_first():
    def rollouts(policy, train_task, failed):
        episodes = {f"k{n}": {"success": n not in failed} for n in range(8)}
        return Rollouts(policy, train_task, "x", episodes)

    found = [
        rollouts("base", "-", range(8)),
        rollouts("sft", "burger", {6}),
        rollouts("sft_grpo", "burger", {7}),
        rollouts("sft_grpo", "cheese_sandwich", {2, 5}),
    ]
    hashes = [f"k{n}" for n in range(8)]
    assert rank_worlds(found, "burger", hashes) == [6, 7, 2, 5, 0, 1, 3, 4]


def test_kitchens_that_take_long_to_plan_in_make_room_for_others(root, data, monkeypatch):
    """The first that would be shown is made too hard to plan in."""
    first = collect_task(configure_played(shown=1), root, "burger")["worlds"][0]["hash"]
    teacher = type(ENV).teacher

    def stubborn(self, world, patient=True):
        limited = Planner(world.kitchen, 1) if world.id == first else None
        return KitchenTeacher(world, limited) if limited else teacher(self, world, patient)

    monkeypatch.setattr(type(ENV), "teacher", stubborn)
    shown = collect_task(configure_played(shown=KITCHENS), root, "burger")["worlds"]
    left = [world["hash"] for world in data["burger"]["worlds"] if world["hash"] != first]
    assert [world["hash"] for world in shown] == left


def test_fewer_kitchens_leave_the_counts_as_they_are(root, data):
    few = collect_task(configure_played(shown=1), root, "burger")
    assert len(few["worlds"]) == 1
    assert few["policies"] == data["burger"]["policies"]
    assert few["policies"]["sft/burger"] == {
        "episodes": KITCHENS,
        "solved": KITCHENS,
        "shortest": 0,
        "model": "told",
    }
    assert few["policies"]["base/-"]["solved"] == 0


class Page(HTMLParser):
    """Scripts by id, and every attribute that could name another file."""

    def __init__(self, text):
        super().__init__()
        self.scripts, self.links, self.current = {}, [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.current = dict(attrs).get("id", "program") if tag == "script" else None
        self.links += [
            value for name, value in attrs if name in ("src", "href", "action", "data", "poster")
        ]

    def handle_data(self, text):
        if self.current:
            self.scripts[self.current] = self.scripts.get(self.current, "") + text


def test_the_page_holds_all_its_data_and_asks_for_nothing_else(root, data, tmp_path):
    output, again = tmp_path / "index.html", tmp_path / "again.html"
    for path in (output, again):
        write_gallery(configure_played(), root, path)
    assert output.read_bytes() == again.read_bytes()
    text = output.read_text()
    page = Page(text)
    for task in TASKS:
        packed = gzip.decompress(base64.b64decode(page.scripts[f"data-{task}"]))
        assert json.loads(packed) == json.loads(json.dumps(data[task]))
    assert [link for link in page.links if not link.startswith(("#", "data:"))] == []
    assert re.findall(r"https?://[^\"' ]+", text) == ["http://www.w3.org/2000/svg"]
    assert "default-src 'none'" in text and "@import" not in text and "url(" not in text


def test_every_source_of_the_page_is_used():
    used = {"page.html", "style.css", "episodes.js", "plain.js", "page.js"}
    assert {path.name for path in SOURCES.iterdir()} == used
    own = ENV.gallery
    assert {*own.programs, own.style} == set((ENV.data / "gallery").iterdir())


def test_an_environment_that_draws_nothing_shows_what_a_model_reads(root, monkeypatch, tmp_path):
    monkeypatch.setattr(ENV, "gallery", None, raising=False)
    shown = collect_task(configure_played(shown=1), root, "burger")
    start = shown["worlds"][0]["states"][0]
    world = ENV.load(read_jsonl(root / "worlds/burger/eval.jsonl")[0], "x")
    assert start["text"] == world.observe(world.initial) and start.keys() >= {"valid", "left"}
    write_gallery(configure_played(shown=1), root, tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text()
    assert "drawState" in text and "drawItem" not in text
