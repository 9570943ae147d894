"""The DAG without running it: targets, reruns, the separation of heavy from light, refusals."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from taskreason.environments.robotouille.tasks import DATA

ROOT = Path(__file__).resolve().parents[2]
RULE_FILES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
TASKS = ["cheese_sandwich", "burger", "cheese_burger", "double_cheese_burger"]
GRIDS = ["generalization_sr", "generalization_asat", "generalization_asst"]
PROMISED = [
    *(f"results/tables/main_{task}.{kind}" for task in TASKS for kind in ("csv", "tex")),
    *(
        f"results/tables/{name}.{kind}"
        for name in (
            "main",
            "generalization",
            *GRIDS,
            "comparison",
            "baselines",
            "bound",
            "probes",
            "collection",
            "seeds",
        )
        for kind in ("csv", "tex")
    ),
    *(
        f"results/figures/{name}.{kind}"
        for name in (
            *("learning_sft", "learning_grpo", "learning_validation"),
            *("success_rate", "steps_vs_optimal", "kitchen"),
            *GRIDS,
        )
        for kind in ("pdf", "png")
    ),
    "results/macros.tex",
    "results/index.html",
    "results/gallery/index.html",
]
needs_latex = pytest.mark.skipif(not shutil.which("latexmk"), reason="latexmk is not installed")


def run_snakemake(directory, *arguments, root=ROOT, **environment):
    command = [sys.executable, "-m", "snakemake", "-s", str(root / "Snakefile")]
    command += ["--directory", str(directory), "--cores", "1", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | environment, timeout=300
    )


def list_outputs(directory, *arguments):
    """Every output of the default target, relative to the working directory."""
    done = run_snakemake(directory, "--summary", *arguments)
    assert done.returncode == 0, done.stderr
    return [line.split("\t")[0] for line in done.stdout.splitlines() if "\t" in line][1:]


def count_jobs(done):
    """Rule -> jobs that a dry run would run, the final target left out."""
    assert done.returncode == 0, done.stderr
    table = re.search(
        r"^Job stats:\n.*?\n-+.*?\n(.*?)^total", done.stdout, re.DOTALL | re.MULTILINE
    )
    if not table:
        assert "Nothing to be done" in done.stdout
        return {}
    jobs = dict(line.split() for line in table[1].splitlines())
    return {rule: int(count) for rule, count in jobs.items() if rule != "reproduce"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A copy of the project in which every output is there and up to date, though empty."""
    root = tmp_path_factory.mktemp("finished")
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, root)
    for name in ("workflow", "paper", "profiles", "envs"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("main.pdf"))
    done = run_snakemake(root, "--summary", root=root)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines()[1:]:
        output = root / line.split("\t")[0]
        output.parent.mkdir(parents=True, exist_ok=True)
        output.touch()
    assert run_snakemake(root, "--touch", "--forceall", root=root).returncode == 0
    assert count_jobs(run_snakemake(root, "-n", root=root)) == {}
    return root


@pytest.mark.parametrize("scale", ["laptop", "smoke", "paper"])
def test_every_scale_plans_the_same_rules(tmp_path, scale):
    jobs = count_jobs(run_snakemake(tmp_path, "-n", "--config", f"scale={scale}"))
    jobs.pop("compile_paper", None)
    assert jobs.pop("evaluate_compared", 0) == {"laptop": 2, "smoke": 0}.get(scale, 3)
    fetched = jobs.pop(
        "fetch_model", 0
    )  # of the published scale: the base, three to compare, the expert
    assert fetched == (5 if scale == "paper" else 0)
    per_task = ["make_training_kitchens", "make_evaluation_kitchens", "collect"]
    per_task += ["make_validation_kitchens", "train_sft", "train_grpo", "train_sft_longer"]
    per_task += ["evaluate_sft", "evaluate_grpo", "evaluate_sft_longer"]
    once = ["prepare_base", "probe_base", "evaluate_base", "make_tables", "make_macros"]
    once += ["make_page", "make_gallery", "make_cards"]
    others = {"make_figure": 9, "evaluate_rules": 3}
    assert jobs == dict.fromkeys(per_task, 4) | dict.fromkeys(once, 1) | others


@pytest.mark.skipif(bool(shutil.which("nvidia-smi")), reason="this machine may have GPUs")
def test_a_run_that_needs_gpus_stops_in_one_sentence_where_there_are_none(tmp_path):
    """Before the first job, whichever job that would be; a dry run lists the plan all the same."""
    target = "results/paper/kitchens/burger/train.jsonl"
    options = ["--config", "scale=paper", "kitchens={training: 20}", "expert={trajectories: 5}"]
    everything = run_snakemake(tmp_path, *options)
    assert everything.returncode != 0 and not (tmp_path / target).exists()
    assert "asks for 4 GPUs a job and this machine has none" in everything.stderr
    assert "Traceback" not in everything.stderr
    light = run_snakemake(tmp_path, target, *options)
    assert light.returncode == 0 and (tmp_path / target).exists()


