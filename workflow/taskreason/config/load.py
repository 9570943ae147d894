"""The configuration: from layers of YAML to one frozen Config, or one sentence saying what to fix.

Values come from the schema's defaults, then the scale file, then config.yaml, then the command
line; the later wins. `resolve_config` merges the layers, checked by `taskreason.config.checks`;
`load_config` builds the dataclasses of `taskreason.config.models` from them.
"""

import copy
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml

from taskreason.config.checks import check_agreement, check_values
from taskreason.config.models import Config
from taskreason.durability.errors import UserError

WORKFLOW_DIR = Path(__file__).resolve().parents[2]
SCHEMA_FILE = WORKFLOW_DIR / "schemas" / "config.schema.yaml"
SCALES_DIR = Path(__file__).with_name("scales")
COMMAND_LINE = "command line"


def load_config(given: Mapping[str, Any]) -> Config:
    """Build the typed config from any subset of keys (what is missing comes from scale and schema).

    Written down as JSON (`dataclasses.asdict`), it can be given back. Raises UserError as `resolve_config` does.
    """
    return _build(Config, resolve_config(given))


def list_timeouts(resolved: Mapping[str, Any]) -> dict[str, int]:
    """The timeouts of all tasks, those of the recipes among them."""
    own = {name: recipe["timeout"] for name, recipe in resolved["recipes"].items()}
    return dict(resolved["timeouts"]) | own


def list_bounds(resolved: Mapping[str, Any]) -> dict[str, int]:
    """The bounds on the expert's trajectories of all tasks, those of the recipes among them."""
    own = {name: recipe["expert_bound"] for name, recipe in resolved["recipes"].items()}
    return dict(resolved["expert_bounds"]) | own


def resolve_config(
    given: Mapping[str, Any],
    overrides: Mapping[str, Any] | None = None,
    config_file: str = "config.yaml",
) -> dict[str, Any]:
    """Merge the layers and return every key of the schema, in the schema's order.

    `given` is config.yaml with the command line already merged in; `overrides` is the command line
    alone, known so that a message can name the right place. Raises UserError with one sentence
    naming place, key and fix.
    """
    given = _plain(given)
    overrides = _plain(overrides or {})
    _merge(given, _parse_text(overrides, _schema()))
    scale = given.get("scale", _schema()["properties"]["scale"]["default"])
    place = COMMAND_LINE if "scale" in overrides else config_file
    scale_values = _read_scale(scale, place)
    layers = [
        (COMMAND_LINE, overrides),
        (config_file, given),
        (_scale_name(scale), scale_values),
    ]
    merged = _merge(_without_empty_groups(scale_values), _without_empty_groups(given))
    schema = _admit_recipes(_schema(), merged)
    check_values(merged, schema, layers)
    resolved = _normalise(merged, schema)
    check_agreement(resolved, layers)
    return resolved


@cache
def _schema() -> dict[str, Any]:
    return yaml.safe_load(SCHEMA_FILE.read_text())


def _admit_recipes(schema: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with the recipes' names among the tasks, behind the four."""
    schema = copy.deepcopy(schema)
    recipes = values.get("recipes", schema["properties"]["recipes"]["default"])
    if isinstance(recipes, Mapping):
        # One list, to which every key that names a task refers, the default of tasks among them.
        tasks = schema["properties"]["tasks"]
        tasks["default"] = list(tasks["default"])
        names = tasks["items"]["enum"]
        names += [name for name in recipes if name not in names]
    return schema


def list_choices(group: str, key: str) -> list[str]:
    """The values that the schema allows for a key of one of its groups."""
    return _schema()["properties"][group]["properties"][key]["enum"]


def _read_scale(scale: Any, place: str) -> dict[str, Any]:
    names = sorted(path.stem for path in SCALES_DIR.glob("*.yaml"))
    if scale not in names:
        raise UserError(f"{place}: scale is {scale!r}; set it to one of {', '.join(names)}.")
    file = SCALES_DIR / f"{scale}.yaml"
    try:
        values = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise UserError(
            f"{_scale_name(scale)} is not valid YAML ({problem}); correct it."
        ) from None
    if not isinstance(values, dict):
        raise UserError(f"{_scale_name(scale)} holds no keys; write `key: value` lines in it.")
    return values


def _scale_name(scale: str) -> str:
    return f"workflow/taskreason/config/scales/{scale}.yaml"


def _plain(value: Any) -> Any:
    """Deep copy without the mapping subclasses that YAML loaders and Snakemake use."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return copy.deepcopy(value)


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value
    return base


def _parse_text(overrides: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Read numbers and lists out of text: `--config sft='{epochs: 4}'` holds '4' as text."""
    parsed = {}
    for key, value in overrides.items():
        part = schema.get("properties", {}).get(key) or schema.get("additionalProperties") or {}
        if isinstance(value, dict):
            parsed[key] = _parse_text(value, part)
        elif isinstance(value, str) and part.get("type") != "string":
            read = float if part.get("type") == "number" else yaml.safe_load
            try:
                parsed[key] = read(value)
            except (ValueError, yaml.YAMLError):
                parsed[key] = value
        elif isinstance(value, list):
            item = part.get("items", {})
            parsed[key] = [
                _parse_text({"": entry}, {"properties": {"": item}})[""] for entry in value
            ]
        else:
            parsed[key] = value
    return parsed


def _without_empty_groups(values: dict[str, Any]) -> dict[str, Any]:
    """Drop groups whose every key is commented out, which YAML reads as null."""
    groups = {key for key, part in _schema()["properties"].items() if part["type"] == "object"}
    return {key: value for key, value in values.items() if not (key in groups and value is None)}


def _normalise(value: Any, schema: Mapping[str, Any]) -> Any:
    """Fill defaults, order keys and list items as the schema does, and give each number its type.

    The workflow compares these values to decide what to run again, so equal meaning must give
    equal bytes.
    """
    if schema["type"] == "object" and "properties" not in schema:
        return {
            key: _normalise(item, schema["additionalProperties"]) for key, item in value.items()
        }
    if schema["type"] == "object":
        return {
            key: _normalise(value[key] if key in value else part["default"], part)
            for key, part in schema["properties"].items()
        }
    if schema["type"] == "array":
        order = schema["items"].get("enum", value)
        return [_normalise(item, schema["items"]) for item in order if item in value]
    return {"integer": int, "number": float, "boolean": bool, "string": str}[schema["type"]](value)


def _build(cls: type, values: Mapping[str, Any]) -> Any:
    types = get_type_hints(cls)
    made = {}
    for field in fields(cls):
        value, kind = values[field.name], types[field.name]
        if is_dataclass(kind):
            value = _build(kind, value)
        elif isinstance(value, list):
            value = tuple(value)
        elif isinstance(value, dict):
            of = get_args(kind)[1]
            value = {
                key: _build(of, item) if is_dataclass(of) else item for key, item in value.items()
            }
        made[field.name] = value
    return cls(**made)
