"""The `taskreason` command: its options, what each subcommand does, and how a call ends.

What a person can fix is said in one sentence on standard error with exit status 2. What needs pandas is imported by the
function that calls it, and what runs models by what loads them, so that everything else starts at once.
"""

import argparse
import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from taskreason.cli import score
from taskreason.cli.policies import KINDS, add_policy_options, choose_policy
from taskreason.cost.model import GPUS
from taskreason.durability.arguments import natural, positive
from taskreason.durability.checksums import (
    ASIDE,
    list_damage,
    list_unreadable,
    put_aside,
    read_records,
)
from taskreason.durability.errors import UserError
from taskreason.environments import ENVIRONMENTS, load_environment
from taskreason.environments.base import Environment, World
from taskreason.rollouts.episode import Start, rollout_to_file, run_episodes, warn_of_cuts


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

    option = add("rollout", run_rollout, "run a policy; one JSON object per episode").add_argument
    option("--policy", required=True, help=KINDS)
    option("--layouts", required=True, help="a file or folder of worlds")
    option("--timeout", type=positive, required=True, help="steps until failure")
    option("--out", type=Path, help="a file instead of standard output; resumable")
    add_policy_options(option)

    score.add_commands(add)

    agrees = "whether a run agrees with the reference results, world by world"
    option = add("verify", run_verify, agrees).add_argument
    option("results", **results)
    option("--scale", default="laptop", help="of the run (default laptop)")
    reference = "folder of the reference results (default: the ones that come along)"
    option("--reference", type=Path, help=reference)
    option("--keep", action="store_true", help="make this run the reference instead")

    crate = "a finished run as a Workflow Run RO-Crate, for archives"
    option = add("crate", run_crate, crate).add_argument
    option("results", **results)
    option("--scale", default="laptop", help="of the run (default laptop)")
    option("--out", type=Path, default=Path("taskreason.crate.zip"), help="the archive to write")

    cost = "what a run of the workflow would cost on GPUs"
    option = add("estimate", run_estimate, cost).add_argument
    option("--scale", default="paper", help="as in the configuration (default paper)")
    option("--gpu", required=True, choices=GPUS, help="the kind of card")
    option("--gpus", type=positive, help="cards (default what the largest job asks)")
    option("--lora-rank", type=natural, help="instead of train.lora_rank; 0 for none")
    option("--format", choices=("text", "markdown", "json"), default="text")

    damage = "find files under results/ that are not what the run has written"
    option = add("check", run_check, damage).add_argument
    option("results", **results)
    repair = f"rename them to *{ASIDE}, so that they are made anew"
    option("--repair", action="store_true", help=repair)

    for name in ENVIRONMENTS:
        load_environment(name).add_commands(add)
    return parser


def run_rollout(args: Namespace) -> int:
    environment = load_environment(args.environment)
    worlds = environment.read_worlds(Path(args.layouts))
    policy_of = choose_policy(args.policy, args, environment)
    starts = [_find_start(world, task, environment) for world, task in worlds]
    policy = policy_of()
    if args.out:
        rollout_to_file(policy, starts, args.timeout, args.batch_size, args.out, args.seed)
    else:
        episodes = run_episodes(policy, starts, args.timeout, args.batch_size, args.seed)
        for episode in episodes:
            print(json.dumps(asdict(episode)))
        warn_of_cuts(args.policy, episodes)
    return 0


def _find_start(world: World, task: str, environment: Environment) -> Start:
    """Where an episode begins; raises UserError for a world whose goal has no plan."""
    try:
        steps = environment.teacher(world, patient=False).distance(world.initial)
    except UserError:
        print(f"{world.id}: too large to find optimal_steps, written as null", file=sys.stderr)
        return Start(world, task, None)
    if steps is None:
        raise UserError(f"{world.id}: the goal can't be reached from the initial state.")
    return Start(world, task, steps)


def run_verify(args: Namespace) -> int:
    """Prints a verdict; the status is 1 where the run does not agree with the reference."""
    from taskreason.studies.reference import find_reference, keep
    from taskreason.studies.verify import verify

    reference = args.reference or find_reference(args.results, args.scale)
    if args.keep:
        keep(args.results, args.scale, reference)
        print(f"{reference}: holds the results of {args.results} now")
        return 0
    verdict = verify(args.results, args.scale, reference)
    print(verdict.text)
    return 0 if verdict.agrees else 1


def run_crate(args: Namespace) -> int:
    from taskreason.report.cards.crate import write_crate

    number = write_crate(
        args.results.resolve().parent, args.results.resolve(), args.scale, args.out
    )
    print(f"{args.out}: {number} files")
    return 0


def run_estimate(args: Namespace) -> int:
    from taskreason.cost.estimate import estimate, format_estimate

    train = {} if args.lora_rank is None else {"train": {"lora_rank": args.lora_rank}}
    result = estimate({"scale": args.scale} | train, args.gpu, args.gpus)
    print(format_estimate(result, args.format))
    return 0


def run_check(args: Namespace) -> int:
    """Names damaged and missing files on standard output, why on standard error; the status is 1 where one is left."""
    known = read_records(args.results)
    if not any(map(os.path.exists, known)):
        raise UserError(
            f"{args.results}: nothing that a job has left checksums of is there; give the results folder of a run, "
            "from the folder that it was started in."
        )
    found = list_damage(known)
    if args.repair:
        found = {path: f"{why}; kept as {put_aside(path)}" for path, why in found.items()}
    found |= {p: "it is missing" for p in known if p not in found and not os.path.exists(p)}
    unreadable = dict.fromkeys(
        map(str, list_unreadable(args.results)),
        "these checksums can't be read; delete what the job has made to make it anew",
    )
    for path, why in (found | unreadable).items():
        print(path)
        print(f"taskreason: {path}: {why}.", file=sys.stderr)
    return 1 if unreadable or found and not args.repair else 0


if __name__ == "__main__":
    sys.exit(main())