def test_several_seeds_train_again_and_collect_once(tmp_path):
    options = ["seeds=[0, 1, 2]", "report={baselines: []}"]
    jobs = count_jobs(run_snakemake(tmp_path, "-n", "--config", *options))
    assert (jobs["collect"], jobs["train_sft"], jobs["evaluate_grpo"]) == (4, 12, 12)
    assert "train_sft_longer" not in jobs and jobs["evaluate_rules"] == 1
    outputs = set(list_outputs(tmp_path, "--config", *options))
    for run in ("", ".seed1", ".seed2"):
        assert f"results/laptop/episodes/sft_grpo/burger{run}/cheese_burger.jsonl" in outputs
        assert f"results/laptop/models/burger{run}/grpo/model.safetensors" in outputs


def test_base_models_of_other_sizes_are_evaluated_and_never_trained(tmp_path):
    folder = DATA / "base_model"
    options = ["report={baselines: []}", f"base={{compare: [{folder}]}}"]
    jobs = count_jobs(run_snakemake(tmp_path, "-n", "--config", *options))
    assert (jobs["evaluate_compared"], jobs["evaluate_base"], jobs["train_sft"]) == (1, 1, 4)
    missing = run_snakemake(tmp_path, "-n", "--config", "base={compare: [nowhere]}")
    assert "base.compare: " in missing.stderr and "nowhere" in missing.stderr


def test_a_sweep_trains_its_points_beside_the_task_and_nothing_else(tmp_path):
    options = ["scale=smoke", "sweep={task: burger, grpo_beta: [0.1], sft_epochs: [2]}"]
    jobs = count_jobs(run_snakemake(tmp_path, "sweep", "-n", "--config", *options))
    assert (jobs["train_point"], jobs["train_sft"], jobs["train_grpo"]) == (2, 1, 1)
    assert "make_evaluation_kitchens" not in jobs and "evaluate_grpo" not in jobs


def test_the_default_target_makes_every_promised_output(tmp_path):
    outputs = list_outputs(tmp_path)
    assert set(PROMISED) <= set(outputs)
    if shutil.which("latexmk"):
        assert "paper/main.pdf" in outputs


def test_promised_names_are_those_of_the_library():
    from taskreason.report.inputs import NEEDS, list_tables

    tables = {Path(file).stem for file in PROMISED if file.startswith("results/tables/")}
    figures = {Path(file).stem for file in PROMISED if file.startswith("results/figures/")}
    assert tables == set(list_tables(TASKS))
    assert figures == set(NEEDS["figures"])


def test_a_scale_writes_only_under_its_own_folder(tmp_path):
    shared = {*PROMISED, "paper/main.pdf"}
    for scale in ("laptop", "smoke"):
        for output in list_outputs(tmp_path, "--config", f"scale={scale}"):
            assert output in shared or output.startswith(f"results/{scale}/"), output


def test_heavy_stages_write_where_the_contract_says(tmp_path):
    outputs = set(list_outputs(tmp_path))
    assert not [output for output in outputs if re.search(r"[{}]", output)]
    for task in TASKS:
        promised = [f"kitchens/{task}/train.jsonl", f"kitchens/{task}/eval.jsonl"]
        promised += [f"trajectories/{task}.jsonl", f"trajectories/{task}.summary.json"]
        promised += ["models/base/model.safetensors"]
        promised += [f"models/{task}/{stage}/model.safetensors" for stage in ("sft", "grpo")]
        for stage in ("sft", "grpo"):
            promised += [f"training/{task}/{stage}.{end}" for end in ("csv", "provenance.json")]
        for kind, end in (("episodes", "jsonl"), ("single_turn", "json")):
            promised += [f"{kind}/{policy}/-/{task}.{end}" for policy in ("expert", "base")]
            promised += [f"{kind}/sft/{task}/{task}.{end}"]
            promised += [f"{kind}/sft_grpo/{task}/{other}.{end}" for other in TASKS]
        assert {f"results/laptop/{path}" for path in promised} <= outputs


def test_a_table_is_a_target_by_name(tmp_path):
    jobs = count_jobs(run_snakemake(tmp_path, "-n", "results/tables/generalization.tex"))
    assert "make_tables" in jobs and "make_figure" not in jobs


def test_the_base_model_can_be_rebuilt(tmp_path):
    assert count_jobs(run_snakemake(tmp_path, "-n", "rebuild_base")) == {
        "build_base": 1,
        "rebuild_base": 1,
    }
    jobs = count_jobs(run_snakemake(tmp_path, "-n", "--config", "base={rebuild: true}"))
    assert jobs["build_base"] == jobs["prepare_base"] == 1


@needs_latex
@pytest.mark.parametrize(
    "module,figures",
    [
        ("environments/robotouille/drawing", 1),
        ("report/training_logs", 3),
        ("report/figures/results", 9),
    ],
)
def test_a_touched_figure_module_redraws_its_figures_and_the_pdf(finished, module, figures):
    file = finished / "workflow" / "taskreason" / f"{module}.py"
    before = file.stat()
    try:
        file.touch()
        jobs = count_jobs(run_snakemake(finished, "-n", root=finished))
    finally:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert jobs == {"make_figure": figures, "compile_paper": 1, "make_page": 1}


