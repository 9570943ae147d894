"""Tasks as gymnasium environments: text in, text out, reward 1 at the goal.

    import gymnasium
    import taskreason.environments.adapters.gymnasium  # tells gymnasium the tasks

    env = gymnasium.make("taskreason/burger-v0")
    observation, info = env.reset(seed=3)
    while True:
        observation, reward, terminated, truncated, info = env.step(info["optimal_actions"][0])
        if terminated or truncated:
            break

``info`` holds what :meth:`taskreason.environments.adapters.session.Session.tell` says, and ``valid``, whether the last
action was possible.
"""

import string
from typing import Any

import gymnasium
from gymnasium.spaces import Text

from taskreason.environments import ENVIRONMENTS, load_environment
from taskreason.environments.adapters.session import Session

LONGEST, LONGEST_ACTION = 20_000, 2_000
"""Characters of an observation, and of an action or a whole reply, at most."""
SEEDS = 2**31


class TaskEnv(gymnasium.Env):
    """One task; every reset draws another of its worlds.

    ``reset(seed=…)`` seeds what is drawn from then on; ``options={"world": n}`` asks for the world of the seed n, as
    the workflow's splits number them. An action is the text of one, or a reply with a line ``Action: …``. One that is
    not possible costs a step and changes nothing. The episode is truncated at the task's timeout.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 1}

    def __init__(
        self,
        task: str = "burger",
        environment: str = "robotouille",
        mode: str = "",
        render_mode: str | None = None,
    ):
        self.task, self.environment, self.mode = task, environment, mode
        self.render_mode = render_mode
        letters = string.printable
        self.observation_space = Text(LONGEST, charset=letters)
        self.action_space = Text(LONGEST_ACTION, charset=letters)
        self.session: Session | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """The first observation of a new episode, and its info."""
        super().reset(seed=seed)
        drawn = int(self.np_random.integers(SEEDS))
        world = (options or {}).get("world", drawn)
        self.session = Session(self.task, world, self.environment, self.mode)
        return self.session.observe(), self.session.tell() | {"valid": True}

    def step(self, action: str):
        """One step: observation, reward (1 at the goal), terminated, truncated, info."""
        session = self.session
        valid = session.take(action)
        info = session.tell() | {"valid": valid}
        ended = session.over and not session.solved
        return session.observe(), float(session.solved), session.solved, ended, info

    def render(self) -> str | None:
        """The observation as text, with the render mode "ansi"."""
        return self.session.observe() if self.render_mode == "ansi" and self.session else None


def register() -> None:
    """Tell gymnasium every task of every environment."""
    for environment in ENVIRONMENTS:
        for task in load_environment(environment).tasks:
            if f"taskreason/{task}-v0" not in gymnasium.registry:
                gymnasium.register(
                    f"taskreason/{task}-v0",
                    entry_point="taskreason.environments.adapters.gymnasium:TaskEnv",
                    kwargs={"task": task, "environment": environment},
                )


register()
