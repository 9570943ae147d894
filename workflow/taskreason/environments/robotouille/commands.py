"""The subcommands of `taskreason` that are about kitchens: their options, and what each does with them.

Requests come in JSON lines from a file or standard input, or as one pretty JSON file; a reply a line goes to standard
output, in the same order and as soon as it is found. A request that means nothing is answered with a sentence and stops
none of the others. The value of a ``run_`` function is the exit status.
"""

import argparse
import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from textwrap import fill

from taskreason.durability.arguments import positive, seconds
from taskreason.durability.errors import UserError

from .planner.search import Planner
from .play import WIDTH, play
from .simulator.engine import Kitchen
from .simulator.generator import MODES, generate_layout, list_different
from .simulator.layout import Layout
from .simulator.layout_files import (
    LayoutError,
    Reader,
    load_layouts,
    parse_json,
    parse_layout,
    parse_row,
)
from .simulator.observation import list_predicates
from .tasks import PUBLISHED, TASKS, load_template, propose
from .teacher import KitchenTeacher
from .world import KitchenWorld


def add_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Every option of every subcommand."""
    mode = {"choices": MODES, "default": MODES[0]}
    mode["help"] = "how items lie: each alone (default), in the task's stacks, or either"
    requests = "JSON lines, a .json file with one request, or - for standard input"
    replay = add("replay", run_replay, "replay actions; request: {layout, actions}")
    plan = add("plan", run_plan, "find shortest plans; request: {layout} or a layout")
    for command in (replay, plan):
        command.add_argument("requests", help=requests)
    text = "give up on a layout after so long (default: when memory for states is used up)"
    plan.add_argument("--seconds", type=seconds, help=text)

    generate = add("generate", run_generate, "write layouts of varied kitchens as JSON lines")
    source = generate.add_mutually_exclusive_group(required=True)
    source.add_argument("--task", choices=TASKS, help="a task's kitchens")
    source.add_argument("--layout", help="a task's layout file")
    generate.add_argument("--count", type=positive, default=1, help="how many (default 1)")
    generate.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    generate.add_argument("--mode", **mode)

    text = "check a task's layout and propose its entry in config.yaml"
    proposal = add("propose", run_propose, text)
    proposal.add_argument("layout", type=Path, help="a layout file; its name becomes the task's")
    proposal.add_argument("--mode", choices=MODES, default=MODES[0], help="default %(default)s")
    proposal.add_argument("--seed", type=int, default=1, help="the first seed (default 1)")

    game = add("play", lambda args: play(_find_kitchen(args)), "play a kitchen in the terminal")
    text = "a kitchen's shortest plan, with the reason for every step"
    for command in (game, add("explain", run_explain, text)):
        source = command.add_mutually_exclusive_group()
        default = f"a task's kitchen (default {PUBLISHED[0]})"
        source.add_argument("--task", choices=TASKS, default=PUBLISHED[0], help=default)
        source.add_argument("--layout", help="a layout file instead")
        command.add_argument("--seed", type=int, help="vary the task's kitchen with this seed")
        command.add_argument("--mode", **mode)


def run_replay(args: Namespace) -> int:
    return _answer_requests(_replay, args.requests)


def run_plan(args: Namespace) -> int:
    return _answer_requests(partial(_plan, seconds=args.seconds), args.requests)


def run_generate(args: Namespace) -> int:
    for layout in islice(list_different(_find_template(args), args.seed, args.mode), args.count):
        print(json.dumps(layout.to_json()))
    return 0


def run_propose(args: Namespace) -> int:
    print(propose(args.layout, args.mode, args.seed))
    return 0


def run_explain(args: Namespace) -> int:
    print(explain(_find_kitchen(args)))
    return 0


def _find_template(args: Namespace) -> Layout:
    return load_layouts(args.layout)[0] if args.layout else load_template(TASKS[args.task])


def _find_kitchen(args: Namespace) -> Layout:
    template = _find_template(args)
    vary = args.seed is not None and not args.layout
    return generate_layout(template, args.seed, args.mode) if vary else template


# ---------------------------------------------------------------- requests


def _answer_requests(answer: Callable[[dict, str], dict], path: str) -> int:
    """Print one reply a request; the exit status is 2 where one is refused, which is answered {"error": ...}."""
    status = 0
    for line, source in _read_requests(path):
        try:
            reply = answer(parse_json(_decode(line, source), source), source)
        except UserError as error:
            reply, status = {"error": str(error)}, 2
            print(f"taskreason: {error}", file=sys.stderr)
        print(json.dumps(reply), flush=True)
    return status


def _read_requests(path: str) -> Iterator[tuple[bytes, str]]:
    """(content, source for messages) of every request, the same from a file and from standard input.

    Line by line, so that a request is answered before the next one is written.
    """
    if path == "-":
        lines: Iterable[bytes] = sys.stdin.buffer
    else:
        try:
            lines = [Path(path).read_bytes()]
        except OSError as error:
            raise LayoutError(f"{path}: the requests cannot be read ({error.strerror}).") from None
        if path.endswith(".json"):
            yield lines[0], path
            return
        lines = lines[0].split(b"\n")
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield line, f"{'stdin' if path == '-' else path}:{number}"


def _decode(content: bytes, source: str) -> str:
    """UTF-8 as text, with or without a byte order mark."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LayoutError(f"{source}: this is not UTF-8 text (byte {error.start}).") from None


