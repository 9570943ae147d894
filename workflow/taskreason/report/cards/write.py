"""Cards for what a run leaves to others: a README.md in every model's folder and beside the trajectories.

Input: results/SCALE with its provenance, episodes and summaries; output: Markdown with the metadata (YAML) that a model
hub and the `datasets` library read. Every number comes from these files; the text is in the folder templates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from taskreason.config.load import list_bounds, list_timeouts
from taskreason.policies.model_names import is_api, is_hub, shorten
from taskreason.report.labels import label_policy, task_title
from taskreason.report.render.templates import render
from taskreason.report.training_logs import read_json
from taskreason.rollouts.metrics import CellMetrics, read_episodes, summarise

SHIPPED = "data/base_model"
POLICIES = {"sft": "sft", "grpo": "sft_grpo", "sft_longer": "sft_longer"}
"""What a model's folder is called -> what its episodes are filed under."""
STORIES = {
    "base": "The language model from which the trainings start.",
    "sft": "A language model fine-tuned on an expert's decisions in the task *{task}* (SFT).",
    "grpo": "A language model trained on the task *{task}*: fine-tuned on an expert's decisions (SFT), then "
    "trained by group relative policy optimisation (GRPO).",
    "sft_longer": "A language model fine-tuned on an expert's decisions in the task *{task}*, and on for as many "
    "replies as GRPO trains on: the control that tells what GRPO adds from what more training adds.",
}
GROUPS = {"sft": ("sft",), "grpo": ("grpo",), "sft_longer": ("sft",)}
"""The groups of the configuration that a card lists."""
OPERATIONAL = {"micro_batch", "save_steps", "eval_steps"}
"""Settings that change how a training runs and nothing about what comes out."""


@dataclass(frozen=True)
class Row:
    """How a model does on one task. trained: whether it was trained on it."""

    task: str
    metrics: CellMetrics
    timeout: int
    trained: bool

    @property
    def title(self) -> str:
        return task_title(self.task)


def write_model_card(card: Path, config: Mapping, episodes: Sequence[Path]) -> None:
    """Write results/SCALE/models/[TASK/]STAGE/README.md; episodes: TASK.jsonl of the model's evaluation."""
    stage, run = card.parent.name, card.parent.parent.name
    trained, record = "", None
    if stage != "base":
        trained = run.partition(".")[0]
        provenance = card.parents[3] / "training" / run / f"{stage}.provenance.json"
        record = read_json(provenance)
    rows = [_read_row(path, config, trained) for path in episodes]
    title = (
        f"{label_policy(POLICIES.get(stage, stage))}, {task_title(run)}"
        if trained
        else "Base model"
    )
    text = render(
        "cards/templates/model.md.j2",
        metadata=_dump(_describe_model(config, title, rows)),
        title=title,
        story=STORIES[stage].format(task=task_title(trained).lower()),
        training=_tell_training(stage, config),
        scale=config["scale"],
        folder=card.parent.as_posix(),
        task=trained or config["tasks"][0],
        style=config["prompt"]["style"],
        max_new_tokens=config["rollout"]["max_new_tokens"],
        confidence=f"{100 * config['report']['confidence']:g}",
        rows=rows,
        mode=config["kitchens"]["mode"],
        record=record,
        settings={
            f"{group}.{name}": value
            for group in GROUPS.get(stage, ())
            for name, value in record["config"][group].items()
            if name not in OPERATIONAL and not name.startswith("vllm_")
        },
    )
    card.write_text(text, encoding="utf-8")


def write_dataset_card(card: Path, config: Mapping, summaries: Sequence[Path]) -> None:
    """Write results/SCALE/trajectories/README.md, after which the folder loads as a dataset with a subset a task."""
    subsets = [read_json(path) for path in summaries]
    decisions = sum(subset["decisions"] for subset in subsets)
    metadata = {
        "language": ["en"],
        **_license(config, trained=False),
        "pretty_name": "Expert decisions in Robotouille kitchens",
        "task_categories": ["text-generation"],
        "tags": ["robotouille", "task-planning", "reinforcement-learning"],
        "size_categories": [_name_size(decisions)],
        "configs": [
            {"config_name": subset["task"], "data_files": f"{subset['task']}.jsonl"}
            for subset in subsets
        ],
    }
    text = render(
        "cards/templates/dataset.md.j2",
        metadata=_dump(metadata),
        expert="an exact planner"
        if config["expert"]["policy"] == "planner"
        else subsets[0]["policy"],
        scale=config["scale"],
        folder=card.parent.as_posix(),
        subsets=subsets,
        bounds=list_bounds(config),
        kitchens=config["kitchens"],
    )
    card.write_text(text, encoding="utf-8")


def _read_row(path: Path, config: Mapping, trained: str) -> Row:
    timeout = list_timeouts(config)[path.stem]
    metrics = summarise(read_episodes(path), timeout, config["report"]["confidence"], str(path))
    return Row(path.stem, metrics, timeout, path.stem == trained)


def _describe_model(config: Mapping, title: str, rows: Sequence[Row]) -> dict:
    """The metadata of a model's card, with its results as a hub's leaderboards read them."""
    base = config["base"]["model"]
    results = [
        {
            "task": {"type": "reinforcement-learning", "name": "Task planning"},
            "dataset": {
                "type": f"robotouille-{row.task}",
                "name": f"{row.title}, {row.metrics.episodes} unseen kitchens",
            },
            "metrics": [
                {"type": "success_rate", "name": "SR", "value": round(row.metrics.sr, 4)},
                {"type": "average_steps", "name": "ASAT", "value": round(row.metrics.asat, 2)},
            ],
        }
        for row in rows
    ]
    return {
        "language": ["en"],
        **_license(config, trained=True),
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        **({"base_model": base} if is_hub(base) else {}),
        "tags": ["robotouille", "task-planning", "grpo", "trl"],
        "model-index": [{"name": title, "results": results}],
    }


def _license(config: Mapping, trained: bool) -> dict[str, str]:
    """MIT for what this project alone has made; what comes from others' models is under their licence, too."""
    own = (
        config["base"]["model"].endswith(SHIPPED)
        if trained
        else config["expert"]["policy"] != "model"
    )
    return {"license": "mit"} if own else {"license": "other"}


def _tell_training(stage: str, config: Mapping) -> str:
    """One sentence on what the weights come from."""
    if stage == "base":
        name = config["base"]["model"]
        if name.endswith(SHIPPED):
            return "Trained from scratch on generic chores in random kitchens, never on a recipe of the tasks."
        return (
            f"The weights are those of `{name if is_hub(name) or is_api(name) else shorten(name)}`."
        )
    start = "the SFT model beside it" if stage != "sft" else "the run's base model"
    return f"Trained on one decision at a time, from {start}, with TRL."


def _name_size(number: int) -> str:
    """A hub's name for the order of magnitude."""
    bounds = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M"}
    return next((name for bound, name in bounds.items() if number < bound), "1M<n<10M")


def _dump(metadata: Mapping) -> str:
    return yaml.safe_dump(dict(metadata), sort_keys=False, allow_unicode=True, width=100)
