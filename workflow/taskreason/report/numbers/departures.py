r"""Numbers that the list of departures from the paper quotes, of this run's configuration, logs and environment.

Output: macro name -> LaTeX text: passes over the states in GRPO, decisions of the teacher that the base model was shown
before SFT, the loss, and what the expert's thoughts are and how they err.
"""

from collections.abc import Iterator

from taskreason.config.models import Config
from taskreason.durability.files import list_runs
from taskreason.policies.model_names import BUNDLED
from taskreason.report.render.latex import MISSING, format_value
from taskreason.report.results import Results
from taskreason.report.trainings import read_training_log
from taskreason.training import GRPO_LOSS

THOUGHTS = {
    "whole": "whole",
    "english": "whole, in plain English",
    "short": "cut to what is seen, without what is carried and what is decided",
    "none": "left out",
}
"""Value of ``expert.thoughts`` -> how the paper tells it."""
FAULTS = {
    "names": "of its names become others of their sort",
    "missing": "of its sentences are missing",
    "foreign": "of its sentences are those of another state",
}
"""Value of ``expert.thought_fault`` -> what happens to a share of a thought."""


def make_departure_macros(results: Results) -> Iterator[tuple[str, str]]:
    """All macros of the table of departures that are no plain settings."""
    cfg = results.cfg
    yield "GrpoPasses", count_passes(results)
    yield "BaseDecisions", count_decisions(cfg)
    yield "GrpoClip", format_value(GRPO_LOSS["epsilon"])
    yield "GrpoIterations", format_value(GRPO_LOSS["num_iterations"])
    yield "GrpoLossType", str(GRPO_LOSS["loss_type"])
    yield "ExpertThoughts", THOUGHTS[cfg.expert.thoughts]
    rate = cfg.expert.thought_noise
    faults = f"{rate:.0%}".replace("%", rf"\,\% {FAULTS[cfg.expert.thought_fault]}")
    yield "ExpertThoughtFaults", faults if rate else "free of faults"


def count_passes(results: Results) -> str:
    """How often GRPO visits a state on average, '0.19 to 0.50' over tasks and seeds; the last epoch in its logs."""
    ends = []
    for task in results.tasks:
        for run in list_runs(results.cfg.seeds):
            path = results.root / "training" / f"{task}{run}" / "grpo.csv"
            ends.append(float(read_training_log(path, ["step", "epoch"])["epoch"].iloc[-1]))
    shown = dict.fromkeys(f"{end:.2f}" for end in (min(ends), max(ends)))
    return " to ".join(shown)


def count_decisions(cfg: Config) -> str:
    """Decisions of the teacher in the base model's curriculum, at most; dashes where the base model has none of ours.

    A model of one's own is taken to come from where it was made: only the default one is known to be of
    ``base.curriculum``, and one that is rebuilt.
    """
    pretraining = cfg.env.pretraining
    known = cfg.base.rebuild or cfg.base.model == f"{BUNDLED}base_model"
    if pretraining is None or not known:
        return MISSING
    return format_value(pretraining.bound_decisions(cfg.base.curriculum))
