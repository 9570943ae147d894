"""What benchmarks/walkthrough.py types: the README's own commands, in one shell, each with its exit status."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
from walkthrough import FIGURE, follow, list_parts, read_section  # noqa: E402

PAGE = """# A page

## Two commands

```sh
make reproduce   # everything
make test
```

### A reward

Words.

```sh
cp a b                                     # keep it
snakemake --config sft='{epochs: 3}'
```

### A task

1. In a list:

   ```sh
   sed 's/#/x/' a > b
   # only a comment
   ```

```python
print("not typed")
```
"""


def test_the_parts_are_the_sections_of_the_page():
    assert list_parts(PAGE) == {
        "reproduce": ["make reproduce"],
        "reward": ["cp a b", "snakemake --config sft='{epochs: 3}'"],
        "task": [". .venv/bin/activate", "sed 's/#/x/' a > b"],
    }


def test_a_section_that_is_gone_is_named():
    with pytest.raises(SystemExit, match="no section '## Nowhere'"):
        read_section(PAGE, "## Nowhere")


def test_the_readme_keeps_a_figure_before_it_is_made_anew():
    parts = list_parts((ROOT / "README.md").read_text())
    assert parts["reproduce"] == ["make reproduce"]
    activated, kept, made, held = parts["reward"]
    assert kept == f"cp {FIGURE} before.png" and made.startswith(
        f"snakemake {FIGURE} --config grpo="
    )
    assert (activated, held) == (parts["task"][0], "taskreason verify")
    assert any("scale=smoke" in command for command in parts["task"])


def test_commands_share_a_shell_that_has_nothing_of_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    steps = follow(tmp_path, ["here=1", 'test -n "$here"', 'test -n "$PYTHONPATH"', "cd /nowhere"])
    assert [step["status"] for step in steps] == [0, 0, 1, 1]
    assert [step["command"] for step in steps][0] == "here=1"
