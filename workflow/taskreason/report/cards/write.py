"""Cards for what a run leaves to others: a README.md in every model's folder and next to the trajectories.

Input: results/SCALE with its provenance, episodes and summaries; output: Markdown with the metadata (YAML) that a model
hub and the `datasets` library read. Every number comes from these files; the text is in the folder templates.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from huggingface_hub import DatasetCardData, EvalResult, ModelCardData

from taskreason.config.models import Config
from taskreason.policies.model_names import BUNDLED, is_hub
from taskreason.report.labels import FOLDERS, label_policy, task_title
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
    "grpo_base": "A language model trained on the task *{task}* by group relative policy optimisation (GRPO), straight "
    "from the base model: the control that tells what GRPO needs SFT for.",
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
    training = f"The weights are those of `{cfg.base.model}`."
    if cfg.base.model.startswith(BUNDLED):
        training = (
            "Trained from scratch on the environment's curriculum, never on one of its tasks."
        )
    if stage != "base":
        task = run.partition(".")[0]
        record = read_json(card.parents[3] / "training" / run / f"{stage}.provenance.json")
        (policy,) = (policy for policy, folder in FOLDERS.items() if folder == stage)
        title, from_base = f"{label_policy(policy)}, {task_title(run)}", policy in ("sft", "grpo")
        start = "the run's base model" if from_base else "the SFT model of the same task"
        training = f"Trained on one decision at a time, from {start}, with TRL."
        group = stage.partition("_")[0]
        settings = {
            f"{group}.{key}": value
            for key, value in record["config"][group].items()
            if not key.startswith(OPERATIONAL)
        }
    rows = _measure(episodes, cfg, task)
    text = render(
        "cards/templates/model.md.j2",
        metadata=_describe_model(cfg, title, rows).to_yaml(),
        title=title,
        story=STORIES[stage].format(task=task_title(task).lower()),
        training=training,
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


def _measure(episodes: Sequence[Path], cfg: Config, trained: str) -> pd.DataFrame:
    """How a model does, a row a task; trained: the task that it was trained on, if any."""
    rows = []
    for path in episodes:
        task, timeout = path.stem, cfg.timeout_of(path.stem)
        metrics = summarise(read_episodes(path), timeout, cfg.report.confidence, str(path))
        title = task_title(task) + (" (trained on)" if task == trained else "")
        rows.append({"task": task, "title": title, "timeout": timeout} | vars(metrics))
    return pd.DataFrame(rows)


def _describe_model(cfg: Config, title: str, rows: pd.DataFrame) -> ModelCardData:
    """The metadata of a model's card, with its results as a hub's leaderboards read them."""
    model = cfg.base.model
    results = [
        EvalResult(
            task_type="reinforcement-learning",
            task_name="Task planning",
            dataset_type=f"{cfg.environment}-{row['task']}",
            dataset_name=f"{task_title(row['task'])}, {row['episodes']} unseen {cfg.env.worlds}",
            metric_type=kind,
            metric_name=short,
            metric_value=round(row[short.lower()], digits),
        )
        for row in rows.to_dict("records")
        for kind, short, digits in (("success_rate", "SR", 4), ("average_steps", "ASAT", 2))
    ]
    return ModelCardData(
        language=["en"],
        # What comes from others' models is under their licence, too.
        license="mit" if model.startswith(BUNDLED) else "other",
        library_name="transformers",
        pipeline_tag="text-generation",
        base_model=model if is_hub(model) else None,
        tags=[cfg.environment, "task-planning", "grpo", "trl"],
        model_name=title,
        eval_results=results,
    )


def write_dataset_card(card: Path, cfg: Config, summaries: Sequence[Path]) -> None:
    """Write results/SCALE/trajectories/README.md, after which the folder loads as a dataset with a subset a task."""
    subsets = pd.DataFrame(map(read_json, summaries))
    tasks, number = subsets["task"], subsets["decisions"].sum()
    metadata = DatasetCardData(
        language=["en"],
        license="other" if cfg.expert.policy == "model" else "mit",
        pretty_name=f"Expert decisions in {cfg.environment}",
        task_categories=["text-generation"],
        tags=[cfg.environment, "task-planning", "reinforcement-learning"],
        size_categories=[next((SIZES[top] for top in SIZES if number < top), "1M<n<10M")],
        configs=[{"config_name": task, "data_files": f"{task}.jsonl"} for task in tasks],
    )
    text = render(
        "cards/templates/dataset.md.j2",
        metadata=metadata.to_yaml(),
        expert="an exact planner" if cfg.expert.policy == "planner" else subsets["policy"][0],
        cfg=cfg,
        folder=card.parent.as_posix(),
        task=tasks[0],
        decisions=render_markdown(DECISIONS, subsets.assign(bound=tasks.map(cfg.bound_of))),
    )
    card.write_text(text, encoding="utf-8")
