"""Titles and captions of what a run shows, one for the page results/index.html and for `snakemake --report`.

Captions are reStructuredText in report/captions/{tables,figures}/NAME.rst, as Snakemake wants them; the page
takes them as plain text. Light: the workflow reads this module while it builds its graph.
"""

import re
from pathlib import Path

FOLDER = Path(__file__).parent
TABLE_TITLES = {
    "main": "Main results",
    "comparison": "With the published numbers",
    "comparison_grid": "Across tasks, with the published numbers",
    "published_tests": "The published gains, tested",
    "baselines": "All policies",
    "gains": "Gains",
    "sharpening": "Sampling and sharpening",
    "starts": "By how a kitchen starts",
    "splits": "Other kinds of kitchens",
    "seeds": "Training by training",
    "generalization": "Across tasks",
    "generalization_sr": "Across tasks, SR",
    "generalization_asat": "Across tasks, ASAT",
    "generalization_asst": "Across tasks, ASST",
    "pretrained": "A language model that others trained",
    "pretrained_gains": "Its gains",
    "probes": "What the base model knows",
    "collection": "The expert's episodes",
    "theory_single": "Single turns",
    "theory_recursion": "The recursion",
    "theory_multi": "From single turns to many",
    "theory_horizons": "Sub-tasks",
    "theory_grid": "What tasks share",
    "theory_fixed_point": "GRPO run to its fixed point",
    "ablation_points": "One choice changed at a time",
    "ablation_experts": "Which imperfection GRPO repairs",
    "ablation_turns": "Single decisions against whole episodes",
    "regimes": "Where GRPO gains",
    "states": "Whose states",
}
FIGURE_TITLES = {
    "success_rate": "Success rate",
    "steps_vs_optimal": "Steps against the shortest plan",
    "generalization_sr": "Success rate across tasks",
    "generalization_asat": "ASAT across tasks",
    "generalization_asst": "ASST across tasks",
    "learning_sft": "Learning curves of SFT",
    "learning_grpo": "Learning curves of GRPO",
    "learning_validation": "GRPO on unseen states",
    "kitchen": "An episode, drawn",
    **{name: title for name, title in TABLE_TITLES.items() if name.startswith("theory")},
    "theory_multi": "Success along the trajectory",
    "ablation_data": "Trajectories and reward",
    "ablation_experts": "Which imperfection GRPO repairs",
    "ablation_turns": "Single decisions against whole episodes",
    "regimes_map": "Where GRPO gains",
    "regimes_spread": "Gain and groups with spread",
    "states": "Whose states",
}


def title_table(name: str) -> str:
    """'main_burger' -> 'Main results, burger'; names without a title of their own are those of single tasks."""
    task = name.removeprefix("main_").replace("_", " ")
    return TABLE_TITLES.get(name, f"{TABLE_TITLES['main']}, {task}")


def name_caption(kind: str, name: str) -> str:
    """The caption's file within this folder; the tables of single tasks and of single metrics share one."""
    if kind == "tables":
        name = re.sub("^main_.*", "main_task", name)
        name = re.sub("^generalization_.*", "generalization_metric", name)
        name = name.removesuffix("_grid") if name == "comparison_grid" else name
    return f"{kind}/{name}.rst"


def read_caption(kind: str, name: str, worlds: str = "kitchens") -> str:
    """The caption of a table or figure in one line, without marks of emphasis; kind: "tables" or "figures".

    worlds: what the environment calls its worlds; the captions speak of the default one's.
    """
    text = (FOLDER / name_caption(kind, name)).read_text(encoding="utf-8")
    return " ".join(text.replace("*", "").split()).replace("kitchen", worlds.removesuffix("s"))
