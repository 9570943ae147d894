"""What the episodes of one kitchen went through, as plain values for a page.

Input: a kitchen and stored episodes in it. Output: JSON values in which every state, text and action stands once,
however many episodes share it, and episodes are lists of indices. The simulator replays the actions, and the planner
says of every state which actions begin a shortest plan and how many steps that has, so a page needs neither.
"""

from collections.abc import Mapping

from taskreason.durability.errors import UserError
from taskreason.environments.robotouille.planner.search import Planner
from taskreason.environments.robotouille.simulator.engine import Kitchen, State
from taskreason.environments.robotouille.teacher import format_reply
from taskreason.policies.reply import read_thought


class Index(dict):
    """Numbers of things in the order in which they were first asked for."""

    def __missing__(self, key):
        self[key] = len(self)
        return self[key]


class KitchenRecord:
    """One kitchen, and what its episodes add to it."""

    def __init__(self, kitchen: Kitchen, number: int):
        self.kitchen = kitchen
        self.number = number
        self._planner = Planner(kitchen)
        self._actions, self._texts, self._states = Index(), Index(), Index()
        self._described: list[dict] = []
        self._episodes: dict[str, dict] = {}

    def add_episode(self, name: str, episode: Mapping, source: str) -> None:
        """Replay a stored episode; ``name`` is what the page finds it by, ``source`` the file that errors name.

        A step is [state before it, action (-1: the reply had none), thought] and, where the reply has another form
        than the two lines asked for, the whole reply. Raises UserError where the actions do not lead to what the
        episode says that they led to.
        """
        actions, replies = episode["actions"], episode["replies"]
        kitchen, state, steps = self.kitchen, self.kitchen.initial, []
        if len(actions) != len(replies):
            raise self._refuse(source, f"{len(replies)} replies for {len(actions)} actions")
        for text, reply in zip(actions, replies, strict=True):
            thought = read_thought(reply)
            step = [self._number(state), self._actions[text] if text else -1, self._texts[thought]]
            if reply.strip() != format_reply(thought, text):
                step.append(self._texts[reply])
            steps.append(step)
            action = kitchen.find_action(state, text)
            state = state if action is None else kitchen.step(state, action)
        if kitchen.is_goal(state) != episode["success"]:
            raise self._refuse(source, "another outcome than its actions lead to")
        self._episodes[name] = {"steps": steps, "end": self._number(state)}

    def to_json(self) -> dict:
        """All that the page needs of this kitchen."""
        kitchen, layout = self.kitchen, self.kitchen.layout
        places = sorted(layout.stations, key=lambda spec: (spec.x, spec.y))
        return {
            "number": self.number,
            "hash": layout.hash,
            "size": [layout.width, layout.height],
            "stations": [
                [name, spec.x, spec.y] for name, spec in zip(kitchen.stations, places, strict=True)
            ],
            "items": kitchen.items,
            "containers": kitchen.containers,
            "robot": [layout.robot.x, layout.robot.y],
            "actions": list(self._actions),
            "texts": list(self._texts),
            "states": self._described,
            "episodes": self._episodes,
        }

    def describe_recipe(self) -> list[dict] | None:
        """The goal's slots from the bottom; None where the goal is not one stack on a station.

        Those that may come in any order say so.
        """
        towers = self._planner.towers
        if not towers or len(towers) > 1 or not towers[0].station:
            return None
        tower = towers[0]
        free = range(len(tower.chain), len(tower.chain) + len(tower.loose))
        return [
            {"kind": slot.kind, "flags": slot.flags, "free": n in free}
            for n, slot in enumerate(tower.slots)
        ]

    def _number(self, state: State) -> int:
        number = self._states[state]
        if number == len(self._described):
            self._described.append(self._describe(state))
        return number

    def _describe(self, state: State) -> dict:
        """The state, what is valid in it, what is optimal, and the steps of a shortest plan (None: no plan is left)."""
        left = self._planner.distance(state)
        described = {
            "at": state.loc,
            "hand": state.hand,
            "stacks": state.stacks,
            "flags": state.flags,
            "valid": [self._actions[a.text] for a in self.kitchen.valid_actions(state)],
            "optimal": [self._actions[a.text] for a in self._planner.optimal_actions(state)],
            "left": left,
        }
        more = {
            "containers": state.containers,
            "meals": state.meals,
            "added": sorted(state.added),
            "timers": state.effects,
        }
        return described | {key: value for key, value in more.items() if value}

    def _refuse(self, source: str, fault: str) -> UserError:
        return UserError(
            f"{source}: the episode of kitchen {self.kitchen.layout.hash} has {fault}; "
            "delete the file and run snakemake again"
        )
