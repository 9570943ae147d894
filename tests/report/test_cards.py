"""Cards: the hub's own readers find the metadata and the results in them, and the trajectories load as a dataset."""

import hashlib
import json
from dataclasses import asdict

import pytest
from huggingface_hub import DatasetCard, ModelCard

from synthetic_results import CONFIG, TASKS, make_config, write_json, write_lines, write_results
from taskreason.durability.provenance import write_provenance
from taskreason.environments.base import Decision
from taskreason.report.cards.croissant import FIELDS, write_croissant
from taskreason.report.cards.write import write_dataset_card, write_model_card


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("cards") / "results" / "laptop")


def make_card(root, stage, policy, tasks):
    record = root / f"training/burger/{stage}.provenance.json"
    write_provenance(record, asdict(CONFIG), 0, 90.0)
    card = root / "models" / "burger" / stage / "README.md"
    card.parent.mkdir(parents=True, exist_ok=True)
    write_model_card(
        card, CONFIG, [root / "episodes" / policy / "burger" / f"{t}.jsonl" for t in tasks]
    )
    return ModelCard.load(card)


def count_successes(root, policy, task):
    lines = (root / "episodes" / policy / "burger" / f"{task}.jsonl").read_text().splitlines()
    return sum(json.loads(line)["success"] for line in lines), len(lines)


def test_a_models_card_carries_its_own_results(root):
    card = make_card(root, "grpo", "sft_grpo", TASKS)
    assert (card.data.library_name, card.data.license) == ("transformers", "mit")
    rates = {
        result.dataset_type: result.metric_value
        for result in card.data.eval_results
        if result.metric_type == "success_rate"
    }
    assert len(rates) == len(TASKS)
    for task in TASKS:
        wins, episodes = count_successes(root, "sft_grpo", task)
        assert rates[f"robotouille-{task}"] == wins / episodes
        assert f"| {episodes} | {wins / episodes:.2f} [" in card.text
    assert "Burger (trained on)" in card.text and "| `grpo.beta` |" in card.text
    assert "| wall time | 1.5 min |" in card.text


def test_the_sft_card_tells_of_sft_alone(root):
    card = make_card(root, "sft", "sft", ["burger"])
    assert "| `sft.learning_rate` |" in card.text and "grpo." not in card.text
    assert card.text.count("(trained on)") == 1 and "Cheese burger" not in card.text


def test_the_base_models_card_needs_no_provenance(root):
    card = root / "models" / "base" / "README.md"
    write_model_card(card, CONFIG, [root / "episodes" / "base" / "-" / f"{t}.jsonl" for t in TASKS])
    text = ModelCard.load(card).text
    assert (
        "Trained from scratch on the environment's curriculum" in text
        and "(trained on)" not in text
    )


def test_weights_of_others_are_not_given_away_under_this_licence(root):
    config = make_config(base={"model": "Qwen/Qwen2.5-1.5B-Instruct"})
    card = root / "models" / "base" / "README.md"
    write_model_card(card, config, [root / "episodes" / "base" / "-" / "burger.jsonl"])
    data = ModelCard.load(card).data
    assert (data.license, data.base_model) == ("other", "Qwen/Qwen2.5-1.5B-Instruct")


def test_trajectories_load_as_a_dataset_with_a_subset_a_task(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import get_dataset_config_names, load_dataset

    for number, task in enumerate(TASKS, start=1):
        rows = [
            {"prompt": f"{task} {n}", "optimal_actions": ["Do nothing"], "t": n}
            for n in range(number)
        ]
        write_lines(tmp_path / f"{task}.jsonl", rows)
        summary = {"task": task, "decisions": number, "accepted": 1, "kitchens_tried": 2}
        write_json(
            tmp_path / f"{task}.summary.json", summary | {"mean_steps": 3.0, "policy": "planner"}
        )
    card = tmp_path / "README.md"
    write_dataset_card(card, CONFIG, [tmp_path / f"{task}.summary.json" for task in TASKS])
    assert DatasetCard.load(card).data.size_categories == ["n<1K"]
    assert get_dataset_config_names(str(tmp_path)) == list(TASKS)
    loaded = load_dataset(str(tmp_path), TASKS[1], split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["prompt"] == [f"{TASKS[1]} 0", f"{TASKS[1]} 1"]


DECISION = {
    "layout_hash": "00aa11bb22cc33dd",
    "prompt": "what is seen",
    "completion": "Thought: so\nAction: Do nothing",
    "action": "Do nothing",
    "optimal_actions": ["Do nothing", "Wait"],
}


def write_trajectories(folder):
    for task in ("burger", "cheese_burger"):
        rows = [DECISION | {"t": t, "optimal_steps_left": 3 - t} for t in range(3)]
        write_lines(folder / f"{task}.jsonl", rows)
    files = sorted(folder.glob("*.jsonl"))
    write_croissant(folder / "croissant.json", CONFIG, files)
    return json.loads((folder / "croissant.json").read_text())


def test_croissant_names_every_file_by_its_checksum_and_every_key_of_a_decision(tmp_path):
    made = write_trajectories(tmp_path)
    for described in made["distribution"]:
        data = (tmp_path / described["contentUrl"]).read_bytes()
        assert described["sha256"] == hashlib.sha256(data).hexdigest()
    assert [records["name"] for records in made["recordSet"]] == ["burger", "cheese_burger"]
    assert FIELDS.keys() == Decision.__dataclass_fields__.keys()
    columns = {f["source"]["extract"]["column"] for f in made["recordSet"][0]["field"]}
    assert columns == FIELDS.keys() and made["license"].endswith("MIT.html")
    model = make_config(expert={"policy": "model", "model": "api:someone"})
    write_croissant(tmp_path / "c.json", model, [tmp_path / "burger.jsonl"])
    told = json.loads((tmp_path / "c.json").read_text())
    assert "license" not in told and "api:someone" in told["description"]


def test_croissants_own_library_validates_and_loads_it(tmp_path):
    croissant = pytest.importorskip("mlcroissant")
    write_trajectories(tmp_path)
    dataset = croissant.Dataset(jsonld=str(tmp_path / "croissant.json"))
    assert not dataset.metadata.issues.errors
    rows = list(dataset.records("cheese_burger"))
    assert [row["cheese_burger/t"] for row in rows] == [0, 1, 2]
    assert rows[0]["cheese_burger/layout_hash"].decode() == DECISION["layout_hash"]
    assert [a.decode() for a in rows[0]["cheese_burger/optimal_actions"]] == ["Do nothing", "Wait"]
