"""README, CONTRIBUTING and docs: their length, the places that they name, and every command that they show.

A command is tried as far as is cheap: `snakemake` as a dry run, `taskreason` by its parser and, where it takes a
second, for real; of `make` and of scripts it is seen whether there is such a target or file. What is none of these has
to be in ``OTHERS``.
"""

import io
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import chdir, redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from taskreason.cli.main import build_parser, main
from taskreason.config.load import load_config
from taskreason.environments import load_environment
from taskreason.training.rewards import REWARDS

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
from walkthrough import read_commands  # noqa: E402

DATA = ROOT / "workflow" / "taskreason" / "environments" / "robotouille" / "data"
TOP = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
OTHER_PAGES = [ROOT / "results/README.md", ROOT / "profiles/slurm/README.md"]
PAGES = [*TOP, *OTHER_PAGES, *sorted(DATA.glob("base_model*/**/README.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
OTHERS = (
    "cp",
    "hf auth login",
    "pip install",
    "pip wheel",
    "sed",
    "vf-eval",
    ". .venv/bin/activate",
)
RUN = ("explain", "generate", "plan", "propose", "replay")
"""Subcommands of `taskreason` that take a second."""
FOLDERS = "workflow|tests|docs|benchmarks|envs|profiles|paper|config|examples"
MADE = ("paper/main.pdf", "results/report.html", "results/sbom.json", "results/bench/")
"""Files that are named and not tracked, and results that are no target of Snakemake."""
TOMATO = ("layouts/cheese_sandwich.json", "tomato_sandwich.json")
"""What `sed` makes of what."""


def list_commands():
    """Every line of a block of shell once, with the page that has it first."""
    found = {}
    for page, name in zip(PAGES, NAMES, strict=True):
        for command in read_commands(page.read_text()):
            found.setdefault(command, name)
    return found


COMMANDS = list_commands()


def list_inline(program):
    """Commands of a program in running text and in generated tables, without those that have placeholders."""
    text = "\n".join(re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL) for page in PAGES)
    found = {
        " ".join(command.split()) for command in re.findall(rf"`({program}\s[^`]+)`", text)
    } - COMMANDS.keys()
    return sorted(command for command in found if not re.search(r"\b[A-Z]{3,}\b(?!=)", command))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A copy of the project in which commands can be typed, with the files of which docs speak."""
    folder = tmp_path_factory.mktemp("typed")
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, folder)
    for name in ("workflow", "paper", "profiles", "envs", "config"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (own,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/rewards.md").read_text(), re.DOTALL)
    with (folder / "workflow/taskreason/training/rewards.py").open("a") as rewards:
        rewards.write(f"\n\n{own}")
    layout = (DATA / TOMATO[0]).read_text()
    (folder / TOMATO[1]).write_text(layout.replace("cheese", "tomato"))
    shutil.copy(DATA / "layouts" / "burger.json", folder / "my_layout.json")
    shutil.copytree(DATA / "base_models" / "small", folder / "large")
    (folder / "requests.jsonl").write_text(
        f'{{"layout": {" ".join(layout.split())}, "actions": []}}\n'
    )
    return folder


def try_command(command, folder):
    """Fail where a command is unknown, or not accepted."""
    words = shlex.split(command, comments=True)
    while "=" in words[0]:
        words = words[1:]
    if ">" in words:
        words = words[: words.index(">")]
    program, *arguments = words
    if program == "snakemake":
        plan(arguments, folder)
    elif program == "taskreason":
        call(arguments, folder)
    elif program == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert {word for word in arguments if "=" not in word} <= set(targets), command
    elif program == "python":
        files = [word for word in arguments if re.match(rf"({FOLDERS})/", word)]
        assert files and all((ROOT / file).exists() for file in files), command
    elif program == "envs/bootstrap.sh":
        parts = re.findall(r"^ +(\w+)\)", (ROOT / program).read_text(), re.MULTILINE)
        assert set(arguments) <= set(parts), command
    else:
        assert f"{' '.join(words)} ".startswith(tuple(f"{known} " for known in OTHERS)), command


def plan(arguments, folder):
    """A dry run; of what stands for more than is written, the configuration alone."""
    if "..." in arguments:
        pairs = [word.partition("=") for word in arguments if "=" in word]
        load_config({"scale": "paper"} | {key: yaml.safe_load(value) for key, _, value in pairs})
        return
    if "profiles/slurm" in arguments and not find_spec("snakemake_executor_plugin_slurm"):
        pytest.skip("snakemake-executor-plugin-slurm is not installed")
    command = [sys.executable, "-m", "snakemake", *arguments, "-n"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-500:]}{done.stderr[-3000:]}"


def call(arguments, folder):
    """A call of the command line in a folder; a long one is parsed and no more."""
    try:
        build_parser().parse_args(arguments)
    except SystemExit as error:
        # A subcommand's name alone is no call; its help says whether there is such a one.
        if error.code and len(arguments) == 1:
            return call([*arguments, "--help"], folder)
        assert not error.code, f"taskreason {shlex.join(arguments)}"
        return
    if arguments[0] in RUN:
        with chdir(folder), redirect_stdout(io.StringIO()):
            assert main(arguments) == 0, arguments


# ------------------------------------------------------------------ commands


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[:70])
def test_a_command_is_known(command, workspace):
    try_command(command, workspace)


@pytest.mark.parametrize("program", ["taskreason", "make", "python"])
def test_commands_in_running_text_are_known(program, workspace):
    for command in list_inline(program):
        try_command(command, workspace)


def test_targets_in_running_text_are_known(workspace):
    """One dry run for all; those with options have one of their own."""
    targets = []
    for command in list_inline("snakemake"):
        words = shlex.split(command)[1:]
        if any(word.startswith("-") for word in words):
            try_command(command, workspace)
        else:
            targets += words
    text = "\n".join(page.read_text() for page in TOP)
    for result in re.findall(r"`(results/[\w./]+\.(?:csv|tex|pdf|png|html))`", text):
        targets += [result] if not result.startswith(MADE) else []
    assert len(set(targets)) > 10
    plan(sorted(set(targets)), workspace)


@pytest.mark.parametrize(
    "command",
    [
        "frobnicate all",
        "pip uninstall torch",
        "make tea",
        "python benchmarks/none.py",
        "envs/bootstrap.sh tea",
        "taskreason fly",
        "taskreason explain --task soup",
        "snakemake results/tables/none.csv",
        "snakemake --config grpo='{reward: none}'",
    ],
)
def test_an_unknown_command_is_noticed(command, workspace):
    with pytest.raises(AssertionError):
        try_command(command, workspace)


def test_what_propose_prints_is_what_the_pages_show(workspace, capsys, monkeypatch):
    monkeypatch.chdir(workspace)
    assert main(["propose", TOMATO[1]]) == 0
    text = capsys.readouterr().out.replace(f"{workspace}/", "")
    printed = yaml.safe_load(text[text.index("tasks:") :])
    (block,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/tasks.md").read_text(), re.DOTALL)
    assert yaml.safe_load(block) == printed
    typed = [words for words in map(shlex.split, COMMANDS) if "tasks=[tomato_sandwich]" in words]
    assert len(typed) >= 2
    for words in typed:
        (given,) = (word for word in words if word.startswith("task_settings="))
        assert yaml.safe_load(given.partition("=")[2]) == printed["task_settings"]


# ------------------------------------------------------------------ pages


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 180


def test_the_readme_leads_to_every_page_of_docs():
    linked = set(re.findall(r"\]\((docs/\w+\.md)", (ROOT / "README.md").read_text()))
    assert linked == {name for name in NAMES if name.startswith("docs/")}


def list_anchors(page):
    """What links may name on a page, as forges make it of headings."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    page = ROOT / name
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        if re.match(r"https?:", target):
            continue
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists() and linked.is_relative_to(ROOT), target
        assert not anchor or anchor in list_anchors(linked), target


@pytest.mark.parametrize("name", NAMES)
def test_files_that_are_named_are_there(name):
    text = (ROOT / name).read_text()
    for path in re.findall(rf"(?<![\w/.-])(?:\.\./)*((?:{FOLDERS})/[\w./*-]*)", text):
        path = path.rstrip(".")
        found = any(ROOT.glob(path)) if "*" in path else (ROOT / path).exists()
        assert found or path in MADE, path


def test_the_tree_shows_the_librarys_folders():
    text = (ROOT / "README.md").read_text()
    tree = text.partition("workflow/taskreason/ ")[2].partition("```")[0]
    shown = re.findall(r"^  ([\w.]+)", tree, re.MULTILINE)
    library = ROOT / "workflow" / "taskreason"
    there = {path.name for path in library.iterdir() if path.name != "__pycache__"}
    assert len(shown) == len(there) and set(shown) == there


def test_the_table_of_rewards_is_that_of_the_registry():
    rows = re.findall(
        r"^\| `(\w+)` \| (.+?) \| ([\w, ]+) \|$",
        (ROOT / "docs/rewards.md").read_text(),
        re.MULTILINE,
    )
    assert rows == [
        (name, entry.function.__doc__, ", ".join(entry.parts)) for name, entry in REWARDS.items()
    ]


def test_the_table_of_tasks_is_that_of_the_registry():
    environment = load_environment("robotouille")
    rows = re.findall(
        r"^\| `(\w+)` \| (\d+) \| (\d+) \| (\d) \| (yes|no) \|$",
        (ROOT / "docs/tasks.md").read_text(),
        re.MULTILINE,
    )
    default = environment.default_tasks
    assert sorted(int(row[3]) for row in rows) == list(range(10)), "the benchmark's synchronous set"
    assert [
        (name, int(timeout), int(bound), part == "yes") for name, timeout, bound, _, part in rows
    ] == [
        (task.name, task.timeout, task.bound, task.name in default)
        for task in environment.tasks.values()
    ]


def test_excerpts_of_the_walk_are_lines_of_the_environment():
    folder = ROOT / "workflow" / "taskreason" / "environments"
    files = [*(folder / "hanoi").glob("*.py"), *folder.glob("*.py")]
    known = {line.strip() for file in files for line in file.read_text().splitlines()}
    page = (ROOT / "docs/new_environment.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    assert len(lines) > 20
    assert [line for line in lines if line not in known] == []
    environment = load_environment("hanoi")
    world = environment.draw(environment.tasks["discs_3"], seed=4)
    read = f"{world.observe(world.initial)}\n{environment.teacher(world).reply(world.initial)}\n"
    assert f"```\n{read}```" in page


def test_results_are_ignored_and_their_page_is_tracked():
    ignored = [
        subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT).returncode == 0
        for path in ("results/README.md", "results/index.html", "results/laptop/models/base")
    ]
    if not (ROOT / ".git").exists():
        pytest.skip("no clone")
    assert ignored == [False, True, True]
