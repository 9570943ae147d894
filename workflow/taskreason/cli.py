"""The `taskreason` command: replay, plan, generate, propose, rollout, play, explain, compare, verify,
estimate and check.

Requests and replies are JSON lines; what a person can fix is said in one sentence on standard error
with exit status 2. Modules that are slow to import are imported by the subcommand that needs them,
so that everything but a model policy starts at once.
"""

import argparse
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from taskreason.checksums import ASIDE, list_damage, put_aside, read_records
from taskreason.config import list_choices, load_config, resolve_config
from taskreason.cost.model import GPUS
from taskreason.errors import UserError
from taskreason.kitchen.engine import Kitchen
from taskreason.kitchen.generator import MODES, draw_disjoint, generate_layout
from taskreason.kitchen.layout import Layout
from taskreason.kitchen.layout_files import load_layouts, parse_layout
from taskreason.kitchen.layout_reader import LayoutError, Reader, parse_json
from taskreason.models import is_api, is_hub
from taskreason.planner import Planner, shortest_plan
from taskreason.preflight import check_policy
from taskreason.task import RESOURCES, TASKS

POLICIES = ("planner", "random", "greedy")
OPTIMUM_LIMIT = 200_000
"""States after which a rollout does without a kitchen's optimal length; the tasks need fewer."""


REFERENCE = RESOURCES / "reference"
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
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    requests = "JSON lines, a .json file with one request, or - for standard input"
    replay = add("replay", _replay, "replay actions; request: {layout, actions}")
    replay.add_argument("requests", help=requests)
    plan = add("plan", _plan, "find shortest plans; request: {layout} or a layout")
    plan.add_argument("requests", help=requests)

    generate = add("generate", _generate, "write layouts of varied kitchens as JSON lines")
    source = generate.add_mutually_exclusive_group(required=True)
    source.add_argument("--task", choices=TASKS, help="a task's kitchens")
    source.add_argument("--layout", help="a recipe's layout file")
    generate.add_argument("--count", type=_positive, default=1, help="how many (default 1)")
    generate.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    generate.add_argument("--mode", choices=MODES, default=MODES[0])

    propose = add(
        "propose", _propose, "check a recipe's layout and propose its entry in config.yaml"
    )
    propose.add_argument("layout", type=Path, help="a layout file; its name becomes the recipe's")

    rollout = add("rollout", _rollout, "run a policy; one JSON object per episode")
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

    play = add("play", _play, "play a kitchen in the terminal")
    explain = add("explain", _explain, "a kitchen's shortest plan, with the reason for every step")
    for command in (play, explain):
        source = command.add_mutually_exclusive_group()
        source.add_argument("--task", choices=TASKS, help="a task's kitchen")
        source.add_argument("--layout", help="a layout file")
        command.add_argument("--seed", type=int, help="vary the task's kitchen with this seed")
        command.add_argument("--mode", choices=MODES, default=MODES[0])

    compare = add("compare", _compare, "two results folders side by side")
    compare.add_argument("first", type=Path, help="folder A, such as results")
    compare.add_argument("second", type=Path, help="folder B")

    verify = add("verify", _verify, "whether a run agrees with the reference results")
    verify.add_argument("results", type=Path, nargs="?", default=Path("results"))
    verify.add_argument("--scale", default="laptop", help="of the run (default laptop)")
    verify.add_argument(
        "--reference", type=Path, default=REFERENCE, help="folder of the reference results"
    )
    verify.add_argument("--keep", action="store_true", help="make this run the reference instead")

    estimate = add("estimate", _estimate, "what a run of the workflow would cost on GPUs")
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

    check = add("check", _check, "find files under results/ that are not what the run has written")
    check.add_argument("results", type=Path, nargs="?", default=Path("results"))
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


def _replay(args: argparse.Namespace) -> int:
    return _answer(args.requests, replay_request)


def _plan(args: argparse.Namespace) -> int:
    return _answer(args.requests, plan_request)


def _answer(path: str, answer: Callable[[dict, str], dict]) -> int:
    """One reply a request, in order. A refused request is answered {"error": ...} and ends in 2."""
    status = 0
    for text, source in _read_requests(path):
        try:
            reply = answer(parse_json(text, source), source)
        except UserError as error:
            reply, status = {"error": str(error)}, 2
            print(f"taskreason: {error}", file=sys.stderr)
        print(json.dumps(reply), flush=True)
    return status