def _replay(request: dict, source: str) -> dict:
    """The initial state and the one after each action; an invalid action changes nothing."""
    reader = Reader(request, source)
    actions = reader.array("actions")
    for i, text in enumerate(actions):
        if not isinstance(text, str):
            raise reader.fail(f"actions[{i}]", "must be a string")
    kitchen = Kitchen(parse_layout(reader.required("layout"), source, check_goal=False))
    states = [(kitchen.initial, True), *kitchen.replay(actions)]
    return {
        "steps": [
            {
                "action": text,
                "accepted": accepted,
                "valid": [action.text for action in kitchen.valid_actions(state)],
                "predicates": list_predicates(kitchen, state),
                "done": kitchen.is_goal(state),
            }
            for text, (state, accepted) in zip([None, *actions], states, strict=True)
        ]
    }


def _plan(request: dict, source: str, seconds: float | None = None) -> dict:
    """A shortest plan and its length; raises UserError where there is none, or none is found in time."""
    plan = Planner(Kitchen(parse_row(request, source)), seconds=seconds).plan()
    if plan is None:
        raise LayoutError(f"{source}: goal can't be reached from this layout's initial state.")
    return {"optimal_steps": len(plan), "plan": [action.text for action in plan]}


# ------------------------------------------------------------ explanations


def explain(layout: Layout) -> str:
    """The expert's plan: each step's number, action, what else is as good, and the reason for it.

    The reason is the expert's thought; of that, what it has just said at the step before is left out.
    """
    world = KitchenWorld(layout)
    teacher = KitchenTeacher(world)
    if teacher.distance(world.initial) is None:
        raise UserError(
            f"{layout.source}: the goal can't be reached in this kitchen; change the layout."
        )
    plan = teacher.plan(world.initial)
    lines = [fill(layout.goal_description, WIDTH), f"{len(plan)} steps, none fewer."]
    before: list[str] = []
    for step, (state, action) in enumerate(plan):
        lines += ["", f"{step + 1:3}. {action.text}"]
        if others := [text for text in teacher.optimal(state) if text != action.text]:
            lines.append(_indent(f"as good: {', '.join(others)}"))
        thought = teacher.explain(plan[step:]).rstrip(".").split(". ")
        lines += [_indent(f"{sentence}.") for sentence in thought if sentence not in before]
        before = thought
    return "\n".join(lines)


def _indent(text: str) -> str:
    return fill(text, WIDTH, initial_indent=" " * 5, subsequent_indent=" " * 7)
