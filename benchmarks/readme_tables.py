"""The generated parts of README.md that show results/tables: each a function that returns Markdown.

None where the table has not been made by this run.
"""

from markdown_tables import (
    POLICIES,
    format_number,
    format_table,
    label_row,
    list_seeds,
    print_gain,
    read_table,
)

from taskreason.config.load import load_config
from taskreason.durability.bundled_files import RESOURCES
from taskreason.report.weights import count_parameters

GAIN = ("gain", "gain_low", "gain_high")


def make_results() -> str | None:
    """SR with interval, ASAT, ASST and share of shortest plans for every task and policy."""
    rows = read_table("main")
    if rows is None:
        return None
    return f"{format_results(rows)}\n\nMade by `snakemake results/tables/main.csv`."


def make_extra() -> str | None:
    """The same for the recipes beside the four tasks, and SR of each policy trained on one on the others."""
    rows, grid = read_table("extra/main"), read_table("extra/generalization")
    bound = read_table("extra/bound")
    if not rows or not grid:
        return None
    parts = [format_results(rows), format_grid(grid), format_bound(bound)]
    return "\n\n".join([*parts, "Made by `snakemake extra_tasks`."])


def format_results(rows: list[dict[str, str]]) -> str:
    """A main table as Markdown."""
    header = [
        "Task",
        "Policy",
        "Episodes",
        "SR (interval)",
        "ASAT",
        "ASST",
        "Shortest plans",
        "Steps over optimal",
    ]
    body = [
        [
            row["task"].replace("_", " "),
            POLICIES.get(row["policy"], row["policy"]),
            row["episodes"],
            f"{float(row['sr']):.2f} ({float(row['sr_low']):.2f}–{float(row['sr_high']):.2f})",
            format_number(row["asat"], 1),
            format_number(row["asst"], 1),
            format_number(row["minimal_rate"], 2),
            f"{float(row['excess_steps']):+.1%}" if row["excess_steps"] else "–",
        ]
        for row in rows
    ]
    return format_table(header, body)


def make_grid() -> str | None:
    """SR of every trained policy (row) on every task (column)."""
    rows = read_table("generalization")
    if rows is None:
        return None
    return f"{format_grid(rows)}\n\nMade by `snakemake results/tables/generalization.csv`."


def format_grid(rows: list[dict[str, str]]) -> str:
    """A table of generalisation as Markdown."""
    cells = {(row["train_task"], row["eval_task"]): float(row["sr"]) for row in rows}
    tasks = list(dict.fromkeys(trained for trained, _ in cells))
    header = ["Trained on", *(task.replace("_", " ") for task in tasks)]
    body = [
        [row.replace("_", " "), *(f"{cells[row, column]:.2f}" for column in tasks)] for row in tasks
    ]
    return format_table(header, body)


def make_baselines() -> str | None:
    """SR of what the policies are measured against, and GRPO's gains paired by kitchen."""
    rows = read_table("baselines")
    if rows is None:
        return None
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    body = []
    for name in dict.fromkeys(row["row"] for row in rows):
        cells = {row["task"]: row for row in rows if row["row"] == name}
        if cells[tasks[0]]["gain"]:
            better, _, worse = name.partition(" - ")
            label = f"gain of {label_row(better)} over {label_row(worse)}"
            gains = [[cells[task][key] for key in GAIN] for task in tasks]
            shown = [print_gain(*gain) for gain in gains]
        else:
            label = label_row(name)
            shown = [f"{float(cells[task]['sr']):.2f}" for task in tasks]
        body.append([label, *shown])
    header = ["SR", *(task.replace("_", " ") for task in tasks)]
    return (
        f"{format_table(header, body)}\n\n"
        f"Parameters: {', '.join(list_sizes())}. Made by `snakemake results/tables/baselines.csv`."
    )


def list_sizes() -> list[str]:
    """The base models that are compared by default, each with its number of parameters."""
    others = load_config({"scale": "laptop"}).base.compare
    folders = [RESOURCES / "base_model", *(RESOURCES.parents[1] / name for name in others)]
    names = ["Base", *(f"Base, {folder.name}" for folder in folders[1:])]
    return [
        f"{name} {count_parameters(folder):,}" for name, folder in zip(names, folders, strict=True)
    ]


def make_bound() -> str | None:
    """Where the trained policies fail: within and beyond the bound on the expert's trajectories."""
    rows = read_table("bound")
    if rows is None:
        return None
    return f"{format_bound(rows)}\nMade by `snakemake results/tables/bound.csv`."


def format_bound(rows: list[dict[str, str]]) -> str:
    """Failures within and beyond the bound, by task and in all."""
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    body, total = [], {"within": [0, 0], "beyond": [0, 0]}
    for task in tasks:
        cells = [task.replace("_", " ")]
        for side, count in total.items():
            found = {r["policy"]: r for r in rows if (r["task"], r["side"]) == (task, side)}
            cells += [found["sft_grpo"]["kitchens"]]
            cells += [found[policy]["failures"] for policy in ("sft", "sft_grpo")]
            count[0] += int(found["sft_grpo"]["failures"])
            count[1] += int(found["sft_grpo"]["episodes"])
        body.append(cells)
    header = ["Task"]
    for side in ("within", "beyond"):
        header += [f"Kitchens {side}", "SFT fails", "SFT + GRPO fails"]
    (near, near_all), (far, far_all) = total.values()
    return (
        f"{format_table(header, body)}\n\n"
        f"Of the {near + far} episodes that SFT+GRPO fails, {near} are among {near_all} within the bound and {far} "
        f"among {far_all} beyond it."
    )


