"""One complete run at the smoke scale, from worlds to the PDF, in a folder of its own, without any network."""

import csv
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_workflow import PROMISED, TASKS, needs_latex

from namespaces import WITHOUT_NETWORK, needs_no_network
from page_reader import PageReader
from taskreason.report.labels import MAIN_POLICIES

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "workflow/taskreason/environments/robotouille/data"
pytestmark = pytest.mark.slow


# What takes time and shows nothing more, left out.
SHORT = [
    "rollout={batch_size: 16, max_new_tokens: 64}",
    "grpo={eval_steps: 2}",
    "ablation={trajectories: []}",
]
CONFIG = ["--config", "scale=smoke", "report={theory: true, ablations: true}", *SHORT]


def run(folder, *command):
    return subprocess.run(
        [*WITHOUT_NETWORK, *command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def run_smoke(folder, *targets):
    command = [sys.executable, "-m", "snakemake", *targets, "-s", str(ROOT / "Snakefile")]
    return run(folder, *command, *CONFIG)


def measure_processor_time():
    """Seconds that ended child processes spent computing: a busy machine does not change it."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ein Ordner für 実験")
    done = run_smoke(folder)
    assert done.returncode == 0, done.stdout[-6000:]
    return folder


def test_every_promised_output_is_there(smoke):
    for output in PROMISED:
        assert (smoke / output).stat().st_size > 0, output
    if shutil.which("latexmk"):
        assert (smoke / "paper" / "main.pdf").read_bytes().startswith(b"%PDF")


def test_the_page_of_the_run_is_whole(smoke):
    page = PageReader(smoke / "results" / "index.html")
    assert page.list_broken_links() == []
    assert all(source.startswith("data:") for source in page.loaded)
    assert {"results", "theory", "ablations", "run"} <= set(page.ids)
    assert {"table-main", "table-costs", "table-ablation_turns"} <= page.numbers.keys()


@needs_no_network
def test_there_was_no_network(smoke):
    devices = run(smoke, "cat", "/proc/net/dev").stdout.splitlines()[2:]
    assert [line.partition(":")[0].strip() for line in devices] == ["lo"]


def test_snakemake_reports_the_run_in_one_file_that_loads_nothing(smoke):
    done = run_smoke(smoke, "--report", "results/report.html")
    assert done.returncode == 0, done.stdout[-6000:]
    text = (smoke / "results" / "report.html").read_text()
    assert not re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=[\"']https?:", text)
    for kind, name in (
        ("figures", "success_rate"),
        ("tables", "seeds"),
        ("figures", "theory_single"),
    ):
        caption = (ROOT / "workflow/taskreason/report/captions" / kind / f"{name}.rst").read_text()
        assert caption.split(".")[0].split("\n")[0] in text, name


def test_nothing_is_left_to_do(smoke):
    start = measure_processor_time()
    done = run_smoke(smoke)
    assert "Nothing to be done" in done.stdout
    assert measure_processor_time() - start < 10


def test_the_main_table_has_every_policy_on_every_task(smoke):
    rows = list(csv.DictReader((smoke / "results" / "tables" / "main.csv").open()))
    cells = {(row["task"], row["policy"]) for row in rows}
    assert cells == {(t, p) for t in TASKS for p in MAIN_POLICIES}
    drawn = {row["policy"] for row in rows if row["sampled_sr"]}
    assert drawn == set(MAIN_POLICIES) - {"expert"}
    assert all(float(row["sr"]) == 1 for row in rows if row["policy"] == "expert")


def test_the_theory_is_measured_in_every_world(smoke):
    *rows, whole = csv.DictReader((smoke / "results/tables/theory_recursion.csv").open())
    assert {(row["task"], row["policy"]) for row in rows} == {
        (task, policy) for task in TASKS for policy in ("sft", "sft_grpo")
    }
    assert all(row["kitchens"] == "2" and row["rollouts"] == "8" for row in rows)
    assert (whole["task"], whole["kitchens"], whole["rollouts"]) == ("all", "16", "64")


def test_the_ablations_are_trained(smoke):
    *rows, last = csv.DictReader((smoke / "results/tables/ablation_turns.csv").open())
    assert [row["turns"] for row in rows] == ["single", "multi"] * 2
    assert last["turns"] == "difference"
    assert all(float(row["tokens"]) >= 600 for row in rows), "ablation.turns_tokens of the scale"


def test_the_code_on_a_models_card_runs(smoke, monkeypatch):
    monkeypatch.chdir(smoke)
    card = Path("results/smoke/models/burger/grpo/README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    names = {}
    exec(code, names)
    assert names["reply"].startswith("Thought: ") and "\nAction: " in names["reply"]


@needs_latex
def test_the_pdf_has_no_undefined_reference_and_no_overfull_box(smoke):
    log = (smoke / "results" / "paper-build" / "main.log").read_text(errors="replace")
    assert not re.search(r"undefined (references|citations)|Warning: (Citation|Reference)", log)
    overfull = re.findall(r"Overfull \\[hv]box \(([\d.]+)pt too (?:wide|high)\)", log)
    assert max(map(float, overfull), default=0) <= 5


@needs_latex
def test_a_deleted_figure_is_redrawn_with_the_pdf_and_nothing_is_trained(smoke):
    """And comes out the same byte by byte, as does the PDF, whatever a killed LaTeX has left."""
    remade = [smoke / "results" / "figures" / "kitchen.pdf", smoke / "paper" / "main.pdf"]
    before = [path.read_bytes() for path in remade]
    remade[0].unlink()
    for name in ("main.aux", "main.out"):
        torn = smoke / "results" / "paper-build" / name
        torn.write_bytes(torn.read_bytes()[:40])
    start = measure_processor_time()
    done = run_smoke(smoke)
    assert done.returncode == 0, done.stdout[-6000:]
    assert measure_processor_time() - start < 60
    made = re.findall(r"^\s*rule (\w+):|^Job \d+: (.*)$", done.stdout, re.MULTILINE)
    assert not [job for pair in made for job in pair if re.search(r"SFT|GRPO|Rollouts", job)]
    assert [path.read_bytes() for path in remade] == before


def test_a_task_of_ones_own_goes_through_without_the_others(smoke):
    """Its layout lies in the folder of the run; what the four tasks have made stays as it was."""
    layout = smoke / "my sandwich.json"
    shutil.copy(DATA / "layouts" / "lettuce_sandwich.json", layout)
    table = smoke / "results/tables/main.csv"
    rows_of_four = table.read_bytes()
    before = {path: path.stat().st_mtime_ns for path in (smoke / "results").rglob("*.jsonl")}
    entry = f"task_settings={{my_sandwich: {{layout: '{layout}', timeout: 21, bound: 16}}}}"
    command = [sys.executable, "-m", "snakemake", "results/tables/main.csv", "-s"]
    command += [str(ROOT / "Snakefile"), "--config", "scale=smoke", *SHORT]
    command += ["tasks=[my_sandwich]", entry]
    done = run(smoke, *command)
    assert done.returncode == 0, done.stdout[-6000:]
    rows = list(csv.DictReader(table.open()))
    assert {(row["task"], row["policy"]) for row in rows} == {
        ("my_sandwich", policy) for policy in MAIN_POLICIES
    }
    assert {row["sr"] for row in rows if row["policy"] == "expert"} == {"1"}
    after = {path: path.stat().st_mtime_ns for path in before}
    assert after == before
    # The next run of the four makes their table again, and nothing that is heavy.
    done = run_smoke(smoke)
    assert done.returncode == 0, done.stdout[-6000:]
    assert not re.search(r"^Job \d+: (SFT|GRPO|Rollouts|Drawing worlds)", done.stdout, re.MULTILINE)
    assert table.read_bytes() == rows_of_four
    assert "Nothing to be done" in run_smoke(smoke).stdout


def flip_a_bit(path):
    """As a failing disk does it: the times of the file stay as they were."""
    content, state = bytearray(path.read_bytes()), path.stat()
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def test_damage_is_named_before_it_is_read_and_nothing_else_is_made_again(smoke):
    trajectories = smoke / "results/smoke/trajectories/burger.jsonl"
    weights = smoke / "results/smoke/models/cheese_burger/grpo/model.safetensors"
    table = smoke / "results/tables/main.csv"
    # The last one's job needs the model, and the reader's below the worlds: what nothing needs is not missed.
    lost = [
        smoke / "results/smoke/worlds/burger/eval.jsonl",
        smoke / "results/smoke/models/cheese_sandwich/sft/model.safetensors",
        smoke / "results/smoke/single_turn/sft/cheese_sandwich/cheese_sandwich.json",
    ]
    whole = {path: path.read_bytes() for path in (trajectories, weights, table)}
    gone = {path: path.read_bytes() for path in lost}
    trajectories.write_bytes(whole[trajectories][:-100])
    flip_a_bit(weights)
    table.write_bytes(b"")

    reader = "results/smoke/episodes/sft_grpo/cheese_burger/cheese_burger.jsonl"
    (smoke / reader).unlink()
    stopped = run_smoke(smoke, reader)
    log = smoke / "results/smoke/logs/evaluate/sft_grpo/cheese_burger.log"
    assert stopped.returncode != 0 and "Traceback" not in log.read_text()
    assert re.search(r"grpo/model.safetensors: the file is not what the run has", log.read_text())

    for path in gone:
        path.unlink()
    options = ["-s", str(ROOT / "Snakefile"), *CONFIG]
    done = run(smoke, sys.executable, str(ROOT / "envs" / "repair.py"), *options)
    assert done.returncode == 0, done.stdout[-6000:]
    for path, content in whole.items():
        name = path.relative_to(smoke)
        assert re.search(rf"^{name}: .*; kept as {name}.damaged", done.stdout, re.MULTILINE)
        assert path.read_bytes() == content and Path(f"{path}.damaged").is_file()
    for path, content in gone.items():
        assert f"{path.relative_to(smoke)}: it is missing; made anew." in done.stdout
        assert path.read_bytes() == content
    last = run_smoke(smoke)
    assert last.returncode == 0, last.stdout[-6000:]
    made = re.findall(r"^Job \d+: (.*)$", done.stdout + last.stdout, re.MULTILINE)
    made = [job.partition(" on cheese_sandwich burger")[0] for job in made]
    heavy = "SFT|GRPO|Collect|Drawing worlds|Rollouts"
    assert sorted(job for job in made if re.search(heavy, job)) == [
        "Collecting expert trajectories of burger",
        "Drawing worlds of burger: eval",
        "GRPO on cheese_burger",
        "Rollouts of the SFT policy of cheese_sandwich",
        "Rollouts of the SFT+GRPO policy of cheese_burger",
        "SFT on cheese_sandwich",
    ]
    assert "Nothing to be done" in run_smoke(smoke).stdout
