"""Is wrong science caught? Break the code in one place at a time and see which test notices.

Each mutation is made in a copy of what is committed, where the tests that should notice it are run. Takes some minutes;
words given to it choose the mutations whose names contain them:

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
LONGEST_S = 3600
"""After so many seconds the tests of a mutation hang."""


@dataclass(frozen=True)
class Mutation:
    """A change that makes results wrong: texts of one file and what takes their place; tests: which should notice."""

    name: str
    file: str
    changes: tuple[tuple[str, str], ...]
    tests: str


KITCHEN = "environments/robotouille"
CELLS = "report/test_unequal_cells.py"

MUTATIONS = (
    Mutation(
        "items are stacked in reverse order",
        f"{KITCHEN}/simulator/engine.py",
        (("(*stacks[loc], a)", "(a, *stacks[loc])"),),
        f"{KITCHEN}/test_engine.py",
    ),
    Mutation(
        "a patty is cooked a step too early",
        f"{KITCHEN}/simulator/engine.py",
        (
            (
                "done = on and count + 1 == TICKS\n            bits",
                "done = on and count + 2 == TICKS\n            bits",
            ),
        ),
        f"{KITCHEN}/test_engine.py",
    ),
    Mutation(
        "plans that are a step too long count as optimal",
        f"{KITCHEN}/planner/search.py",
        (("self.within(step(state, a), steps - 1)", "self.within(step(state, a), steps)"),),
        f"{KITCHEN}/test_planner.py",
    ),
    Mutation(
        "no reward for the format",
        "training/rewards.py",
        (("FORMAT_REWARD * read.well_formed", "0.0 * read.well_formed"),),
        "training/test_rewards.py",
    ),
    Mutation(
        "the last of several actions counts",
        "environments/reply.py",
        (
            (
                "match = _ACTION.search(answer)",
                "match = [None, *_ACTION.finditer(answer)][-1]",
            ),
        ),
        "environments/test_reply.py",
    ),
    Mutation(
        "any valid action is rewarded",
        "training/rewards.py",
        (("else (decision.action,)", "else tuple(decision.prompt.splitlines())"),),
        "training/test_rewards.py",
    ),
    Mutation(
        "the names that are rewarded are not those of the renamed prompt",
        "training/grpo.py",
        (('for key in ("prompt", "completion", "action")', 'for key in ("prompt", "completion")'),),
        "training/test_training.py::test_augmentation_renames_what_is_accepted_with_the_prompt",
    ),
    Mutation(
        "advantages are not divided by the group's standard deviation",
        "training/grpo.py",
        (('scale_rewards="group"', 'scale_rewards="none"'),),
        "training/test_training.py::test_rewards_of_a_group_become_its_advantages",
    ),
    Mutation(
        "no KL divergence from the SFT policy",
        "training/grpo.py",
        (("beta=grpo.beta,", "beta=0.0,"),),
        "training/test_training.py::test_rewards_of_a_group_become_its_advantages",
    ),
    Mutation(
        "SFT learns the prompts, too",
        "training/sft.py",
        (("[-100] * len(p) + c", "p + c"),),
        "training/test_training.py::test_sft_learns_replies_and_nothing_of_the_prompt",
    ),
    Mutation(
        "harder kitchens may be those of training",
        "rollouts/dataset.py",
        (("seen, found, in_vain = set(exclude), 0, 0", "seen, found, in_vain = set(), 0, 0"),),
        "rollouts/test_splits.py",
    ),
    Mutation(
        "kitchens with a twin elsewhere have ids of their own",
        f"{KITCHEN}/simulator/layout.py",
        (("[s.name, s.cell == here,", "[s.name, s.x, s.y, s.cell == here,"),),
        "rollouts/test_dataset.py",
    ),
    Mutation(
        "planning-hard kitchens are those in which the rule of thumb fails",
        f"{KITCHEN}/greedy.py",
        (("for _ in range(steps or 0):", "for _ in range(2 * (steps or 0)):"),),
        "rollouts/test_splits.py",
    ),
    Mutation(
        "larger kitchens have no more items than those of training",
        f"{KITCHEN}/simulator/generator.py",
        (("len(EXTRA_ITEM_WEIGHTS) - 1 + rng", "rng"),),
        "rollouts/test_splits.py",
    ),
    Mutation(
        "kitchens that start empty-handed count as those that don't",
        f"{KITCHEN}/environment.py",
        (('"holding" if world.initial.hand >= 0', '"holding" if world.initial.loc >= 0'),),
        "rollouts/test_splits.py",
    ),
    Mutation(
        "every kind of kitchen counts those of all kinds",
        "report/tables/splits.py",
        (('played[played["layout_hash"].isin(drawn["layout_hash"])]', "played"),),
        "report/test_splits_tables.py",
    ),
    Mutation(
        "evaluation worlds are those of the training",
        "rollouts/dataset.py",
        (
            (
                "(worlds.evaluation, worlds.eval_seed)",
                "(worlds.evaluation, worlds.train_seed)",
            ),
            ("exclude = {row", "exclude = set() and {row"),
        ),
        "rollouts/test_dataset.py",
    ),
    Mutation(
        "evaluation samples instead of taking the likeliest reply",
        "rollouts/evaluate.py",
        (("temperature=float(cfg.rollout.do_sample)", "temperature=1.0"),),
        "rollouts/test_evaluate.py",
    ),
    Mutation(
        "an episode may take a step more than its timeout",
        "rollouts/episode.py",
        (("len(run.actions) >= limits[", "len(run.actions) > limits["),),
        "rollouts/test_episode.py",
    ),
    Mutation(
        "a reply that names no valid action costs no step",
        "rollouts/episode.py",
        (('self.actions.append(wanted or "")', "self.actions += [wanted] if after else []"),),
        "rollouts/test_episode.py",
    ),
    Mutation(
        "a failure counts with its steps, not with the timeout",
        "rollouts/metrics.py",
        (("charged = np.where(success, steps, timeout)", "charged = steps"),),
        "rollouts/test_metrics.py",
    ),
    Mutation(
        "intervals are of one standard error",
        "rollouts/metrics.py",
        (("z = NormalDist().inv_cdf(0.5 + confidence / 2)", "z = 1.0"),),
        "rollouts/test_metrics.py",
    ),
    Mutation(
        "gains are paired by the order of the worlds",
        "rollouts/metrics.py",
        (
            (
                "    pairs = better.merge(",
                '    worse = worse.assign(layout_hash=better["layout_hash"].to_numpy())\n    pairs = better.merge(',
            ),
        ),
        "rollouts/test_metrics.py",
    ),
    Mutation(
        "the recursion takes any action for an optimal one",
        "theory/theorems.py",
        (("self.teacher.optimal(state)", "self.world.actions(state)"),),
        "theory/test_theory.py::test_the_recursion_equals_brute_force",
    ),
    Mutation(
        "the recursion adds chances up along a trajectory",
        "theory/theorems.py",
        (("products.append(chance * products[-1]", "products.append(chance + products[-1]"),),
        "theory/test_theory.py::test_equally_good_actions_add_up_and_trajectories_multiply",
    ),
    # What a reader sees, and which setting reaches which task.
    *(
        Mutation(name, f"report/{file}", changes, CELLS)
        for name, file, changes in (
            (
                "the heat maps of the grid are transposed",
                "figures/results.py",
                (("found.get((a, b)), metric", "found.get((b, a)), metric"),),
            ),
            (
                "steps in the heat maps are shares of the task that was trained on",
                "figures/results.py",
                (("for task in tasks]\n", "for task in reversed(tasks)]\n"),),
            ),
            (
                "the axes of the heat maps are named the wrong way round",
                "figures/results.py",
                (('set_ylabel("Trained on")', 'set_ylabel("Evaluated on")'),),
            ),
            (
                "the published grid is read transposed",
                "published.py",
                (('["train_task", "eval_task"], env', '["eval_task", "train_task"], env'),),
            ),
            (
                "published rows of SFT stand next to ours of GRPO",
                "published.py",
                (
                    ('"sft": "Qwen2.5-1.5B + SFT",', '"sft_grpo": "Qwen2.5-1.5B + SFT",'),
                    (
                        '"sft_grpo": "Qwen2.5-1.5B + SFT + GRPO"',
                        '"sft": "Qwen2.5-1.5B + SFT + GRPO"',
                    ),
                ),
            ),
            (
                "a cell of the comparison is next to the published one of the mirrored pair",
                "tables/main.py",
                (("published.grid.get(pair)", "published.grid.get(pair[::-1])"),),
            ),
            (
                "the grid holds for each task the policy that was trained on it",
                "results.py",
                (("else train_task or eval_task, eval_task", "else eval_task, eval_task"),),
            ),
            (
                "every cell is judged by the first task's timeout",
                "results.py",
                (
                    (
                        "self.cfg.timeout_of(task), confidence",
                        "self.cfg.timeout_of(self.tasks[0]), confidence",
                    ),
                ),
            ),
            (
                "gains are counted the other way round",
                "results.py",
                (("for policy in (better, worse))", "for policy in (worse, better))"),),
            ),
            (
                "equal to the expert's counts as optimal among single replies",
                "results.py",
                (('return counts["optimal"]', 'return counts["expert"]'),),
            ),
            (
                "every task's failures are split at the first task's bound",
                "tables/splits.py",
                (("results.cfg.bound_of(task)", "results.cfg.bound_of(results.tasks[0])"),),
            ),
            (
                "macros quote every policy on the first task",
                "numbers/macros.py",
                (
                    (
                        "cell, theirs = results.cell(policy, task)",
                        "cell, theirs = results.cell(policy, results.tasks[0])",
                    ),
                ),
            ),
            (
                "a loss of GRPO counts as its gain",
                "numbers/verdicts.py",
                (
                    (
                        '"VerdictGrpoHelps": count_tasks(sft < grpo)',
                        '"VerdictGrpoHelps": count_tasks(sft != grpo)',
                    ),
                ),
            ),
            (
                "the mean over simpler tasks is that over harder ones",
                "numbers/verdicts.py",
                (
                    (
                        '"GridMeanDown": describe(below, "sr")',
                        '"GridMeanDown": describe(above, "sr")',
                    ),
                ),
            ),
        )
    ),
    Mutation(
        "every task is played until the burger's timeout",
        "rollouts/evaluate.py",
        (("cfg.timeout_of(task)", 'cfg.timeout_of("burger")'),),
        "rollouts/test_evaluate.py",
    ),
    Mutation(
        "every task's trajectories may be as long as the burger's",
        "rollouts/collect.py",
        (("cfg.bound_of(task)", 'cfg.bound_of("burger")'),),
        "rollouts/test_collect.py",
    ),
    Mutation(
        "a task's own settings of SFT reach no training",
        "config/models.py",
        (("sft=replace(self.sft, **own.sft)", "sft=self.sft"),),
        "config/test_config.py",
    ),
    Mutation(
        "a task's own timeout is passed over",
        "config/models.py",
        (("timeout=own.timeout or spec.timeout", "timeout=spec.timeout"),),
        "config/test_config.py",
    ),
    Mutation(
        "what a model thinks counts as its answer",
        "environments/reply.py",
        (("_BEGIN.split(_END.split(text)[-1])[0]", "text"),),
        "environments/test_reply.py",
    ),
    Mutation(
        "replies that were cut are not counted",
        "rollouts/episode.py",
        (("run.advance(reply, reply in cut)", "run.advance(reply)"),),
        "rollouts/test_evaluate.py",
    ),
)


def main() -> int:
    """Try every mutation and write which test noticed it."""
    words = sys.argv[1:]
    chosen = [m for m in MUTATIONS if not words or any(word in m.name for word in words)]
    found = {}
    for mutation in chosen:
        with tempfile.TemporaryDirectory() as folder:
            found[mutation.name] = try_mutation(mutation, Path(folder) / "checkout")
        print(f"{mutation.name}: {found[mutation.name] or 'UNNOTICED'}", flush=True)
    if words:
        return 0 if all(found.values()) else 1
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
    tests = [f"tests/{test}" for test in mutation.tests.split()]
    command = [sys.executable, "-m", "pytest", "-x", "-q", *tests]
    # The library of the copy comes before the installed one.
    path = {"PYTHONPATH": str(checkout / "workflow"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command,
        cwd=checkout,
        env=os.environ | path,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
    )
    failed = re.findall(r"^(?:FAILED|ERROR) tests/([\w./]+::\w+)", done.stdout, re.MULTILINE)
    if done.returncode not in (0, 1):
        sys.exit(f"{mutation.name}: the tests did not run\n{done.stdout[-2000:]}")
    return failed[0] if failed else ""


if __name__ == "__main__":
    sys.exit(main())
