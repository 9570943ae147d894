"""A policy that is a Python function of one's own: what is seen and what is possible go in, an action comes out.

    def choose(observation: str, actions: list[str]) -> str:
        return actions[0]

`taskreason score my_policy:choose` plays it. The function may return a whole reply (Thought: … / Action: …) instead.
"""

import importlib
import re
import sys
from collections.abc import Callable

from taskreason.durability.errors import UserError
from taskreason.environments.reply import format_reply
from taskreason.policies import Turn

NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
Choose = Callable[[str, list[str]], str]


class CallablePolicy:
    """Answers by a function of the observation's text and the possible actions."""

    def __init__(self, name: str, choose: Choose):
        self.name, self._choose = name, choose

    def act(self, turns: list[Turn]) -> list[str]:
        """One reply a turn; UserError where the function fails or returns no text."""
        return [self._ask(turn) for turn in turns]

    def _ask(self, turn: Turn) -> str:
        seen, possible = turn.world.observe(turn.state), list(turn.world.actions(turn.state))
        try:
            reply = self._choose(seen, possible)
        except Exception as error:  # whatever a person's own code raises
            raise UserError(
                f"{self.name}: the function failed with {type(error).__name__}: {error}; correct it and try again."
            ) from error
        if not isinstance(reply, str):
            raise UserError(
                f"{self.name}: the function returned {type(reply).__name__}; return an action's text."
            )
        return reply if "Action:" in reply else format_reply("a function's choice", reply)


def is_callable_name(name: str) -> bool:
    """Whether a name is written MODULE:FUNCTION."""
    return NAME.fullmatch(name) is not None


def load_callable(name: str) -> CallablePolicy:
    """The policy MODULE:FUNCTION; the module is looked for in the working directory, too."""
    module, _, function = name.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = getattr(importlib.import_module(module), function)
    except ImportError as error:
        raise UserError(
            f"{name}: {error}; give MODULE:FUNCTION, the module in this folder or installed."
        ) from None
    except AttributeError:
        raise UserError(f"{name}: {module} has no {function}; correct the name.") from None
    if not callable(found):
        raise UserError(f"{name}: {function} is no function; give one of (observation, actions).")
    return CallablePolicy(name, found)
