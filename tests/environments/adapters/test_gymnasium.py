"""gymnasium's own checker, and what an agent sees through it."""

import warnings

import pytest

from taskreason.environments import ENVIRONMENTS, load_environment

gymnasium = pytest.importorskip("gymnasium")
pytest.importorskip("taskreason.environments.adapters.gymnasium")  # tells gymnasium the tasks


@pytest.mark.parametrize("name", ["burger", "double_cheese_burger", "hanoi"])
def test_gymnasiums_checker_finds_nothing(name):
    from gymnasium.utils.env_checker import check_env

    name = next(iter(load_environment("hanoi").tasks)) if name == "hanoi" else name
    env = gymnasium.make(f"taskreason/{name}-v0", render_mode="ansi")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)


def test_every_task_of_every_environment_is_there():
    wanted = {
        f"taskreason/{task}-v0" for env in ENVIRONMENTS for task in load_environment(env).tasks
    }
    assert wanted <= set(gymnasium.registry)


def test_the_optimal_actions_earn_the_reward_and_others_run_into_the_timeout():
    env = gymnasium.make("taskreason/burger-v0")
    observation, info = env.reset(seed=5)
    steps = info["distance"]
    for left in range(steps, 0, -1):
        assert info["distance"] == left
        observation, reward, terminated, truncated, info = env.step(info["optimal_actions"][0])
        assert (reward, terminated) == (float(left == 1), left == 1) and info["valid"]
    env.reset(options={"world": 3})
    for step in range(1, 16):
        observation, reward, terminated, truncated, info = env.step("fly")
        assert (reward, terminated, truncated) == (0.0, False, step == 15) and not info["valid"]


def test_worlds_can_be_asked_for_as_the_workflow_numbers_them():
    env, kitchens = gymnasium.make("taskreason/burger-v0"), load_environment("robotouille")
    observation, info = env.reset(options={"world": 1_000_001})
    world = kitchens.draw(kitchens.tasks["burger"], 1_000_001)
    assert info["world"] == world.id and observation == world.observe(world.initial)
    first, again = env.reset(seed=7)[0], env.reset(seed=7)[0]
    assert first == again != env.reset()[0]
