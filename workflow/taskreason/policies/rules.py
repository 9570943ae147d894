"""An environment's rule of thumb as a policy."""

from collections.abc import Callable

from taskreason.environments.base import State, World
from taskreason.policies import Turn


class RulePolicy:
    """Answers by a function of world and state (:attr:`taskreason.environments.base.Environment.rule_policies`)."""

    def __init__(self, name: str, rule: Callable[[World, State], str]):
        self.name, self._rule = name, rule

    def act(self, turns: list[Turn]) -> list[str]:
        """One reply a turn."""
        return [self._rule(turn.world, turn.state) for turn in turns]
