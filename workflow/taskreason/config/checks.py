"""What is wrong with a configuration, in one sentence that names the place, the key and what to write instead.

A configuration comes in layers, (name of the place, its values), the strongest first. A sentence names the first one
that sets the key, and the second one, config.yaml, where none does.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from taskreason.config.groups import CONTROLS
from taskreason.config.models import Config, Grpo, Sft, find_part
from taskreason.durability.errors import UserError, clip, quote

Layers = Sequence[tuple[str, Mapping[str, Any]]]
COMPLAINTS = {
    "int_type": "is {value}; write a whole number",
    "float_type": "is {value}; write a number",
    "bool_type": "is {value}; write true or false",
    "string_type": "is {value}; write text",
    "tuple_type": "is {value}; write a list",
    "dict_type": "is {value}; write a group of keys",
    "dataclass_type": "is {value}; write a group of keys",
    "literal_error": "is {value}; choose from {choices}",
    "greater_than_equal": "is {value}; set it to {ge} or more",
    "less_than_equal": "is {value}; set it to {le} or less",
    "greater_than": "is {value}; set it above {gt}",
    "less_than": "is {value}; set it below {lt}",
    "multiple_of": "is {value}; set it to a multiple of {multiple_of}",
    "finite_number": "is {value}; write a finite number",
    "string_pattern_mismatch": "is {value}; write it like the default, {default!r}",
    "value_error": "{error}",
    "json_invalid": "holds text that is no Unicode; take it out",
}
"""Kind of error -> what is said of the key."""
RESERVED = ("base", "hub", "rebuilt_base", "ablation", "sweep", "regimes", "states")
"""Names of folders, which no task can have."""
PLAYED = ("expert", "sft", "sft_longer", "sft_grpo")
"""Policies of every environment that can play the worlds of worlds.splits."""
MISSING = object()


def explain(error: ValidationError, layers: Layers) -> str:
    """The sentence about what the models refuse."""
    # An unknown key is the likeliest cause of whatever else is wrong, so it is named first.
    unknown = "unexpected_keyword_argument"
    found = min(error.errors(include_url=False), key=lambda found: found["type"] != unknown)
    path = [step for step in found["loc"] if isinstance(step, str)]
    key, part, place = ".".join(path), find_part(path), find_place(path, layers)
    if found["type"] == unknown:
        known = find_part(path[:-1])["properties"]
        return f"{place}: unknown key {quote(key)}; {_suggest(path[-1], known, path[:-1])}"
    bounds = {
        name: f"{value:g}" if isinstance(value, float) else value
        for name, value in found.get("ctx", {}).items()
    }
    complaint = COMPLAINTS.get(found["type"], "is {value}; give it at least one entry").format(
        value=quote(found["input"]),
        choices=", ".join(part.get("items", part).get("enum", ())),
        default=part.get("default"),
        **bounds,
    )
    if found["type"] == "float_type" and isinstance(found["input"], str):
        complaint += " (YAML reads 1e-3 as text, 1.0e-3 as a number)"
    return f"{place}: {_name_key(key) or 'the configuration'} {complaint}."


def check_agreement(cfg: Config, layers: Layers) -> None:
    """Raise UserError for what the environment does not have, and for values that are allowed but not together."""
    for check in (_check_names, _check_environment, _check_numbers):
        for key, complaint in check(cfg):
            place, end = find_place(key.split("."), layers), complaint.endswith(("?", "."))
            raise UserError(f"{place}: {_name_key(key)} {complaint}{'' if end else '.'}")


def find_place(path: Sequence[str], layers: Layers) -> str:
    """The name of the strongest layer that sets a key."""
    for name, values in layers:
        node: Any = values
        for step in path:
            node = node.get(step, MISSING) if isinstance(node, dict) else MISSING
        if values and node is not MISSING:
            return name
    return layers[1][0]


def _suggest(name: str, known: Collection[str], group: Sequence[str] = ()) -> str:
    """What to write instead of a name, as the sentence's end. group: the path to where keys are known."""
    close = get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {'.'.join([*group, *close])!r}?"
    return f"choose from {', '.join(known)}." if known else "leave it out."


def _name_key(key: str) -> str:
    """A key as a sentence names it, on one line whatever it holds."""
    return clip(key) if key.isprintable() else quote(key)