def _read_requests(path: str) -> Iterator[tuple[str, str]]:
    """(text, source for messages) of every request."""
    if path == "-":
        lines, name = sys.stdin, "stdin"
    else:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise UserError(f"{path}: the requests cannot be read ({reason}).") from None
        if path.endswith(".json"):
            yield text, path
            return
        lines, name = text.splitlines(), path
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield line, f"{name}:{number}"


def replay_request(request: dict, source: str) -> dict:
    """The initial state and the one after each action; an invalid action changes nothing."""
    reader = Reader(request, source, "")
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
                "predicates": kitchen.predicates(state),
                "done": kitchen.is_goal(state),
            }
            for text, (state, accepted) in zip([None, *actions], states, strict=True)
        ]
    }


def plan_request(request: dict, source: str) -> dict:
    """A shortest plan and its length; raises UserError where there is none."""
    wrapped = isinstance(request, dict) and "layout" in request
    layout = parse_layout(request["layout"] if wrapped else request, source)
    plan = shortest_plan(Kitchen(layout))
    if plan is None:
        raise LayoutError(f"{source}: goal can't be reached from this layout's initial state.")
    return {"optimal_steps": len(plan), "plan": [action.text for action in plan]}


def _generate(args: argparse.Namespace) -> int:
    seeds = itertools.count(args.seed)
    template = TASKS[args.task].template if args.task else load_layouts(args.layout)[0]
    for _, layout in draw_disjoint(template, args.mode, seeds, args.count, set()):
        print(json.dumps(layout.to_json()))
    return 0


def _propose(args: argparse.Namespace) -> int:
    from taskreason.recipes import propose

    print(propose(args.layout, load_config({}).kitchens))
    return 0


def _rollout(args: argparse.Namespace) -> int:
    from taskreason.rollout import rollout_to_file, run_episodes

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


def _find_start(layout: Layout):
    """Where an episode begins; raises LayoutError for a kitchen whose goal has no plan."""
    from taskreason.rollout import Start

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


def _choose_policy(args: argparse.Namespace) -> Callable:
    """What loads the policy; UserError at once where its name or the settings mean nothing."""
    from taskreason.policies.loading import load_model_policy, load_rules

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


def _play(args: argparse.Namespace) -> int:
    from taskreason.play import play

    return play(_find_layout(args))


def _explain(args: argparse.Namespace) -> int:
    from taskreason.explain import explain

    print(explain(_find_layout(args)))
    return 0


def _compare(args: argparse.Namespace) -> int:
    from taskreason.compare import compare

    print(compare(args.first, args.second))
    return 0


def _verify(args: argparse.Namespace) -> int:
    """Prints a verdict; the status is 1 where the run does not agree with the reference."""
    from taskreason.verify import keep, verify

    if args.keep:
        keep(args.results, args.scale, args.reference)
        print(f"{args.reference}: holds the results of {args.results} now")
        return 0
    verdict = verify(args.results, args.scale, args.reference)
    print(verdict.text)
    return 0 if verdict.agrees else 1


def _estimate(args: argparse.Namespace) -> int:
    from taskreason.cost.estimate import estimate, format_estimate

    result = estimate(args.scale, args.gpu, args.gpus, args.lora_rank)
    print(format_estimate(result, args.format))
    return 0


def _find_layout(args: argparse.Namespace) -> Layout:
    if args.layout:
        return load_layouts(args.layout)[0]
    template = TASKS[args.task or next(iter(TASKS))].template
    return template if args.seed is None else generate_layout(template, args.seed, args.mode)


def _check(args: argparse.Namespace) -> int:
    """Names damaged files on standard output and says why on standard error; the status is 1 where one is left."""
    known = read_records(args.results)
    if not any(map(os.path.exists, known)):
        raise UserError(
            f"{args.results}: nothing that a job has left checksums of is there; give the results folder of a run, "
            "from the folder that it was started in."
        )
    damaged = list_damage(known)
    for path, why in damaged.items():
        print(path)
        kept = f"; kept as {put_aside(path)}" if args.repair else ""
        print(f"taskreason: {path}: {why}{kept}.", file=sys.stderr)
    return 1 if damaged and not args.repair else 0


if __name__ == "__main__":
    sys.exit(main())
