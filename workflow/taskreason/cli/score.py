"""`taskreason score` and `taskreason compare`: a policy on the panel, beside others, and one against another.

What has been played lies in a folder named after the output, OUT.parts, until the score is whole, so that a score that
was stopped goes on where it was when the same command is given again.
"""

import shutil
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from taskreason.cli.policies import add_policy_options, choose_policy, reads_worlds
from taskreason.durability.checksums import describe_file
from taskreason.durability.errors import UserError
from taskreason.durability.files import decode, write_json
from taskreason.durability.provenance import describe_versions
from taskreason.environments import load_environment
from taskreason.environments.base import Environment
from taskreason.policies import Policy
from taskreason.policies.model_names import expand, list_model_files
from taskreason.rollouts.panel import find_folder, load_panel

ASKED = ("prompt", "history", "max_new_tokens", "temperature", "engine", "seed", "batch_size")
"""Options that a score tells."""


def add_commands(add: Callable) -> None:
    """The options of both."""
    text = "play the panel's fixed worlds; one file with the score, and a table beside those that we keep"
    option = add("score", run_score, text).add_argument
    policy = "as for rollout; {task} in a name stands for each task's own, as in results/laptop/models/{task}/grpo"
    option("policy", metavar="POLICY", help=policy)
    option("--name", help="what tables call it (default: POLICY)")
    option("--splits", nargs="+", metavar="KIND", help="kinds of worlds (default: all)")
    option("--tasks", nargs="+", metavar="TASK", help="default: all of the panel")
    option("--out", type=Path, default=Path("score.json"), help="default %(default)s; resumable")
    add_policy_options(option)

    text = "two results folders side by side, or two scores, world by world"
    option = add("compare", run_compare, text).add_argument
    option("first", type=Path, help="folder A, such as results, or a score")
    option("second", type=Path, help="folder B, or a score")


def run_score(args: Namespace) -> int:
    """Plays, writes and prints; the status is 0."""
    from taskreason.report.tables.leaderboard import print_leaderboard
    from taskreason.rollouts.score import describe_panel, play_split, read_score, write_score
    from taskreason.studies.scores import list_rates

    env = load_environment(args.environment)
    panel = load_panel(env)
    splits = choose("--splits", args.splits, list(panel.starts))
    tasks = choose("--tasks", args.tasks, list(panel.timeouts))
    policies = _load_policies(args, env, tasks)
    about = {
        "panel": describe_panel(panel),
        "policy": describe_policy(args, env, tasks),
        "asked": {key: getattr(args, key) for key in ASKED},
        "made": describe_versions(),
    }
    folder = args.out.with_name(f"{args.out.name}.parts")
    _settle(folder, about | {"splits": splits, "tasks": tasks})
    rows: list[dict[str, Any]] = []
    for split in splits:
        rows += play_split(policies, panel, split, args.batch_size, args.seed, folder)
    write_score(args.out, about, rows)
    shutil.rmtree(folder)
    mine = read_score(args.out, panel)
    kept = [read_score(path, panel) for path in list_kept(env)]
    print(print_leaderboard(list_rates([mine, *kept]), env))
    print(f"\n{args.out}: written; `taskreason compare A B` holds two of these against each other")
    return 0


def choose(key: str, wanted: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    """What was asked for, in the panel's order; UserError for what it does not have."""
    for name in wanted or ():
        if name not in known:
            raise UserError(f"{key}: the panel has no {name}; choose from {', '.join(known)}.")
    return [name for name in known if not wanted or name in wanted]


def _load_policies(args: Namespace, env: Environment, tasks: Iterable[str]) -> dict[str, Policy]:
    """By task; one and the same for all, unless its name has the task in it."""
    from taskreason.rollouts.score import SeeingThrough

    loaded: dict[str, Policy] = {}
    names = _name_policies(args, tasks)
    # All names are checked before the first of them is loaded.
    makers = {name: choose_policy(name, args, env) for name in names.values()}
    for name, make in makers.items():
        policy = make()
        loaded[name] = SeeingThrough(policy) if reads_worlds(name, env) else policy
    return {task: loaded[name] for task, name in names.items()}


def _name_policies(args: Namespace, tasks: Iterable[str]) -> dict[str, str]:
    return {task: args.policy.replace("{task}", task) for task in tasks}


def describe_policy(args: Namespace, env: Environment, tasks: Iterable[str]) -> dict[str, Any]:
    """Its name and, of models in folders, the checksum of every file of weights."""
    sums = {}
    for name in dict.fromkeys(_name_policies(args, tasks).values()):
        folder = Path(expand(name, env))
        if folder.is_dir():
            weights = [Path(f) for f in list_model_files(str(folder)) if f.endswith(".safetensors")]
            sums |= {f"{name}/{file.name}": describe_file(file)["sha256"] for file in weights}
    return {"name": args.name or args.policy, "source": args.policy, "weights": sums}


def _settle(folder: Path, about: dict[str, Any]) -> None:
    """Begin, or go on with what an earlier call of the same kind has left; UserError for what another has."""
    note = folder / "about.json"
    if note.exists():
        try:
            same = decode(note.read_bytes()) == about
        except (OSError, ValueError):
            same = False
        if not same:
            raise UserError(
                f"{folder}: holds what another call has begun; finish that one, delete the folder, or name another "
                "file with --out."
            )
    write_json(note, about)


def list_kept(env: Environment) -> list[Path]:
    """The scores that come along with the panel."""
    return sorted((find_folder(env) / "scores").glob("*.json.gz"))


def run_compare(args: Namespace) -> int:
    """Folders of results, or scores."""
    if args.first.is_dir() or args.second.is_dir():
        from taskreason.studies.compare import compare

        print(compare(args.first, args.second))
        return 0
    from taskreason.report.tables.leaderboard import print_comparison
    from taskreason.rollouts.score import read_file, read_score
    from taskreason.studies.scores import compare_scores

    panel = load_panel(load_environment(read_file(args.first)["panel"]["environment"]))
    first, second = (read_score(path, panel) for path in (args.first, args.second))
    print(f"A: {first.name}\nB: {second.name}\n")
    print(print_comparison(compare_scores(first, second), panel.environment))
    return 0
