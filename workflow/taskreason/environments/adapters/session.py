"""One episode in one world, a step at a time: what every adapter plays."""

import hashlib
from typing import Any

from taskreason.environments import load_environment
from taskreason.environments.base import SearchError, World
from taskreason.environments.reply import parse_reply, trim


class Session:
    """An episode of a task, in the world that a seed stands for.

    >>> session = Session("burger", seed=3)
    >>> session.take(session.tell()["optimal_actions"][0])
    True
    """

    def __init__(self, task: str, seed: int, environment: str = "robotouille", mode: str = ""):
        env = load_environment(environment)
        self.task = env.tasks[task]
        self.world: World = env.draw(self.task, seed, mode)
        self.teacher = env.teacher(self.world, patient=False)
        self.state, self.steps = self.world.initial, 0

    @property
    def solved(self) -> bool:
        """Whether the goal is reached."""
        return self.world.solved(self.state)

    @property
    def over(self) -> bool:
        """Whether the episode has ended: the goal reached, or as many steps taken as the task allows."""
        return self.solved or self.steps >= self.task.timeout

    def observe(self) -> str:
        """The prompt's text for the state."""
        return self.world.observe(self.state)

    def take(self, text: str) -> bool:
        """Take an action, or that of a whole reply; False where it is not possible, which costs a step all the same."""
        action = parse_reply(text).action if "Action:" in text else trim(text)
        after = self.world.step(self.state, action or "")
        self.steps += 1
        self.state = self.state if after is None else after
        return after is not None

    def tell(self) -> dict[str, Any]:
        """What the observation does not say.

        world: its id. steps: taken so far. valid_actions: every one that is possible. optimal_actions: those that
        begin a shortest plan; none at the goal. distance: steps of a shortest plan, None where the goal can't be
        reached, or the search would take seconds. state_hash: 16 hex digits, equal for equal states of a world.
        """
        try:
            distance = self.teacher.distance(self.state)
            optimal = tuple(self.teacher.optimal(self.state))
        except SearchError:
            distance, optimal = None, ()
        told = f"{self.world.id}\n{self.observe()}".encode()
        return {
            "world": self.world.id,
            "steps": self.steps,
            "valid_actions": tuple(self.world.actions(self.state)),
            "optimal_actions": optimal,
            "distance": distance,
            "state_hash": hashlib.sha256(told).hexdigest()[:16],
        }
