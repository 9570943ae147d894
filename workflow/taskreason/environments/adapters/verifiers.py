"""Tasks for verifiers: a taskset of worlds, and an environment that answers a chat model as the world does.

    from taskreason.environments.adapters.verifiers import load_environment

    environment = load_environment("burger")

Each of the taskset's tasks is a world, by its seed. The model reads the rules, one worked example and the world as it
stands; its reply's line ``Action: …`` is taken, and what can be seen then is the next message, until the goal or the
timeout. The reward is 1 at the goal. Metrics say how many replies were possible and how many began a shortest plan, and
``info`` of a trace has for every step what :class:`taskreason.environments.adapters.session.Session` tells.

verifiers finds environments by the name of a module that is in no package; examples/taskreason_planning.py is one for
its commands. Written against verifiers 0.4.
"""

import sys
from collections.abc import Iterator
from typing import Any

import verifiers.v1 as vf

from taskreason.environments import load_environment as find_environment
from taskreason.environments.adapters.session import Session

__all__ = ["PlanningEnv", "PlanningTaskset", "load_environment"]
ID = "taskreason_planning"
"""By what verifiers finds this module, see below."""
IMPOSSIBLE = "That was none of the valid actions, so nothing has changed.\n"


class PlanningConfig(vf.TasksetConfig):
    """Whose worlds: of the seeds from ``first_seed`` on, as the workflow draws its splits."""

    task_name: str = "burger"
    """Of the environment's tasks."""
    environment: str = "robotouille"
    mode: str = ""
    first_seed: int = 1
    number: int = 400


class WorldData(vf.TaskData):
    """What a task carries. info: arguments of a :class:`Session`."""

    info: dict[str, Any]


class WorldTask(vf.Task[WorldData, vf.State, vf.TaskConfig]):
    """One world."""


class PlanningTaskset(vf.Taskset[WorldTask, PlanningConfig]):
    """The worlds of one task."""

    def load(self) -> Iterator[WorldTask]:
        """A task for every seed."""
        config = self.config
        env = find_environment(config.environment)
        for seed in range(config.first_seed, config.first_seed + config.number):
            info = {"task": config.task_name, "seed": seed}
            info |= {"environment": config.environment, "mode": config.mode}
            text = env.example + Session(**info).observe()
            named = {"name": f"{config.task_name}#{seed}", "system_prompt": env.rules or None}
            yield WorldTask(WorldData(prompt=text, info=info, **named), config.task)


class PlanningEnvConfig(vf.EnvConfig):
    """The one who plays: a chat without tools, on this machine."""

    player: vf.AgentConfig = vf.AgentConfig(harness={"id": "null"}, runtime=vf.SubprocessConfig())


class PlanningEnv(vf.Env[PlanningEnvConfig]):
    """Episodes in worlds; the model's messages are decisions, the user's are what it sees."""

    async def run(self, task: WorldTask, agents: vf.Agents) -> None:
        """Play one episode, and record its reward."""
        session, steps = Session(**task.data.info), []
        async with agents.player.interaction(task) as interaction:
            segment = await interaction.turn()
            while not segment.terminated:
                known = session.tell()
                possible = session.take(segment.last_reply)
                steps.append(known | {"valid": possible})
                if session.over:
                    break
                told = session.observe()
                segment = await interaction.turn(told if possible else IMPOSSIBLE + told)
        trace = interaction.trace
        trace.record_reward("solved", float(session.solved), 1.0)
        trace.record_metric("steps", float(session.steps))
        trace.record_metric("valid", float(sum(step["valid"] for step in steps)))
        trace.info["steps"] = steps


def load_environment(
    task: str = "burger",
    environment: str = "robotouille",
    mode: str = "",
    first_seed: int = 1,
    number: int = 400,
) -> PlanningEnv:
    """The environment of one task, as a trainer or evaluator of verifiers takes it."""
    sys.modules.setdefault(ID, sys.modules[__name__])
    chosen = {"task_name": task, "environment": environment, "mode": mode}
    chosen |= {"first_seed": first_seed, "number": number}
    return PlanningEnv(PlanningEnvConfig(taskset={"id": ID, **chosen}))
