"""The configuration: from layers of YAML to one frozen Config, or one sentence saying what to fix.

Values come from the models' defaults, then the environment's defaults, the scale's file, the environment's file for
that scale, config.yaml, and the command line; the later wins. Mappings merge key by key, lists replace one another.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from taskreason.config.checks import check_agreement, explain, find_place
from taskreason.config.groups import CONTROLS
from taskreason.config.models import Config, make_schema
from taskreason.durability.bundled_files import PACKAGE
from taskreason.durability.errors import UserError, quote
from taskreason.environments import ENVIRONMENTS

SCALES_DIR = PACKAGE / "config" / "scales"
UNCOUNTED_PROBES = 100  # of a kind for which nothing names a number
ODD_NUMBER = re.compile(r"^[-+]?0[0-9xXbB_]|[0-9]_|[0-9]:[0-9]")
"""In the text of a number: an octal, hexadecimal or binary one, an underscore, minutes and seconds."""
_CONFIG = TypeAdapter(Config)


def load_config(given: Mapping[str, Any]) -> Config:
    """Build the typed config from any subset of keys (what is missing comes from scale, environment and defaults).

    Written down as JSON (`dataclasses.asdict`), it can be given back. Raises UserError as `resolve_config` does.
    """
    return _load(given, {}, "config.yaml")


def resolve_config(
    given: Mapping[str, Any],
    overrides: Mapping[str, Any] | None = None,
    config_file: str = "config.yaml",
) -> dict[str, Any]:
    """Merge the layers and return every key with its value as plain JSON, in the models' order.

    `given` is config.yaml with the command line already merged in; `overrides` is the command line
    alone, known so that a message can name the right place. Raises UserError with one sentence
    naming place, key and fix. Equal meaning gives equal bytes, since the workflow compares these
    values to decide what to run again.
    """
    return _CONFIG.dump_python(_load(given, overrides or {}, config_file), mode="json")


def check_files(paths: Collection[str | Path]) -> None:
    """Raise UserError for a configuration file that is no UTF-8, or whose numbers YAML reads in a way of its own."""
    for path in map(Path, paths):
        read_yaml(path, path.as_posix())


def read_yaml(path: Path, name: str) -> Any:
    """The values of a YAML file; UserError, which calls it ``name``, where it can't be read or misleads."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except OSError as error:
        raise UserError(f"{name} can't be read ({error.strerror}); put it right.") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{name} is not UTF-8 text (byte {error.start}); save it as UTF-8."
        ) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        problem = " ".join(str(error).split())
        raise UserError(f"{name} is not valid YAML ({problem}); correct it.") from None
    for node in _list_scalars(root):
        if complaint := _find_misreading(node.value):
            raise UserError(f"{name}:{node.start_mark.line + 1}: {complaint}")
    return values


def _list_scalars(root: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    """What is written without quotes in a document."""
    waiting: list[Any] = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.ScalarNode):
            if node.style is None:
                yield node
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            waiting += [part for pair in node.value for part in pair]


def _find_misreading(text: str) -> str:
    """What to say where YAML 1.1 reads a number otherwise than people do (010 as 8, 1:30 as 90, 1_0 as 10); else ""."""
    if not ODD_NUMBER.search(text):
        return ""
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return ""
    if not isinstance(value, int | float):
        return ""
    return f"YAML reads {text} as {value}; write the number in plain digits, or text in quotes."


def check_own_tasks(cfg: Config) -> None:
    """Raise UserError for the first task of one's own that the environment finds unfit; it may plan in its world."""
    for name, own in cfg.task_settings.items():
        if own.layout:
            try:
                cfg.env.check_task(cfg.task(name), cfg.mode)
            except UserError as error:
                raise UserError(f"task_settings.{name}: {error}") from None


