"""The configuration: layers, defaults, and one sentence for everything that is wrong."""

import json
import re
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml

from taskreason.config.load import (
    PACKAGE,
    SCALES_DIR,
    check_files,
    check_own_tasks,
    load_config,
    read_yaml,
    resolve_config,
)
from taskreason.config.models import make_schema
from taskreason.durability.errors import UserError
from taskreason.durability.provenance import write_provenance
from taskreason.environments import ENVIRONMENTS, load_environment
from taskreason.environments.base import TaskSpec
from taskreason.report.labels import check_labels

SCHEMA = make_schema()
SCALES = sorted(path.stem for path in SCALES_DIR.glob("*.yaml"))
KITCHENS = PACKAGE / "environments" / "robotouille" / "scales"
TOAST = {"layout": "somewhere.json", "timeout": 9, "bound": 6}


class Bare:
    """An environment with two tasks and nothing that is optional."""

    name, tasks, modes = "bare", {n: TaskSpec(n, 4, 3) for n in ("one", "two")}, ("default",)
    default_tasks, rule_policies, probe_sizes, pretraining, rehearsal = (), {}, {}, None, None


@pytest.fixture
def bare(monkeypatch):
    monkeypatch.setitem(sys.modules, "taskreason.environments.bare.environment", Bare)
    monkeypatch.setitem(ENVIRONMENTS, "bare", "taskreason.environments.bare.environment")
    Bare.ENVIRONMENT = Bare


def walk_schema(part, prefix=""):
    for name, child in part.get("properties", {}).items():
        yield f"{prefix}{name}", child
        yield from walk_schema(child, f"{prefix}{name}.")


@pytest.mark.parametrize("key,part", list(walk_schema(SCHEMA)))
def test_every_key_has_description_default_and_bound(key, part):
    assert part["description"].endswith(".") and len(part["description"]) <= 120
    assert "default" in part
    # What is open in the schema is checked against the environment, or is a file's name.
    named = ("start", "mode", "task", "drawn_task", "layout")
    bounds = {
        "integer": {"minimum", "maximum"},
        "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
        "string": {"enum", "pattern", "minLength"},
        "array": {"items"},
        "object": {"additionalProperties"},
        "boolean": {"type"},
    }[part["type"]]
    assert bounds & part.keys() or key.rpartition(".")[2] in named


@pytest.mark.parametrize("scale", SCALES)
def test_scales_load_and_resolving_twice_changes_nothing(scale):
    resolved = resolve_config({"scale": scale})
    assert resolve_config(resolved) == resolved
    assert load_config(resolved).scale == scale


@pytest.mark.parametrize("scale", SCALES)
def test_a_typed_config_that_was_written_as_json_can_be_given_back(scale):
    settings = {"toast": TOAST | {"grpo": {"steps": 3}}, "burger": {"sft": {"epochs": 5}}}
    given = {"scale": scale, "seeds": [4, 2], "sft": {"learning_rate": 1.1e-5}}
    cfg = load_config(given | {"task_settings": settings, "tasks": ["burger", "toast"]})
    assert load_config(json.loads(json.dumps(asdict(cfg)))) == cfg
    assert load_config(json.loads(json.dumps(asdict(cfg.for_task("toast"))))).grpo.steps == 3


def test_later_layers_win():
    default = SCHEMA["properties"]["rollout"]["properties"]["max_new_tokens"]["default"]
    scale_steps = yaml.safe_load((SCALES_DIR / "smoke.yaml").read_text())["grpo"]["steps"]
    given = {"scale": "smoke", "grpo": {"beta": 0.5, "temperature": 0.5}}
    cfg = load_config(resolve_config(given, overrides={"grpo": {"temperature": "0.25"}}))
    assert cfg.rollout.max_new_tokens == default
    assert cfg.grpo.steps == scale_steps
    assert (cfg.grpo.beta, cfg.grpo.temperature) == (0.5, 0.25)


def test_an_environment_sets_values_at_every_scale_and_at_one():
    defaults, smoke = (
        yaml.safe_load((KITCHENS / f"{name}.yaml").read_text()) for name in ("defaults", "smoke")
    )
    assert load_config({"scale": "paper"}).probes == defaults["probes"]
    cfg = load_config({"scale": "smoke", "probes": {"chores": 3}})
    assert cfg.probes == smoke["probes"] | {"chores": 3}
    assert cfg.report.baselines == tuple(defaults["report"]["baselines"])


