"""What each subcommand of `taskreason` does with its options; the value of a function is the exit status.

What needs pandas is imported by the function that calls it, and what runs models by what loads them, so that everything
else starts at once.
"""

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from taskreason.cli.preflight import check_policy
from taskreason.config.load import load_config, resolve_config
from taskreason.durability.checksums import list_damage, list_unreadable, put_aside, read_records
from taskreason.durability.errors import UserError
from taskreason.environments import load_environment
from taskreason.environments.base import Environment, World
from taskreason.policies import Policy
from taskreason.policies.loading import load_model_policy, load_rules
from taskreason.policies.model_names import expand, is_api, is_hub
from taskreason.rollouts.episode import Start, rollout_to_file, run_episodes


def run_rollout(args: Namespace) -> int:
    environment = load_environment(args.environment)
    worlds = environment.read_worlds(Path(args.layouts))
    policy_of = _choose_policy(args, environment)
    starts = [_find_start(world, task, environment) for world, task in worlds]
    policy = policy_of()
    if args.out:
        rollout_to_file(policy, starts, args.timeout, args.batch_size, args.out, args.seed)
    else:
        for episode in run_episodes(policy, starts, args.timeout, args.batch_size, args.seed):
            print(json.dumps(asdict(episode)))
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


def _choose_policy(args: Namespace, environment: Environment) -> Callable[[], Policy]:
    """What loads the policy; UserError at once where its name or the settings mean nothing."""
    rules = ("planner", "random", *environment.rule_policies)
    if args.policy in rules:
        return lambda: load_rules(args.policy, args.seed, environment)
    name = expand(args.policy, environment)
    if not (is_api(name) or is_hub(name) or Path(name).is_dir()):
        raise UserError(
            f"--policy: {name} is neither {', '.join(rules)} nor a model's folder or name on the hub."
        )
    given = {
        "environment": environment.name,
        "seeds": [args.seed],
        "prompt": {"style": args.prompt, "history": args.history},
        "rollout": {
            "engine": args.engine,
            "batch_size": args.batch_size,
            "max_new_tokens": args.max_new_tokens,
        },
        "endpoint": {"base_url": args.base_url} if args.base_url else {},
    }
    cfg = load_config(resolve_config(given, config_file="the command's options"))
    check_policy(name, cfg)
    return lambda: load_model_policy(name, cfg, args.temperature)


def run_compare(args: Namespace) -> int:
    from taskreason.studies.verify import compare

    print(compare(args.first, args.second))
    return 0


def run_verify(args: Namespace) -> int:
    """Prints a verdict; the status is 1 where the run does not agree with the reference."""
    from taskreason.studies.verify import find_reference, keep, verify

    reference = args.reference or find_reference(args.results, args.scale)
    if args.keep:
        keep(args.results, args.scale, reference)
        print(f"{reference}: holds the results of {args.results} now")
        return 0
    verdict = verify(args.results, args.scale, reference)
    print(verdict.text)
    return 0 if verdict.agrees else 1


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
    unreadable = list_unreadable(args.results)
    for record in map(str, unreadable):
        found[record] = (
            "these checksums can't be read; delete what the job has made to make it anew"
        )
    for path, why in found.items():
        print(path)
        print(f"taskreason: {path}: {why}.", file=sys.stderr)
    return 1 if unreadable or found and not args.repair else 0
