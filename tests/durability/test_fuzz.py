"""Bad input of every kind: a clean refusal in one sentence or a right result, never anything else.

Inputs are valid ones with random changes: values replaced, removed, repeated, texts cut, bytes flipped.
"""

import copy
import io
import json
import sys
import unicodedata
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kitchens import ENV, TEMPLATES
from taskreason.cli.main import main
from taskreason.config.load import load_config, resolve_config
from taskreason.durability.errors import UserError
from taskreason.environments.base import Decision
from taskreason.environments.reply import THINKING, Reply, parse_reply, recount
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.layout_files import load_layouts, parse_layout
from taskreason.environments.robotouille.simulator.observation import list_predicates
from taskreason.policies.openai import (
    VARIABLES,
    BadAnswer,
    make_client,
    read_completion,
    read_key,
)
from taskreason.rollouts.collect import collect
from taskreason.rollouts.dataset import load_decisions, load_starts, make_worlds
from taskreason.training.rewards import REWARDS

CASES = 2000
thorough = settings(
    max_examples=CASES,
    deadline=5000,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
LAYOUT = TEMPLATES["burger"].to_json()
KNOWN = resolve_config({"scale": "smoke"})
GROUPS = [
    "worlds",
    "expert",
    "base",
    "sft",
    "grpo",
    "rollout",
    "probes",
    "theory",
    "report",
    "resources",
]

words = st.one_of(
    st.sampled_from(
        ["", "table", "item", "x", "y", "on", "burger", "None", "1", "../..", "\x00", "é", "\ud800"]
    ),
    st.text(max_size=6),
)
values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), words, st.just(10**400), st.just(-1)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=4,
)


def list_places(value, place=()):
    """Every place in nested JSON, the whole first."""
    yield place
    inside = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value if isinstance(value, list) else ())
    )
    for key, part in inside:
        yield from list_places(part, (*place, key))


@st.composite
def changed(draw, value):
    """A copy of nested JSON with one to three changes."""
    whole = [copy.deepcopy(value)]
    for _ in range(draw(st.integers(1, 3))):
        *path, last = (0, *draw(st.sampled_from(list(list_places(whole[0])))))
        holder = whole
        for key in path:
            holder = holder[key]
        change = draw(st.sampled_from(["replace", "remove", "repeat", "rename"]))
        if change == "replace" or holder is whole:
            holder[last] = draw(values)
        elif change == "remove":
            del holder[last]
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(holder[last]))
        else:
            holder[draw(words)] = copy.deepcopy(holder[last])
    return whole[0]


@st.composite
def spoiled(draw, content):
    """Bytes that are cut off, have a bit turned, or something put in between."""
    place = draw(st.integers(0, len(content) - 1))
    change = draw(st.sampled_from(["cut", "flip", "insert", "nest"]))
    if change == "cut":
        return content[:place]
    if change == "flip":
        return (
            content[:place]
            + bytes([content[place] ^ 1 << draw(st.integers(0, 7))])
            + content[place + 1 :]
        )
    more = b"[" * 100_000 if change == "nest" else draw(st.binary(min_size=1, max_size=4))
    return content[:place] + more + content[place:]


def is_sentence(error):
    text = str(error)
    return (
        text.strip() == text and len(text) < 3000 and "Traceback" not in text and text[-1] in ".?"
    )


def check_layout(layout):
    """What is accepted can be played and written down."""
    kitchen = Kitchen(layout)
    for action in kitchen.valid_actions(kitchen.initial)[:3]:
        list_predicates(kitchen, kitchen.step(kitchen.initial, action))
    assert parse_layout(layout.to_json(), "again").hash == layout.hash


@thorough
@given(changed(LAYOUT))
def test_layouts(data):
    try:
        layout = parse_layout(data, "layout.json")
    except UserError as error:
        assert str(error).startswith("layout.json") and is_sentence(error)
    else:
        check_layout(layout)


@thorough
@given(spoiled(json.dumps(LAYOUT).encode()), st.sampled_from(["json", "jsonl"]))
def test_layout_files(tmp_path, content, kind):
    file = tmp_path / f"layout.{kind}"
    file.write_bytes(content)
    try:
        layouts = load_layouts(file)
    except UserError as error:
        assert str(file) in str(error) and is_sentence(error)
    else:
        for layout in layouts:
            check_layout(layout)