def test_equal_meaning_gives_equal_bytes():
    one = {"tasks": ["burger", "cheese_sandwich"], "sft": {"epochs": 4.0}, "grpo": {"beta": 0}}
    two = {"grpo": {"beta": 0.0}, "sft": {"epochs": 4}, "tasks": ["cheese_sandwich", "burger"]}
    assert json.dumps(resolve_config(one)) == json.dumps(resolve_config(two))


def test_a_group_whose_keys_are_all_commented_out_is_the_default():
    given = {"sft": None, "base": {"curriculum": None}, "task_settings": None}
    assert resolve_config(given) == resolve_config({})


def test_text_from_the_command_line_is_read_as_numbers():
    given = {"sft": {"learning_rate": "1e-3", "augment": "false"}, "seeds": "[7, 1]"}
    given["task_settings"] = {"toast": TOAST | {"timeout": "12", "sft": {"epochs": "2"}}}
    given["probes"] = {"chores": "5"}
    cfg = load_config(resolve_config({}, given))
    assert (cfg.sft.learning_rate, cfg.sft.augment, cfg.seeds) == (1e-3, False, (7, 1))
    assert cfg.seed == 7 and cfg.for_seed(1).seed == 1
    assert (cfg.timeout_of("toast"), cfg.for_task("toast").sft.epochs) == (12, 2)
    assert cfg.probes["chores"] == 5


def test_the_tasks_are_the_environments_choice_unless_they_are_named():
    env = load_environment("robotouille")
    assert load_config({}).tasks == tuple(env.default_tasks)
    # One line is enough: what a scale draws or varies goes to one of them.
    cfg = load_config({"tasks": ["lettuce_tomato_sandwich", "lettuce_sandwich"]})
    assert cfg.tasks == ("lettuce_sandwich", "lettuce_tomato_sandwich")
    assert cfg.sweep.task == cfg.ablation.task == cfg.report.drawn_task == "lettuce_sandwich"


def test_a_task_of_ones_own_comes_behind_those_of_the_environment():
    settings = {"toast": TOAST, "burger": {"timeout": 20}}
    cfg = load_config({"tasks": ["toast", "burger"], "task_settings": settings})
    assert cfg.tasks == ("burger", "toast")
    toast, burger = cfg.task("toast"), cfg.task("burger")
    assert (toast.file, toast.timeout, toast.bound) == ("somewhere.json", 9, 6)
    assert burger == replace(cfg.env.tasks["burger"], timeout=20)
    assert (cfg.timeout_of("burger"), cfg.bound_of("toast")) == (20, 6)


def test_a_task_is_trained_by_its_own_settings_and_the_others_by_theirs():
    own = {"sft": {"epochs": 7}, "grpo": {"beta": 0}}
    cfg = load_config({"sft": {"epochs": 4}, "task_settings": {"burger": own}})
    burger = cfg.for_task("burger")
    assert (burger.sft.epochs, burger.grpo.beta) == (7, 0.0)
    assert replace(burger, sft=cfg.sft, grpo=cfg.grpo) == cfg
    assert cfg.for_task("cheese_burger") == cfg and cfg.sft.epochs == 4


def test_the_lettuce_tasks_learn_faster_on_the_laptop_and_as_all_do_at_the_published_scale():
    laptop, paper = load_config({}), load_config({"scale": "paper"})
    assert laptop.for_task("lettuce_sandwich").sft.learning_rate == 10 * laptop.sft.learning_rate
    assert laptop.for_task("burger") == laptop
    assert paper.for_task("lettuce_sandwich") == paper


