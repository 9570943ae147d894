"""The game, discs on three pegs, and its exact teacher.

A state tells the peg of every disc, from the largest to the smallest: (0, 0, 2) has the two larger ones on the first
peg. A disc never lies on a smaller one, so every such tuple is a legal state.
"""

import hashlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from taskreason.environments.reply import format_reply

State = tuple[int, ...]
PEGS = tuple(f"peg{letter}" for letter in "ABCDEF")
DISCS = tuple(f"disc{number}" for number in range(9, 0, -1))
"""Names to draw from; a disc's number is its size."""


@dataclass(frozen=True)
class Towers:
    """A world: the names of three pegs and of the discs, the start, and the number of the goal's peg."""

    pegs: tuple[str, ...]
    discs: tuple[str, ...]
    initial: State
    goal: int

    @property
    def id(self) -> str:
        """The first prompt tells everything about a world, so its hash stands for the world."""
        return hashlib.sha256(self.observe(self.initial).encode()).hexdigest()[:16]

    def actions(self, state: State) -> list[str]:
        return list(self._list_moves(state))

    def step(self, state: State, action: str) -> State | None:
        return self._list_moves(state).get(action)

    def solved(self, state: State) -> bool:
        return set(state) == {self.goal}

    def observe(self, state: State) -> str:
        """The prompt: pegs with their discs, discs with their pegs, possible moves, goal."""
        places = {disc: self.pegs[on] for disc, on in zip(self.discs, state, strict=True)}
        stacks = {peg: [disc for disc in places if places[disc] == peg] for peg in self.pegs}
        pegs = [f"- {peg} {' '.join(stack) or 'empty'}" for peg, stack in stacks.items()]
        discs = [f"- {disc} on {peg}" for disc, peg in places.items()]
        lists = ["Pegs:", *pegs, "Discs:", *discs, "Valid actions:", *self.actions(state)]
        return "\n".join([*lists, f"Goal: all discs on {self.pegs[self.goal]}\n"])

    def tell_move(self, disc: int, start: int, end: int) -> str:
        """A move in words, without its verb."""
        return f"{self.discs[disc]} from {self.pegs[start]} to {self.pegs[end]}"

    def _list_moves(self, state: State) -> dict[str, State]:
        """Text of every possible move -> the state after it."""
        # The top of a peg is the last of its discs, the smallest; -1, larger than any disc, is an empty peg.
        tops = [max((d for d, on in enumerate(state) if on == peg), default=-1) for peg in range(3)]
        return {
            f"Move {self.tell_move(disc, start, end)}": (*state[:disc], end, *state[disc + 1 :])
            for start, disc in enumerate(tops)
            for end, top in enumerate(tops)
            if disc > top
        }


class Recursion:
    """The teacher of one world. There is one shortest way from each state to a goal with all discs on one peg.

    Go from the largest disc, which belongs on the goal's peg, to the smallest. Where a disc is at its place, the next
    one belongs there, too. Where it is not, all smaller ones have to get out of its way, onto the third peg.
    """

    def __init__(self, world: Towers):
        self.world = world

    def distance(self, state: State) -> int:
        """A disc that has to move does it once, and afterwards all smaller ones come onto it from the third peg."""
        moves = self._list_moves(state)
        return sum(2 ** (len(state) - 1 - disc) for disc, start, end in moves if start != end)

    def optimal(self, state: State) -> list[str]:
        """The move of the smallest disc that is not at its place."""
        moves = [move for move in self._list_moves(state) if move[1] != move[2]]
        return [f"Move {self.world.tell_move(*move)}" for move in moves[-1:]]

    def choose(self, state: State) -> str | None:
        return next(iter(self.optimal(state)), None)

    def reply(self, state: State) -> str:
        if self.world.solved(state):
            raise ValueError("every disc is at its place")
        return format_reply(explain(self.world, self._list_moves(state)), self.choose(state))

    def _list_moves(self, state: State) -> Iterator[tuple[int, int, int]]:
        """Each disc, the peg that it is on, and the peg where it belongs."""
        end = self.world.goal
        for disc, start in enumerate(state):
            yield disc, start, end
            if start != end:
                end = 3 - start - end  # the third peg: the numbers of all three add up to 3


def explain(world: Towers, moves: Iterable[tuple[int, int, int]]) -> str:
    """A sentence for each disc; a small model can look up every word in the prompt, or in the sentence before."""
    due, sentences = "", []
    for disc, start, end in moves:
        sentence = f"{world.discs[disc]} belongs on {world.pegs[end]}, is on {world.pegs[start]}: "
        if start == end:
            sentence += f"still {due}" if due else "stays"
        else:
            due = world.tell_move(disc, start, end)
            sentence += f"move {due}"
            if disc < len(world.discs) - 1:
                sentence += f", the smaller to {world.pegs[3 - start - end]}"
        sentences.append(f"{sentence}.")
    return " ".join(sentences)


def draw_towers(size: int, rng: random.Random) -> Towers:
    """Random names, a random goal, and a random start with the largest disc not there yet."""
    discs = tuple(sorted(rng.sample(DISCS, size), reverse=True))
    start, goal = rng.sample(range(3), 2)
    initial = (start, *rng.choices(range(3), k=size - 1))
    return Towers(tuple(rng.sample(PEGS, 3)), discs, initial, goal)
