"""Tasks as environments of TRL's GRPOTrainer: a model plays whole episodes by calling one tool.

    from trl import GRPOConfig, GRPOTrainer
    from taskreason.environments.adapters.trl import make_dataset, make_factory

    trainer = GRPOTrainer(
        model,
        args=GRPOConfig(...),
        train_dataset=make_dataset("burger", seeds=range(1, 401)),
        environment_factory=make_factory("burger"),
    )

Every row of the data set names a world by its seed, and each of the group's rollouts plays in it. The reward is 1 at
the goal. Whoever wants one for each decision reads ``environments[i].optimal`` in a reward function of their own: how
many of the actions taken began a shortest plan, of how many.
"""

from collections.abc import Callable, Iterable

from taskreason.environments import load_environment
from taskreason.environments.adapters.session import Session

ENDED = "The episode has ended."


class PlayedTask:
    """One rollout's episode. TRL resets it, shows :meth:`act` to the model as a tool, and asks for the reward."""

    def __init__(self, task: str, environment: str = "robotouille", mode: str = ""):
        self._task, self._environment, self._mode = task, environment, mode
        self._session: Session | None = None
        self.optimal = (0, 0)

    def reset(self, seed: int, **row) -> str:
        """Begin an episode in the world of a seed; returns what is added to the prompt."""
        self._session = Session(self._task, seed, self._environment, self._mode)
        self.optimal = (0, 0)
        return self._session.observe()

    def act(self, action: str) -> str:
        """Take one of the valid actions.

        Args:
            action: The action, word for word as it is listed.

        Returns:
            What can be seen after it.
        """
        session = self._session
        if session.over:
            return ENDED
        right, taken = self.optimal
        self.optimal = (right + (action in session.tell()["optimal_actions"]), taken + 1)
        valid = session.take(action)
        if session.over:
            return f"The goal is reached. {ENDED}" if session.solved else ENDED
        return session.observe() if valid else f"Not possible.\n{session.observe()}"

    def get_reward(self) -> float:
        """1 where the goal was reached, 0 elsewhere."""
        return float(self._session.solved)


def make_factory(
    task: str, environment: str = "robotouille", mode: str = ""
) -> Callable[[], PlayedTask]:
    """What ``GRPOTrainer(environment_factory=…)`` takes."""
    return lambda: PlayedTask(task, environment, mode)


def make_dataset(task: str, seeds: Iterable[int], environment: str = "robotouille"):
    """A ``datasets.Dataset``, a row for each world: its seed, and a prompt to which the first observation is added."""
    from datasets import Dataset

    env = load_environment(environment)
    rules = env.rules.strip().rpartition("\n\n")[
        0
    ]  # the last paragraph says how to answer without a tool
    asked = (
        f"{rules}\n\nTake one action at a time with the tool `act`, until the goal is reached.\n\n"
    )
    return Dataset.from_list(
        [{"prompt": [{"role": "user", "content": asked}], "seed": seed} for seed in seeds]
    )
