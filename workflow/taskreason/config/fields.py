"""What the configuration's models are made of: groups of settings, and kinds of value that several of them share."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter, WithJsonSchema
from pydantic.dataclasses import dataclass

from taskreason.durability.errors import quote
from taskreason.training.rewards import REWARDS

group = dataclass(
    frozen=True,
    config=ConfigDict(
        # Strict: true is no number and "4" none either.
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        # The text under a field is its description in the schema and on the page of keys.
        use_attribute_docstrings=True,
    ),
)
"""Makes a class a group of settings, frozen and checked whenever one is built."""

Item = TypeVar("Item")


def _refuse_repeats(items: Sequence[Item]) -> Sequence[Item]:
    for item in items:
        if items.count(item) > 1:
            raise ValueError(f"lists {quote(item)} more than once; list it once")
    return items


Unique = Annotated[
    tuple[Item, ...],
    AfterValidator(_refuse_repeats),
    Field(json_schema_extra={"uniqueItems": True}),
]
"""A list without repetitions."""

Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Rate = Annotated[float, Field(gt=0, le=1)]
Rehearsal = Annotated[float, Field(ge=0, le=0.95)]
Reward = Literal[tuple(REWARDS)]
Engine = Literal["transformers", "vllm"]
Style = Literal["plain", "chat"]


def some_of(kind: type) -> Any:
    """The type of a mapping with any of a group's keys, each checked as the group checks it."""
    adapter = TypeAdapter(kind)
    schema = adapter.json_schema()
    for part in schema["properties"].values():
        del part["default"]

    def check(values: Any) -> dict[str, Any]:
        whole = adapter.validate_json(json.dumps(values))
        return {key: getattr(whole, key) for key in schema["properties"] if key in values}

    return Annotated[dict[str, Any], BeforeValidator(check), WithJsonSchema(schema)]
