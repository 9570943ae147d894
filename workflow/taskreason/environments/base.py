"""The seam: all that the rest of the library knows of an environment.

An environment has *tasks*. A task is drawn many times, each time as a *world*: one instance with its start, its actions
and its goal. States are plain values, actions are text, transitions are deterministic. A *teacher* knows how far any
state is from the goal and says what to do next, and why. Everything else (collecting, prompting, training, playing,
scoring, reporting) is written against the classes of this module, and an environment is added by one folder and one
line of the registry; docs/new_environment.md walks through one.

    world = environment.draw(environment.tasks["burger"], seed=3)
    teacher = environment.teacher(world)
    state = world.initial
    while not world.solved(state):
        print(teacher.reply(state))                       # Thought: … / Action: …
        state = world.step(state, teacher.choose(state))
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from taskreason.durability.errors import UserError
from taskreason.environments.gallery import Gallery

State = Hashable
"""What changes in a world; immutable, so that planning, rollouts and the theory can share and remember it."""


class World(Protocol):
    """One instance of a task."""

    id: str
    """Short text, such as 16 hex digits, equal for equal worlds: splits are disjoint by it, episodes filed under it."""
    initial: State

    def actions(self, state: State) -> Sequence[str]:
        """Every action that is possible in a state, in the order in which prompts list them."""

    def step(self, state: State, action: str) -> State | None:
        """The state after an action; None where it is not possible, which costs a step and changes nothing."""

    def solved(self, state: State) -> bool:
        """Whether the goal is reached."""

    def observe(self, state: State) -> str:
        """The prompt's text for a state: all that matters in it, the possible actions one a line, and the goal."""


class SearchError(UserError):
    """A search for a plan was given up, since it would take too long."""


class Teacher(Protocol):
    """The exact solver of one world. Raises SearchError where a search would take too long."""

    def distance(self, state: State) -> int | None:
        """Steps of a shortest plan; 0 at the goal, None where it can't be reached."""

    def optimal(self, state: State) -> Sequence[str]:
        """Every action that begins a shortest plan; none at the goal or where it can't be reached."""

    def choose(self, state: State) -> str | None:
        """The one of them that the expert takes, always the same in equal states; None where there is none."""

    def reply(self, state: State) -> str:
        """The expert's whole reply, as `taskreason.environments.reply` has it; ValueError where there is no action."""


def list_plan(
    world: World, teacher: Teacher, state: State | None = None
) -> list[tuple[State, str]]:
    """The expert's shortest plan as (state, action) pairs, from the start unless another state is given.

    Raises ValueError where the goal can't be reached.
    """
    state = world.initial if state is None else state
    plan = []
    while (action := teacher.choose(state)) is not None:
        plan.append((state, action))
        state = world.step(state, action)
    if not world.solved(state):
        raise ValueError("the goal can't be reached from this state")
    return plan


@dataclass(frozen=True)
class TaskSpec:
    """A task. timeout: steps after which an episode fails. bound: steps that an expert's trajectory may take.

    file: of a task that a person brings along; "" for those of the registry.
    """

    name: str
    timeout: int
    bound: int
    file: str = ""


@dataclass(frozen=True)
class Decision:
    """One state with the expert's reply; ``t`` counts steps from 0.

    layout_hash: the world's id, ``REHEARSED`` for a decision on no task. optimal_actions: all that begin a shortest
    plan.
    """

    layout_hash: str
    t: int
    prompt: str
    completion: str
    action: str
    optimal_actions: tuple[str, ...]
    optimal_steps_left: int


REHEARSED = "chore"


class Pretraining(Protocol):
    """What a base model trained from scratch learns before any task. ``sizes`` are counts of examples, by name."""

    sizes: Mapping[str, str]
    """What the keys of ``base.curriculum`` mean in this environment."""

    def build_tokenizer(self) -> Any:
        """A ``PreTrainedTokenizerFast``, ready to be saved beside a model."""

    def draw_examples(
        self, seed: int, sizes: Mapping[str, int], processes: int
    ) -> Iterator[dict[str, str]]:
        """Prompt and completion pairs in the order of training, the same for any number of processes."""

    def bound_decisions(self, sizes: Mapping[str, int]) -> int:
        """Decisions of the teacher, as SFT shows them, among the examples of these sizes, at most."""
        return 0

    def label(self, ids: list[int], labels: list[int], tokenizer: Any) -> list[int]:
        """What of an example is learnt, with -100 for the rest. Given are labels that leave out the whole prompt."""
        return labels


class Rehearsal(Protocol):
    """Material that keeps the base model's skills while a task is learnt."""

    def draw_decisions(self, seed: int, number: int) -> list[Decision]:
        """Expert decisions on no task, for GRPO; ``layout_hash`` is ``REHEARSED``. The first of more are the same."""

    def count_decisions(self, lessons: int) -> int:
        """Of how many decisions so many lessons are made; never fewer for more lessons."""

    def draw_lessons(
        self, seed: int, number: int, decisions: Sequence[Decision]
    ) -> list[dict[str, str]]:
        """Prompt and completion pairs, for SFT; decisions: the first of the seed, as many as are counted for them."""


@dataclass(frozen=True)
class Probe:
    """Questions to a model, asked in one batch. judge: how many replies are right, by the name of each count."""

    prompts: Sequence[str]
    judge: Callable[[Sequence[str]], Mapping[str, int]]


