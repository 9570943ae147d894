"""Every table of results as the page shows it: named rows and columns instead of keys, a value with its interval.

Input: the rows of results/tables/NAME.csv; output: a `PageTable`. What is printed is what the file has,
rounded; nothing is computed here.
"""

from collections.abc import Callable, Sequence
from functools import partial

from taskreason.report.labels import label_policy, task_title
from taskreason.report.page.cells import (
    MISSING,
    Cell,
    PageTable,
    Row,
    cell,
    head,
    list_values,
    merge_heads,
    rename,
    spread_out,
)
from taskreason.report.tables.ablations import LABELS
from taskreason.report.tables.probes import PROBES
from taskreason.report.tables.seeds import DOWNWARD
from taskreason.report.tables.theory import PARTS

Rows = Sequence[Row]
TASK = ("task", task_title)
STEPS, SHARE, COUNT, SIGNED = ".1f", ".1%", ",.0f", "+.2f"
PLACES = {"expert": "the expert's", "off_path": "off its path"}
REPLIES = {"expert": "its action", "optimal": "any optimal"}


def label_row(name: str) -> str:
    """'sft_grpo - sft' -> 'Gain of SFT + GRPO over SFT'."""
    better, minus, worse = name.partition(" - ")
    if minus:
        return f"Gain of {label_policy(better)} over {label_policy(worse)}"
    return "Lowest, to simpler tasks" if name == DOWNWARD else label_policy(name)


def label_plain(text: str) -> str:
    return text.replace("_", " ")


def make_plain(
    names: Sequence[tuple[str, str, Callable[[str], str]]],
    values: Sequence[tuple[str, str, str]],
    rows: Rows,
) -> PageTable:
    """One row of the file a row; names: (title, key, label); values: (title, key, style)."""
    titles = [title for title, _, _ in (*names, *values)]
    body = [
        [
            *(head(label(row[key])) for _, key, label in names),
            *(cell(row, key, style) for _, key, style in values),
        ]
        for row in rows
    ]
    return merge_heads(PageTable(titles, body))


def make_main(rows: Rows) -> PageTable:
    """Every policy on every task; trainings are told apart where there are several a task."""
    names = [("Task", "task", task_title), ("Policy", "policy", label_policy)]
    if len(list_values(rows, "seed")) > 1:
        names.append(("Seed", "seed", str))
    values = [
        ("Episodes", "episodes", COUNT),
        ("SR", "sr", ".2f"),
        ("ASAT", "asat", STEPS),
        ("ASST", "asst", STEPS),
        ("Shortest plans", "minimal_rate", ".2f"),
        ("Steps over optimal", "excess_steps", SHARE),
        ("Invalid", "invalid_rate", ".2f"),
        ("Malformed", "malformed_rate", ".2f"),
        ("Single turn", "single_turn_optimal_rate", ".2f"),
    ]
    return make_plain(names, values, rows)


def make_comparison(rows: Rows) -> PageTable:
    """Published cells of the main table and ours."""
    body = []
    for row in rows:
        if row["part"] != "main":
            continue
        policy = label_policy(row["policy"]) if row["policy"] else MISSING
        names = [task_title(row["eval_task"]), policy]
        body.append(
            [
                *map(head, names),
                Cell(row["published_model"] or MISSING),
                *_pair(row, "sr", ".2f"),
                *_pair(row, "asat", STEPS),
                *_pair(row, "asst", STEPS),
            ]
        )
    metrics = [
        f"{name}, {whose}" for name in ("SR", "ASAT", "ASST") for whose in ("ours", "published")
    ]
    return merge_heads(PageTable(["Task", "Policy", "Published model", *metrics], body))


def _pair(row: Row, key: str, style: str) -> list[Cell]:
    return [cell(row, key, style), cell(row, f"published_{key}", style)]


def make_comparison_grid(rows: Rows) -> PageTable:
    """The grid over tasks, ours beside the published, one cell a row."""
    names = [("Trained on", "train_task", task_title), ("Evaluated on", "eval_task", task_title)]
    values = [
        ("SR, ours", "sr", ".2f"),
        ("SR, published", "published_sr", ".2f"),
        ("ASAT, ours", "asat", STEPS),
        ("ASAT, published", "published_asat", STEPS),
        ("ASST, ours", "asst", STEPS),
        ("ASST, published", "published_asst", STEPS),
    ]
    return make_plain(names, values, [row for row in rows if row["part"] == "grid"])


def make_generalization(rows: Rows) -> PageTable:
    """SR of the fully trained policies: rows are trainings, columns what they are evaluated on."""
    names = [("Trained on", "train_task", task_title)]
    if len(list_values(rows, "seed")) > 1:
        names.append(("Seed", "seed", str))
    return spread_out(rows, names, ("eval_task", task_title), partial(cell, key="sr"))


def make_baselines(rows: Rows) -> PageTable:
    """SR of every policy, and below it the gains, with one column a task."""

    def show(row: Row) -> Cell:
        return cell(row, "gain", SIGNED) if row["gain"] else cell(row, "sr")

    return spread_out(rows, [("SR", "row", label_row)], TASK, show)


def make_seeds(rows: Rows) -> PageTable:
    """Trained policies and gains, training by training."""

    def show(row: Row) -> Cell:
        row = rename(row, value_low="low", value_high="high")
        return cell(row, "value", SIGNED if " - " in row["row"] else ".2f")

    return spread_out(rows, [("SR", "row", label_row), ("Seed", "seed", str)], TASK, show)


