r"""One episode in full, as LaTeX macros: what the policy read first, and every thought and action with a verdict.

Input: the episode of the kitchen figure (`episode_choice.py`), played again in the simulator, where the planner says
which actions were optimal; output: macro name -> text.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from taskreason.environments.robotouille.planner.search import Planner
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.layout_files import parse_layout
from taskreason.policies.prompt import build_prompt
from taskreason.policies.reply import read_thought
from taskreason.report.episode_choice import ChosenEpisode, choose_episode
from taskreason.report.labels import task_title
from taskreason.report.render.latex import escape
from taskreason.report.results import Results


@dataclass(frozen=True)
class Step:
    """One reply: left is the length of a shortest plan before it; others are optimal actions that it did not name."""

    thought: str
    action: str
    possible: bool
    optimal: bool
    left: int | None
    others: tuple[str, ...]


def make_episode_macros(results: Results, task: str) -> Iterator[tuple[str, str]]:
    """The episode that the figure draws: outcome and steps, the first prompt, and the steps as paragraphs."""
    episode = choose_episode(results, task)
    yield "KitchenTask", task_title(task).lower()
    yield "KitchenSteps", str(episode.steps)
    yield "KitchenOptimal", str(episode.optimal_steps)
    outcome = "reaches the goal" if episode.success else "does not reach the goal"
    yield "KitchenOutcome", outcome
    steps = retrace(episode)
    yield "EpisodeOptimal", str(sum(step.optimal for step in steps))
    lines = read_prompt(episode).splitlines()
    yield "EpisodePrompt", "%\n" + "".join(rf"{escape(line)}\par" + "\n" for line in lines)
    yield "EpisodeSteps", "%\n" + "".join(f"{_print_step(step)}\n" for step in steps)


def read_prompt(episode: ChosenEpisode) -> str:
    """What the policy reads before its first step, the chat model's surroundings left out."""
    kitchen = _open(episode)
    return build_prompt(kitchen, kitchen.initial)


def retrace(episode: ChosenEpisode) -> list[Step]:
    """Every step of the episode, judged by the planner in the state in which it was taken."""
    kitchen = _open(episode)
    planner, state, steps = Planner(kitchen), kitchen.initial, []
    for text, reply in zip(episode.actions, episode.replies, strict=True):
        action = kitchen.find_action(state, text)
        best = [other.text for other in planner.optimal_actions(state)]
        others = tuple(other for other in best if other != text)
        steps.append(
            Step(
                thought=read_thought(reply),
                action=text,
                possible=action is not None,
                optimal=text in best,
                left=planner.distance(state),
                others=others,
            )
        )
        state = kitchen.step(state, action) if action else state
    return steps


def _open(episode: ChosenEpisode) -> Kitchen:
    return Kitchen(parse_layout(episode.layout, f"kitchen {episode.layout_hash}"))


def _print_step(step: Step) -> str:
    if not step.possible:
        verdict = "not possible"
    elif step.optimal:
        verdict = "optimal"
    else:
        verdict = "not optimal"
    others = f"; as good: {', '.join(step.others)}" if step.others and step.optimal else ""
    better = f"; optimal: {', '.join(step.others)}" if step.others and not step.optimal else ""
    left = "the goal is out of reach" if step.left is None else f"{step.left} to go"
    return (
        rf"\item \textit{{{escape(step.thought)}}} \textbf{{{escape(step.action)}}} "
        rf"({escape(left + ', ' + verdict + others + better)})"
    )