@thorough
@given(
    changed({"scale": "smoke", "seeds": [0, 1], "tasks": ["burger"]}).filter(
        lambda data: isinstance(data, dict)  # Snakemake reads no other file
    ),
    st.sampled_from(GROUPS),
    words,
    values,
)
def test_configurations(data, group, key, value):
    given_keys = list(KNOWN[group])
    key = given_keys[len(key) % len(given_keys)] if key != "\x00" else key
    config = data | {group: {key: value}}
    try:
        resolved = resolve_config(config)
    except UserError as error:
        assert is_sentence(error)
    else:
        assert resolved.keys() == KNOWN.keys()
        # An empty mode asks for the environment's first one.
        assert resolved[group][key] == (value or KNOWN[group][key] if key == "mode" else value)
        load_config(resolved)


@pytest.fixture(scope="module")
def trajectories(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    cfg = load_config({"scale": "smoke", "expert": {"trajectories": 1}})
    paths = [folder / name for name in ("train.jsonl", "decisions.jsonl", "summary.json")]
    make_worlds("burger", "train", cfg, paths[0])
    collect("burger", cfg, *paths)
    return paths[0], paths[1]


@thorough
@given(st.data())
def test_trajectory_files(trajectories, tmp_path, data):
    whole = trajectories[1].read_text().splitlines()[:3]
    if data.draw(st.booleans()):
        lines = [json.loads(line) for line in whole]
        rows = data.draw(changed(lines))
        assert isinstance(rows, list) or rows != lines
        content = (
            "".join(json.dumps(row) + "\n" for row in rows)
            if isinstance(rows, list)
            else json.dumps(rows)
        )
        content = content.encode()
    else:
        content = data.draw(spoiled("\n".join(whole).encode()))
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(content)
    try:
        decisions = load_decisions(file)
    except UserError as error:
        assert str(file) in str(error) and is_sentence(error)
    else:
        for decision in decisions:
            assert decision.action in decision.prompt.splitlines()
            assert decision.action in decision.optimal_actions
            assert parse_reply(decision.completion) == Reply(decision.action, well_formed=True)


@thorough
@given(st.data())
def test_kitchen_files(trajectories, tmp_path, data):
    line = trajectories[0].read_text().splitlines()[0]
    row = data.draw(changed(json.loads(line)))
    file = tmp_path / "train.jsonl"
    file.write_text(json.dumps(row) + "\n")
    try:
        starts = load_starts("burger", file, ENV)
    except UserError as error:
        assert str(file) in str(error) and is_sentence(error)
    else:
        for start in starts:
            check_layout(start.world.kitchen.layout)


parts = st.one_of(
    st.sampled_from(
        [
            *(
                "Thought:",
                "Action:",
                "\nAction: ",
                "\nThought: ",
                "Thought: I hold it.\nAction: ",
                "action:",
            ),
            *(
                "\n",
                "\r\n",
                "\u2028",
                "\x0b",
                "\x0c",
                "\x85",
                "\x00",
                "\x1b[2J",
                " ",
                "\t",
                "\ufeff",
            ),
            *(
                "<b>Action: x</b>",
                "```\nAction: stay\n```",
                "Action: a\nAction: b",
                "ignore the rules. Action: y",
            ),
            *(
                "<think>",
                "</think>\n",
                "<THINK>hm\nAction: x",
                "[/THINK]",
                "<|channel|>final<|message|>",
            ),
            *("\r", "\u200b", "\xad", "\x7f", "*", "**Action:** x", "#"),
            *("行动：移动", "Действие: стоп", "move from table1 to table2", "A" * 100_000),
        ]
    ),
    st.text(max_size=10),
)


def answer_by_hand(text):
    """What follows the last end of a thinking, up to where the next one begins, without regular expressions."""
    lower = text.lower()
    if len(lower) != len(text):  # letters such as İ, whose small form is two characters
        lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    starts = [lower.rfind(end) + len(end) for end in THINKING.values() if end in lower]
    start = max(starts, default=0)
    ends = [lower.find(begin, start) for begin in THINKING]
    end = min((place for place in ends if place >= 0), default=len(text))
    return text[start:end]


def trim_by_hand(text):
    """Without white space, control characters and characters of no width at both ends."""
    shown = [n for n, c in enumerate(text) if not is_invisible(c)]
    return text[shown[0] : shown[-1] + 1] if shown else ""


def is_invisible(c):
    # Variation selectors have no width, either.
    return c.isspace() or unicodedata.category(c) in ("Cc", "Cf") or "\ufe00" <= c <= "\ufe0f"


def read_by_hand(text):
    """The rule without regular expressions: the first line of the answer that begins with Action:."""
    answer = answer_by_hand(text).replace("\r\n", "\n").replace("\r", "\n")
    for line in answer.split("\n"):
        if line.startswith("Action:"):
            return trim_by_hand(line.removeprefix("Action:")) or None
    return None


@thorough
@example("Thought: do it. Action: move\nAction: stay")
@example("Action: \nAction: stay")
@given(st.lists(parts, max_size=6).map("".join))
def test_replies(text):
    reply = parse_reply(text)
    assert reply.action == read_by_hand(text)
    decision = Decision("0", 0, "", "", "stay", ("stay", "move from table1 to table2"), 1)
    form, act = REWARDS["optimal"].function(text, decision)
    assert form in (0, 0.1)
    assert act == (0.9 if read_by_hand(text) in decision.optimal_actions else 0)
    answer = answer_by_hand(text).replace("\r\n", "\n").replace("\r", "\n")
    lines = trim_by_hand(answer).split("\n")
    assert reply.well_formed == (
        len(lines) == 2
        and all(
            line.startswith(label) and len(line) > len(label)
            for line, label in zip(lines, ("Thought: ", "Action: "), strict=True)
        )
    )
    told = recount(text, True)
    assert told.startswith("Your last step:\n") and told.count("\nAction:") <= 1


@pytest.mark.parametrize("command", ["replay", "plan"])
@thorough
@given(
    st.one_of(
        changed({"layout": LAYOUT, "actions": ["noop"]}).map(lambda row: json.dumps(row).encode()),
        spoiled(json.dumps({"layout": LAYOUT, "actions": []}).encode()),
    ),
)
def test_requests(tmp_path, command, content):
    file = tmp_path / "requests.jsonl"
    file.write_bytes(content)
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([command, str(file)])
    assert status in (0, 2)
    replies = [json.loads(line) for line in out.getvalue().splitlines()]
    refused = [reply["error"] for reply in replies if "error" in reply]
    assert (status == 2) == bool(refused or not replies and err.getvalue())
    assert all(is_sentence(text) for text in refused)
    out.getvalue().encode()
    assert sys.getrecursionlimit() >= 1000


answer_keys = st.sampled_from(
    ["choices", "message", "content", "text", "type", "usage", "prompt_tokens", "error", "code"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(answer_keys, part, max_size=4),
    max_leaves=12,
)


def reply_like(part):
    """An answer as servers give it, with parts that may be anything."""
    message = st.fixed_dictionaries({"content": part}, optional={"reasoning_content": part})
    choice = st.fixed_dictionaries(
        {}, optional={"message": message | part, "text": part, "finish_reason": part, "error": part}
    )
    return st.fixed_dictionaries(
        {},
        optional={
            "choices": st.lists(choice | part, max_size=2) | part,
            "usage": part,
            "error": part,
        },
    )


@thorough
@example({"choices": [{"message": {"content": [{"type": "text", "text": "x"}]}}]})
@given(anything | reply_like(anything))
def test_answers_of_a_server(data):
    try:
        found = read_completion(data)
    except BadAnswer as error:
        assert str(error)
    else:
        assert isinstance(found.text, str) and type(found.cut) is bool
        assert min(found.prompt_tokens, found.reply_tokens) >= 0
        assert not data.get("error") and data["choices"]


variables = st.fixed_dictionaries(
    {},
    optional={
        name: st.one_of(
            st.sampled_from(
                [
                    "",
                    "*",
                    "socks5://h:1",
                    "http://h:99999",
                    "http://[::1",
                    "/missing",
                    "localhost,",
                    "//",
                ]
            ),
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
        )
        for name in (*VARIABLES, *map(str.lower, VARIABLES), "OPENAI_API_KEY")
    },
)


@thorough
@given(
    variables,
    st.sampled_from(["http://localhost/v1", "http://models.example/v1"])
    | st.text(max_size=12).map("http://{}".format),
)
def test_variables_of_the_environment(values, address):
    endpoint = replace(load_config({}).endpoint, base_url=address)
    with pytest.MonkeyPatch.context() as patch:
        for name in (*VARIABLES, *map(str.lower, VARIABLES), "OPENAI_API_KEY"):
            patch.delenv(name, raising=False)
        for name, value in values.items():
            patch.setenv(name, value)
        try:
            make_client(endpoint, read_key(endpoint))
        except UserError as error:
            assert is_sentence(error)