def test_what_is_needed_is_imported_and_nothing_heavy():
    code = "import sys, taskreason.config.load as load; load.load_config({}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "pydantic" in loaded
    assert not loaded & {"torch", "trl", "transformers", "datasets", "pandas", "matplotlib"}


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
        ({"worlds": {"evaluation": 0}}, "config.yaml", "worlds.evaluation"),
        ({"worlds": {"train_seed": 5, "eval_seed": 5}}, "config.yaml", "worlds.eval_seed"),
        ({"worlds": {"validation_seed": 1}}, "config.yaml", "worlds.validation_seed"),
        ({"worlds": {"mode": "tidy"}}, "config.yaml", "worlds.mode names 'tidy'"),
        ({"environment": "moon"}, "config.yaml", "environment"),
        ({"expert": {"trajectories": 500}}, "config.yaml", "expert.trajectories"),
        ({"seeds": []}, "config.yaml", "seeds"),
        ({"tasks": "burger"}, "config.yaml", "tasks"),
        ({"tasks": ["soup"]}, "config.yaml", "tasks names 'soup'"),
        ({"tasks": ["cheese_burgr"]}, "config.yaml", "did you mean 'cheese_burger'?"),
        ({"tasks": ["burger", "burger"]}, "config.yaml", "tasks lists 'burger' more than once"),
        (
            {"tasks": ["cheese_burger"], "report": {"drawn_task": "burger"}},
            "config.yaml",
            "report.drawn_task",
        ),
        ({"sweep": {"task": "lettuce_sandwich"}}, "config.yaml", "sweep.task"),
        ({"ablation": {"task": "soup"}}, "config.yaml", "ablation.task"),
        ({"report": {"baselines": ["greed"]}}, "config.yaml", "did you mean 'greedy'?"),
        (
            {"task_settings": {"burger": {"timeout": 5}}},
            "config.yaml",
            "burger.timeout is 5, below",
        ),
        ({"task_settings": {"soup": {"timeout": 5}}}, "config.yaml", "task_settings.soup"),
        (
            {"task_settings": {"burger": {"sft": {"epoch": 5}}}},
            "config.yaml",
            "did you mean 'task_settings.burger.sft.epochs'?",
        ),
        (
            {"task_settings": {"burger": {"grpo": {"beta": -1}}}},
            "config.yaml",
            "task_settings.burger.grpo.beta is -1",
        ),
        (
            {"task_settings": {"burger": {"grpo": {"micro_batch": 7}}}},
            "config.yaml",
            "task_settings.burger.grpo.micro_batch",
        ),
        ({"task_settings": {"burger": {"sft": 4}}}, "config.yaml", "task_settings.burger.sft"),
        ({"base": {"head_dim": 15}}, "config.yaml", "base.head_dim"),
        (
            {"base": {"curriculum": {"chores": 5, "small_chores": 6}}},
            "config.yaml",
            "base.curriculum",
        ),
        ({"base": {"curriculum": {"chore": 5}}}, "config.yaml", "did you mean 'chores'?"),
        ({"base": {"curriculum": 5}}, "config.yaml", "base.curriculum"),
        ({"probes": {"readings": 0}}, "config.yaml", "probes.readings"),
        ({"probes": {"reading": 5}}, "config.yaml", "did you mean 'readings'?"),
        ({"base": {"kv_heads": 3}}, "config.yaml", "base.heads"),
        ({"base": {"model": ""}}, "config.yaml", "base.model"),
        ({"base": {"model": "\ud800"}}, "config.yaml", "no Unicode"),
        ({"endpoint": {"base_url": "localhost"}}, "config.yaml", "endpoint.base_url"),
        ({"grpo": {"micro_batch": 7}}, "config.yaml", "grpo.micro_batch"),
    ],
)
def test_a_wrong_value_gives_one_sentence(given, place, key):
    with pytest.raises(UserError) as caught:
        resolve_config(given)
    message = str(caught.value)
    assert message.startswith(f"{place}: ")
    assert key in message
    # The longest name all ten tasks of an environment.
    assert "\n" not in message and len(message) < 330


def test_the_sentence_names_the_place_that_set_the_key():
    with pytest.raises(UserError, match="^command line: sft.epochs"):
        resolve_config({"sft": {"epochs": 3}}, overrides={"sft": {"epochs": "0"}})
    with pytest.raises(UserError, match="did you mean 'sft.epochs'"):
        resolve_config({"sft": {"epoch": 3}})


@pytest.mark.parametrize(
    "name,changes,words",
    [
        ("burger", {}, "burger can't be the name of a task of one's own"),
        ("base", {}, "base can't be the name"),
        ("Cheese Toast", {}, "Cheese Toast can't be the name"),
        ("a/b", {}, "a/b can't be the name"),
        ("a\nb", {}, "can't be the name"),
        ("x" * 41, {}, "can't be the name"),
        (3, {}, "3 can't be the name"),
        ("toast", {"timeout": 5}, "toast.timeout is 5, below task_settings.toast.bound (6)"),
        ("toast", {"timeout": 0}, "toast has no timeout; give it layout, timeout, bound"),
        ("toast", {"bound": 0}, "toast has no bound; give it"),
        ("toast", {"layout": ""}, "toast has no layout and is no task of robotouille"),
        ("toast", {"boundary": 5}, "did you mean 'task_settings.toast.bound'?"),
    ],
)
def test_a_task_of_ones_own_that_can_not_be_is_refused(name, changes, words):
    with pytest.raises(UserError) as caught:
        resolve_config({"task_settings": {name: TOAST | changes}})
    message = str(caught.value)
    assert message.startswith("config.yaml: ") and "task_settings." in message
    assert words in message and "\n" not in message


