"""The configuration: layers, defaults, and one sentence for everything that is wrong."""

import json
from dataclasses import asdict, fields, is_dataclass
from typing import get_type_hints

import pytest
import yaml

from taskreason.config.load import SCALES_DIR, SCHEMA_FILE, load_config, resolve_config
from taskreason.config.models import Config
from taskreason.durability.errors import UserError
from taskreason.durability.provenance import write_provenance

SCHEMA = yaml.safe_load(SCHEMA_FILE.read_text())
SCALES = sorted(path.stem for path in SCALES_DIR.glob("*.yaml"))


def walk_schema(part, prefix=""):
    for name, child in part.get("properties", {}).items():
        yield f"{prefix}{name}", child
        yield from walk_schema(child, f"{prefix}{name}.")


@pytest.mark.parametrize("key,part", list(walk_schema(SCHEMA)))
def test_every_key_has_description_default_and_bound(key, part):
    assert part["description"].endswith(".")
    assert "default" in part
    bounds = {
        "integer": {"minimum", "maximum"},
        "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
        "string": {"enum", "pattern", "minLength"},
        "array": {"items"},
        "object": {"additionalProperties"},
        "boolean": {"type"},
    }[part["type"]]
    assert bounds & part.keys()


def test_dataclasses_mirror_the_schema():
    def names(kind):
        types = get_type_hints(kind)
        return {
            field.name: names(types[field.name]) if is_dataclass(types[field.name]) else None
            for field in fields(kind)
        }

    mirrored = names(Config)
    for name, part in SCHEMA["properties"].items():
        group = mirrored.pop(name)
        if group is not None:
            assert list(group) == list(part["properties"])
    assert not mirrored


@pytest.mark.parametrize("scale", SCALES)
def test_scales_load_and_resolving_twice_changes_nothing(scale):
    resolved = resolve_config({"scale": scale})
    assert resolve_config(resolved) == resolved
    assert load_config(resolved).scale == scale


@pytest.mark.parametrize("scale", SCALES)
def test_a_typed_config_that_was_written_as_json_can_be_given_back(scale):
    given = {"scale": scale, "seeds": [4, 2], "sft": {"learning_rate": 1.1e-5}}
    recipe = {"layout": "somewhere.json", "timeout": 9, "expert_bound": 6}
    cfg = load_config(given | {"recipes": {"toast": recipe}, "tasks": ["burger", "toast"]})
    assert (cfg.timeout_of("toast"), cfg.bound_of("toast")) == (9, 6)
    assert load_config(json.loads(json.dumps(asdict(cfg)))) == cfg


def test_later_layers_win():
    default = SCHEMA["properties"]["rollout"]["properties"]["max_new_tokens"]["default"]
    scale_steps = yaml.safe_load((SCALES_DIR / "smoke.yaml").read_text())["grpo"]["steps"]
    given = {"scale": "smoke", "grpo": {"beta": 0.5, "temperature": 0.5}}
    cfg = load_config(resolve_config(given, overrides={"grpo": {"temperature": "0.25"}}))
    assert cfg.rollout.max_new_tokens == default
    assert cfg.grpo.steps == scale_steps
    assert (cfg.grpo.beta, cfg.grpo.temperature) == (0.5, 0.25)


def test_equal_meaning_gives_equal_bytes():
    one = {"tasks": ["burger", "cheese_sandwich"], "sft": {"epochs": 4.0}, "grpo": {"beta": 0}}
    two = {"grpo": {"beta": 0.0}, "sft": {"epochs": 4}, "tasks": ["cheese_sandwich", "burger"]}
    assert json.dumps(resolve_config(one)) == json.dumps(resolve_config(two))


def test_a_group_whose_keys_are_all_commented_out_is_the_default():
    assert resolve_config({"sft": None}) == resolve_config({})


def test_text_from_the_command_line_is_read_as_numbers():
    cfg = load_config(
        resolve_config(
            {}, {"sft": {"learning_rate": "1e-3", "augment": "false"}, "seeds": "[7, 1]"}
        )
    )
    assert (cfg.sft.learning_rate, cfg.sft.augment, cfg.seeds) == (1e-3, False, (7, 1))
    assert cfg.seed == 7 and cfg.for_seed(1).seed == 1


