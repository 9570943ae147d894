"""The DAG without running it: targets, reruns, the separation of heavy from light, refusals."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from taskreason.cli.preflight import TRAINING
from taskreason.environments import ENVIRONMENTS

ROOT = Path(__file__).resolve().parents[2]
RULE_FILES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
TASKS = ["cheese_sandwich", "burger", "cheese_burger", "double_cheese_burger"]
BLOCKS = ("heavy", "light", "shown")
"""What rules share; none of them is run."""
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
            "published_tests",
            "baselines",
            "gains",
            "sharpening",
            "starts",
            "splits",
            "probes",
            "collection",
            "seeds",
            "pretrained",
            "pretrained_gains",
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


def run_snakemake(directory, *arguments, root=ROOT, cores=("--cores", "1"), **environment):
    command = [sys.executable, "-m", "snakemake", "-s", str(root / "Snakefile")]
    command += ["--directory", str(directory), *cores, *arguments]
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
    assert jobs.pop("evaluate_compared", 0) == {"laptop": 1, "smoke": 0}.get(scale, 3)
    # Of the published scale: the base, three to compare, the expert.
    assert jobs.pop("fetch_model", 0) == (5 if scale == "paper" else 0)
    per_task = ["collect", "train_sft", "train_grpo", "train_sft_longer", "train_grpo_base"]
    per_task += ["evaluate_grpo", "evaluate_sft"]
    once = [
        "prepare_base",
        "probe_base",
        "evaluate_base",
        "make_macros",
        "make_page",
        "make_gallery",
        "make_cards",
    ]
    others = {"draw_worlds": 12, "draw_splits": 12, "evaluate_control": 8, "evaluate_rules": 3}
    others |= {"play_splits": 4, "play_splits_by_rule": 8, "make_table": 21, "make_figure": 9}
    if scale == "laptop":  # of GRPO's seed and of longer SFT's
        others["draw_rehearsal"] = 2
    assert jobs == dict.fromkeys(per_task, 4) | dict.fromkeys(once, 1) | others


def test_no_command_needs_cores(tmp_path):
    """The profile that loads by itself has them; a number on the command line overrides it."""
    target = ["results/smoke/worlds/burger/train.jsonl", "--config", "scale=smoke"]
    found = os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()
    for cores, provided in (([], found), (["--cores", "1"], 1)):
        done = run_snakemake(tmp_path, *target, "--forceall", cores=cores)
        assert done.returncode == 0, done.stderr
        assert f"Provided cores: {provided}" in done.stderr


@pytest.mark.skipif(bool(shutil.which("nvidia-smi")), reason="this machine may have GPUs")
def test_a_run_that_needs_gpus_stops_in_one_sentence_where_there_are_none(tmp_path):
    """Before the first job, whichever job that would be; a dry run lists the plan all the same."""
    target = "results/paper/worlds/burger/train.jsonl"
    options = ["--config", "scale=paper", "worlds={training: 20}", "expert={trajectories: 5}"]
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
    assert {"train_sft_longer", "train_grpo_base"} & jobs.keys() == set()
    assert jobs["evaluate_rules"] == 1
    outputs = set(list_outputs(tmp_path, "--config", *options))
    for run in ("", ".seed1", ".seed2"):
        assert f"results/laptop/episodes/sft_grpo/burger{run}/cheese_burger.jsonl" in outputs
        assert f"results/laptop/models/burger{run}/grpo/model.safetensors" in outputs


def test_base_models_of_other_sizes_are_evaluated_and_never_trained(tmp_path):
    options = ["report={baselines: []}", "base={compare: [bundled:base_models/small]}"]
    jobs = count_jobs(run_snakemake(tmp_path, "-n", "--config", *options))
    assert (jobs["evaluate_base"], jobs["evaluate_compared"], jobs["train_sft"]) == (1, 1, 4)
    outputs = list_outputs(tmp_path, "--config", *options)
    assert "results/laptop/episodes/base:small/-/burger.jsonl" in outputs
    missing = run_snakemake(tmp_path, "-n", "--config", "base={compare: [nowhere]}")
    assert "base.compare: " in missing.stderr and "nowhere" in missing.stderr


def test_a_sweep_trains_its_points_beside_the_task_and_nothing_else(tmp_path):
    options = ["scale=smoke", "sweep={task: burger, grpo_beta: [0.1], sft_epochs: [2]}"]
    jobs = count_jobs(run_snakemake(tmp_path, "sweep", "-n", "--config", *options))
    assert (jobs["train_point"], jobs["train_sft"], jobs["train_grpo"]) == (2, 1, 1)
    assert jobs["draw_worlds"] == 2, "for training and for validation"
    assert "evaluate_grpo" not in jobs


def test_the_default_target_makes_every_promised_output(tmp_path):
    outputs = list_outputs(tmp_path)
    assert set(PROMISED) <= set(outputs)
    if shutil.which("latexmk"):
        assert "paper/main.pdf" in outputs


def test_promised_names_are_those_of_the_library():
    from taskreason.config.load import load_config
    from taskreason.report.inputs import NEEDS, list_tables

    tables = {Path(file).stem for file in PROMISED if file.startswith("results/tables/")}
    figures = {Path(file).stem for file in PROMISED if file.startswith("results/figures/")}
    made = set(list_tables(load_config({"tasks": TASKS})))
    assert tables == made
    assert figures == set(NEEDS["figures"])


def test_a_scale_writes_only_under_its_own_folder(tmp_path):
    shared = {*PROMISED, "paper/main.pdf"}
    for scale in ("laptop", "smoke"):
        for output in list_outputs(tmp_path, "--config", f"scale={scale}"):
            assert output in shared or output.startswith(f"results/{scale}/"), output


@pytest.mark.parametrize("name", [name for name in ENVIRONMENTS if name != "robotouille"])
def test_another_environment_goes_through_the_same_rules_in_a_folder_of_its_own(tmp_path, name):
    options = ["--config", f"environment={name}", "scale=smoke"]
    outputs = list_outputs(tmp_path, *options)
    shared = ("results/tables/", "results/figures/", "results/macros.tex", "results/index.html")
    heavy = [path for path in outputs if not path.startswith((*shared, "results/gallery/"))]
    assert heavy and all(path.startswith(f"results/{name}_smoke/") for path in heavy)
    assert {"draw_worlds", "train_grpo", "make_table"} <= count_jobs(
        run_snakemake(tmp_path, "-n", *options)
    ).keys()


def test_heavy_stages_write_where_the_contract_says(tmp_path):
    outputs = set(list_outputs(tmp_path))
    assert not [output for output in outputs if re.search(r"[{}]", output)]
    for task in TASKS:
        promised = [f"worlds/{task}/{split}.jsonl" for split in ("train", "validation", "eval")]
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


GRPO_ON_ALL_TASKS = {"draw_worlds": 12, "prepare_base": 1} | dict.fromkeys(
    ["collect", "train_sft", "train_grpo", "evaluate_grpo"], 4
)
GRPO_ON_ALL_TASKS |= {"draw_rehearsal": 1}
SFT_OF_ONE_TASK = {"draw_worlds": 2, "prepare_base": 1, "collect": 1, "train_sft": 1}


@pytest.mark.parametrize(
    "target,jobs",
    [
        ("tables/generalization.tex", GRPO_ON_ALL_TASKS | {"make_table": 1}),
        ("figures/generalization_sr.pdf", GRPO_ON_ALL_TASKS | {"make_figure": 1}),
        ("tables/collection.csv", {"draw_worlds": 4, "collect": 4, "make_table": 1}),
        (
            "tables/probes.csv",
            {"draw_worlds": 12, "prepare_base": 1, "probe_base": 1, "make_table": 1},
        ),
        (
            "figures/learning_sft.png",
            {"draw_worlds": 4, "prepare_base": 1, "draw_rehearsal": 1, "make_figure": 1}
            | dict.fromkeys(["collect", "train_sft"], 4),
        ),
    ],
)
def test_a_table_or_figure_needs_what_it_shows_and_nothing_else(tmp_path, target, jobs):
    assert count_jobs(run_snakemake(tmp_path, "-n", f"results/{target}")) == jobs


def test_the_table_of_a_task_trains_on_it_alone(tmp_path):
    jobs = count_jobs(run_snakemake(tmp_path, "-n", "results/tables/main_burger.csv"))
    assert "probe_base" not in jobs
    trained = ["train_sft", "train_grpo", "train_sft_longer", "train_grpo_base"]
    assert [jobs[rule] for rule in [*trained, "evaluate_sft"]] == [1] * 5


def test_grpo_from_the_base_waits_for_no_sft(tmp_path):
    target = "results/laptop/models/burger/grpo_base/model.safetensors"
    jobs = count_jobs(run_snakemake(tmp_path, "-n", target))
    once = ["prepare_base", "draw_rehearsal", "collect", "train_grpo_base"]
    assert jobs == {"draw_worlds": 2} | dict.fromkeys(once, 1)


def test_models_play_with_sampled_replies_at_the_temperatures_that_are_asked_for(tmp_path):
    own = {"base/-": ["1"], "sft/burger": ["0.3", "0.6", "1"]}
    own |= {f"{policy}/burger": ["1"] for policy in ("sft_longer", "grpo", "sft_grpo")}
    outputs = list_outputs(tmp_path, "--config", "tasks=[burger, cheese_burger]")
    drawn = {file for file in outputs if "episodes_sampled" in file}
    home = "results/laptop/episodes_sampled"
    wanted = {f"{home}/{name}/T{t}/burger.jsonl" for name, ts in own.items() for t in ts}
    assert wanted == {file for file in drawn if file.endswith("/burger.jsonl")}
    off = ["tasks=[burger]", "rollout={temperature: 0, sharpened: []}"]
    greedy = list_outputs(tmp_path, "--config", *off)
    assert not [file for file in greedy if "episodes_sampled" in file]
    assert "results/laptop/episodes/grpo/burger/burger.jsonl" in greedy


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
    [("environments/robotouille/drawing", 1), ("report/figures/results", 9)],
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
    "setting,first",
    [
        ("sft={epochs: 3}", {"train_sft": 4}),
        ("grpo={beta: 0.5}", {"train_grpo": 4, "train_grpo_base": 4}),
        ("task_settings={burger: {sft: {epochs: 3}}}", {"train_sft": 1, "train_grpo": 1}),
        (
            "task_settings={burger: {timeout: 14}}",
            {"train_grpo": 1, "train_grpo_base": 1, "evaluate_rules": 3},
        ),
        ("worlds={evaluation: 7}", {"draw_worlds": 4}),
        ("report={confidence: 0.9}", {"make_table": 21, "make_figure": 9}),
        ("rollout={sharpened: [0.5]}", {"evaluate_sft": 4}),
        ("report={drawn_task: cheese_burger}", {"make_figure": 1}),
        ("resources={mem_mb: 9999}", {}),
        ("sweep={grpo_beta: []}", {"make_macros": 1}),
    ],
)
def test_a_setting_runs_again_only_what_depends_on_it(finished, setting, first):
    jobs = count_jobs(run_snakemake(finished, "-n", "--config", setting, root=finished))
    assert first.items() <= jobs.items()
    heavy = {"draw_worlds", "collect", "train_sft", "train_grpo", "train_grpo_base"}
    assert jobs.keys() & heavy <= first.keys() | ({"train_grpo"} if "train_sft" in first else set())


def test_touched_weights_and_library_train_nothing_again(finished):
    for file in (
        "taskreason/environments/robotouille/data/base_model/model.safetensors",
        "taskreason/training/sft.py",
    ):
        (finished / "workflow" / file).touch()
    assert count_jobs(run_snakemake(finished, "-n", root=finished)) == {}


def read_rules():
    """Every rule but the shared blocks, with its text after that of the rules that it takes over."""
    found = {}
    for file in RULE_FILES:
        heads = r"^(?:rule|use rule (\w+) as) (\w+)(?: with)?:$"
        _, *parts = re.split(heads, file.read_text(), flags=re.MULTILINE)
        found |= {name: (of, body) for of, name, body in zip(*[iter(parts)] * 3, strict=True)}

    def read(name):
        of, body = found[name]
        return (read(of) if of else "") + body

    return [(name, read(name)) for name in found if name not in BLOCKS]


def find_last(directive, body):
    """What a rule says of a directive, the rules that it takes over being overruled; "" if nothing."""
    said = re.findall(rf"^    {directive}:((?: .+|(?:\n        .+)+))", body, re.MULTILINE)
    return said[-1] if said else ""


@pytest.mark.parametrize("name,body", read_rules(), ids=lambda text: text.split()[0])
def test_every_rule_that_runs_something_declares_its_needs(name, body):
    if "script:" not in body and "shell:" not in body:
        return
    for directive in ("output", "log", "benchmark", "conda", "threads", "resources", "message"):
        assert re.search(rf"^    {directive}:", body, re.MULTILINE), f"{name} lacks {directive}:"
    assert find_last("threads", body) == (" 2" if name == "build_base" else " 1")
    if "<job>" in find_last("log", body):
        assert find_last("pathvars", body).split('"')[1] not in BLOCKS, "a log of its own"
        assert (ROOT / "workflow" / "scripts" / f"{name_script(body)}.py").is_file()


def test_every_heavy_rule_says_what_it_needs_before_it_can_start():
    """The base model's own training, its probes, and what reads probabilities need neither an engine nor adapters."""
    heavy = {name: body for name, body in read_rules() if "TRAIN_ENV" in find_last("conda", body)}
    silent = {name for name, body in heavy.items() if "needs=" not in body}
    theory = {"measure_theory", "choose_fixed_states", "measure_fixed_point"}
    assert silent == {"build_base", "probe_base"} | theory
    train = {name for name, body in heavy.items() if f'needs=["{TRAINING}"]' in body}
    assert train == {name for name in heavy if name_script(heavy[name]) in ("train", "train_point")}


