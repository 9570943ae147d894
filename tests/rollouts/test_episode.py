"""Episodes: what a step costs, when they end, and that they resume."""

import pytest

from kitchens import ENV, make_plan, make_world
from taskreason.policies.rules import RandomPolicy, TeacherPolicy
from taskreason.rollouts.episode import Outcome, Start, rollout_to_file, run_episodes


def make_starts(task, count, first=0):
    worlds = [make_world(task, seed) for seed in range(first, first + count)]
    return [Start(world, task, len(make_plan(world))) for world in worlds]


class Scripted:
    """Answers with the given texts, the same for every episode, and counts what it was asked."""

    name = "scripted"

    def __init__(self, *texts):
        self.texts, self.asked = texts, 0

    def act(self, turns):
        reply = self.texts[min(self.asked, len(self.texts) - 1)]
        self.asked += 1
        return [reply] * len(turns)


def test_the_teacher_takes_the_optimal_number_of_steps():
    for episode in run_episodes(
        TeacherPolicy(ENV), make_starts("cheese_burger", 6), timeout=40, batch_size=3
    ):
        assert episode.outcome is Outcome.success and episode.steps == episode.optimal_steps
        assert episode.invalid == episode.malformed == 0


def test_an_invalid_reply_costs_a_step_and_changes_nothing():
    start = make_starts("burger", 1)[0]
    best = make_plan(start.world)
    texts = [
        "gibberish",
        "Thought: x\nAction: Fly to the moon",
        *(f"Thought: x\nAction: {action}" for _, action in best),
    ]
    (episode,) = run_episodes(Scripted(*texts), [start], timeout=40, batch_size=1)
    assert episode.success and episode.steps == len(best) + 2
    assert (episode.invalid, episode.malformed) == (2, 1)
    assert episode.actions[:2] == ("", "Fly to the moon")


def test_a_failure_ends_at_the_timeout():
    (episode,) = run_episodes(
        Scripted("Thought: x\nAction: Do nothing"), make_starts("burger", 1), 7, 1
    )
    assert (episode.success, episode.steps, episode.outcome) == (False, 7, Outcome.timeout)


def test_side_by_side_or_one_by_one_gives_the_same_episodes():
    starts = make_starts("cheese_sandwich", 7)
    together = run_episodes(TeacherPolicy(ENV), starts, 20, batch_size=7)
    assert together == run_episodes(TeacherPolicy(ENV), starts, 20, batch_size=2)


class Killed(Exception):
    pass


def leave_partial(policy, starts, timeout, path, ended):
    """What a rollout leaves that is killed when so many episodes have ended, one after the other."""

    def act(turns, answer=policy.act):
        if turns[0].world is starts[ended].world:
            raise Killed
        return answer(turns)

    policy.act = act
    with pytest.raises(Killed):
        rollout_to_file(policy, starts, timeout, 1, path)
    return path.with_name(path.name + ".partial")


def test_a_rollout_resumes_after_a_torn_line(tmp_path):
    starts, path = make_starts("cheese_sandwich", 5), tmp_path / "episodes.jsonl"
    whole = rollout_to_file(TeacherPolicy(ENV), starts, 20, 2, path)
    text = path.read_text()
    path.unlink()
    left = leave_partial(TeacherPolicy(ENV), starts, 20, path, ended=3)
    left.write_bytes(left.read_bytes()[:-30])
    counting = TeacherPolicy(ENV)
    asked = []
    counting.act = lambda turns, act=counting.act: asked.extend(turns) or act(turns)
    assert rollout_to_file(counting, starts, 20, 2, path) == whole and path.read_text() == text
    missing = {start.world.id for start in starts[2:]}
    assert {turn.world.id for turn in asked} == missing and not left.exists()


def test_a_world_given_twice_is_played_once_and_counted_in_both_places(tmp_path, capsys):
    first, second = make_starts("burger", 2)
    episodes = rollout_to_file(
        TeacherPolicy(ENV), [first, second, first], 20, 3, tmp_path / "e.jsonl"
    )
    assert [e.layout_hash for e in episodes] == [start.world.id for start in (first, second, first)]
    assert "2/2 episodes, SR 1.00" in capsys.readouterr().err


def test_a_partial_file_of_another_timeout_is_not_reused(tmp_path):
    starts, path = make_starts("burger", 2), tmp_path / "e.jsonl"
    idle = "Thought: x\nAction: Do nothing"
    left = leave_partial(Scripted(idle), starts, 3, path, ended=1)
    assert '"steps": 3' in left.read_text()
    assert all(
        episode.steps == 5 for episode in rollout_to_file(Scripted(idle), starts, 5, 2, path)
    )


def test_the_random_policy_repeats_itself_by_seed():
    starts = make_starts("burger", 2)
    assert run_episodes(RandomPolicy(4), starts, 15, 2) == run_episodes(
        RandomPolicy(4), starts, 15, 2
    )
