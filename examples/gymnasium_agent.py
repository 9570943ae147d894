"""An agent in a kitchen through gymnasium: it looks at the optimal actions half of the time, and guesses else.

    python examples/gymnasium_agent.py

Prints how each of ten episodes ended, and how far from a shortest plan it was.
"""

import random

import gymnasium

import taskreason.environments.adapters.gymnasium  # noqa: F401  tells gymnasium the tasks

rng = random.Random(0)
env = gymnasium.make("taskreason/burger-v0")
for seed in range(10):
    observation, info = env.reset(seed=seed)
    shortest, ended = info["distance"], False
    while not ended:
        choices = info["optimal_actions"] if rng.random() < 0.5 else info["valid_actions"]
        observation, reward, terminated, truncated, info = env.step(rng.choice(choices))
        ended = terminated or truncated
    told = "solved" if terminated else f"{info['distance']} steps short"
    print(
        f"kitchen {info['world']}: {told} after {info['steps']} steps; a shortest plan has {shortest}"
    )
