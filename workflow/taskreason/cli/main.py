"""The `taskreason` command: its options, and how a call ends. What the subcommands do is in `taskreason.cli.commands`.

What a person can fix is said in one sentence on standard error with exit status 2.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from taskreason.cli import commands
from taskreason.cost.model import GPUS
from taskreason.durability.checksums import ASIDE
from taskreason.durability.errors import UserError
from taskreason.environments import ENVIRONMENTS, load_environment


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
    parser = argparse.ArgumentParser(prog="taskreason", description="Worlds, plans and policies.")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable, text: str) -> argparse.ArgumentParser:
        command = subparsers.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    results = {"type": Path, "nargs": "?", "default": Path("results")}
    results["help"] = "folder of the run (default results)"
    rollout = add("rollout", commands.run_rollout, "run a policy; one JSON object per episode")
    rollout.add_argument(
        "--policy",
        required=True,
        help="planner, random, a rule (greedy), a model's folder, its name on the hub, api:NAME or bundled:NAME",
    )
    rollout.add_argument(
        "--environment",
        choices=ENVIRONMENTS,
        default=next(iter(ENVIRONMENTS)),
        help="of the worlds",
    )
    rollout.add_argument("--layouts", required=True, help="a file or folder of worlds")
    rollout.add_argument("--timeout", type=_positive, required=True, help="steps until failure")
    rollout.add_argument("--batch-size", type=_positive, default=100, help="episodes at a time")
    rollout.add_argument("--max-new-tokens", type=_positive, default=256, help="a model's reply")
    rollout.add_argument("--temperature", type=_share, default=0.0, help="0 (default) is greedy")
    rollout.add_argument("--seed", type=_natural, default=0)
    rollout.add_argument(
        "--engine",
        choices=("transformers", "vllm"),
        default="transformers",
        help="what runs a local model",
    )
    rollout.add_argument(
        "--prompt",
        choices=("plain", "chat"),
        default="plain",
        help="chat for instruction-tuned models",
    )
    rollout.add_argument("--history", action="store_true", help="tell the last thought and action")
    rollout.add_argument("--base-url", help="of the server that answers for api:NAME")
    rollout.add_argument("--out", type=Path, help="a file instead of standard output; resumable")

    compare = add("compare", commands.run_compare, "two results folders side by side")
    compare.add_argument("first", type=Path, help="folder A, such as results")
    compare.add_argument("second", type=Path, help="folder B")

    verify = add("verify", commands.run_verify, "whether a run agrees with the reference results")
    verify.add_argument("results", **results)
    verify.add_argument("--scale", default="laptop", help="of the run (default laptop)")
    verify.add_argument(
        "--reference",
        type=Path,
        help="folder of the reference results (default: the ones that come along)",
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
    for name in ENVIRONMENTS:
        load_environment(name).add_commands(add)
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
