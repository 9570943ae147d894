"""The subcommands of `taskreason` that are about kitchens: their options, and what each does with them.

The value of a ``run_`` function is the exit status.
"""

import argparse
import json
from argparse import Namespace
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from .explain import explain
from .play import play
from .requests import answer_requests, plan_request, replay_request
from .simulator.generator import MODES, generate_layout, list_different
from .simulator.layout import Layout
from .simulator.layout_files import load_layouts
from .tasks import PUBLISHED, TASKS, load_template, propose


def add_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Every option of every subcommand."""
    mode = {"choices": MODES, "default": MODES[0]}
    mode["help"] = "how items lie: each alone (default), in the task's stacks, or either"
    requests = "JSON lines, a .json file with one request, or - for standard input"
    replay = add("replay", run_replay, "replay actions; request: {layout, actions}")
    plan = add("plan", run_plan, "find shortest plans; request: {layout} or a layout")
    for command in (replay, plan):
        command.add_argument("requests", help=requests)

    generate = add("generate", run_generate, "write layouts of varied kitchens as JSON lines")
    source = generate.add_mutually_exclusive_group(required=True)
    source.add_argument("--task", choices=TASKS, help="a task's kitchens")
    source.add_argument("--layout", help="a task's layout file")
    generate.add_argument("--count", type=_positive, default=1, help="how many (default 1)")
    generate.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    generate.add_argument("--mode", **mode)

    text = "check a task's layout and propose its entry in config.yaml"
    proposal = add("propose", run_propose, text)
    proposal.add_argument("layout", type=Path, help="a layout file; its name becomes the task's")
    proposal.add_argument("--mode", choices=MODES, default="mixed", help="default mixed")
    proposal.add_argument("--seed", type=int, default=1, help="the first seed (default 1)")

    play = add("play", run_play, "play a kitchen in the terminal")
    text = "a kitchen's shortest plan, with the reason for every step"
    for command in (play, add("explain", run_explain, text)):
        source = command.add_mutually_exclusive_group()
        default = f"a task's kitchen (default {PUBLISHED[0]})"
        source.add_argument("--task", choices=TASKS, default=PUBLISHED[0], help=default)
        source.add_argument("--layout", help="a layout file instead")
        command.add_argument("--seed", type=int, help="vary the task's kitchen with this seed")
        command.add_argument("--mode", **mode)


def run_replay(args: Namespace) -> int:
    return answer_requests(args.requests, replay_request)


def run_plan(args: Namespace) -> int:
    return answer_requests(args.requests, plan_request)


def run_generate(args: Namespace) -> int:
    for layout in islice(list_different(_find_template(args), args.seed, args.mode), args.count):
        print(json.dumps(layout.to_json()))
    return 0


def run_propose(args: Namespace) -> int:
    print(propose(args.layout, args.mode, args.seed))
    return 0


def run_play(args: Namespace) -> int:
    return play(_find_kitchen(args))


def run_explain(args: Namespace) -> int:
    print(explain(_find_kitchen(args)))
    return 0


def _find_template(args: Namespace) -> Layout:
    return load_layouts(args.layout)[0] if args.layout else load_template(TASKS[args.task])


def _find_kitchen(args: Namespace) -> Layout:
    template = _find_template(args)
    vary = args.seed is not None and not args.layout
    return generate_layout(template, args.seed, args.mode) if vary else template


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value
