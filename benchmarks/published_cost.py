"""What the published scale would cost, for docs/published_scale.md: the estimate, and steps that were measured.

Input: `taskreason estimate` and benchmarks/published_size.csv; output: Markdown.
"""

from math import isnan, nan

from published_step import Step, count_flops, find_card, predict, read_steps

from taskreason.cost.estimate import estimate
from taskreason.report.render.tables import format_rows

ESTIMATED = (("paper", "h200"), ("paper", "h100"), ("paper_24gb", "rtx4090"))
"""Scales and cards whose cost is shown."""


def make_estimate() -> str:
    """GPU-hours of the stages that need GPUs, memory, disk and wall time, on three kinds of card."""
    columns = {}
    for scale, gpu in ESTIMATED:
        result = estimate({"scale": scale}, gpu)
        heavy = result["stages"].query("gpus_per_job > 0").itertuples()
        cells = {f"`{s.stage}`": f"{s.gpu_hours:.1f} h, {s.memory_gb:.0f} GB" for s in heavy}
        columns["{gpu}, scale `{scale}`".format_map(result)] = cells | {
            "all jobs": f"{result['gpu_hours']:.0f} GPU-hours",
            "wall time": f"{result['wall_hours']:.0f} h on {result['gpus']}",
            "disk": f"{result['disk_gb']:.0f} GB",
        }
    names = next(iter(columns.values()))
    body = [[name, *(cells.get(name, "–") for cells in columns.values())] for name in names]
    return (
        f"{format_rows(['Stage', *columns], body)}\n\n"
        "Hours of all jobs of the stage, and memory a GPU. Made by `taskreason estimate` and `make readme`: "
        "a calculation, some of whose constants come from the steps above (`workflow/taskreason/cost/model.py`)."
    )


def make_published_size() -> str | None:
    """What steps of the published size took where benchmarks/published_size.py ran, and the estimate of the same."""
    steps = read_steps()
    if not steps:
        return None
    body = []
    for step in steps:
        known = find_card(step.hardware) and not isnan(step.prompt)
        seconds, sampling, memory = predict(step) if known else (nan, nan, nan)
        speed = count_flops(step) / step.step_s / 1e12 if step.stage == "sft" and known else nan
        spent = step.sampling_s if step.stage == "grpo" else step.step_s
        body.append(
            [
                step.hardware,
                describe_step(step),
                print_known(step.prompt, ".0f"),
                f"{step.step_s:.3g} ({print_known(seconds, '.3g')})",
                f"{print_known(step.sampling_s, '.3g')} ({print_known(sampling, '.3g')})",
                f"{step.largest_gb:.0f} ({print_known(memory, '.0f')})",
                print_known(step.tokens / spent, ",.0f"),
                "–" if isnan(speed) else f"{speed:.0f}, {speed / step.matmul_tflops:.0%}",
            ]
        )
    header = ["Machine", "One step", "Tokens of a prompt", "Seconds", "of these sampling"]
    header += ["Largest memory, GB", "Tokens/s", "TFLOP/s, share of matrix products"]
    return (
        f"{format_rows(header, body)}\n\n"
        "Random weights in the shape of Qwen2.5-1.5B, whose replies run to the limit of tokens; in parentheses the "
        "estimate for the same step. Memory is that of tensors, on a CPU of the process. Tokens are those learnt from "
        "in SFT, and written elsewhere. Made by `benchmarks/published_size.py` and `make readme`."
    )


def describe_step(step: Step) -> str:
    """A step's stage, size, and what is trained in it."""
    if step.stage == "rollout":
        return f"greedy replies of {step.reply:.0f} tokens; prompts: {step.rows}"
    trained = f"adapters of rank {step.lora_rank}" if step.lora_rank else "all weights"
    if step.stage == "sft":
        return f"SFT, {trained}; decisions: {step.rows}, at a time: {step.micro_batch}"
    replies = f"replies to each: {step.group}, at a time: {step.micro_batch}"
    return f"GRPO, {trained}; states: {step.rows}, {replies}"


def print_known(value: float, form: str) -> str:
    return "–" if isnan(value) else format(value, form)
