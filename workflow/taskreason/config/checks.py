"""What is wrong with a configuration, in one sentence that names the place, the key and what to write instead.

A configuration comes in layers, (name of the place, its values), the strongest first. A sentence names the first one
that sets the key, and the middle one, config.yaml, where none does.
"""

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from taskreason.durability.errors import UserError

if TYPE_CHECKING:
    from jsonschema import ValidationError

Layers = Sequence[tuple[str, Mapping[str, Any]]]
TYPE_NAMES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "array": "a list",
    "object": "a group of keys",
}


def check_values(values: Mapping[str, Any], schema: Mapping[str, Any], layers: Layers) -> None:
    """Raise UserError for what the schema does not allow."""
    # Here, because the import takes a second where the package finds others that it can use.
    from jsonschema import Draft202012Validator

    errors = list(Draft202012Validator(schema).iter_errors(values))
    if errors:
        # An unknown key is the likeliest cause of whatever else is wrong, so it is named first.
        error = min(errors, key=lambda e: e.validator != "additionalProperties")
        raise UserError(_explain(error, schema, layers))


def check_agreement(values: Mapping[str, Any], layers: Layers) -> None:
    """Raise UserError for values that are each allowed but not together; every key has its value."""
    for key, complaint in _list_contradictions(values):
        raise UserError(f"{_find_place(key.split('.'), layers)}: {key} {complaint}.")


def _find_place(path: Sequence[str], layers: Layers) -> str:
    for name, values in layers:
        node: Any = values
        for step in path:
            node = node.get(step) if isinstance(node, dict) else None
        if node is not None:
            return name
    return layers[1][0]


def _explain(error: "ValidationError", schema: Mapping[str, Any], layers: Layers) -> str:
    path = [str(step) for step in error.absolute_path if not isinstance(step, int)]
    key = ".".join(path)
    value = _shorten(error.instance)
    bound = error.validator_value
    if "propertyNames" in error.schema_path:
        taken = schema["properties"]["recipes"]["propertyNames"]["not"]["enum"]
        return (
            f"{_find_place([*path, error.instance], layers)}: {key} has the name {value}; take up to 40 small letters, "
            f"digits and single underscores, but none of {', '.join(taken)}."
        )
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = next(name for name in error.instance if name not in known)
        full = ".".join([*path, str(unknown)])
        close = difflib.get_close_matches(str(unknown), known, n=1)
        fix = (
            f"did you mean {'.'.join([*path, close[0]])!r}?"
            if close
            else f"choose from {', '.join(known)}."
        )
        return f"{_find_place([*path, unknown], layers)}: unknown key {full!r}; {fix}"
    match error.validator:
        case "required":
            missing = next(name for name in bound if name not in error.instance)
            complaint = f"has no {missing}; give it {', '.join(bound)}"
        case "type":
            complaint = f"is {value}; write {TYPE_NAMES[bound]}"
            if bound == "number" and isinstance(error.instance, str):
                complaint += " (YAML reads 1e-3 as text, 1.0e-3 as a number)"
        case "enum":
            complaint = f"is {value}; choose from {', '.join(bound)}"
        case "minimum":
            complaint = f"is {value}; set it to {bound} or more"
        case "maximum":
            complaint = f"is {value}; set it to {bound} or less"
        case "exclusiveMinimum":
            complaint = f"is {value}; set it above {bound}"
        case "exclusiveMaximum":
            complaint = f"is {value}; set it below {bound}"
        case "pattern":
            complaint = f"is {value}; write it like the default, {_find_default(path, schema)!r}"
        case "multipleOf":
            complaint = f"is {value}; set it to a multiple of {bound}"
        case "uniqueItems":
            twice = next(item for item in error.instance if error.instance.count(item) > 1)
            complaint = f"lists {_shorten(twice)} more than once; list it once"
        case _:
            complaint = f"is {value}; give it at least one entry"
    return f"{_find_place(path, layers)}: {key or 'the configuration'} {complaint}."


def _find_default(path: Sequence[str], part: Mapping[str, Any]) -> Any:
    for step in path:
        part = part["properties"][step]
    return part["default"]


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _list_contradictions(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (key, complaint) for values that are each allowed but not together."""
    for key, number in _list_floats(values):
        if not math.isfinite(number):
            yield key, f"is {number}; write a finite number"
    for task in (name for name in values["tasks"] if name in values["timeouts"]):
        timeout, bound = values["timeouts"][task], values["expert_bounds"][task]
        if timeout < bound:
            yield (
                f"timeouts.{task}",
                f"is {timeout}, below expert_bounds.{task} ({bound}); raise it or lower the bound",
            )
    for name, recipe in values["recipes"].items():
        if recipe["timeout"] < recipe["expert_bound"]:
            yield (
                f"recipes.{name}.timeout",
                f"is {recipe['timeout']}, below recipes.{name}.expert_bound ({recipe['expert_bound']}); raise it or "
                "lower the bound",
            )
    kitchens, base, grpo = values["kitchens"], values["base"], values["grpo"]
    if kitchens["train_seed"] == kitchens["eval_seed"]:
        yield "kitchens.eval_seed", "equals kitchens.train_seed; choose a different one"
    if kitchens["validation_seed"] in (kitchens["train_seed"], kitchens["eval_seed"]):
        yield (
            "kitchens.validation_seed",
            "equals kitchens.train_seed or kitchens.eval_seed; choose a different one",
        )
    training, wanted = kitchens["training"], values["expert"]["trajectories"]
    if training < wanted:
        yield (
            "expert.trajectories",
            f"is {wanted}, more than kitchens.training ({training}); lower it or raise the other",
        )
    if base["small_chores"] > base["chores"]:
        yield (
            "base.small_chores",
            f"is {base['small_chores']}, more than base.chores ({base['chores']}); lower it",
        )
    if base["heads"] % base["kv_heads"]:
        yield (
            "base.heads",
            f"is {base['heads']}, which base.kv_heads ({base['kv_heads']}) does not divide; "
            "set it to a multiple",
        )
    completions = grpo["prompts_per_step"] * grpo["group_size"]
    if completions % grpo["micro_batch"]:
        yield (
            "grpo.micro_batch",
            f"is {grpo['micro_batch']}, which does not divide grpo.prompts_per_step times "
            f"grpo.group_size ({completions}); choose a divisor",
        )
    drawn = values["report"]["kitchen_task"]
    if drawn not in values["tasks"]:
        yield "report.kitchen_task", f"is {drawn!r}, which is not in tasks; choose one of them"


def _list_floats(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _list_floats(value, f"{prefix}{key}.")
        elif isinstance(value, float):
            yield f"{prefix}{key}", value
