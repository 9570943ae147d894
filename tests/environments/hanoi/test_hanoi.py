"""Towers of Hanoi against breadth-first search, and against what the protocol promises."""

import random
import re
from itertools import product

import pytest

from taskreason.durability.errors import UserError
from taskreason.environments import load_environment
from taskreason.environments.base import list_plan
from taskreason.environments.hanoi.towers import Recursion, Towers
from taskreason.environments.reply import parse_reply

HANOI = load_environment("hanoi")
ALL = [(name, seed) for name in HANOI.tasks for seed in range(20)]


def build_world(size, goal=2):
    discs = tuple(f"disc{number}" for number in range(size, 0, -1))
    return Towers(("pegA", "pegB", "pegC"), discs, (0,) * size, goal)


def list_moves(stacks):
    """Possible moves by the rules of the game, over stacks of disc numbers: (disc, from, to)."""
    return {
        (stacks[start][-1], start, end)
        for start, end in product(range(3), repeat=2)
        if stacks[start] and (not stacks[end] or stacks[start][-1] < stacks[end][-1])
    }


def measure_distances(size, goal):
    """Steps to the goal from every reachable arrangement, by breadth-first search from it."""
    end = tuple(tuple(range(size, 0, -1)) if peg == goal else () for peg in range(3))
    distances, edge = {end: 0}, [end]
    for stacks in edge:
        # A move can be taken back, so the search from the goal finds every distance to it.
        for disc, start, to in list_moves(stacks):
            moved = list(stacks)
            moved[start], moved[to] = stacks[start][:-1], (*stacks[to], disc)
            if tuple(moved) not in distances:
                distances[tuple(moved)] = distances[stacks] + 1
                edge.append(tuple(moved))
    return distances


def stack_up(state):
    size = len(state)
    return tuple(tuple(size - d for d in range(size) if state[d] == peg) for peg in range(3))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_moves_and_teacher_agree_with_breadth_first_search(size):
    for goal in range(3):
        world, distances = build_world(size, goal), measure_distances(size, goal)
        teacher = Recursion(world)
        assert len(distances) == 3**size
        for state in product(range(3), repeat=size):
            stacks = stack_up(state)
            assert teacher.distance(state) == distances[stacks]
            assert world.solved(state) == (distances[stacks] == 0)
            expected = {
                f"Move disc{disc} from {world.pegs[start]} to {world.pegs[end]}"
                for disc, start, end in list_moves(stacks)
            }
            assert set(world.actions(state)) == expected
            nearer = []
            for action in world.actions(state):
                after = world.step(state, action)
                if distances[stack_up(after)] < distances[stacks]:
                    nearer.append(action)
            assert list(teacher.optimal(state)) == nearer
            assert teacher.choose(state) == (nearer[0] if nearer else None)


def test_a_step_moves_one_disc_and_an_impossible_one_nothing():
    world = build_world(3)
    assert world.step((0, 0, 0), "Move disc1 from pegA to pegC") == (0, 0, 2)
    for action in ("Move disc2 from pegA to pegC", "Move disc1 from pegB to pegC", "wait", ""):
        assert world.step((0, 0, 0), action) is None


@pytest.mark.parametrize(("task", "seed"), ALL)
def test_worlds_are_drawn_within_the_bounds_and_survive_writing(task, seed):
    spec = HANOI.tasks[task]
    world = HANOI.draw(spec, seed)
    assert world == HANOI.draw(spec, seed)
    plan = list_plan(world, HANOI.teacher(world))
    assert 0 < len(plan) == HANOI.teacher(world).distance(world.initial) <= spec.bound
    assert spec.bound < spec.timeout
    loaded = HANOI.load(HANOI.dump(world), "here")
    assert loaded == world and loaded.id == world.id


def test_seeds_and_tasks_give_different_worlds():
    ids = [HANOI.draw(spec, seed).id for spec in HANOI.tasks.values() for seed in range(500)]
    assert len(set(ids)) > 0.99 * len(ids)


