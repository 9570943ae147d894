"""Is wrong science caught? Break the code in one place at a time and see which test notices.

Each mutation is made in a copy of what is committed, where the tests that should notice it are run. Takes some minutes:

    python benchmarks/mutations.py

Output: a line for each, and results/bench/mutations.json. The exit status is 1 where one goes unnoticed.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = Path("workflow") / "taskreason"


@dataclass(frozen=True)
class Mutation:
    """A change that would make results wrong: texts of one file and what takes their place; tests: files to be run."""

    name: str
    file: str
    changes: tuple[tuple[str, str], ...]
    tests: str


MUTATIONS = (
    Mutation(
        "items are stacked in reverse order",
        "kitchen/engine.py",
        (("(*stacks[loc], a)", "(a, *stacks[loc])"),),
        "test_engine.py",
    ),
    Mutation(
        "no reward for the format",
        "task.py",
        (("FORMAT_REWARD * reply.well_formed", "0.0 * reply.well_formed"),),
        "test_task.py",
    ),
    Mutation(
        "any valid action is rewarded",
        "train/grpo.py",
        (
            (
                "accepted = decision.optimal_actions if any_optimal else (decision.action,)",
                "accepted = tuple(decision.prompt.splitlines())",
            ),
        ),
        "test_training.py",
    ),
    Mutation(
        "evaluation kitchens are those of the training",
        "trajectories.py",
        (
            (
                "(cfg.kitchens.evaluation, cfg.kitchens.eval_seed)",
                "(cfg.kitchens.evaluation, cfg.kitchens.train_seed)",
            ),
            ("exclude = {row", "exclude = set() and {row"),
        ),
        "test_trajectories.py",
    ),
    Mutation(
        "a failure counts with its steps, not with the timeout",
        "metrics.py",
        (("charged = np.where(success, steps, timeout)", "charged = steps"),),
        "test_metrics.py",
    ),
    Mutation(
        "evaluation samples instead of taking the likeliest reply",
        "evaluate.py",
        (("temperature=float(cfg.rollout.do_sample)", "temperature=1.0"),),
        "test_evaluate.py",
    ),
    Mutation(
        "advantages are not divided by the group's standard deviation",
        "train/grpo.py",
        (('scale_rewards="group"', 'scale_rewards="none"'),),
        "test_training.py",
    ),
    Mutation(
        "no KL divergence from the SFT policy",
        "train/grpo.py",
        (("beta=grpo.beta,", "beta=0.0,"),),
        "test_training.py",
    ),
    Mutation(
        "SFT learns the prompts, too",
        "train/common.py",
        (("[-100] * len(p) + c", "p + c"),),
        "test_training.py",
    ),
    Mutation(
        "the recursion takes any action for an optimal one",
        "theory/recursion.py",
        (("self.planner.optimal_actions(state)", "self.kitchen.valid_actions(state)"),),
        "test_theory.py",
    ),
)


def main() -> int:
    """Try every mutation and write which test noticed it."""
    found = {}
    for mutation in MUTATIONS:
        with tempfile.TemporaryDirectory() as folder:
            found[mutation.name] = try_mutation(mutation, Path(folder) / "checkout")
        print(f"{mutation.name}: {found[mutation.name] or 'UNNOTICED'}", flush=True)
    out = ROOT / "results" / "bench" / "mutations.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=2) + "\n")
    return 0 if all(found.values()) else 1


def try_mutation(mutation: Mutation, checkout: Path) -> str:
    """The first test that fails in a mutated copy, "" where all pass."""
    subprocess.run(["git", "clone", "--quiet", ROOT, checkout], check=True)
    file = checkout / LIBRARY / mutation.file
    text = file.read_text()
    for old, new in mutation.changes:
        if old not in text:
            sys.exit(f"{file}: {old!r} is no longer there; correct the mutation '{mutation.name}'.")
        text = text.replace(old, new)
    file.write_text(text)
    command = [sys.executable, "-m", "pytest", "-x", "-q", f"tests/{mutation.tests}"]
    # The library of the copy comes before the installed one.
    path = {"PYTHONPATH": str(checkout / "workflow"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=checkout, env=os.environ | path, capture_output=True, text=True
    )
    failed = re.findall(r"^FAILED tests/([\w.]+::\w+)", done.stdout, re.MULTILINE)
    if done.returncode not in (0, 1):
        sys.exit(f"{mutation.name}: the tests did not run\n{done.stdout[-2000:]}")
    return failed[0] if failed else ""


if __name__ == "__main__":
    sys.exit(main())