def test_what_the_environment_says_of_a_task_names_it(bare, monkeypatch):
    def refuse(task, mode):
        raise UserError(f"{task.file}: the goal can't be reached in mode {mode}; change it.")

    monkeypatch.setattr(Bare, "check_task", refuse, raising=False)
    check_own_tasks(load_config({"environment": "bare"}))
    cfg = load_config({"environment": "bare", "task_settings": {"toast": TOAST}})
    with pytest.raises(UserError, match="^task_settings.toast: somewhere.json: .* mode default"):
        check_own_tasks(cfg)


@pytest.mark.parametrize(
    "given,words",
    [
        ({"sft": {"rehearsal": 0.1}}, "sft.rehearsal is above 0, but bare has nothing to rehearse"),
        ({"sweep": {"grpo_rehearsal": [0.1]}}, "sweep.grpo_rehearsal is above 0"),
        (
            {"task_settings": {"one": {"grpo": {"rehearsal": 0.2}}}},
            "task_settings.one.grpo.rehears",
        ),
        ({"base": {"rebuild": True}}, "base.rebuild is true, but bare has no curriculum"),
        ({"base": {"curriculum": {"chores": 1}}}, "base.curriculum names 'chores'"),
        ({"probes": {"questions": 1}}, "probes names 'questions'"),
        ({"report": {"baselines": ["greedy"]}}, "report.baselines names 'greedy'"),
        ({"worlds": {"mode": "mixed"}}, "worlds.mode names 'mixed'"),
        ({"tasks": ["burger"]}, "tasks names 'burger'"),
    ],
)
def test_what_an_environment_lacks_is_refused(bare, given, words):
    with pytest.raises(UserError, match=f"^config.yaml: {re.escape(words)}"):
        resolve_config(given | {"environment": "bare", "scale": "laptop"})


def test_an_environment_that_has_the_least_runs_at_every_scale(bare):
    for scale in SCALES:
        cfg = load_config({"environment": "bare", "scale": scale})
        assert (cfg.tasks, cfg.mode, cfg.probes) == (("one", "two"), "default", {})
        assert cfg.report.drawn_task == cfg.sweep.task == "one"
        assert cfg.report.baselines == ("random", "sft_longer", "grpo")


def test_a_curriculum_without_an_example_is_refused_where_the_base_model_is_rebuilt():
    empty = {"curriculum": {"drills": 0, "small_chores": 0, "chores": 0, "starts": 0}}
    with pytest.raises(UserError, match="^config.yaml: base.curriculum counts no example"):
        resolve_config({"base": empty | {"rebuild": True}})


@pytest.mark.parametrize("text,words", [("- 1", "holds no keys"), ("sft: {", "is not valid YAML")])
def test_a_scale_file_that_holds_no_keys_is_named(tmp_path, monkeypatch, text, words):
    (tmp_path / "mine.yaml").write_text(text)
    monkeypatch.setattr("taskreason.config.load.SCALES_DIR", tmp_path)
    monkeypatch.setattr("taskreason.config.load.PACKAGE", tmp_path / "taskreason")
    with pytest.raises(UserError, match=f"^mine.yaml {words}"):
        resolve_config({"scale": "mine"})


