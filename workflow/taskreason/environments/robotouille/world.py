"""A kitchen as the protocol of :mod:`taskreason.environments.base` has it: actions go in and out as text."""

from .simulator.engine import Kitchen, State
from .simulator.layout import Layout
from .simulator.observation import observe


class KitchenWorld:
    """One kitchen with its goal. kitchen: the simulator behind it. id: the layout's hash."""

    def __init__(self, source: Kitchen | Layout):
        self.kitchen = source if isinstance(source, Kitchen) else Kitchen(source)
        self.initial = self.kitchen.initial

    @property
    def id(self) -> str:
        return self.kitchen.layout.hash

    def actions(self, state: State) -> list[str]:
        return [action.text for action in self.kitchen.valid_actions(state)]

    def step(self, state: State, action: str) -> State | None:
        found = self.kitchen.find_action(state, action)
        return None if found is None else self.kitchen.step(state, found)

    def solved(self, state: State) -> bool:
        return self.kitchen.is_goal(state)

    def observe(self, state: State) -> str:
        return observe(self.kitchen, state)
