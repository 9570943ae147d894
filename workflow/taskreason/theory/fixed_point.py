"""What GRPO should make of a success rate: Mroueh's (2025) recursion for rewards of 0 and 1.

One exact step of GRPO with whitened advantages and a KL penalty of weight beta to the reference turns a prompt's
success probability p into sigmoid(logit p_ref + 1 / (beta sqrt(p (1 - p) + epsilon))). Repeated, it ends in a fixed
point above p_ref: success is amplified (the paper's Corollary 3.1).
"""

import numpy as np

EPSILON = 1e-4
"""Keeps the whitening finite where all replies of a group earn the same."""
STEPS = 1000


def amplify(p: np.ndarray, p_ref: np.ndarray, beta: float, epsilon: float = EPSILON) -> np.ndarray:
    """One step of the recursion, on arrays of probabilities; beta > 0."""
    if beta <= 0:
        raise ValueError(
            "without a KL penalty (beta 0) the recursion has no reference to start from"
        )
    p, p_ref = np.asarray(p, dtype=float), np.asarray(p_ref, dtype=float)
    with np.errstate(divide="ignore", over="ignore"):
        odds = np.log(p_ref) - np.log1p(-p_ref) + 1 / (beta * np.sqrt(p * (1 - p) + epsilon))
        return 1 / (1 + np.exp(-odds))


def find_fixed_point(
    p_ref: np.ndarray, beta: float, epsilon: float = EPSILON, steps: int = STEPS
) -> np.ndarray:
    """Where the recursion from p = p_ref has got to after many steps."""
    p = np.asarray(p_ref, dtype=float)
    for _ in range(steps):
        p = amplify(p, p_ref, beta, epsilon)
    return p