def test_a_wrong_value_in_a_scale_file_names_the_file(tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text("sft: {epochs: 0}")
    monkeypatch.setattr("taskreason.config.load.SCALES_DIR", tmp_path)
    monkeypatch.setattr("taskreason.config.load.PACKAGE", tmp_path / "taskreason")
    with pytest.raises(UserError, match="^mine.yaml: sft.epochs is 0; set it to 1 or more"):
        resolve_config({"scale": "mine"})


def test_config_yaml_shows_the_values_of_the_laptop_scale():
    """Its commented lines are keys that exist with the values that they have, but for the alternatives it offers."""
    lines = (Path(__file__).parents[2] / "config.yaml").read_text().splitlines()
    text = [line.removeprefix("# ") for line in lines[4:] if "lettuce" not in line]
    given = yaml.safe_load("\n".join(line for line in text if "toast" not in line))
    assert resolve_config(given) | {"task_settings": {}} == resolve_config({}) | {
        "task_settings": {}
    }


def test_provenance_holds_config_versions_hardware_and_time(tmp_path):
    cfg = load_config({"scale": "smoke", "seeds": [3]})
    write_provenance(tmp_path / "sft.provenance.json", asdict(cfg), 3, 1.5)
    record = json.loads((tmp_path / "sft.provenance.json").read_text())
    assert record["config"] == json.loads(json.dumps(asdict(cfg)))
    assert (record["seed"], record["wall_seconds"]) == (3, 1.5)
    assert {"python", "torch", "transformers", "trl"} <= record["versions"].keys()
    assert record["hardware"]["cores"] >= 1
    assert [path.name for path in tmp_path.iterdir()] == ["sft.provenance.json"]


MISLEADING = ["010", "1:30", "1_000", "0x1F", "0b11", "-017", "+1:30:00", "0_1", "1_0.5", "1:30.5"]


@pytest.mark.parametrize("text", MISLEADING)
def test_numbers_that_yaml_reads_its_own_way_are_refused_wherever_they_stand(tmp_path, text):
    """PyYAML reads YAML 1.1: 010 is 8 and 1:30 is 90."""
    file = tmp_path / "mine.yaml"
    file.write_text(f"seeds: [0]\nsft: {{epochs: {text}}}\n")
    with pytest.raises(UserError, match=r"mine.yaml:2: YAML reads .* as .*; write .* plain digits"):
        check_files([file])
    for given in ({"sft": {"epochs": text}}, {"task_settings": {"burger": {"timeout": text}}}):
        with pytest.raises(UserError, match="command line: YAML reads"):
            resolve_config(given, given)


@pytest.mark.parametrize(
    "text",
    ["0", "10", "-1", "1.5", ".5", "1e-3", "1.0e-3", "'010'", '"1:30"', "0.10", "00:aa", "a_1"],
)
def test_plain_numbers_and_quoted_text_are_not(tmp_path, text):
    file = tmp_path / "mine.yaml"
    file.write_text(f"value: {text}\n")
    check_files([file])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("# größer\nseeds: [0]".encode("latin-1"), r"mine.yaml is not UTF-8 text \(byte 4\)"),
        (b"\xff\xfes\x00e\x00", "mine.yaml is not UTF-8 text"),
        (b"seeds: [0", "mine.yaml is not valid YAML"),
        (b"a: " + b"[" * 5000, "mine.yaml is not valid YAML"),
        (b"a: 2020-99-99", "mine.yaml is not valid YAML"),
        (b"a: \x00", "mine.yaml is not valid YAML"),
        (None, "mine.yaml can't be read"),
    ],
)
def test_a_file_of_the_configuration_that_cannot_be_read_is_named(tmp_path, content, words):
    file = tmp_path / "mine.yaml"
    file.mkdir() if content is None else file.write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        check_files([file])
    assert "\n" not in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_a_configuration(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_bytes(b"\xef\xbb\xbfseeds: [3]\n")
    check_files([file])
    assert read_yaml(file, "mine.yaml") == {"seeds": [3]}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["one/large", "two/large"], "one/large and two/large would both be called base:large"),
        (["org/Model", "folder/model/"], "would both be called base:model"),
        (["api:gpt/x", "org/x"], "would both be called base:x"),
        (["my models/large one"], "can't name files"),
        (["folder/a{b}"], "can't name files"),
    ],
)
def test_two_models_of_one_name_are_refused(names, words):
    with pytest.raises(UserError, match=words):
        check_labels(load_config({"base": {"compare": names}}))


def test_models_that_have_names_of_their_own_are_not():
    names = [
        "bundled:base_models/tiny",
        "bundled:base_models/small",
        "Qwen/Qwen2.5-14B-Instruct",
        "api:o",
    ]
    check_labels(load_config({"base": {"compare": names}}))


def test_the_confirmation_plays_worlds_of_its_own():
    """Its settings are the default's, but for trainings, worlds and who plays; seeds of worlds meet no other's."""
    name = "config/confirmation.yaml"
    given = read_yaml(PACKAGE.parents[1] / name, name)
    confirmed, default = load_config(resolve_config(given)), load_config(resolve_config({}))
    own = ("seeds", "worlds", "rollout", "base", "report")
    taken = asdict(confirmed) | {key: getattr(default, key) for key in own}
    assert taken == asdict(default) | {key: getattr(default, key) for key in own}
    assert len(confirmed.seeds) == 3 and confirmed.worlds.evaluation == 400

    def drawn(worlds, *splits):
        """Seeds in use, with as many again for worlds that are drawn once more."""
        for name, number in splits:
            yield from range(getattr(worlds, name), getattr(worlds, name) + 2 * number)

    worlds = default.worlds
    others = [("train_seed", worlds.training), ("validation_seed", worlds.validation)]
    others += [("eval_seed", worlds.evaluation), ("splits_seed", worlds.splits)]
    regimes = range(default.regimes.eval_seed, default.regimes.eval_seed + 200)
    own = set(drawn(confirmed.worlds, ("eval_seed", confirmed.worlds.evaluation)))
    assert own.isdisjoint({*drawn(worlds, *others), *regimes})
