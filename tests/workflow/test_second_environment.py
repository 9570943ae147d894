"""Towers of Hanoi through the whole workflow at the smoke scale, by configuration alone."""

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from taskreason.environments import load_environment

ROOT = Path(__file__).resolve().parents[2]
TASKS = list(load_environment("hanoi").tasks)[:2]  # the grid needs two; a third is only time
CONFIG = [
    "environment=hanoi",
    f"tasks=[{', '.join(TASKS)}]",
    "scale=smoke",
    # Controls and sampled replies are the smoke run's; they would be half of the jobs here.
    "report={theory: true, baselines: [random]}",
    "rollout={temperature: 0, sharpened: [], batch_size: 16, max_new_tokens: 64}",
    "grpo={eval_steps: 2}",
]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("towers")
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--cores", "1"]
    done = subprocess.run(
        [*command, "--config", *CONFIG],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return folder / "results"


def test_the_main_table_has_every_policy_on_every_task(run):
    main = pd.read_csv(run / "tables/main.csv")
    cells = set(zip(main["task"], main["policy"], strict=True))
    assert set(product(TASKS, ("expert", "base", "sft", "sft_grpo"))) <= cells
    expert = main[main["policy"] == "expert"]
    assert (expert["sr"] == 1).all()


def test_the_grid_has_every_pair_of_tasks(run):
    grid = pd.read_csv(run / "tables/generalization.csv")
    assert set(zip(grid["train_task"], grid["eval_task"], strict=True)) == set(
        product(TASKS, TASKS)
    )


def test_report_and_theory_are_made_and_tell_of_towers(run):
    assert (run / "tables/theory_recursion.tex").stat().st_size > 0
    page = (run / "index.html").read_text()
    assert "towers" in page and "Discs 4" in page


def test_the_results_lie_apart_from_those_of_kitchens(run):
    assert (run / "hanoi_smoke/models/discs_4/grpo/model.safetensors").exists()
    assert not (run / "smoke").exists()
