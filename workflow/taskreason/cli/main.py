"""The `taskreason` command: its options, and how a call ends. What the subcommands do is in `taskreason.cli.commands`.

What a person can fix is said in one sentence on standard error with exit status 2.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from taskreason.cli import commands
from taskreason.config.load import list_choices
from taskreason.cost.model import GPUS
from taskreason.durability.checksums import ASIDE
from taskreason.durability.errors import UserError
from taskreason.environments.robotouille.simulator.generator import MODES
from taskreason.environments.robotouille.tasks import DATA, TASKS

REFERENCE = DATA / "reference"
"""The results of one default run, which others are held against."""


def main(argv: list[str] | None = None) -> int:
    """Run one subcommand; the return value is the exit status."""
    args = build_parser().parse_args(argv)
    try:
        status = args.run(args)
        sys.stdout.flush()
        return status
    except UserError as error:
        print(f"taskreason: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader has gone (`| head`); point stdout elsewhere so that the exit flush is silent.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def build_parser() -> argparse.ArgumentParser:
    """Every option of every subcommand."""
    parser = argparse.ArgumentParser(prog="taskreason", description="Kitchens, plans and policies.")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable, text: str) -> argparse.ArgumentParser:
        command = subparsers.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    results = {"type": Path, "nargs": "?", "default": Path("results")}
    results["help"] = "folder of the run (default results)"
    mode = {"choices": MODES, "default": MODES[0]}
    mode["help"] = "how items lie: each alone (default), in the task's stacks, or either"
    requests = "JSON lines, a .json file with one request, or - for standard input"
    replay = add("replay", commands.run_replay, "replay actions; request: {layout, actions}")
    replay.add_argument("requests", help=requests)
    plan = add("plan", commands.run_plan, "find shortest plans; request: {layout} or a layout")
    plan.add_argument("requests", help=requests)

    generate = add(
        "generate", commands.run_generate, "write layouts of varied kitchens as JSON lines"
    )
    source = generate.add_mutually_exclusive_group(required=True)
    source.add_argument("--task", choices=TASKS, help="a task's kitchens")
    source.add_argument("--layout", help="a recipe's layout file")
    generate.add_argument("--count", type=_positive, default=1, help="how many (default 1)")
    generate.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    generate.add_argument("--mode", **mode)

    propose = add(
        "propose",
        commands.run_propose,
        "check a recipe's layout and propose its entry in config.yaml",
    )
    propose.add_argument("layout", type=Path, help="a layout file; its name becomes the recipe's")

    rollout = add("rollout", commands.run_rollout, "run a policy; one JSON object per episode")
    rollout.add_argument(
        "--policy",
        required=True,
        help="planner, random, greedy, a model's folder, its name on the hub, or api:NAME",
    )
    rollout.add_argument("--layouts", required=True, help="a .json or .jsonl file, or a folder")
    rollout.add_argument("--timeout", type=_positive, required=True, help="steps until failure")
    rollout.add_argument("--batch-size", type=_positive, default=100, help="episodes at a time")
    rollout.add_argument("--max-new-tokens", type=_positive, default=256, help="a model's reply")
    rollout.add_argument("--temperature", type=_share, default=0.0, help="0 (default) is greedy")
    rollout.add_argument("--seed", type=_natural, default=0)
    engines, styles = list_choices("rollout", "engine"), list_choices("prompt", "style")
    rollout.add_argument(
        "--engine", choices=engines, default=engines[0], help="what runs a local model"
    )
    rollout.add_argument(
        "--prompt", choices=styles, default=styles[0], help="chat for instruction-tuned models"
    )
    rollout.add_argument("--history", action="store_true", help="tell the last thought and action")
    rollout.add_argument("--base-url", help="of the server that answers for api:NAME")
    rollout.add_argument("--out", type=Path, help="a file instead of standard output; resumable")

    play = add("play", commands.run_play, "play a kitchen in the terminal")
    explain = add(
        "explain", commands.run_explain, "a kitchen's shortest plan, with the reason for every step"
    )
    for command in (play, explain):
        source = command.add_mutually_exclusive_group()
        source.add_argument(
            "--task", choices=TASKS, help=f"a task's kitchen (default {next(iter(TASKS))})"
        )
        source.add_argument("--layout", help="a layout file instead")
        command.add_argument("--seed", type=int, help="vary the task's kitchen with this seed")
        command.add_argument("--mode", **mode)

    compare = add("compare", commands.run_compare, "two results folders side by side")
    compare.add_argument("first", type=Path, help="folder A, such as results")
    compare.add_argument("second", type=Path, help="folder B")

    verify = add("verify", commands.run_verify, "whether a run agrees with the reference results")
    verify.add_argument("results", **results)
    verify.add_argument("--scale", default="laptop", help="of the run (default laptop)")
    verify.add_argument(
        "--reference", type=Path, default=REFERENCE, help="folder of the reference results"
    )
    verify.add_argument("--keep", action="store_true", help="make this run the reference instead")

    estimate = add(
        "estimate", commands.run_estimate, "what a run of the workflow would cost on GPUs"
    )
    estimate.add_argument(
        "--scale", default="paper", help="as in the configuration (default paper)"
    )
    estimate.add_argument("--gpu", required=True, choices=GPUS, help="the kind of card")
    estimate.add_argument(
        "--gpus", type=_positive, help="cards (default what the largest job asks)"
    )
    estimate.add_argument(
        "--lora-rank", type=_natural, help="instead of train.lora_rank; 0 for none"
    )
    estimate.add_argument("--format", choices=("text", "markdown", "json"), default="text")

    check = add(
        "check",
        commands.run_check,
        "find files under results/ that are not what the run has written",
    )
    check.add_argument("results", **results)
    check.add_argument(
        "--repair", action="store_true", help=f"rename them to *{ASIDE}, so that they are made anew"
    )
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 10:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 10")
    return value


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return value


if __name__ == "__main__":
    sys.exit(main())
