"""The states of the fixed point: which are chosen, what is trained on them, and what is said of them afterwards."""

import json
from dataclasses import asdict, replace

import pytest
import torch

from kitchens import ENV
from taskreason.config.load import load_config
from taskreason.durability.errors import UserError
from taskreason.environments.base import Decision
from taskreason.environments.reply import format_reply
from taskreason.policies.continuations import Continuations
from taskreason.rollouts.dataset import load_decisions
from taskreason.studies.fixed_point import change_grpo
from taskreason.theory.choice import choose_states, measure_states
from taskreason.theory.fixed_point import list_fixed

CFG = load_config({"scale": "smoke"})


class CertainReader:
    """Names the expert's action with a chance that the prompt says, else nothing."""

    def __init__(self, raised=0.0):
        self.raised = raised

    def read(self, texts):
        return CertainContinuations(self, texts)

    def decode(self, ids):
        return format_reply("so.", "Wait") if ids == [1] else ""


class CertainContinuations(Continuations):
    def __init__(self, reader, texts):
        super().__init__(texts, 1, (), 1.0, 64)
        self.reader = reader

    def _begin(self, numbers, prefixes, group):
        right = [float(self.prompts[number].split()[1]) + self.reader.raised for number in numbers]
        rows = torch.tensor([[1 - p, p] for p in right], dtype=torch.float64)
        return rows.log().repeat_interleave(group, 0)

    def _step(self, tokens):
        raise AssertionError("a reply is one token")

    _keep = _step


def write_decisions(path, chances):
    rows = [
        asdict(
            Decision(
                "k", n, f"State {p}\nWait\n", format_reply("so.", "Wait"), "Wait", ("Wait",), 1
            )
        )
        for n, p in enumerate(chances)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_states_lie_in_the_range_and_else_as_near_as_can_be(tmp_path):
    chances = [0.05, 0.32, 0.5, 0.5, 0.7, 0.96, 0.99, 0.999]
    write_decisions(tmp_path / "trajectories.jsonl", chances)
    cfg = replace(CFG, theory=replace(CFG.theory, states=4))
    choose_states(CertainReader(), tmp_path / "trajectories.jsonl", cfg, tmp_path / "states.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "states.jsonl").read_text().splitlines()]
    # Equal prompts count once.
    assert sorted(row["p_ref"]["point"] for row in rows) == pytest.approx([0.32, 0.5, 0.7, 0.96])
    assert [d.prompt for d in load_decisions(tmp_path / "states.jsonl")] == [
        r["prompt"] for r in rows
    ]
    files = []
    for beta, raised in ((3.0, 0.02), (10.0, 0.01)):
        files.append((beta, tmp_path / f"{beta}.jsonl"))
        measure_states(CertainReader(raised), tmp_path / "states.jsonl", cfg, files[-1][1])
    table = list_fixed(tmp_path / "states.jsonl", files, 8)
    assert (table.p - table.p_ref).to_numpy() == pytest.approx([0.02] * 4 + [0.01] * 4)
    assert table.inside.tolist() == [True, True, True, False] * 2
    assert (table.limit > table.stationary).all() and (table.stationary > table.p_ref).all()
    (tmp_path / "states.jsonl").write_text(json.dumps(rows[0] | {"prompt": "other"}) + "\n")
    with pytest.raises(UserError, match=r"3.0.jsonl: a state is none of those in"):
        list_fixed(tmp_path / "states.jsonl", files, 8)


def test_training_asks_about_all_states_in_every_step():
    changes = change_grpo(CFG, 3.0)
    grpo = replace(CFG.grpo, **changes)
    assert grpo.prompts_per_step == CFG.theory.states and grpo.steps == CFG.theory.steps
    assert (grpo.beta, grpo.reward, grpo.augment, grpo.rehearsal) == (3.0, "binary", False, 0)
    assert ENV.name == CFG.environment
