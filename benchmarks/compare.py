"""Speeds of this tree against those of an earlier commit, measured in turns in one run: `make bench AGAINST=COMMIT`.

    python benchmarks/compare.py 9f5f6ff [--rounds 2]

Either tree measures itself with the functions of its own benchmarks/training.py, in a process of its own on one core.
Output: results/bench/compare.json, the medians of both and their ratios (above 1: this tree is quicker), and the same
as a table on the terminal.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from taskreason.durability.provenance import describe_hardware

ROOT = Path(__file__).resolve().parents[1]
FOUND = ROOT / "results" / "bench" / "compare.json"
EPISODES = 100
MEASURE = f"""
import json, sys
import torch
import training
torch.set_num_threads(1)
training.run_bare_grpo = lambda rows: 1.0
rows = training.draw_rows()
found = training.measure_grpo(rows) | training.measure_sft(rows)
found |= training.measure_rollout({EPISODES})
print("\\n" + json.dumps(found))
"""
QUICKER = {
    "grpo_step_s_ours": "GRPO steps",
    "sft_step_s_ours": "SFT steps",
    "rollout_decisions_per_s": "decisions of rollouts",
}
"""What is compared, with its name in the table; seconds a step, or how many a second."""


def main() -> None:
    """Measure both trees in turns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("commit")
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "tree"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", before, args.commit], check=True)
        try:
            rounds = [[measure(tree) for tree in (before, ROOT)] for _ in range(args.rounds)]
        finally:
            subprocess.run([*git, "remove", "--force", before], check=True)
    then, now = (
        {key: statistics.median(pair[place][key] for pair in rounds) for key in rounds[0][0]}
        for place in (0, 1)
    )
    found = {"commit": args.commit, "hardware": describe_hardware(), "before": then, "now": now}
    found["ratios"] = {}
    for key, label in QUICKER.items():
        ratio = then[key] / now[key] if "_s_" in key else now[key] / then[key]
        found["ratios"][label] = round(ratio, 2)
        print(f"{label:24} {then[key]:10.3f} {now[key]:10.3f} {ratio:6.2f}")
    ratio = now["grpo_step_s_stock"] / now["grpo_step_s_ours"]
    found["ratios"]["GRPO steps, against stock TRL"] = round(ratio, 2)
    print(f"{'against stock TRL':24} {now['grpo_step_s_stock']:10.3f} {'':10} {ratio:6.2f}")
    FOUND.parent.mkdir(parents=True, exist_ok=True)
    FOUND.write_text(json.dumps(found, indent=2) + "\n")


def measure(tree: Path) -> dict[str, float]:
    """What a tree's own benchmark finds."""
    path = os.pathsep.join([str(tree / "workflow"), str(tree / "benchmarks")])
    env = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", MEASURE]
    done = subprocess.run(command, env=env, cwd=tree, stdout=subprocess.PIPE, text=True, check=True)
    print(f"{tree.name}: {done.stdout.splitlines()[-1]}", flush=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
