"""Which policy a subcommand plays: the options that say so, and what they load."""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from taskreason.cli.preflight import check_policy
from taskreason.config.load import load_config, resolve_config
from taskreason.durability.arguments import natural, positive, temperature
from taskreason.durability.errors import UserError
from taskreason.environments import ENVIRONMENTS
from taskreason.environments.base import Environment
from taskreason.policies import Policy
from taskreason.policies.callables import is_callable_name, load_callable
from taskreason.policies.loading import TEACHER, load_model_policy, load_rules
from taskreason.policies.model_names import expand, is_api, is_fetched

KINDS = (
    "planner, random, a rule (greedy), a model's folder, its name on the hub, api:NAME, "
    "bundled:NAME or MODULE:FUNCTION"
)
ENGINES = ("transformers", "vllm")


def add_policy_options(option: Callable) -> None:
    """How a policy is asked."""
    option("--environment", choices=ENVIRONMENTS, default=next(iter(ENVIRONMENTS)))
    option("--batch-size", type=positive, default=100, help="episodes at a time")
    option("--max-new-tokens", type=positive, default=256, help="a model's reply")
    option("--temperature", type=temperature, default=0.0, help="0 (default) is greedy")
    option("--seed", type=natural, default=0)
    option("--engine", choices=ENGINES, default=ENGINES[0], help="what runs a local model")
    chat = "chat for instruction-tuned models"
    option("--prompt", choices=("plain", "chat"), default="plain", help=chat)
    option("--history", action="store_true", help="tell the last thought and action")
    option("--base-url", help="of the server that answers for api:NAME")


def reads_worlds(name: str, environment: Environment) -> bool:
    """Whether a policy looks at worlds and not at their texts: the teacher, chance and rules of thumb."""
    return name in (*TEACHER, "random", *environment.rule_policies)


def choose_policy(name: str, args: Namespace, environment: Environment) -> Callable[[], Policy]:
    """What loads the policy; UserError at once where its name or the settings mean nothing."""
    if reads_worlds(name, environment):
        return lambda: load_rules(name, args.seed, environment)
    model = expand(name, environment)
    if not (is_api(model) or is_fetched(model) or Path(model).is_dir()):
        if is_callable_name(model):
            policy = load_callable(model)
            return lambda: policy
        rules = ", ".join(("planner", "random", *environment.rule_policies))
        raise UserError(
            f"--policy: {model} is neither {rules} nor a model's folder, GGUF file or name on the hub, nor "
            "MODULE:FUNCTION."
        )
    rollout = ("engine", "batch_size", "max_new_tokens")
    given = {
        "environment": environment.name,
        "seeds": [args.seed],
        "prompt": {"style": args.prompt, "history": args.history},
        "rollout": {key: getattr(args, key) for key in rollout},
        "endpoint": {"base_url": args.base_url} if args.base_url else {},
    }
    cfg = load_config(resolve_config(given, config_file="the command's options"))
    check_policy(model, cfg)
    return lambda: load_model_policy(model, cfg, args.temperature)
