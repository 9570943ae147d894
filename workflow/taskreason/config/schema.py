"""The JSON Schema of the configuration, made from its models.

The workflow catalogue and editors read it as workflow/schemas/config.schema.yaml (docs/write_config_keys.py writes it
there); the library itself asks it for types, choices and known keys, so that a sentence can name them.
"""

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from taskreason.config.models import Config


@cache
def make_schema() -> dict[str, Any]:
    """Every key with its description, type, bounds and default, groups nested in place."""
    schema = TypeAdapter(Config).json_schema()
    parts = schema.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of the reproduction",
        **_put_in_place(schema, parts),
    }


def find_part(path: list[str]) -> dict[str, Any]:
    """The schema of one key; empty where there is no such key."""
    part = make_schema()
    for step in path:
        part = part.get("properties", {}).get(step) or part.get("additionalProperties") or {}
    return part


def _put_in_place(part: Any, parts: dict[str, Any]) -> Any:
    """The same schema without references and titles; a group's default is that of its keys."""
    if isinstance(part, list):
        return [_put_in_place(item, parts) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        part = parts[part["$ref"].rpartition("/")[2]] | (
            {"default": {}} if "default" in part else {}
        )
    return {
        key: {name: _put_in_place(item, parts) for name, item in value.items()}
        if key == "properties"
        else _put_in_place(value, parts)
        for key, value in part.items()
        if key != "title"
    }
