"""The one place that turns a name from the configuration into a policy."""

from dataclasses import replace
from pathlib import Path

from taskreason.config.models import Config
from taskreason.durability.errors import UserError
from taskreason.environments.base import Environment
from taskreason.policies import Policy
from taskreason.policies.generation import GeneratingPolicy, Sampling
from taskreason.policies.model_names import API, find_folder, is_api
from taskreason.policies.prompt import choose_format
from taskreason.policies.rules import NoisyPolicy, RandomPolicy, RulePolicy, TeacherPolicy

TEACHER = ("expert", "planner")


def load_rules(name: str, seed: int, environment: Environment, noise: float = 0.0) -> Policy:
    """A policy without a model: "random", the teacher by one of its names, or a rule of the environment."""
    if name == "random":
        return RandomPolicy(seed)
    if name in TEACHER:
        return NoisyPolicy(noise, environment, seed) if noise else TeacherPolicy(environment)
    return RulePolicy(name, environment.rule_policies[name])


def load_model_policy(
    name: str | Path,
    cfg: Config,
    temperature: float = 0.0,
    gpus: int | None = None,
    trained: bool = True,
) -> GeneratingPolicy:
    """A language model as a policy, by folder, hub name or api:NAME, run by ``rollout.engine``.

    gpus: across which vLLM splits it; None takes ``rollout.tensor_parallel``. trained: on a task, see ``prompt``.
    """
    name, rollout = str(name), cfg.rollout
    asked = choose_format(cfg, trained)
    sampling = Sampling(rollout.max_new_tokens, temperature, cfg.seed)
    if is_api(name):
        try:
            from taskreason.policies.openai import EndpointPolicy
        except ImportError:
            raise UserError(
                f"{name} needs the package openai, which is not installed here; install it or name a local model."
            ) from None
        return EndpointPolicy(name.removeprefix(API), cfg.endpoint, sampling, asked)
    folder = find_folder(name)
    if rollout.engine == "vllm":
        from taskreason.policies.vllm import VllmPolicy

        rollout = replace(rollout, tensor_parallel=gpus or rollout.tensor_parallel)
        policy: GeneratingPolicy = VllmPolicy.load(folder, rollout, sampling, asked)
    else:
        from taskreason.policies.transformers import TransformersPolicy

        policy = TransformersPolicy.load(folder, rollout.batch_size, sampling, asked)
    policy.name = name
    return policy