def name_script(body):
    return re.findall(r'script="(\w+)"', body)[-1]


def load_apart(imports):
    """All modules that a fresh interpreter has loaded once it has imported these."""
    code = f"import sys, {', '.join(sorted(imports))}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_light_stages_never_import_torch():
    light = {
        name_script(body)
        for _, body in read_rules()
        if "script:" in body and find_last("conda", body).endswith("LIGHT_ENV")
    }
    assert {"make_table", "draw_worlds"} <= light
    imports = set()
    for script in light:
        text = (ROOT / "workflow" / "scripts" / f"{script}.py").read_text()
        imports |= set(re.findall(r"^\s+from (taskreason[\w.]*) import", text, re.MULTILINE))
    assert "torch" not in load_apart(imports)


def test_the_rules_themselves_import_no_heavy_library():
    """Every job reads them anew."""
    text = "".join(path.read_text() for path in (ROOT / "workflow").glob("rules/*.smk"))
    imports = set(re.findall(r"^from (taskreason[\w.]*) import", text, re.MULTILINE))
    assert len(imports) > 10
    assert not {"pandas", "scipy", "torch", "matplotlib"} & load_apart(imports)


@pytest.mark.parametrize(
    "override,key",
    [
        ("sft={epoch: 3}", "sft.epoch"),
        ("grpo={learning_rate: fast}", "grpo.learning_rate"),
        ("worlds={evaluation: 0}", "worlds.evaluation"),
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


@needs_latex
def test_the_readme_shows_the_current_graph():
    script = ROOT / "benchmarks" / "update_readme.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
