"""A kitchen as a game in the terminal, for people who want to feel what the policy has to do.

Every turn shows the kitchen, the valid actions in the policy's own words with numbers, and how far it is to the goal at
best. A line of input is an action's number, its words (shortened, as long as they fit one action only), or a command.
It comes from the keyboard or from a pipe. Colours appear on a terminal alone.
"""

import os
import re
import sys
from contextlib import suppress
from textwrap import fill

from taskreason.durability.errors import UserError, quote

from .planner.search import QUICK_LIMIT, Planner
from .simulator.domain import CUTS, TICKS, Action, Op
from .simulator.engine import Kitchen, State
from .simulator.layout import Layout
from .simulator.observation import EFFECT_WORDS, describe_goal, list_flags

WIDTH = 78
COMMANDS = {
    "hint": "the actions that begin a shortest way from here",
    "undo": "take the last step back",
    "restart": "begin again",
    "help": "this list",
    "quit": "stop",
}
"""A command's first letter will do, and ? for help."""
HELP = "Give an action's number or its words, shortened (m 3). ? for help, q to quit."
FILLERS = {"from", "to", "on", "top", "of", "using", "with", "into", "in"}
"""Words that tell no action from another."""
BOLD, GREEN, YELLOW, RED = "1", "32", "33", "31"