@pytest.mark.parametrize(
    "given,place,key",
    [
        ({"banana": 1}, "config.yaml", "banana"),
        ({"sft": {"epoch": 3}}, "config.yaml", "sft.epoch"),
        ({3: 4}, "config.yaml", "3"),
        ({"scale": "huge"}, "config.yaml", "scale"),
        ({"scale": ["laptop"]}, "config.yaml", "scale"),
        ({"scale": "../laptop"}, "config.yaml", "scale"),
        ({"sft": {"epochs": "eight"}}, "config.yaml", "sft.epochs"),
        ({"sft": {"epochs": True}}, "config.yaml", "sft.epochs"),
        ({"sft": {"epochs": None}}, "config.yaml", "sft.epochs"),
        ({"sft": 5}, "config.yaml", "sft"),
        ({"sft": {"learning_rate": "1e-3"}}, "config.yaml", "sft.learning_rate"),
        ({"sft": {"learning_rate": float("nan")}}, "config.yaml", "sft.learning_rate"),
        ({"grpo": {"beta": -1}}, "config.yaml", "grpo.beta"),
        ({"grpo": {"temperature": 0}}, "config.yaml", "grpo.temperature"),
        ({"grpo": {"reward": "any"}}, "config.yaml", "grpo.reward"),
        ({"report": {"confidence": 1}}, "config.yaml", "report.confidence"),
        ({"kitchens": {"evaluation": 0}}, "config.yaml", "kitchens.evaluation"),
        ({"kitchens": {"train_seed": 5, "eval_seed": 5}}, "config.yaml", "kitchens.eval_seed"),
        ({"expert": {"trajectories": 500}}, "config.yaml", "expert.trajectories"),
        ({"tasks": []}, "config.yaml", "tasks"),
        ({"tasks": "burger"}, "config.yaml", "tasks"),
        ({"tasks": ["soup"]}, "config.yaml", "tasks"),
        ({"tasks": ["burger", "burger"]}, "config.yaml", "tasks"),
        ({"tasks": ["cheese_burger"]}, "config.yaml", "report.kitchen_task"),
        ({"timeouts": {"burger": 5}}, "config.yaml", "timeouts.burger"),
        ({"timeouts": {"soup": 5}}, "config.yaml", "timeouts.soup"),
        ({"base": {"head_dim": 15}}, "config.yaml", "base.head_dim"),
        ({"base": {"chores": 5, "small_chores": 6}}, "config.yaml", "base.small_chores"),
        ({"base": {"kv_heads": 3}}, "config.yaml", "base.heads"),
        ({"base": {"model": ""}}, "config.yaml", "base.model"),
        ({"grpo": {"micro_batch": 7}}, "config.yaml", "grpo.micro_batch"),
    ],
)
def test_a_wrong_value_gives_one_sentence(given, place, key):
    with pytest.raises(UserError) as caught:
        resolve_config(given)
    message = str(caught.value)
    assert message.startswith(f"{place}: ")
    assert key in message
    assert "\n" not in message and len(message) < 300


def test_the_sentence_names_the_place_that_set_the_key():
    with pytest.raises(UserError, match="^command line: sft.epochs"):
        resolve_config({"sft": {"epochs": 3}}, overrides={"sft": {"epochs": "0"}})
    with pytest.raises(UserError, match="did you mean 'sft.epochs'"):
        resolve_config({"sft": {"epoch": 3}})


def test_provenance_holds_config_versions_hardware_and_time(tmp_path):
    cfg = load_config({"scale": "smoke", "seeds": [3]})
    write_provenance(tmp_path / "sft.provenance.json", cfg, 1.5)
    record = json.loads((tmp_path / "sft.provenance.json").read_text())
    assert record["config"] == json.loads(json.dumps(asdict(cfg)))
    assert (record["seed"], record["wall_seconds"]) == (3, 1.5)
    assert {"python", "torch", "transformers", "trl"} <= record["versions"].keys()
    assert record["hardware"]["cores"] >= 1
    assert [path.name for path in tmp_path.iterdir()] == ["sft.provenance.json"]
