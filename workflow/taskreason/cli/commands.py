"""What each subcommand of `taskreason` does with its options; the value of a function is the exit status.

What needs pandas is imported by the function that calls it, and what runs models by what loads them, so that everything
else starts at once.
"""

import itertools
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
from taskreason.environments.robotouille.explain import explain
from taskreason.environments.robotouille.planner.search import Planner
from taskreason.environments.robotouille.play import play
from taskreason.environments.robotouille.requests import (
    answer_requests,
    plan_request,
    replay_request,
)
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.generator import draw_disjoint, generate_layout
from taskreason.environments.robotouille.simulator.layout import Layout
from taskreason.environments.robotouille.simulator.layout_files import load_layouts
from taskreason.environments.robotouille.simulator.layout_reader import LayoutError
from taskreason.environments.robotouille.task_files import propose
from taskreason.environments.robotouille.tasks import TASKS
from taskreason.policies import Policy
from taskreason.policies.loading import load_model_policy, load_rules
from taskreason.policies.model_names import is_api, is_hub
from taskreason.rollouts.episode import Start, rollout_to_file, run_episodes

POLICIES = ("planner", "random", "greedy")
OPTIMUM_LIMIT = 200_000
"""States after which a rollout does without a kitchen's optimal length; the tasks need fewer."""


def run_replay(args: Namespace) -> int:
    return answer_requests(args.requests, replay_request)


def run_plan(args: Namespace) -> int:
    return answer_requests(args.requests, plan_request)


def run_generate(args: Namespace) -> int:
    seeds = itertools.count(args.seed)
    template = TASKS[args.task].template if args.task else load_layouts(args.layout)[0]
    for _, layout in draw_disjoint(template, args.mode, seeds, args.count, set()):
        print(json.dumps(layout.to_json()))
    return 0


def run_propose(args: Namespace) -> int:
    print(propose(args.layout, load_config({}).kitchens))
    return 0


def run_rollout(args: Namespace) -> int:
    layouts = load_layouts(args.layouts)
    policy_of = _choose_policy(args)
    starts = [_find_start(layout) for layout in layouts]
    policy = policy_of()
    if args.out:
        rollout_to_file(policy, starts, args.timeout, args.batch_size, args.out, args.seed)
    else:
        for episode in run_episodes(policy, starts, args.timeout, args.batch_size, args.seed):
            print(json.dumps(asdict(episode)))
    return 0


def _find_start(layout: Layout) -> Start:
    """Where an episode begins; raises LayoutError for a kitchen whose goal has no plan."""
    kitchen, steps = Kitchen(layout), None
    try:
        steps = Planner(kitchen, OPTIMUM_LIMIT).distance(kitchen.initial)
    except UserError:
        print(f"{layout.source}: too large to find optimal_steps, written as null", file=sys.stderr)
    else:
        if steps is None:
            raise LayoutError(f"{layout.source}: goal can't be reached from the initial state.")
    tasks = [name for name, task in TASKS.items() if set(task.template.goal) == set(layout.goal)]
    return Start(kitchen, tasks[0] if tasks else "other", steps)


def _choose_policy(args: Namespace) -> Callable[[], Policy]:
    """What loads the policy; UserError at once where its name or the settings mean nothing."""
    if args.policy in POLICIES:
        return lambda: load_rules(args.policy, args.seed)
    if not (is_api(args.policy) or is_hub(args.policy) or Path(args.policy).is_dir()):
        names = ", ".join(POLICIES)
        raise UserError(
            f"--policy: {args.policy} is neither {names} nor a model's folder or name on the hub."
        )
    given = {
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
    check_policy(args.policy, cfg)
    return lambda: load_model_policy(args.policy, cfg, args.temperature)


def _find_layout(args: Namespace) -> Layout:
    if args.layout:
        return load_layouts(args.layout)[0]
    template = TASKS[args.task or next(iter(TASKS))].template
    return template if args.seed is None else generate_layout(template, args.seed, args.mode)


def run_play(args: Namespace) -> int:
    return play(_find_layout(args))


def run_explain(args: Namespace) -> int:
    print(explain(_find_layout(args)))
    return 0


def run_compare(args: Namespace) -> int:
    from taskreason.studies.compare import compare

    print(compare(args.first, args.second))
    return 0


def run_verify(args: Namespace) -> int:
    """Prints a verdict; the status is 1 where the run does not agree with the reference."""
    from taskreason.studies.verify import keep, verify

    if args.keep:
        keep(args.results, args.scale, args.reference)
        print(f"{args.reference}: holds the results of {args.results} now")
        return 0
    verdict = verify(args.results, args.scale, args.reference)
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
