"""Write what is generated from the configuration's models: workflow/schemas/config.schema.yaml and config/README.md.

    python docs/write_config_keys.py

The page shows, for every key, its value at each scale, and the names that the default environment gives.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import yaml

from taskreason.config.groups import CONTROLS
from taskreason.config.load import SCALES_DIR, resolve_config
from taskreason.config.models import make_schema
from taskreason.environments import load_environment

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"
PAGE = ROOT / "config" / "README.md"
SCALES = sorted(path.stem for path in SCALES_DIR.glob("*.yaml"))
HEAD = """# Configuration

<!-- Written by docs/write_config_keys.py from workflow/taskreason/config/ and the scale files; do not edit. -->

A run is configured by `config.yaml` in the folder above, or by `--config` on the command line:

```sh
snakemake --config scale=smoke                 # one key
snakemake --config grpo='{reward: optimal}'    # a key of a group
```

The later of these wins, key by key:

1. the default;
2. what the environment sets at every scale (`workflow/taskreason/environments/ENVIRONMENT/scales/defaults.yaml`);
3. the scale (`workflow/taskreason/config/scales/SCALE.yaml`; a file of your own there is a scale of your own);
4. what the environment sets at that scale (`workflow/taskreason/environments/ENVIRONMENT/scales/SCALE.yaml`);
5. `config.yaml`;
6. a file named by `--configfile`, such as [confirmation.yaml](confirmation.yaml) beside this one;
7. the command line.

A wrong key or value stops the run with one sentence before anything is done. Editors complete and check `config.yaml`
by `workflow/schemas/config.schema.yaml`.
"""
BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "multipleOf": "multiple of {}",
    "minLength": "length ≥ {}",
    "pattern": "matches `{}`",
}


def write_schema() -> str:
    """The JSON Schema as YAML."""
    head = "# Written by docs/write_config_keys.py from workflow/taskreason/config/; do not edit.\n"
    # Through JSON, because YAML would write parts that are the same object as aliases.
    plain = json.loads(json.dumps(make_schema()))
    return head + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120)


def write_page() -> str:
    """The page of all keys."""
    keys = make_schema()["properties"]
    scales = {name: resolve_config({"scale": name}) for name in SCALES}
    groups = {key: part for key, part in keys.items() if "properties" in part}
    single = {key: part for key, part in keys.items() if key not in groups}
    parts = [HEAD, "## Without a group\n", *list_keys(single, scales)]
    for key, part in groups.items():
        inside = {name: scale[key] for name, scale in scales.items()}
        parts += [
            f"\n## `{key}`\n\n{part['description']}\n",
            *list_keys(part["properties"], inside),
        ]
    settings = keys["task_settings"]["additionalProperties"]
    parts += [f"\n## `task_settings.NAME`\n\n{settings['description']}\n"]
    parts += [*list_keys(settings["properties"], {}), *list_names(keys["environment"]["default"])]
    return "\n".join(parts) + "\n"


def list_keys(keys: dict, scales: dict[str, dict]) -> Iterator[str]:
    """The table's lines of some keys. scales: the values at each scale, shown where they are not the default."""
    yield "| Key | Meaning | Values | Default | At a scale |"
    yield "| --- | --- | --- | --- | --- |"
    for key, part in keys.items():
        others = {name: show(values[key]) for name, values in scales.items()}
        others = {name: value for name, value in others.items() if value != show(part["default"])}
        if len(others) == len(SCALES) and len(set(others.values())) == 1:
            others = {"all": others.popitem()[1]}
        cells = [f"`{key}`", part["description"], describe(part), show(part["default"])]
        cells.append(
            "; ".join(f"{name}: {value}" for name, value in others.items() if key != "scale")
        )
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def list_names(environment: str) -> Iterator[str]:
    """The names that the configuration can use of an environment."""
    env = load_environment(environment)
    yield f"\n## Names of `{environment}`\n"
    tasks = [f"`{task.name}` ({task.timeout}, {task.bound})" for task in env.tasks.values()]
    yield f"- tasks, with timeout and bound in steps: {', '.join(tasks)}"
    yield f"- `worlds.mode`: {', '.join(map(show, env.modes))}"
    yield f"- `report.baselines`: {', '.join(map(show, ['random', *env.rule_policies, *CONTROLS]))}"
    sizes = env.pretraining.sizes if env.pretraining else {}
    yield from (f"- `base.curriculum.{key}`: {text}" for key, text in sizes.items())
    yield from (f"- `probes.{key}`: {text}" for key, text in env.probe_sizes.items())


def describe(part: dict) -> str:
    """Type and bounds in words."""
    if "enum" in part:
        return ", ".join(show(value) for value in part["enum"])
    if part["type"] == "array":
        return f"list of: {describe(part['items'])}"
    if "properties" in part:
        return "keys of that group"
    if part["type"] == "object":
        return f"for each name: {describe(part['additionalProperties'])}"
    bounds = [text.format(part[key]) for key, text in BOUNDS.items() if key in part]
    return ", ".join([part["type"], *bounds])


def show(value: object) -> str:
    """A value as YAML writes it on one line, without what is empty in a mapping of mappings."""
    text = yaml.safe_dump(drop_empty(value), default_flow_style=True, width=10_000)
    return f"`{text.removesuffix(chr(10)).removesuffix(chr(10) + '...')}`"


def drop_empty(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {key: drop_empty(item) for key, item in value.items() if item not in ("", 0, {})}


if __name__ == "__main__":
    SCHEMA.write_text(write_schema(), encoding="utf-8")
    PAGE.write_text(write_page(), encoding="utf-8")