def _check_names(cfg: Config) -> Iterator[tuple[str, str]]:
    """The names of tasks and of what the environment counts, plays or draws."""
    env, settings = cfg.env, cfg.task_settings
    taken = [*env.tasks, *RESERVED]
    for name, own in settings.items():
        key = f"task_settings.{name}"
        shaped = re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)*", name) and len(name) <= 40
        if own.layout and (name in taken or not shaped):
            names = (
                f"40 small letters, digits and single underscores, but none of {', '.join(taken)}"
            )
            yield key, f"can't be the name of a task of one's own; take up to {names}"
        elif own.layout and not (own.timeout and own.bound):
            missing = "bound" if own.timeout else "timeout"
            yield key, f"has no {missing}; give it layout, timeout, bound"
        elif not own.layout and name not in env.tasks:
            yield key, f"has no layout and is no task of {env.name}; {_suggest(name, env.tasks)}"
    known = {
        "tasks": (cfg.tasks, dict.fromkeys([*env.tasks, *settings])),
        "worlds.mode": ([cfg.worlds.mode], env.modes),
        "base.curriculum": (cfg.base.curriculum, env.pretraining.sizes if env.pretraining else ()),
        "probes": (cfg.probes, env.probe_sizes),
        "report.baselines": (cfg.report.baselines, ("random", *env.rule_policies, *CONTROLS)),
        "report.split_policies": (cfg.report.split_policies, (*env.rule_policies, *PLAYED)),
        "sweep.task": ([cfg.sweep.task], cfg.tasks),
        "ablation.task": ([cfg.ablation.task], cfg.tasks),
        "ablation.policies": (cfg.ablation.policies, env.rule_policies),
        "regimes.task": ([cfg.regimes.task], cfg.tasks),
        "states.task": ([cfg.states.task], cfg.tasks),
        "theory.task": ([cfg.theory.task], cfg.tasks),
        "expert.policy": ([cfg.expert.policy], ("planner", "model", *env.rule_policies)),
        "report.drawn_task": ([cfg.report.drawn_task], cfg.tasks),
    }
    for key, (names, allowed) in known.items():
        for name in names:
            if name not in allowed:
                whole = "tasks" if key.endswith("task") else env.name
                suggestion = _suggest(name, allowed)
                yield key, f"names {quote(name)}, which is none of {whole}; {suggestion}"


def _check_environment(cfg: Config) -> Iterator[tuple[str, str]]:
    """What asks for something that the environment lacks."""
    env, base = cfg.env, cfg.base
    shares = {f"{key}.rehearsal": part.rehearsal for key, part in _list_trainings(cfg)}
    shares["sweep.sft_rehearsal"] = max(cfg.sweep.sft_rehearsal, default=0)
    shares["sweep.grpo_rehearsal"] = max(cfg.sweep.grpo_rehearsal, default=0)
    for key in (key for key, share in shares.items() if share and env.rehearsal is None):
        yield key, f"is above 0, but {env.name} has nothing to rehearse; set it to 0"
    if env.pretraining is None:
        if base.rebuild:
            yield "base.rebuild", f"is true, but {env.name} has no curriculum; set it to false"
        return
    if base.rebuild and not any(base.curriculum.values()):
        yield "base.curriculum", "counts no example; give one of its keys a number"
    try:
        env.check_curriculum(base.curriculum)
    except UserError as error:
        yield "base.curriculum", str(error)


def _check_numbers(cfg: Config) -> Iterator[tuple[str, str]]:
    """Numbers that are each allowed, but not together."""
    for name in dict.fromkeys([*cfg.tasks, *cfg.task_settings]):
        task, key = cfg.task(name), f"task_settings.{name}"
        if task.timeout < task.bound:
            given = f"{key}.bound ({task.bound})"
            yield f"{key}.timeout", f"is {task.timeout}, below {given}; raise it or lower the bound"
    worlds, base, wanted = cfg.worlds, cfg.base, cfg.expert.trajectories
    if worlds.train_seed == worlds.eval_seed:
        yield "worlds.eval_seed", "equals worlds.train_seed; choose a different one"
    if worlds.validation_seed in (worlds.train_seed, worlds.eval_seed):
        others = "worlds.train_seed or worlds.eval_seed"
        yield "worlds.validation_seed", f"equals {others}; choose a different one"
    if worlds.splits_seed in (worlds.train_seed, worlds.eval_seed, worlds.validation_seed):
        others = "worlds.train_seed, worlds.eval_seed or worlds.validation_seed"
        yield "worlds.splits_seed", f"equals {others}; choose a different one"
    if worlds.training < wanted:
        given = f"worlds.training ({worlds.training})"
        yield "expert.trajectories", f"is {wanted}, more than {given}; lower it or raise the other"
    states = cfg.states
    if states.worlds < states.trajectories:
        given = f"states.worlds ({states.worlds})"
        complaint = f"is {states.trajectories}, more than {given}; lower it or raise the other"
        yield "states.trajectories", complaint
    if base.heads % base.kv_heads:
        given = f"base.kv_heads ({base.kv_heads})"
        yield "base.heads", f"is {base.heads}, which {given} does not divide; set it to a multiple"
    for key, part in _list_trainings(cfg):
        replies = part.prompts_per_step * part.group_size if isinstance(part, Grpo) else 0
        if replies and replies % part.micro_batch:
            product = f"{key}.prompts_per_step times {key}.group_size ({replies})"
            complaint = f"is {part.micro_batch}, which does not divide {product}; choose a divisor"
            yield f"{key}.micro_batch", complaint


def _list_trainings(cfg: Config) -> Iterator[tuple[str, Sft | Grpo]]:
    """The settings of SFT and GRPO by their key: those of all tasks, then those of tasks with some of their own."""
    yield from (("sft", cfg.sft), ("grpo", cfg.grpo))
    for name in cfg.task_settings:
        key, own = f"task_settings.{name}", cfg.for_task(name)
        yield from ((f"{key}.sft", own.sft), (f"{key}.grpo", own.grpo))
