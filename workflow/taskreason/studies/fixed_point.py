"""How GRPO is trained to its fixed point (:mod:`taskreason.theory.fixed_point`). Light: planning a run needs it."""

from typing import Any

from taskreason.config.models import Config


def change_grpo(cfg: Config, beta: float) -> dict[str, Any]:
    """What of the configuration's ``grpo`` differs in these trainings."""
    return {
        "beta": beta,
        "steps": cfg.theory.steps,
        "epochs": 0,
        "prompts_per_step": cfg.theory.states,
        "reward": "binary",
        "turns": "single",
        "augment": False,
        "rehearsal": 0.0,
        "eval_steps": 0,
    }