@pytest.mark.parametrize(("task", "seed"), ALL[::5])
def test_observations_tell_the_state_the_actions_and_the_goal(task, seed):
    world = HANOI.draw(HANOI.tasks[task], seed)
    for state, _ in list_plan(world, HANOI.teacher(world)):
        text = world.observe(state)
        places = dict(re.findall(r"- (disc\d) on (peg[A-F])\n", text))
        assert places == {d: world.pegs[p] for d, p in zip(world.discs, state, strict=True)}
        for peg, stack in re.findall(r"- (peg[A-F]) (.*)\n", text):
            discs = [] if stack == "empty" else stack.split()
            assert discs == [disc for disc in world.discs if places[disc] == peg]
        assert all(f"\n{action}\n" in text for action in world.actions(state))
        assert text.count("Move ") == len(world.actions(state))
        assert text.endswith(f"\nGoal: all discs on {world.pegs[world.goal]}\n")


@pytest.mark.parametrize(("task", "seed"), ALL[::5])
def test_replies_earn_the_full_reward_under_every_name(task, seed):
    world, rng = HANOI.draw(HANOI.tasks[task], seed), random.Random(seed)
    for state, action in list_plan(world, HANOI.teacher(world)):
        prompt, reply = world.observe(state), HANOI.teacher(world).reply(state)
        read = parse_reply(reply)
        assert read.well_formed and read.action == action
        renaming = HANOI.draw_renaming(prompt, rng)
        assert len(set(renaming.values())) == len(renaming) == 3 + len(world.discs)
        other = Towers(
            tuple(renaming[peg] for peg in world.pegs),
            tuple(renaming[disc] for disc in world.discs),
            world.initial,
            world.goal,
        )
        assert HANOI.rename(prompt, renaming) == other.observe(state)
        assert HANOI.rename(reply, renaming) == HANOI.teacher(other).reply(state)


def test_no_reply_at_the_goal():
    world = build_world(2)
    with pytest.raises(ValueError, match="at its place"):
        HANOI.teacher(world).reply((2, 2))


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"pegs": ["pegA", "pegB", "pegB"], "discs": {"disc1": "pegA"}, "goal": "pegB"},
        {"pegs": ["pegA", "pegB", "pegX"], "discs": {"disc1": "pegA"}, "goal": "pegB"},
        {"pegs": ["pegA", "pegB", "pegC"], "discs": {"disc1": "pegD"}, "goal": "pegB"},
        {"pegs": ["pegA", "pegB", "pegC"], "discs": {}, "goal": "pegB"},
        {"pegs": ["pegA", "pegB", "pegC"], "discs": {"disc0": "pegA"}, "goal": "pegB"},
        {"pegs": ["pegA", "pegB", "pegC"], "discs": {"disc1": "pegA"}, "goal": "pegD"},
        {"pegs": 3, "discs": {"disc1": "pegA"}, "goal": "pegB"},
    ],
)
def test_rows_that_are_no_towers_are_refused(row):
    with pytest.raises(UserError, match=r"^worlds.jsonl:3: .*; give"):
        HANOI.load(row, "worlds.jsonl:3")


def test_examples_of_the_base_model():
    pytest.importorskip("transformers")
    tokenizer = HANOI.pretraining.build_tokenizer()
    sizes = {"readings": 40, "decisions": 40}
    examples = list(HANOI.pretraining.draw_examples(0, sizes, 1))
    assert examples == list(HANOI.pretraining.draw_examples(0, sizes, 2))
    assert set(sizes) == set(HANOI.pretraining.sizes) and len(examples) == 80
    fewest = min(len(HANOI.draw(spec, 0).discs) for spec in HANOI.tasks.values())
    for example in examples:
        text = example["prompt"] + example["completion"]
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.decode(ids) == text
        # Names and phrases are whole tokens; bytes are left for what the rules of the game never write.
        assert not [
            t for t in tokenizer.convert_ids_to_tokens(ids) if len(t) == 1 and t not in ".,-\n"
        ]
        prompt = tokenizer(example["prompt"])["input_ids"]
        assert prompt == ids[: len(prompt)]
        if "Action:" in text:
            assert example["prompt"].count(" on peg") - 1 < fewest
        else:
            places = re.findall(
                r"(disc\d) belongs on peg[A-F], is on (peg[A-F]):", example["completion"]
            )
            assert places and all(f"- {disc} on {peg}\n" in text for disc, peg in places)
