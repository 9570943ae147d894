"""Environments behind one protocol (:mod:`taskreason.environments.base`), and the registry of them."""

from functools import cache
from importlib import import_module

from taskreason.environments.base import Environment

ENVIRONMENTS = {
    "robotouille": "taskreason.environments.robotouille.environment",
    "hanoi": "taskreason.environments.hanoi.environment",
}
"""Name -> module that holds ``ENVIRONMENT``; a new environment adds its line here."""


@cache
def load_environment(name: str) -> Environment:
    """The environment of that name (a key of ``ENVIRONMENTS``)."""
    return import_module(ENVIRONMENTS[name]).ENVIRONMENT
