"""Episodes: a policy plays in many worlds at once, step by step, until success or the timeout.

Every reply costs one step; a reply whose action is not valid leaves the state as it is and is counted. Episodes that
have ended are written at once, so an interrupted rollout resumes with the worlds that are missing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

from taskreason.durability.files import write_lines
from taskreason.durability.partial_results import PartialResults
from taskreason.durability.progress import Progress, say
from taskreason.environments.base import State, World
from taskreason.environments.reply import parse_reply, recount
from taskreason.policies import Policy, Turn


class Outcome(StrEnum):
    """How an episode ended."""

    success = "success"
    timeout = "timeout"


@dataclass(frozen=True)
class Episode:
    """One episode, as stored: ``actions`` and ``replies`` hold one entry a step.

    invalid: steps whose action was not valid; malformed: those of them whose reply had no action at all (its entry
    in ``actions`` is empty). optimal_steps: length of a shortest plan from the start, None when there is none. cut:
    replies that ended at the limit of tokens, whatever they held.
    """

    layout_hash: str
    task: str
    steps: int
    success: bool
    outcome: Outcome
    optimal_steps: int | None
    actions: tuple[str, ...]
    replies: tuple[str, ...]
    invalid: int
    malformed: int
    seed: int
    model: str
    cut: int = 0


FIELDS = " ".join(Episode.__dataclass_fields__)
"""What an episode that was stored earlier must consist of to be taken up."""


@dataclass(frozen=True)
class PlannedStep:
    """One step of the expert's plan: the state, what it does and says there, and every action that is optimal."""

    state: State
    action: str
    reply: str
    optimal: tuple[str, ...]


@dataclass(frozen=True)
class Start:
    """Where an episode begins: a world, its task's name, the length of a shortest plan and, where known, the plan."""

    world: World
    task: str
    optimal_steps: int | None
    plan: tuple[PlannedStep, ...] | None = None


class Run:
    """An episode in progress; greedy or sampled replies are fed to it one by one."""

    def __init__(self, start: Start):
        self.start, self.state, self.before = start, start.world.initial, ""
        self.success = start.world.solved(self.state)
        self.actions: list[str] = []
        self.replies: list[str] = []
        self.invalid = self.malformed = self.cut = 0

    def next_turn(self) -> Turn:
        return Turn(self.start.world, self.state, self.before)

    def advance(self, text: str, cut: bool = False) -> None:
        self.cut += cut
        wanted = parse_reply(text).action
        after = self.start.world.step(self.state, wanted) if wanted else None
        self.replies.append(text)
        self.actions.append(wanted or "")
        self.before = recount(text, after is not None)
        if after is None:
            self.invalid += 1
            self.malformed += wanted is None
        else:
            self.state = after
            self.success = self.start.world.solved(after)

    def finish(self, seed: int, model: str) -> Episode:
        return Episode(
            layout_hash=self.start.world.id,
            task=self.start.task,
            steps=len(self.actions),
            success=self.success,
            outcome=Outcome.success if self.success else Outcome.timeout,
            optimal_steps=self.start.optimal_steps,
            actions=tuple(self.actions),
            replies=tuple(self.replies),
            invalid=self.invalid,
            malformed=self.malformed,
            seed=seed,
            model=model,
            cut=self.cut,
        )


def run_episodes(
    policy: Policy,
    starts: Sequence[Start],
    timeout: int | Mapping[str, int],
    batch_size: int,
    seed: int = 0,
    on_end: Callable[[Episode], None] | None = None,
) -> list[Episode]:
    """One episode per start, in their order; at most ``batch_size`` run at once, others follow as these end.

    timeout: in steps, for all or by task.
    """
    waiting = iter(enumerate(starts))
    running: dict[int, Run] = {}
    cut = getattr(policy, "cut", ())
    done: dict[int, Episode] = {}
    tasks = dict.fromkeys(start.task for start in starts)
    limits = timeout if isinstance(timeout, Mapping) else dict.fromkeys(tasks, timeout)
    progress = Progress(", ".join(tasks), len(starts), "episodes")

    def settle() -> None:
        for n, run in list(running.items()):
            if run.success or len(run.actions) >= limits[run.start.task]:
                del running[n]
                done[n] = run.finish(seed, policy.name)
                if on_end:
                    on_end(done[n])

    def describe() -> Iterator[str]:
        if done:
            solved = sum(episode.success for episode in done.values())
            yield f"SR so far {solved / len(done):.2f}"
        if running:
            furthest = max(running.values(), key=lambda run: len(run.actions))
            step, limit = len(furthest.actions), limits[furthest.start.task]
            yield f"{len(running)} under way at step {step} of at most {limit}"

    while len(done) < len(starts):
        running |= {n: Run(start) for n, start in islice(waiting, batch_size - len(running))}
        settle()
        if running:
            replies = policy.act([run.next_turn() for run in running.values()])
            for run, reply in zip(running.values(), replies, strict=True):
                run.advance(reply, reply in cut)
            settle()
            progress.show(len(done), *describe())
    return [done[n] for n in range(len(starts))]