def play(layout: Layout) -> int:
    """Play until the goal, `quit` or the end of the input; the return value is the exit status."""
    game = _Game(layout)
    with suppress(ImportError):  # keys that move in the line and recall earlier ones
        import readline  # noqa: F401
    print(f"{paint(fill(layout.goal_description, WIDTH), BOLD)}\n{HELP}")
    game.show()
    while not game.kitchen.is_goal(game.state):
        try:
            line = input(f"{game.steps + 1}> ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            line = "quit"
        if find_command(line) == "quit":
            print(f"Stopped after {count_steps(game.steps)}.")
            return 0
        if line:
            game.take(line)
    print(game.score())
    return 0


def find_command(line: str) -> str | None:
    """The command that a line means, None where it means none."""
    word = {"?": "help"}.get(line, line.lower())
    # The hint comes before help, and so has the letter.
    return next((name for name in COMMANDS if word in (name, name[0])), None)


def find_actions(kitchen: Kitchen, actions: tuple[Action, ...], line: str) -> list[Action]:
    """The actions that a line may mean: by number, by the whole text, or by shortened words in their order.

    ``pi pa``, ``pick up patty1`` and ``p patty`` are all "Pick up patty1 from table3"; ``m 3`` and ``move table3``
    go to table3, whatever the robot's name and wherever it stands.
    """
    if line.isdecimal():
        return list(actions[int(line) - 1 : int(line)]) if int(line) else []
    if whole := [action for action in actions if action.text.lower() == line.lower()]:
        return whole
    given = _tell_apart(kitchen, line)
    return [action for action in actions if given and _fits(given, _key_words(kitchen, action))]


def _tell_apart(kitchen: Kitchen, text: str) -> list[str]:
    """The words of a text that tell it from others."""
    return [word for word in text.lower().split() if word not in FILLERS | {kitchen.robot}]


def _key_words(kitchen: Kitchen, action: Action) -> list[str]:
    """The words that tell an action from the others at the same place."""
    if action.op is Op.move:
        return ["move", kitchen.stations[action.b]]
    if action.op is Op.wait:
        return ["do", "nothing", "wait"]
    return _tell_apart(kitchen, action.text.replace("'s contents", ""))


def _fits(given: list[str], words: list[str]) -> bool:
    """Whether every given word begins one of the words, in order; digits stand for a name's number."""
    rest = iter(words)
    return all(any(_begins(part, word) for word in rest) for part in given)


def _begins(part: str, word: str) -> bool:
    short = re.fullmatch(r"([a-z]*)(\d+)", part)
    numbered = short and re.fullmatch(f"{short[1]}[a-z]*{short[2]}", word)
    return word.startswith(part) or bool(numbered)


def paint(text: str, *codes: str) -> str:
    """The text in colour on a terminal, as it is elsewhere and where NO_COLOR is set."""
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return text if plain or not sys.stdout.isatty() else f"\033[{';'.join(codes)}m{text}\033[0m"


def describe_things(kitchen: Kitchen, state: State, station: int) -> list[str]:
    """What is at a station, from the bottom up, with what has been done to it: ``patty1 (cooked)``."""
    containers = enumerate(state.containers, len(kitchen.items))
    things = [*state.stacks[station], *(n for n, (place, _) in containers if place == station)]
    return [_describe_thing(kitchen, state, thing) for thing in things]


def describe_held(kitchen: Kitchen, state: State) -> str:
    """What the robot holds, with what is in it or has been done to it."""
    return _describe_thing(kitchen, state, state.hand) if state.hand >= 0 else "nothing"


def _describe_thing(kitchen: Kitchen, state: State, thing: int) -> str:
    """An item or, counted after these, a container, with what is to be said of it in brackets."""
    count, timers = len(kitchen.items), []
    if thing < count:
        notes = list_flags(state.flags[thing])
    else:
        notes = [_describe_meal(kitchen, state, state.containers[thing - count][1])]
    for kind, obj, _, done in state.effects:
        word = EFFECT_WORDS[kind]
        owner = obj + count if word in ("fill", "boil") else obj
        if owner == thing != state.hand:
            timers.append(f"{word} {done}/{CUTS if word == 'cut' else TICKS}")
    name = (*kitchen.items, *kitchen.containers)[thing]
    return f"{name} ({', '.join(filter(None, [*notes, *timers[-1:]]))})".replace(" ()", "")


def _describe_meal(kitchen: Kitchen, state: State, meal: int) -> str:
    """What is in a container."""
    if meal < 0:
        return ""
    added = [kitchen.items[item] for item, where in sorted(state.added) if where == meal]
    boiling = "boiling " if state.meals[meal] else ""
    return " and ".join([boiling + kitchen.meal_names(state)[meal], *added])


def count_steps(number: int) -> str:
    """The number with its noun."""
    return f"{number} step{'' if number == 1 else 's'}"


class _Game:
    """The states so far (for undo) and the planner that comments on them."""

    def __init__(self, layout: Layout):
        self.kitchen = Kitchen(layout)
        self.planner = Planner(self.kitchen, QUICK_LIMIT)
        self.history = [self.kitchen.initial]
        self.hints = 0
        self.best: int | None = (
            None  # steps of a shortest plan, where there is one and finding it takes seconds
        )
        with suppress(UserError):
            self.best = self.planner.distance(self.state)

    @property
    def state(self) -> State:
        return self.history[-1]

    @property
    def steps(self) -> int:
        return len(self.history) - 1

    @property
    def actions(self) -> tuple[Action, ...]:
        return self.kitchen.valid_actions(self.state)

    def show(self) -> None:
        """Print the kitchen, the goal and the distance to it, and the numbered actions."""
        kitchen, state = self.kitchen, self.state
        print(f"\n{paint(self._describe_distance(), BOLD)}")
        width = max(map(len, kitchen.stations))
        for number, station in enumerate(kitchen.stations):
            here = number == state.loc
            text = ", ".join(describe_things(kitchen, state, number)) or "empty"
            line = f"{'> ' if here else '  '}{station:{width}}  {text}"
            line = fill(line, WIDTH, subsequent_indent=" " * (width + 4))
            print(paint(line, GREEN) if here else line)
        print(paint(f"> {kitchen.robot} is holding {describe_held(kitchen, state)}.", GREEN))
        if kitchen.is_goal(state):
            return
        print(fill(f"Goal: {describe_goal(kitchen)}", WIDTH))
        for number, action in enumerate(self.actions, 1):
            print(f"{paint(f'{number:4}', YELLOW)}  {action.text}")

    def take(self, line: str) -> None:
        """Do what one line of input says."""
        if command := find_command(line):
            getattr(self, f"_{command}")()
            return
        found = find_actions(self.kitchen, self.actions, line)
        if len(found) == 1:
            self.history.append(self.kitchen.step(self.state, found[0]))
            print(paint(found[0].text, GREEN))
            self.show()
        elif found:
            numbers = [str(self.actions.index(action) + 1) for action in found]
            print(paint(f"{quote(line)} fits several actions: {', '.join(numbers)}.", RED))
        else:
            fix = f"give 1 to {len(self.actions)} or words; ? for help."
            print(paint(f"{quote(line)} is no action that is valid here: {fix}", RED))

    def score(self) -> str:
        """The steps taken against the fewest that the kitchen allowed, where these are known."""
        told = f"Served in {count_steps(self.steps)}."
        if self.best:
            extra = self.steps - self.best
            told += f" The fewest possible are {self.best}: "
            told += f"{extra} too many, " if extra else "a shortest plan, "
            told += f"{100 * self.best / self.steps:.0f} points of 100."
        if self.hints:
            told += f" Hints: {self.hints}."
        return paint(fill(told, WIDTH), BOLD, GREEN)

    def _hint(self) -> None:
        self.hints += 1
        try:
            best = self.planner.optimal_actions(self.state)
        except UserError:
            print("This kitchen is too large for hints.")
            return
        hints = [f"Hint: {self.actions.index(action) + 1}  {action.text}" for action in best]
        print("\n".join(hints) or "There is no way from here: try undo.")

    def _undo(self) -> None:
        if not self.steps:
            print("There is nothing to undo.")
            return
        self.history.pop()
        self.show()

    def _restart(self) -> None:
        del self.history[1:]
        self.show()

    def _help(self) -> None:
        print(HELP)
        for name, text in COMMANDS.items():
            print(f"  {'?' if name == 'help' else name[0]}, {name:8} {text}")
        print("Things at a place are listed from the bottom of the stack up.")

    def _describe_distance(self) -> str:
        done = f"{count_steps(self.steps)} done" if self.steps else "The start"
        try:
            left = self.planner.distance(self.state)
        except UserError:
            return f"{done}; the distance to the goal takes too long to find."
        if not left:
            how = "is reached" if left == 0 else "can't be reached from here"
            return f"{done}; the goal {how}."
        told = f"{done}, at least {left} to go"
        if self.best is not None and self.steps + left > self.best:
            told += f"; that makes {self.steps + left}, and {self.best} would have done"
        return f"{told}."