def make_probes(rows: Rows) -> PageTable:
    rows = [rename(row, rate_low="low", rate_high="high") for row in rows]
    values = [("Asked", "asked", COUNT), ("Right", "right", COUNT), ("Rate", "rate", ".2f")]
    return make_plain([("Probe", "probe", PROBES.__getitem__)], values, rows)


def make_collection(rows: Rows) -> PageTable:
    """How many of the expert's episodes were kept, and what others were rejected for."""
    rows = [rename(row, acceptance_rate_low="low", acceptance_rate_high="high") for row in rows]
    reasons = [
        key
        for key in rows[0]
        if key.startswith("rejected_") and any(row[key] not in ("", "0") for row in rows)
    ]
    values = [
        ("Kitchens", "kitchens", COUNT),
        ("Episodes", "episodes", COUNT),
        ("Accepted", "accepted", COUNT),
        ("Share accepted", "acceptance_rate", ".2f"),
        ("Mean steps", "mean_steps", STEPS),
        *((label_plain(key).replace("rejected ", "Rejected: "), key, COUNT) for key in reasons),
    ]
    names = [("Task", "task", task_title), ("Expert", "expert", label_plain)]
    return make_plain(names, values, rows)


def make_turns(rows: Rows) -> PageTable:
    """GRPO on single decisions against whole episodes, seed by seed."""
    names = [("GRPO on", "turns", LABELS.__getitem__), ("Seed", "seed", str)]
    values = [
        ("SR, SFT", "sft", ".2f"),
        ("SR, SFT + GRPO", "sft_grpo", ".2f"),
        ("Gain", "gain", SIGNED),
        ("Tokens sampled", "tokens", COUNT),
        ("Seconds", "seconds", COUNT),
    ]
    return make_plain(names, values, sorted(rows, key=lambda row: row["turns"], reverse=True))


def _name_part(share: str) -> str:
    """'0.3333333333' -> 'first third'."""
    return min(PARTS, key=lambda name: abs(PARTS[name] - float(share)))


_TASK = ("Task", "task", task_title)
_POLICY = ("Policy", "policy", label_policy)
TABLES: dict[str, Callable[[Rows], PageTable]] = {
    "main": make_main,
    "comparison": make_comparison,
    "comparison_grid": make_comparison_grid,
    "generalization": make_generalization,
    "baselines": make_baselines,
    "seeds": make_seeds,
    "bound": partial(
        make_plain,
        [_TASK, _POLICY, ("Kitchens", "side", "{} the bound".format)],
        [
            ("Number", "kitchens", COUNT),
            ("Episodes", "episodes", COUNT),
            ("Failures", "failures", COUNT),
            ("SR", "sr", ".2f"),
        ],
    ),
    "probes": make_probes,
    "collection": make_collection,
    "theory_single": partial(
        make_plain,
        [
            _TASK,
            ("States", "place", lambda place: PLACES.get(place, place)),
            ("Right is", "right", lambda right: REPLIES.get(right, right)),
        ],
        [
            ("Number", "states", COUNT),
            ("SFT", "sft", ".3f"),
            ("SFT + GRPO", "sft_grpo", ".3f"),
            ("Gain", "gain", "+.3f"),
            ("Up", "improved", ".2f"),
            ("Same", "unchanged", ".2f"),
            ("Down", "worse", ".2f"),
            ("Down by chance", "worse_by_chance", ".2f"),
            ("p of the sign test", "sign_test", ".3g"),
            ("Limit", "fixed_point", ".3f"),
        ],
    ),
    "theory_recursion": partial(
        make_plain,
        [_TASK, _POLICY],
        [
            ("Kitchens", "kitchens", COUNT),
            ("Unique states", "unique_states", ".2f"),
            ("Unique kitchens", "unique_kitchens", ".2f"),
            ("Denied", "denied", ".3f"),
            ("Predicted", "predicted", ".3f"),
            ("Seen", "observed", ".3f"),
            ("Error", "error", SIGNED),
            ("Inside", "inside", ".2f"),
        ],
    ),
    "theory_multi": partial(
        make_plain,
        [_TASK],
        [
            ("Kitchens", "kitchens", COUNT),
            ("SFT", "sft", ".3f"),
            ("SFT + GRPO", "sft_grpo", ".3f"),
            ("Gain", "gain", "+.3f"),
            ("States not lower", "states_not_lower", ".2f"),
            ("Kitchens not lower", "kitchens_not_lower", ".2f"),
            ("Assumption holds", "assumption", ".2f"),
            ("By chance", "assumption_by_chance", ".2f"),
            ("Given it, not lower", "given_assumption", ".2f"),
        ],
    ),
    "theory_horizons": partial(
        make_plain,
        [_TASK, _POLICY, ("Part of the trajectory", "share", _name_part)],
        [
            ("Steps", "steps", STEPS),
            ("Product", "product", ".2f"),
            ("Seen", "observed", ".2f"),
        ],
    ),
    "theory_grid": partial(
        make_plain,
        [("Trained on", "train_task", task_title), ("Evaluated on", "eval_task", task_title)],
        [
            ("Prefix", "prefix", ".2f"),
            ("Kinds", "skills", ".2f"),
            ("Length", "length", ".2f"),
            ("SR", "sr", ".2f"),
        ],
    ),
    "ablation_points": partial(
        make_plain,
        [("Changed", "study", lambda study: LABELS.get(study, label_plain(study)))],
        [
            ("Episodes", "episodes", COUNT),
            ("SR, SFT", "sft", ".2f"),
            ("SR, SFT + GRPO", "sft_grpo", ".2f"),
            ("Gain", "gain", SIGNED),
        ],
    ),
    "ablation_turns": make_turns,
}