def _load(given: Mapping[str, Any], overrides: Mapping[str, Any], config_file: str) -> Config:
    overrides = _parse_text(_plain(overrides), make_schema())
    given = _merge(_plain(given), overrides)
    layers = [("command line", overrides), (config_file, given)]
    environment = _choose("environment", ENVIRONMENTS, layers)
    scale = _choose("scale", sorted(path.stem for path in SCALES_DIR.glob("*.yaml")), layers)
    own = PACKAGE.parent.joinpath(*ENVIRONMENTS[environment].split(".")[:-1], "scales")
    files = [own / f"{scale}.yaml", SCALES_DIR / f"{scale}.yaml", own / "defaults.yaml"]
    layers += [_read_layer(path) for path in files if path.is_file()]
    # A group whose every key is commented out is null, which _merge passes over.
    keys = make_schema()["properties"].items()
    merged: dict[str, Any] = {key: {} for key, part in keys if part["type"] == "object"}
    for _, values in reversed(layers):
        _merge(merged, values)
    try:
        # As JSON, where strictness allows what YAML can say: lists for tuples, mappings for groups.
        cfg = _CONFIG.validate_json(json.dumps(merged, default=str))
    except ValidationError as error:
        raise UserError(explain(error, layers)) from None
    cfg = _settle(cfg, given)
    check_agreement(cfg, layers)
    return cfg


def _choose(key: str, known: Collection[str], layers: list[tuple[str, dict[str, Any]]]) -> str:
    """The environment or the scale, on which the other layers depend."""
    value = layers[1][1].get(key, make_schema()["properties"][key]["default"])
    if not isinstance(value, str) or value not in known:
        place = find_place([key], layers)
        raise UserError(f"{place}: {key} is {quote(value)}; set it to one of {', '.join(known)}.")
    return value


def _read_layer(file: Path) -> tuple[str, dict[str, Any]]:
    name = file.relative_to(PACKAGE.parent).as_posix()
    values = read_yaml(file, name)
    if not isinstance(values, dict):
        raise UserError(f"{name} holds no keys; write `key: value` lines in it.")
    return name, _plain(values)


def _plain(value: Any) -> Any:
    """Deep copy without the subclasses that YAML loaders and Snakemake use; keys are text, whole numbers are int."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in over.items():
        if isinstance(base.get(key), dict) and isinstance(value, Mapping):
            _merge(base[key], value)
        elif not (isinstance(base.get(key), dict) and value is None):
            base[key] = _plain(value)
    return base


def _parse_text(value: Any, part: Mapping[str, Any]) -> Any:
    """Read numbers and lists out of text: `--config sft='{epochs: 4}'` holds '4' as text."""
    if isinstance(value, dict):
        keys, others = part.get("properties", {}), part.get("additionalProperties") or {}
        return {key: _parse_text(item, keys.get(key, others)) for key, item in value.items()}
    if isinstance(value, list):
        return [_parse_text(item, part.get("items", {})) for item in value]
    if not isinstance(value, str) or part.get("type") == "string":
        return value
    if complaint := _find_misreading(value):
        raise UserError(f"command line: {complaint}")
    try:
        return _plain((float if part.get("type") == "number" else yaml.safe_load)(value))
    except (ValueError, yaml.YAMLError):
        return value


def _settle(cfg: Config, given: Mapping[str, Any]) -> Config:
    """Fill in what the environment decides, and put names in its order. Wrong names stay, for the check to find."""
    env = cfg.env
    tasks = _sort(cfg.tasks or env.default_tasks or env.tasks, env.tasks)
    sizes = dict.fromkeys(env.pretraining.sizes if env.pretraining else (), 0)
    probes = dict.fromkeys(env.probe_sizes, UNCOUNTED_PROBES)
    controls = ("random", *env.rule_policies, *CONTROLS)
    cfg = replace(
        cfg,
        tasks=tasks,
        task_settings={n: cfg.task_settings[n] for n in _sort(cfg.task_settings, env.tasks)},
        worlds=replace(cfg.worlds, mode=cfg.mode),
        base=replace(cfg.base, curriculum=sizes | cfg.base.curriculum),
        probes=probes | cfg.probes,
        report=replace(cfg.report, baselines=_sort(cfg.report.baselines, controls)),
    )
    named = [(name, "task") for name in ("sweep", "ablation", "theory", "regimes", "states")]
    for name, key in (*named, ("report", "drawn_task")):
        # A scale's choice gives way where a person chose other tasks; a person's own choice is checked.
        part, chosen = getattr(cfg, name), given.get(name) or {}
        if not chosen.get(key) and getattr(part, key) not in tasks:
            cfg = replace(cfg, **{name: replace(part, **{key: tasks[0]})})
    return cfg


def _sort(names: Collection[str], order: Collection[str]) -> tuple[str, ...]:
    """Names in the order given by the others, then the unknown ones as they come."""
    return (*(name for name in order if name in names), *(n for n in names if n not in order))
