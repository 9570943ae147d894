"""Cards for what a run leaves to others: a README.md in every model's folder and next to the trajectories.

Input: results/SCALE with its provenance, episodes and summaries; output: Markdown with the metadata (YAML) that a model
hub and the `datasets` library read. Every number comes from these files; the text is in the folder templates.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from huggingface_hub import DatasetCardData, EvalResult, ModelCardData

from taskreason.config.models import Config
from taskreason.policies.model_names import is_hub
from taskreason.report.labels import label_policy, task_title
from taskreason.report.numbers.settings import BUNDLED
from taskreason.report.render.tables import render_markdown
from taskreason.report.render.templates import render
from taskreason.report.tables.main import ASAT, ASST, SR
from taskreason.report.tables.spec import COUNT, RATE, STEPS, Spec, columns, name
from taskreason.report.trainings import read_json
from taskreason.rollouts.metrics import read_episodes, summarise

STORIES = {
    "base": "The language model from which the trainings start.",
    "sft": "A language model fine-tuned on an expert's decisions in the task *{task}* (SFT).",
    "grpo": "A language model trained on the task *{task}*: fine-tuned on an expert's decisions (SFT), then "
    "trained by group relative policy optimisation (GRPO).",
    "sft_longer": "A language model fine-tuned on an expert's decisions in the task *{task}*, and on for the number "
    "of replies that GRPO trains on: the control that tells what GRPO adds from what more training adds.",
}
OPERATIONAL = ("micro_batch", "save_steps", "eval_steps", "vllm_")
"""Settings that change how a training runs and nothing about what comes out."""
SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M"}
"""A hub's names for numbers of examples below a bound."""
RESULTS = Spec(
    [name("title", "Task")],
    [
        *columns(COUNT, episodes="Episodes"),
        *(SR, ASAT, ASST),
        *columns(RATE, minimal_rate="Shortest plans"),
        *columns(COUNT, timeout="Timeout"),
    ],
)
DECISIONS = Spec(
    [name("task", "Task", "`{}`".format)],
    [
        *columns(COUNT, decisions="Decisions", accepted="Trajectories", kitchens_tried="Tried"),
        *columns(STEPS, mean_steps="Steps of a trajectory"),
        *columns(COUNT, bound="Bound"),
    ],
)


def write_model_card(card: Path, cfg: Config, episodes: Sequence[Path]) -> None:
    """Write results/SCALE/models/[TASK/]STAGE/README.md; episodes: TASK.jsonl of the model's evaluation."""
    stage, run = card.parent.name, card.parent.parent.name
    task, record, title, settings = "", None, "Base model", {}
    if stage != "base":
        task = run.partition(".")[0]
        record = read_json(card.parents[3] / "training" / run / f"{stage}.provenance.json")
        title = f"{label_policy('sft_grpo' if stage == 'grpo' else stage)}, {task_title(run)}"
        group = stage.removesuffix("_longer")
        settings = {
            f"{group}.{key}": value
            for key, value in record["config"][group].items()
            if not key.startswith(OPERATIONAL)
        }
    rows = pd.DataFrame([_read_row(path, cfg, task) for path in episodes])
    text = render(
        "cards/templates/model.md.j2",
        metadata=_describe_model(cfg, title, rows).to_yaml(),
        title=title,
        story=STORIES[stage].format(task=task_title(task).lower()),
        training=_tell_training(stage, cfg),
        cfg=cfg,
        folder=card.parent.as_posix(),
        task=task or cfg.tasks[0],
        confidence=f"{100 * cfg.report.confidence:g}",
        results=render_markdown(RESULTS, rows),
        several=len(rows) > 1,
        record=record,
        settings=settings,
    )
    card.write_text(text, encoding="utf-8")


def write_dataset_card(card: Path, cfg: Config, summaries: Sequence[Path]) -> None:
    """Write results/SCALE/trajectories/README.md, after which the folder loads as a dataset with a subset a task."""
    subsets = [read_json(path) for path in summaries]
    number = sum(subset["decisions"] for subset in subsets)
    metadata = DatasetCardData(
        language=["en"],
        license="other" if cfg.expert.policy == "model" else "mit",
        pretty_name=f"Expert decisions in {cfg.environment}",
        task_categories=["text-generation"],
        tags=[cfg.environment, "task-planning", "reinforcement-learning"],
        size_categories=[next((SIZES[top] for top in SIZES if number < top), "1M<n<10M")],
        configs=[
            {"config_name": subset["task"], "data_files": f"{subset['task']}.jsonl"}
            for subset in subsets
        ],
    )
    rows = [subset | {"bound": cfg.bound_of(subset["task"])} for subset in subsets]
    text = render(
        "cards/templates/dataset.md.j2",
        metadata=metadata.to_yaml(),
        expert="an exact planner" if cfg.expert.policy == "planner" else subsets[0]["policy"],
        cfg=cfg,
        folder=card.parent.as_posix(),
        task=subsets[0]["task"],
        decisions=render_markdown(DECISIONS, pd.DataFrame(rows)),
    )
    card.write_text(text, encoding="utf-8")


def _read_row(path: Path, cfg: Config, trained: str) -> dict[str, Any]:
    """How a model does on one task."""
    task, timeout = path.stem, cfg.timeout_of(path.stem)
    metrics = summarise(read_episodes(path), timeout, cfg.report.confidence, str(path))
    title = task_title(task) + (" (trained on)" if task == trained else "")
    return {"task": task, "title": title, "timeout": timeout} | vars(metrics)


def _describe_model(cfg: Config, title: str, rows: pd.DataFrame) -> ModelCardData:
    """The metadata of a model's card, with its results as a hub's leaderboards read them."""
    name = cfg.base.model
    return ModelCardData(
        language=["en"],
        # What comes from others' models is under their licence, too.
        license="mit" if name.startswith(BUNDLED) else "other",
        library_name="transformers",
        pipeline_tag="text-generation",
        base_model=name if is_hub(name) else None,
        tags=[cfg.environment, "task-planning", "grpo", "trl"],
        model_name=title,
        eval_results=[
            result for row in rows.to_dict("records") for result in _list_results(row, cfg)
        ],
    )


def _list_results(row: Mapping[str, Any], cfg: Config) -> list[EvalResult]:
    metrics = (("success_rate", "SR", row["sr"], 4), ("average_steps", "ASAT", row["asat"], 2))
    return [
        EvalResult(
            task_type="reinforcement-learning",
            task_name="Task planning",
            dataset_type=f"{cfg.environment}-{row['task']}",
            dataset_name=f"{task_title(row['task'])}, {row['episodes']} unseen {cfg.env.worlds}",
            metric_type=kind,
            metric_name=short,
            metric_value=round(value, digits),
        )
        for kind, short, value, digits in metrics
    ]


def _tell_training(stage: str, cfg: Config) -> str:
    """One sentence on what the weights come from."""
    if stage != "base":
        start = "the run's base model" if stage == "sft" else "the SFT model of the same task"
        return f"Trained on one decision at a time, from {start}, with TRL."
    name = cfg.base.model
    if name.startswith(BUNDLED):
        return "Trained from scratch on the environment's curriculum, never on one of its tasks."
    return f"The weights are those of `{name}`."
