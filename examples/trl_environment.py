"""GRPO of TRL over whole episodes: a chat model plays kitchens by calling a tool.

    python examples/trl_environment.py MODEL

MODEL is a folder or a name on the hub whose chat template knows tools, such as Qwen/Qwen3-0.6B. Two steps of a group
each: a first look at what the trainer does, not a recipe.
"""

import sys

import torch
from trl import GRPOConfig, GRPOTrainer

from taskreason.environments.adapters.trl import make_dataset, make_factory

trainer = GRPOTrainer(
    sys.argv[1],
    args=GRPOConfig(
        output_dir="results/examples/trl",
        max_steps=2,
        per_device_train_batch_size=4,
        num_generations=4,
        max_completion_length=4096,
        max_tool_calling_iterations=15,
        logging_steps=1,
        report_to="none",
        use_cpu=not torch.cuda.is_available(),
    ),
    train_dataset=make_dataset("burger", seeds=range(1, 401)),
    environment_factory=make_factory("burger"),
)
trainer.train()
