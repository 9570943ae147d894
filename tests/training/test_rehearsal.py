"""What trainings rehearse is the same whether it comes from a run's file or is drawn by the training."""

import math
from dataclasses import replace

import pytest

from taskreason.config.load import load_config
from taskreason.durability.errors import UserError
from taskreason.environments import load_environment
from taskreason.training.grpo import draw_prompts, draw_rehearsed
from taskreason.training.rehearsal import count_most, make_rehearsal
from taskreason.training.sft import mix_lessons

CFG = load_config({"sft": {"rehearsal": 0.25}, "grpo": {"rehearsal": 0.2}})
ENV = load_environment("robotouille")
ROWS = [{"prompt": f"prompt {n}", "completion": f"reply {n}"} for n in range(60)]
"""With 20 lessons, for which 15 decisions are drawn."""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    made = tmp_path_factory.mktemp("rehearsal") / "0.jsonl"
    make_rehearsal(CFG.for_seed(0), 16, made)
    return made


@pytest.fixture
def asked(monkeypatch):
    """The numbers of decisions that are drawn."""
    found = []
    draw = type(ENV.rehearsal).draw_decisions

    def note(self, seed, number):
        found.append(number)
        return draw(self, seed, number)

    monkeypatch.setattr(type(ENV.rehearsal), "draw_decisions", note)
    return found


def test_of_more_decisions_the_first_are_the_same():
    assert ENV.rehearsal.draw_decisions(3, 20)[:7] == ENV.rehearsal.draw_decisions(3, 7)


def test_sft_takes_from_a_file_what_it_would_draw(file, asked):
    mixed = mix_lessons(ROWS, CFG, 0, file)
    assert asked == []
    assert mixed == mix_lessons(ROWS, CFG, 0) and asked == [15]
    assert len(mixed) == 80


def test_grpo_takes_from_a_file_what_it_would_draw(file, asked):
    read = draw_rehearsed(CFG.for_seed(0), 40, file)
    assert asked == [] and len(read) == 10
    drawn = draw_rehearsed(CFG.for_seed(0), 40)
    for augment in (False, True):
        cfg = replace(CFG, grpo=replace(CFG.grpo, augment=augment))
        one, other = (list(draw_prompts(pool, [], 30, cfg)) for pool in (read, drawn))
        pairs = [
            [(d.prompt, d.completion, d.action, [*d.optimal_actions]) for d in prompts]
            for prompts in (one, other)
        ]
        assert pairs[0] == pairs[1]


def test_a_training_that_wants_more_than_the_file_holds_draws_them_itself(file, asked):
    assert mix_lessons(ROWS * 2, CFG, 0, file) == mix_lessons(ROWS * 2, CFG, 0)
    assert asked == [30, 30]


def test_a_file_that_is_not_what_was_drawn_is_refused(file, tmp_path):
    other = tmp_path / "0.jsonl"
    text = file.read_text().splitlines()
    other.write_text("\n".join([text[0], text[1].replace("Action: ", "Action: not ")]) + "\n")
    with pytest.raises(UserError, match=r"0\.jsonl:2: the completion does not earn"):
        mix_lessons(ROWS, CFG, 0, other)


@pytest.mark.parametrize("scale", ["laptop", "smoke"])
@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("share", [0.1, 0.33, 0.8])
def test_no_training_of_a_run_wants_more_than_is_drawn(scale, epochs, share):
    """Whatever number of decisions the trajectories hold."""
    cfg = load_config({"scale": scale, "sft": {"rehearsal": share}, "grpo": {"rehearsal": 0.2}})
    cfg = replace(cfg, sft=replace(cfg.sft, epochs=epochs))
    most, longest = count_most(cfg, bound=10), cfg.expert.trajectories * 10
    sampled = cfg.grpo.steps * cfg.grpo.prompts_per_step * cfg.grpo.group_size
    for decisions in {1, 7, longest // 2, longest - 1, longest}:
        passes = math.ceil(sampled * (1 - share) / decisions)
        for rows in (epochs * decisions, passes * decisions):
            lessons = rows / (1 - share) - rows
            assert most >= math.floor(0.75 * lessons)
        assert most >= math.floor(decisions / 4)


def test_nothing_is_drawn_where_nothing_is_rehearsed():
    none = {"sft": {"rehearsal": 0}, "grpo": {"rehearsal": 0}}
    assert count_most(load_config(none), bound=10) == 0
    towers = load_config(none | {"environment": "hanoi"})
    assert count_most(towers, bound=10) == 0
