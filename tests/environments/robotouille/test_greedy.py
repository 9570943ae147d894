"""The rule of thumb: where it is as good as the planner, and that it stands still where it knows nothing."""

from kitchens import ENV, make_plan, make_world, soup_world
from taskreason.policies.loading import load_rules
from taskreason.rollouts.episode import Start, run_episodes


def test_the_rule_of_thumb_cooks_open_kitchens_and_never_errs_in_form():
    """Within its reach (nothing in the way) it needs the planner's number of steps; every action is possible."""
    policy = load_rules("greedy", 0, ENV)
    for task in ENV.default_tasks:
        worlds = [make_world(task, seed) for seed in range(30)]
        starts = [Start(world, task, len(make_plan(world))) for world in worlds]
        episodes = run_episodes(policy, starts, timeout=60, batch_size=30)
        assert all(episode.invalid == 0 for episode in episodes)
        assert sum(e.success and e.steps == e.optimal_steps for e in episodes) >= 15


def test_the_rule_of_thumb_stands_still_before_a_goal_that_is_no_tower():
    start = Start(soup_world(), "soup", None)
    (episode,) = run_episodes(load_rules("greedy", 0, ENV), [start], timeout=3, batch_size=1)
    assert list(episode.actions) == ["Do nothing"] * 3 and not episode.success
