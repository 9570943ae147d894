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
        "training/__init__.py",
        (('"scale_rewards": "group"', '"scale_rewards": "none"'),),
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
        (("load_model_policy(model, cfg, trained", "load_model_policy(model, cfg, 1.0, trained"),),
        "rollouts/test_evaluate.py",
    ),
    Mutation(
        "an order is held by its point alone",
        "rollouts/orders.py",
        (("return HELD if low > 0", "return HELD if low + high > 0"),),
        f"{CELLS} report/test_paper_macros.py",
    ),
    Mutation(
        "a resumed job draws on from wherever its generator stands",
        "rollouts/sampled.py",
        (("        policy.restart(", "        policy.sampling and derive_seed("),),
        "rollouts/test_sampled.py",
    ),
    Mutation(
        "a portion that was cut short is played on, not again",
        "rollouts/sampled.py",
        (
            (
                "        portion = worlds[first : first + batch_size]\n",
                "        portion = worlds[first : first + batch_size]\n"
                "        portion = [s for s in portion if s.world.id not in file.found]\n",
            ),
        ),
        "rollouts/test_sampled.py",
    ),
    Mutation(
        "sampled episodes are greedy ones, too",
        "policies/generation.py",
        (("replace(self.sampling, temperature=temperature)", "self.sampling"),),
        "rollouts/test_sampled.py",
    ),
    Mutation(
        "the exact test counts episodes of several seeds as worlds",
        "rollouts/metrics.py",
        (('.groupby("layout_hash")["gain"].mean()', '["gain"]'),),
        "rollouts/test_metrics.py",
    ),
    Mutation(
        "GRPO from the base starts from SFT",
        "../rules/train.smk",
        (
            (
                "model=rules.prepare_base.output.model,\n        validation=",
                "model=rules.train_sft.output.model,\n        validation=",
            ),
        ),
        "workflow/test_workflow.py::test_grpo_from_the_base_waits_for_no_sft",
    ),
    Mutation(
        "the control of longer SFT sees fewer replies than GRPO",
        "training/sft.py",
        (("own = replies - round(", "own = replies // 2 - round("),),
        "training/test_controls.py",
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
    *(
        Mutation(name, f"theory/{file}", changes, f"theory/{test}")
        for name, file, changes, test in (
            (
                "a state's upper bound leaves out what the search gave up",
                "search.py",
                (("return max(0.0, 1.0 - self.finished.total())", "return self.known_open"),),
                "test_chances.py",
            ),
            (
                "nodes beside a path take the chance of the path's own token",
                "search.py",
                (("Node(-mass * chance,", "Node(-mass * float(own),"),),
                "test_chances.py",
            ),
            (
                "thoughts are drawn from all open nodes alike",
                "search.py",
                (("size=number, p=masses / masses.sum()", "size=number"),),
                "test_chances.py",
            ),
            (
                "thoughts are the likeliest ones, not drawn",
                "chances.py",
                (("writer.follow(starts, draw=True)", "writer.follow(starts)"),),
                "test_chances.py",
            ),
            (
                "drawn thoughts count as if nothing had been listed",
                "chances.py",
                (("self.finished[action] + self.open * of_drawn", "of_drawn"),),
                "test_chances.py",
            ),
            (
                "the upper bound of the recursion gives the unknown to no action",
                "theorems.py",
                (("known[node] + spare(node) * best", "known[node]"),),
                "test_posterior.py",
            ),
            (
                "the test of the recursion takes one side for both",
                "posterior.py",
                (("min(1.0, 2 * below, 2 * above)", "min(1.0, 2 * below)"),),
                "test_posterior.py",
            ),
            (
                "states are told apart without regard to their bounds",
                "analysis.py",
                (
                    (
                        'up = both[f"{name}_low_{after}"] - both[f"{name}_high_{before}"]',
                        'up = both[f"{name}_high_{after}"] - both[f"{name}_low_{before}"]',
                    ),
                ),
                "test_posterior.py",
            ),
            (
                "the fixed point of the trainer's loss forgets the group's size",
                "theorems.py",
                (("group * (group - 1)", "group * group"),),
                "test_theory.py::test_the_loss_stands_still_where_it_is_said_to",
            ),
            (
                "the fixed point is trained on states whatever their chance",
                "choice.py",
                (('rows.sort(key=lambda row: find_distance(row["p_ref"]["point"]))', "pass"),),
                "test_fixed_point.py",
            ),
        )
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
                (
                    (
                        "((self, better), (other or self, worse))",
                        "((self, worse), (other or self, better))",
                    ),
                ),
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
                "SR of sampled episodes is that of the greedy ones",
                "results.py",
                (("single_turn=False), temperature)", "single_turn=False))"),),
            ),
            (
                "SFT's lower temperatures are set beside each other's",
                "tables/gains.py",
                (('"sft", task, results.at(temperature))', '"sft", task, drawn)'),),
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
        "noise in the expert's thoughts touches its actions",
        "rollouts/collect.py",
        (
            (
                "completion = format_reply(thought, text)",
                "text = make_faulty('names', expert.thought_noise, [text], plain[t : t + 1], cfg.env, str(t))[0]\n"
                "        completion = format_reply(thought, text)",
            ),
        ),
        "rollouts/test_thoughts.py",
    ),
    Mutation(
        "a rule of thumb explains the planner's plan",
        f"{KITCHEN}/environment.py",
        (("teacher.explain(plan[t:])", "teacher.explain(teacher.plan(plan[t][0]))"),),
        "rollouts/test_thoughts.py",
    ),
    Mutation(
        "own states are labelled with what the policy did",
        "rollouts/own_states.py",
        (
            ("(len(run.actions), turn.state))", "(len(run.actions), turn.state, reply))"),
            (
                "labels = [teacher.reply(state) for _, state in states.values()]",
                "labels = [reply for *_, reply in states.values()]\n"
                "    states = {prompt: kept[:2] for prompt, kept in states.items()}",
            ),
        ),
        "rollouts/test_own_states.py",
    ),
    Mutation(
        "longer SFT is on half as many replies as GRPO samples",
        "training/sft.py",
        (
            (
                "draw_focused(decisions, missed, own,",
                "draw_focused(decisions, missed, own // 2,",
            ),
        ),
        "studies/test_regimes.py::test_the_control_trains_on_as_many_replies_as_grpo_samples",
    ),
    Mutation(
        "the map's gains are over the start, not over longer SFT",
        "report/tables/regimes.py",
        (('pooled["sft_longer"], level)', 'pooled["start"], level)'),),
        "studies/test_regimes.py::test_a_cell_pools_its_seeds_and_its_gain_is_over_the_control",
    ),
    Mutation(
        "replies that were cut are not counted",
        "rollouts/episode.py",
        (("run.advance(reply, reply in cut)", "run.advance(reply)"),),
        "rollouts/test_evaluate.py",
    ),
    Mutation(
        "worlds that only the reference solves are not counted",
        "studies/verify.py",
        (('"only_a": (won & ~won_here).sum()', '"only_a": 0'),),
        "studies/test_verify.py",
    ),
    Mutation(
        "the visible difference is that of one test alone",
        "studies/verify.py",
        (("level = LEVEL / max(1, len(tested))", "level = LEVEL"),),
        "studies/test_verify.py",
    ),
    Mutation(
        "power is that of a one-sided test",
        "studies/significance.py",
        (("binom.isf(level / 2, turned, 0.5)", "binom.isf(level, turned, 0.5)"),),
        "studies/test_significance.py",
    ),
    Mutation(
        "tasks of their own are tested as one",
        "report/tables/published.py",
        (('"p": fisher_over_strata(tables)', '"p": together["p"]'),),
        "report/test_published_tests.py",
    ),
    Mutation(
        "short thoughts keep the decision",
        f"{KITCHEN}/teacher.py",
        (("return seen[0] if seen else thought", "return thought"),),
        f"{KITCHEN}/test_teacher.py",
    ),
    Mutation(
        "thoughts are left out of no trajectory",
        "rollouts/collect.py",
        (("return forms.get(cfg.expert.thoughts, str)(thought)", "return thought"),),
        "rollouts/test_collect.py",
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
