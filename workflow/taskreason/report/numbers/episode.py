r"""One episode in full, as LaTeX macros: what the policy read first, and every thought and action with a verdict.

Input: the episode that a figure draws, chosen here for both and played again in its world, where the teacher says
which actions were optimal; output: macro name -> text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from taskreason.environments.base import Environment, World
from taskreason.environments.reply import read_thought
from taskreason.policies.prompt import build_prompt
from taskreason.report.labels import GRID_POLICY, task_title
from taskreason.report.render.latex import escape
from taskreason.report.results import Results


@dataclass(frozen=True)
class ChosenEpisode:
    """The drawn episode and the world in which it was played."""

    task: str
    world: World
    actions: Sequence[str]
    replies: Sequence[str]
    steps: int
    optimal_steps: int
    success: bool


def choose_episode(results: Results) -> ChosenEpisode:
    """The trained policy's first successful episode on the task to draw, or its first if none succeeded."""
    task = results.cfg.report.drawn_task
    frame = results.episodes[results.key(GRID_POLICY, task)]
    row = frame.sort_values("success", ascending=False, kind="stable").iloc[0]
    world_id = row["layout_hash"]
    stored = results.worlds[task].set_index("layout_hash", drop=False).loc[world_id].to_dict()
    world = results.cfg.env.load(stored, f"world {world_id}")
    actions = [action or "(no action)" for action in row["actions"]]
    rest = row[["replies", "steps", "optimal_steps", "success"]]
    return ChosenEpisode(task, world, actions, **rest)


@dataclass(frozen=True)
class Step:
    """One reply: left is the length of a shortest plan before it; others are optimal actions that it did not name."""

    thought: str
    action: str
    possible: bool
    optimal: bool
    left: int | None
    others: tuple[str, ...]

    def to_latex(self) -> str:
        """A line of the episode's list."""
        verdict = "not optimal" if self.possible else "not possible"
        told = "the goal is out of reach" if self.left is None else f"{self.left} to go"
        told += f", {'optimal' if self.optimal else verdict}"
        if self.others:
            told += f"; {'as good' if self.optimal else 'optimal'}: {', '.join(self.others)}"
        return rf"\item \textit{{{escape(self.thought)}}} \textbf{{{escape(self.action)}}} ({escape(told)})"


def make_episode_macros(results: Results) -> Iterator[tuple[str, str]]:
    """The episode that the figure draws: outcome and steps, the first prompt, and the steps as paragraphs."""
    episode = choose_episode(results)
    yield "KitchenTask", task_title(episode.task).lower()
    yield "KitchenSteps", str(episode.steps)
    yield "KitchenOptimal", str(episode.optimal_steps)
    yield "KitchenOutcome", f"{'reaches' if episode.success else 'does not reach'} the goal"
    steps = retrace(episode, results.cfg.env)
    yield "EpisodeOptimal", str(sum(step.optimal for step in steps))
    lines = build_prompt(episode.world, episode.world.initial).splitlines()
    yield "EpisodePrompt", "%\n" + "".join(rf"{escape(line)}\par" + "\n" for line in lines)
    yield "EpisodeSteps", "%\n" + "".join(f"{step.to_latex()}\n" for step in steps)


def retrace(episode: ChosenEpisode, env: Environment) -> list[Step]:
    """Every step of the episode, judged by the teacher in the state in which it was taken."""
    world, steps = episode.world, []
    teacher, state = env.teacher(world), world.initial
    for text, reply in zip(episode.actions, episode.replies, strict=True):
        after, best = world.step(state, text), teacher.optimal(state)
        others = tuple(other for other in best if other != text)
        left = teacher.distance(state)
        steps.append(Step(read_thought(reply), text, after is not None, text in best, left, others))
        state = state if after is None else after
    return steps
