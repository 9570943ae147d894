"""Studies that cross several choices: the jobs that a smoke run plans, and what these read."""

from test_workflow import count_jobs, run_snakemake

SMOKE = ("--config", "scale=smoke")


def plan(folder, target, *changes):
    return count_jobs(run_snakemake(folder, target, "-n", *SMOKE, *changes))


def test_the_map_trains_grpo_and_its_control_at_every_point(tmp_path):
    jobs = plan(tmp_path, "regimes")
    # Noise 0 and 0.3, SFT or none: 4 cells; a second seed after SFT, 2; two steps instead of one at noise 0.3, 1.
    assert jobs["regimes_grpo"] == jobs["regimes_longer"] == 4 + 2 + 1
    assert (jobs["regimes_collect"], jobs["regimes_sft"]) == (2, 2 + 2)
    assert jobs["regimes_evaluate"] == 4 + 2 * 7 and jobs["regimes_evaluate_base"] == 1
    assert jobs["draw_worlds"] == 3 and jobs["regimes_worlds"] == jobs["make_regimes"] == 1
    assert not {"collect", "train_sft", "train_grpo"} & jobs.keys(), "nothing of the reproduction's"
    more = plan(tmp_path, "regimes", "regimes={thought_noise: [0], trajectories: [2, 3], sft: [0]}")
    assert more["regimes_grpo"] == 2 and "regimes_sft" not in more


def test_states_are_compared_from_one_sft_policy(tmp_path):
    jobs = plan(tmp_path, "states")
    assert (jobs["train_sft"], jobs["collect"], jobs["states_collect"]) == (1, 1, 1)
    assert (jobs["states_sft"], jobs["states_grpo"]) == (3, 4)
    assert jobs["states_play"] == jobs["states_label"] == jobs["states_label_failed"] == 1
    assert jobs["states_judge"] == 1 + 7 and "train_grpo" not in jobs
    two = plan(tmp_path, "states", "states={seeds: [0, 1]}")
    assert (two["states_sft"], two["states_grpo"], two["states_judge"]) == (6, 8, 15)


def test_each_expert_that_errs_has_its_control(tmp_path):
    jobs = plan(tmp_path, "ablations", "ablation={noise: [0.1]}")
    # Perfect, wrong names, slips and the rule of thumb; another number of trajectories.
    assert jobs["ablate_longer"] == 4 and jobs["ablate_sft"] == jobs["ablate_collect"] == 5
    assert jobs["ablate_grpo"] == 5 + 2 and jobs["ablate_evaluate"] == 5 + 4 + 7


def test_the_report_takes_the_map_and_the_states_in_on_request(tmp_path):
    studies = {"make_regimes", "make_states", "make_ablations", "make_theory"}
    assert not studies & plan(tmp_path, "results/index.html").keys()
    jobs = plan(tmp_path, "results/index.html", "report={regimes: true, states: true}")
    assert studies & jobs.keys() == {"make_regimes", "make_states"}