@dataclass(frozen=True)
class Split:
    """Further unseen worlds. title: in print. mode: how they are drawn, "" as all others. keep: which of them."""

    title: str
    mode: str = ""
    keep: Callable[[World], bool] | None = None


class Environment(ABC):
    """A family of tasks. What comes after :meth:`teacher` is optional: a default says that the environment has none."""

    name: str
    tasks: Mapping[str, TaskSpec]
    """Every task that comes with the environment, from simple to complex."""
    default_tasks: Sequence[str] = ()
    """Those that a run takes where the configuration names none; all of them if empty."""
    modes: Sequence[str] = ("default",)
    """Ways to draw a world, the default first."""
    worlds: str = "worlds"
    """What the reports call worlds."""
    splits: Mapping[str, Split] = {}
    """Kinds of evaluation worlds other than those of training, by the names of their files."""

    @abstractmethod
    def draw(self, task: TaskSpec, seed: int, mode: str = "") -> World:
        """The world of a task that a seed stands for, the same everywhere. mode: one of ``modes`` or a split's."""

    @abstractmethod
    def load(self, row: Mapping[str, Any], source: str) -> World:
        """The world that :meth:`dump` wrote down; UserError naming ``source`` (file and line) where it is none."""

    @abstractmethod
    def dump(self, world: World) -> dict[str, Any]:
        """A world as JSON values."""

    @abstractmethod
    def teacher(self, world: World, patient: bool = True) -> Teacher:
        """The solver of a world; one that is not patient gives up (SearchError) where a search takes seconds."""

    def describe_start(self, world: World) -> str:
        """How a world starts, in a word or two, such as "holding": results are told apart by it. "" says nothing."""
        return ""

    # ------------------------------------------------------------------ tasks

    def check_task(self, task: TaskSpec, mode: str) -> None:  # noqa: B027
        """Raise UserError, in one sentence, for a task that can't go through the workflow."""

    def fingerprint(self, task: TaskSpec) -> str:
        """Text that changes with anything that worlds take from a task's file."""
        return task.file

    def read_worlds(self, path: Path) -> list[tuple[World, str]]:
        """Worlds of a file or folder that a person gives, each with the name of its task ("other" where it is none)."""
        raise NotImplementedError

    def compare_tasks(self, trained: TaskSpec, wanted: TaskSpec) -> Mapping[str, float]:
        """What the task that was trained on shares with another, by name and from 0 to 1."""
        return {}

    # --------------------------------------------------------------- prompts

    rules: str = ""
    """What the system's message tells a chat model."""
    example: str = ""
    """A worked example for chat models, from a task outside the tasks."""

    def draw_renaming(self, text: str, rng: random.Random) -> dict[str, str]:
        """New names for all that a text names, one to one; equal decisions under other names are augmentation."""
        return {}

    def rename(self, text: str, renaming: Mapping[str, str]) -> str:
        """A text under new names."""
        return text

    def sort_names(self, text: str) -> Mapping[str, str]:
        """Every name of a thing in a text, with the sort of thing; where an expert errs, it takes one for another."""
        return {}

    def shorten(self, thought: str) -> str:
        """A thought of the teacher without what it makes of what it sees; all of it where these can't be told apart."""
        return thought

    def phrase(self, thought: str) -> str:
        """A thought of the teacher in plain English, where it has words of its own."""
        return thought

    # ---------------------------------------------------- policies and models

    rule_policies: Mapping[str, Callable[[World, State], str]] = {}
    """Rules of thumb to measure against: name -> the reply in a state."""

    def explain(self, world: World, steps: Sequence[tuple[State, str]]) -> Sequence[str]:
        """What an expert thinks at each step of a plan of its own, which need not be a shortest one.

        steps: (state, action) pairs from any state to the goal. Empty where the environment has no words for plans
        that are not its teacher's; what a rule of thumb itself says is then the thought.
        """
        return ()

    pretraining: Pretraining | None = None
    rehearsal: Rehearsal | None = None

    def check_curriculum(self, sizes: Mapping[str, int]) -> None:  # noqa: B027
        """Raise UserError for counts of ``pretraining.sizes`` that don't fit together.

        Its sentence goes on from the key: "names 6 small_chores, more than its 5 chores; lower them".
        """

    probe_sizes: Mapping[str, str] = {}
    """What the keys of ``probes`` in the configuration mean."""
    probe_labels: Mapping[str, str] = {}
    """Name of each count of the probes -> how a table calls it."""

    def draw_probes(
        self, sizes: Mapping[str, int], worlds: Mapping[str, Sequence[World]]
    ) -> Iterator[Probe]:
        """What the base model is asked before any training; ``worlds``: unseen ones by task."""
        return iter(())

    # ---------------------------------------------------------------- reports

    data: Path | None = None
    """Folder with ``base_model/``, ``published/`` and ``reference/``, as far as there are such."""
    gallery: Gallery | None = None

    def draw_figure(self, world: World, actions: Sequence[str]) -> Any:
        """A matplotlib figure of an episode in a world; None where the environment draws none."""
        return None

    def add_commands(self, add: Callable) -> None:  # noqa: B027
        """Subcommands of its own for `taskreason`; ``add(name, run, text)`` returns an ``ArgumentParser``."""