def rollout_to_file(
    policy: Policy,
    starts: Sequence[Start],
    timeout: int,
    batch_size: int,
    path: Path,
    seed: int = 0,
) -> list[Episode]:
    """Run all episodes and write them to ``path`` as JSON lines; resumes from ``path`` + ``.partial``.

    An episode whose line there is torn or damaged is run again.
    """
    timeouts = dict.fromkeys((start.task for start in starts), timeout)
    return rollout_to_files(policy, {path: starts}, timeouts, batch_size, seed)[path]


def rollout_to_files(
    policy: Policy,
    starts: Mapping[Path, Sequence[Start]],
    timeouts: Mapping[str, int],
    batch_size: int,
    seed: int = 0,
) -> dict[Path, list[Episode]]:
    """:func:`rollout_to_file` for several files at once, whose episodes share batches; timeouts: by task."""
    files = [EpisodeFile(path, part, timeouts, policy, seed) for path, part in starts.items()]
    # The longest first, so that no batch is left with a few of them at the end.
    queue = sorted(
        ((start, file) for file in files for start in file.missing),
        key=lambda pair: -timeouts[pair[0].task],
    )
    owners = {(start.task, start.world.id): file for start, file in queue}
    run_episodes(
        policy,
        [start for start, _ in queue],
        timeouts,
        batch_size,
        seed,
        lambda episode: owners[episode.task, episode.layout_hash].record(episode),
    )
    return {file.path: file.finish() for file in files}


class EpisodeFile:
    """A file of episodes in the making: those found of an earlier attempt, and the worlds that are missing."""

    def __init__(
        self,
        path: Path,
        starts: Sequence[Start],
        timeouts: Mapping[str, int],
        policy: Policy,
        seed: int,
    ):
        self.path, self.starts = path, starts
        self.partial = PartialResults(path.with_name(path.name + ".partial"), FIELDS)
        self.found = {
            e.layout_hash: e
            for e in map(read_episode, self.partial.read())
            if (e.seed, e.model) == (seed, policy.name)
            and e.task in timeouts
            and (e.steps == timeouts[e.task] or e.success and e.steps < timeouts[e.task])
        }
        self.distinct = {start.world.id: start for start in starts}  # a world may be given twice
        self.missing = [start for key, start in self.distinct.items() if key not in self.found]
        if self.found:
            say(f"{path.stem}: {len(self.found)}/{len(self.distinct)} episodes found, going on")
        self.partial.begin(map(asdict, self.found.values()))

    def record(self, episode: Episode) -> None:
        """Keep an episode that has ended."""
        self.found[episode.layout_hash] = episode
        self.partial.add(asdict(episode))

    def finish(self) -> list[Episode]:
        """Write the file whole."""
        episodes = [self.found[start.world.id] for start in self.starts]
        if self.found:
            rate = sum(episode.success for episode in self.found.values()) / len(self.found)
            say(f"{self.path.stem}: {len(self.found)}/{len(self.distinct)} episodes, SR {rate:.2f}")
            warn_of_cuts(self.path.stem, list(self.found.values()))
        write_lines(self.path, map(asdict, episodes))
        self.partial.remove()
        return episodes


def warn_of_cuts(label: str, episodes: Sequence[Episode]) -> None:
    """Say so where replies ended at the limit of tokens: a model that is cut off looks like one that knows nothing."""
    cut, replies = (sum(getattr(e, key) for e in episodes) for key in ("cut", "steps"))
    if cut:
        say(
            f"{label}: {cut} of {replies} replies were cut at rollout.max_new_tokens (--max-new-tokens); raise it "
            "where the model had more to say"
        )


def read_episode(values: dict) -> Episode:
    """An episode from its JSON; raises KeyError, TypeError or ValueError where that is none."""
    lists = {key: tuple(values[key]) for key in ("actions", "replies")}
    return Episode(**values | lists | {"outcome": Outcome(values["outcome"])})
