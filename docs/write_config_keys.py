"""Write config/README.md: every key of the configuration, from the schema and the scale files.

python docs/write_config_keys.py
"""

from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"
SCALES = sorted((ROOT / "workflow" / "scales").glob("*.yaml"))
OUTPUT = ROOT / "config" / "README.md"
HEAD = """# Configuration

<!-- Written by docs/write_config_keys.py from the schema and the scale files under workflow/; do not edit. -->

A run is configured by `config.yaml` in the folder above, or by `--config` on the command line:

```sh
snakemake --cores all --config scale=smoke                 # one key
snakemake --cores all --config grpo='{reward: optimal}'    # a key of a group
```

A value on the command line goes before one in `config.yaml`, that before one in the scale's file (`workflow/scales/`),
and that before the default. A wrong key or value stops the run with one sentence before anything is done.
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


def write_docs() -> str:
    """The page as text."""
    schema = yaml.safe_load(SCHEMA.read_text())
    scales = {path.stem: yaml.safe_load(path.read_text()) or {} for path in SCALES}
    single = {key: part for key, part in schema["properties"].items() if "properties" not in part}
    parts = [HEAD, "## Without a group\n", *list_keys(single, scales)]
    for group, part in schema["properties"].items():
        if "properties" in part:
            inside = {name: scale.get(group, {}) for name, scale in scales.items()}
            parts += [f"\n## `{group}`\n", f"{squeeze(part['description'])}\n"]
            parts += list_keys(part["properties"], inside)
    return "\n".join(parts) + "\n"


def list_keys(keys: dict, scales: dict[str, dict]) -> Iterator[str]:
    """The table's lines of some keys. scales: what each scale's file sets of them."""
    yield "| Key | Meaning | Values | Default | Set by scales |"
    yield "| --- | --- | --- | --- | --- |"
    for key, part in keys.items():
        others = [f"{name}: {show(s[key])}" for name, s in scales.items() if key in s]
        cells = [f"`{key}`", squeeze(part["description"]), describe(part), show(part["default"])]
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} | {'; '.join(others)} |"


def describe(part: dict) -> str:
    """Type and bounds in words."""
    if "enum" in part:
        return ", ".join(show(value) for value in part["enum"])
    bounds = [text.format(part[key]) for key, text in BOUNDS.items() if key in part]
    if part["type"] == "array":
        return f"list of: {describe(part['items'])}"
    return ", ".join([part["type"], *bounds])


def show(value: object) -> str:
    """A value as YAML writes it on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n")
    return f"`{text.strip()}`"


def squeeze(text: str) -> str:
    """Text on one line."""
    return " ".join(text.split())


if __name__ == "__main__":
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(write_docs(), encoding="utf-8")