@pytest.mark.parametrize(
    "knob,first",
    [
        ("sft={epochs: 3}", {"train_sft": 4}),
        ("grpo={beta: 0.5}", {"train_grpo": 4}),
        ("kitchens={evaluation: 7}", {"make_evaluation_kitchens": 4}),
        ("report={confidence: 0.9}", {"make_tables": 1, "make_figure": 9}),
        ("resources={mem_mb: 9999}", {}),
        ("recipes={}", {"make_macros": 1}),
    ],
)
def test_a_knob_runs_again_only_what_depends_on_it(finished, knob, first):
    jobs = count_jobs(run_snakemake(finished, "-n", "--config", knob, root=finished))
    assert first.items() <= jobs.items()
    stages = ["make_training_kitchens", "make_evaluation_kitchens", "train_sft", "train_grpo"]
    expected = {"sft": {"train_sft", "train_grpo"}, "grpo": {"train_grpo"}}
    expected["kitchens"] = {"make_evaluation_kitchens"}
    assert jobs.keys() & set(stages) == expected.get(knob.partition("=")[0], set())


def test_touched_weights_and_library_train_nothing_again(finished):
    for file in (
        "taskreason/environments/robotouille/data/base_model/model.safetensors",
        "taskreason/training/sft.py",
    ):
        (finished / "workflow" / file).touch()
    assert count_jobs(run_snakemake(finished, "-n", root=finished)) == {}


def read_rules():
    for file in RULE_FILES:
        parts = re.split(r"^rule (\w+):$", file.read_text(), flags=re.MULTILINE)
        yield from zip(parts[1::2], parts[2::2], strict=True)


@pytest.mark.parametrize("name,body", list(read_rules()), ids=lambda text: text.split()[0])
def test_every_rule_that_runs_something_declares_its_needs(name, body):
    if "script:" not in body and "shell:" not in body:
        return
    for directive in ("output", "log", "benchmark", "conda", "threads", "resources", "message"):
        assert re.search(rf"^    {directive}:", body, re.MULTILINE), f"{name} lacks {directive}:"
    threads = 2 if name == "build_base" else 1
    assert f"threads: {threads}" in body and "mem_mb=" in body and "runtime=" in body


def test_light_stages_never_import_torch():
    light = {
        re.search(r'"\.\./scripts/(\w+)\.py"', body)[1]
        for _, body in read_rules()
        if "LIGHT_ENV" in body and "script:" in body
    }
    imports = set()
    for script in light:
        text = (ROOT / "workflow" / "scripts" / f"{script}.py").read_text()
        imports |= set(re.findall(r"^\s+from (taskreason[\w.]*) import", text, re.MULTILINE))
    code = f"import sys, {', '.join(sorted(imports))}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "override,key",
    [
        ("sft={epoch: 3}", "sft.epoch"),
        ("grpo={learning_rate: fast}", "grpo.learning_rate"),
        ("kitchens={evaluation: 0}", "kitchens.evaluation"),
        ("grpo={micro_batch: 7}", "grpo.micro_batch"),
        ("base={model: nowhere}", "base.model"),
    ],
)
def test_a_malformed_config_gives_one_sentence_before_any_job(tmp_path, override, key):
    done = run_snakemake(tmp_path, "--quiet", "--config", override)
    assert done.returncode != 0
    message = [line for line in done.stderr.splitlines() if not line.startswith("Using workflow")]
    message = [line for line in message if not line.startswith("Config file ")]
    assert len(message) == 1 and key in message[0], done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert not (tmp_path / "results").exists()


def test_without_latex_everything_but_the_pdf_is_planned(tmp_path):
    for program in filter(
        None, map(shutil.which, ["bash", "which"])
    ):  # what Snakemake itself calls
        (tmp_path / Path(program).name).symlink_to(program)
    done = run_snakemake(tmp_path, "-n", PATH=str(tmp_path))
    jobs = count_jobs(done)
    assert "compile_paper" not in jobs and jobs["make_figure"] == 9
    packages = (ROOT / "envs" / "latex-packages.txt").read_text().split()
    assert f"install --no-install-recommends {' '.join(packages)}" in done.stdout


def test_fewer_tasks_plan_their_tables_without_the_pdf(tmp_path):
    done = run_snakemake(tmp_path, "-n", "--config", "tasks=[burger]")
    jobs = count_jobs(done)
    assert jobs["train_grpo"] == 1 and "compile_paper" not in jobs


def test_config_file_shows_the_laptop_values():
    """Every commented knob of config.yaml shows the value that the laptop scale has."""
    from taskreason.config.load import resolve_config

    text = (ROOT / "config.yaml").read_text()
    knobs = re.sub(r"^# (?=( {2})?[a-z_]+:)", "", text, flags=re.MULTILINE)
    shown, real = yaml.safe_load(knobs), resolve_config({})
    assert shown == {
        key: {name: real[key][name] for name in value} if isinstance(value, dict) else real[key]
        for key, value in shown.items()
    }
    assert shown.keys() == real.keys()


@needs_latex
def test_the_readme_shows_the_current_graph():
    script = ROOT / "benchmarks" / "update_readme.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
