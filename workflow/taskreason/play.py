"""A kitchen as a game in the terminal, for people who want to feel what the policy has to do.

Every turn shows the observation that a policy would read, the valid actions with numbers and the
length of a shortest way to the goal. A line of input is a number, an action's text, or one of the
commands; it comes from the keyboard or from a pipe.
"""

from contextlib import suppress

from taskreason.errors import UserError
from taskreason.kitchen.engine import Kitchen, State
from taskreason.kitchen.layout import Layout
from taskreason.kitchen.observation import describe_goal, observe
from taskreason.planner import Planner

PLANNING_LIMIT = 200_000
"""States after which a turn is shown without its distance, so that nobody waits long."""
HELP = "a number or an action's text; h: hint, u: undo, q: quit"


def play(layout: Layout) -> int:
    """Play until the goal, `q` or the end of the input; the return value is the exit status."""
    game = _Game(layout)
    print(f"{layout.goal_description}\n({HELP})")
    while not game.kitchen.is_goal(game.state):
        game.show()
        try:
            line = input("> ").strip()
        except EOFError:
            line = "q"
        if line == "q":
            print(f"\nStopped after {game.steps} steps.")
            return 0
        game.take(line)
    print(f"Served in {game.steps} steps.")
    game.compare()
    return 0


class _Game:
    """The states so far (for undo) and the planner that comments on them."""

    def __init__(self, layout: Layout):
        self.kitchen = Kitchen(layout)
        self.planner = Planner(self.kitchen, PLANNING_LIMIT)
        self.history = [self.kitchen.initial]

    @property
    def state(self) -> State:
        return self.history[-1]

    @property
    def steps(self) -> int:
        return len(self.history) - 1

    def show(self) -> None:
        """Print the observation with numbered actions, the goal and the distance to it."""
        facts, _, _ = observe(self.kitchen, self.state).partition("Valid actions:")
        print(f"\n{facts}Valid actions:")
        for number, action in enumerate(self.kitchen.valid_actions(self.state), 1):
            print(f"{number:4}  {action.text}")
        print(f"Goal: {describe_goal(self.kitchen)}")
        print(f"Step {self.steps}. {self._describe_distance()}")

    def take(self, line: str) -> None:
        """Apply one line of input."""
        actions = self.kitchen.valid_actions(self.state)
        if line == "u":
            if self.steps:
                self.history.pop()
            else:
                print("There is nothing to undo.")
        elif line == "h":
            print(f"Hint: {self._hint()}")
        else:
            if line.isdecimal() and 1 <= int(line) <= len(actions):
                action = actions[int(line) - 1]
            else:
                action = self.kitchen.find_action(self.state, line)
            if action is None:
                print(f"{line!r} is not a valid action here: give {HELP}.")
            else:
                self.history.append(self.kitchen.step(self.state, action))

    def compare(self) -> None:
        """Print the fewest steps that the kitchen allowed, where that is known."""
        with suppress(UserError):
            print(f"The fewest possible were {self.planner.distance(self.history[0])}.")

    def _hint(self) -> str:
        try:
            best = self.planner.optimal_actions(self.state)
        except UserError:
            return "this kitchen is too large for hints."
        return " or ".join(action.text for action in best) or "there is none, try u."

    def _describe_distance(self) -> str:
        try:
            steps = self.planner.distance(self.state)
        except UserError:
            return "The distance to the goal takes too long to find."
        if steps is None:
            return "The goal can't be reached from here."
        return f"At least {steps} more."