def make_seeds() -> str | None:
    """The trained policies and GRPO's gains seed by seed."""
    rows = read_table("seeds")
    if rows is None:
        return None
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    body = []
    for name in dict.fromkeys(row["row"] for row in rows):
        better, _, worse = name.partition(" - ")
        label = f"gain over {label_row(worse)}" if worse else label_row(better)
        for seed in [*list_seeds(), "all"]:
            cells = {r["task"]: r for r in rows if (r["row"], r["seed"]) == (name, seed)}
            bounds = [[cells[task][key] for key in ("value", "low", "high")] for task in tasks]
            if worse:
                shown = [print_gain(*bound) for bound in bounds]
            else:
                shown = [f"{float(value):.2f}" for value, _, _ in bounds]
            body.append([label, seed, *shown])
            label = ""
    header = ["SR", "Seed", *(task.replace("_", " ") for task in tasks)]
    made = ", ".join(list_seeds())
    return (
        "Each training by itself, and all of a task pooled, with intervals that take in the spread of kitchens and of\n"
        "seeds; *lowest* is the smallest success rate that a training reaches on its task and on the simpler ones:\n\n"
        f"{format_table(header, body)}\n\n{summarise_seeds(rows)}\n\n"
        f"Made by `snakemake results/tables/seeds.csv --config seeds='[{made}]'`."
    )


def summarise_seeds(rows: list[dict[str, str]]) -> str:
    """In which trainings GRPO's gain has an interval on one side of zero, and how low the rates go."""
    gains = [row for row in rows if row["row"] == "sft_grpo - sft"]
    sentences = []
    for name, part in (
        ("In single trainings", [row for row in gains if row["seed"] != "all"]),
        ("On the tasks with all seeds together", [row for row in gains if row["seed"] == "all"]),
    ):
        above = sum(float(row["low"]) > 0 for row in part)
        below = sum(float(row["high"]) < 0 for row in part)
        sentences.append(
            f"{name}, the interval of GRPO's gain over SFT lies above zero in {above} and below zero in {below} "
            f"of {len(part)}."
        )
    for name, label in (("sft_grpo", "its own task"), ("down", "its own and the simpler tasks")):
        rates = [float(r["value"]) for r in rows if r["row"] == name and r["seed"] != "all"]
        sentences.append(f"The lowest success rate of a training on {label} is {min(rates):.2f}.")
    return "\n".join(sentences)


def make_sweep() -> str | None:
    """What a sweep on the validation kitchens tried."""
    rows = read_table("sweep")
    if rows is None:
        return None
    columns = {
        "sr_before": "SR before",
        "sr_after": "SR after",
        "training_states": "training states",
        "unseen_states": "unseen states",
        "reward": "reward",
        "kl": "KL",
        "zero_std_share": "without spread",
    }
    body = [
        [row["point"], *(format_number(row[key], 4 if key == "kl" else 2) for key in columns)]
        for row in rows
    ]
    table = format_table(["Changed", *columns.values()], body)
    return (
        f"{table}\n\nMade by `snakemake sweep` with the values under `sweep` in the scale's file."
    )


def make_theory() -> str | None:
    """Single turns before and after GRPO, the recursion against episodes, and success in the fewest steps."""
    single, recursion, multi = (read_table(f"theory_{k}") for k in ("single", "recursion", "multi"))
    if not single or not recursion or not multi:
        return None
    header = ["Task", "p(s), SFT", "p(s), SFT + GRPO", "gain", "P(s₀) gain"]
    header += ["predicted, SFT + GRPO", "seen", "kitchens inside"]
    body = []
    for row in multi:
        own = next(
            r
            for r in single
            if (r["task"], r["place"], r["right"]) == (row["task"], "expert", "expert")
        )
        kitchens = next(
            r for r in recursion if (r["task"], r["policy"]) == (row["task"], "sft_grpo")
        )
        body.append(
            [
                row["task"].replace("_", " "),
                *(format_number(own[policy], 3) for policy in ("sft", "sft_grpo")),
                print_gain(*(own[key] for key in GAIN), digits=3),
                print_gain(*(row[key] for key in GAIN), digits=3),
                *(format_number(kitchens[key], 2) for key in ("predicted", "observed", "inside")),
            ]
        )
    return f"{format_table(header, body)}\n\nMade by `snakemake theory`."


def make_ablations() -> str | None:
    """SR after SFT and after GRPO under other experts and rewards, and on whole episodes."""
    points, turns = read_table("ablation_points"), read_table("ablation_turns")
    if not points or not turns:
        return None
    body = [
        [
            row["study"].replace("_", " "),
            *(f"{float(row[policy]):.2f}" for policy in ("sft", "sft_grpo")),
            print_gain(*(row[key] for key in GAIN)),
        ]
        for row in points
    ]
    means = {row["turns"]: row for row in turns if row["seed"] == "mean"}
    for kind, name in (("single", "single decisions"), ("multi", "whole episodes")):
        row = means[kind]
        rates = [f"{float(row[policy]):.2f}" for policy in ("sft", "sft_grpo")]
        body.append([f"GRPO on {name}", *rates, print_gain(*(row[key] for key in GAIN))])
    header = ["Changed", "SR, SFT", "SR, SFT + GRPO", "gain"]
    thousands = [f"{float(means[kind]['tokens']) / 1000:.0f}" for kind in ("single", "multi")]
    difference = print_gain(*(means["difference"][key] for key in GAIN))
    seeds = sum(row["turns"] == "single" for row in turns) - 1
    return (
        f"{format_table(header, body)}\n\nThe last two rows are means over {seeds} seeds, with "
        f"{' and '.join(thousands)} thousand sampled tokens; SR of single decisions over that of "
        f"episodes: {difference}. Made by `snakemake ablations`."
    )
