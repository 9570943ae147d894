r"""The tasks under a name by which the commands of verifiers find them.

    PYTHONPATH=examples vf-eval taskreason_planning --env.taskset.task-name burger -n 10 --model MODEL \
        --client.base-url http://localhost:8000/v1 --no-push
"""

from taskreason.environments.adapters.verifiers import PlanningEnv, PlanningTaskset

__all__ = ["PlanningEnv", "PlanningTaskset"]
