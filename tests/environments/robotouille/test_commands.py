"""The commands about kitchens: the JSON-lines contract, refusals in one sentence, and the terminal game."""

import json
import re
import runpy
import subprocess
from pathlib import Path

import pytest

from calls import BURGER, COMMAND, UNREACHABLE, read_lines, write_lines
from kitchens import TEMPLATES, shortest_plan, soup_kitchen
from taskreason.durability.progress import _Pace
from taskreason.environments.robotouille.planner.search import Planner
from taskreason.environments.robotouille.play import describe_held, describe_things, find_actions
from taskreason.environments.robotouille.simulator.engine import Kitchen
from taskreason.environments.robotouille.simulator.layout_files import parse_layout


def test_replay_reports_every_state(call):
    actions = ["Pick up bottombun1 from table1 using robot1", "Fly", "Do nothing"]
    requests = write_lines(
        {"layout": BURGER, "actions": actions}, {"layout": BURGER, "actions": []}
    )
    status, out, err = call("replay", "-", stdin=requests)
    assert (status, err) == (0, "")
    first, second = read_lines(out)
    assert [step["action"] for step in first["steps"]] == [None, *actions]
    assert [step["accepted"] for step in first["steps"]] == [True, True, False, True]
    start, held, unchanged, _ = first["steps"]
    assert second["steps"] == [start]
    assert "Do nothing" in start["valid"] and not start["done"]
    assert "has_item(robot1,bottombun1)" in held["predicates"]
    for key in ("valid", "predicates", "done"):
        assert unchanged[key] == held[key]


def test_a_plan_replays_to_the_goal_at_its_last_step(call):
    status, out, _ = call("plan", "-", stdin=write_lines({"layout": BURGER}, BURGER))
    plans = read_lines(out)
    assert status == 0 and plans[0] == plans[1]
    assert plans[0]["optimal_steps"] == len(plans[0]["plan"]) == 8
    requests = write_lines({"layout": BURGER, "actions": plans[0]["plan"]})
    (replay,) = read_lines(call("replay", "-", stdin=requests)[1])
    assert [step["done"] for step in replay["steps"]] == [False] * 8 + [True]


def test_requests_come_from_files_too(call, tmp_path):
    pretty, lines = tmp_path / "kitchen.json", tmp_path / "kitchens.jsonl"
    pretty.write_text(json.dumps(BURGER, indent=2))
    lines.write_text(write_lines({"layout": BURGER}, {"layout": BURGER}))
    assert len(read_lines(call("plan", str(pretty))[1])) == 1
    assert len(read_lines(call("plan", str(lines))[1])) == 2


@pytest.mark.parametrize(
    "command, line, key",
    [
        ("plan", "{", "JSON"),
        ("plan", "[]", "layout"),
        ("plan", json.dumps({"layout": BURGER | {"items": 3}}), "items"),
        ("plan", json.dumps(BURGER | {"items": BURGER["items"][1:]}), "bottombun"),
        ("plan", json.dumps(UNREACHABLE), "goal"),
        ("replay", json.dumps({"layout": BURGER}), "actions"),
        ("replay", json.dumps({"actions": []}), "layout"),
        ("replay", json.dumps({"layout": BURGER, "actions": [1]}), "actions[0]"),
    ],
)
def test_a_bad_request_is_answered_with_one_sentence(call, command, line, key):
    good = json.dumps({"layout": BURGER, "actions": []})
    status, out, err = call(command, "-", stdin=f"{line}\n\n{good}\n")
    bad, fine = read_lines(out)
    assert status == 2 and "error" not in fine
    assert bad["error"].startswith("stdin:1: ") and key in bad["error"]
    assert bad["error"].endswith(".") and err == f"taskreason: {bad['error']}\n"


def test_unreadable_requests_are_refused(call, tmp_path):
    status, out, err = call("plan", str(tmp_path / "none.jsonl"))
    assert (status, out) == (2, "")
    assert "none.jsonl" in err and err.count("\n") == 1


@pytest.mark.parametrize("mode", ["scattered", "grouped"])
def test_generate_writes_layouts_of_the_benchmarks_format(call, mode):
    argv = ["generate", "--task", "cheese_burger", "--count", "5", "--seed", "7", "--mode", mode]
    status, out, _ = call(*argv)
    layouts = [parse_layout(row, "generated") for row in read_lines(out)]
    assert status == 0 and len({layout.hash for layout in layouts}) == 5
    assert call(*argv)[1] == out
    assert call(*argv[:-2], "--seed", "8", "--count", "4", "--mode", mode)[1] in out


def test_requests_are_answered_one_by_one():
    argv = [*COMMAND, "plan", "-"]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        for _ in range(2):
            process.stdin.write(write_lines({"layout": BURGER}))
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["optimal_steps"] == 8
        process.stdin.close()
        assert process.wait(timeout=10) == 0


def test_explain_tells_a_shortest_plan_with_a_reason_for_every_step(call):
    status, shown, _ = call("explain", "--task", "cheese_burger")
    assert status == 0
    kitchen = Kitchen(TEMPLATES["cheese_burger"])
    actions = re.findall(r"^ *[0-9]+\. (.*)$", shown, re.MULTILINE)
    best = Planner(kitchen).distance(kitchen.initial)
    assert f"{best} steps, none fewer." in shown and len(actions) == best
    *_, (last, accepted) = kitchen.replay(actions)
    assert accepted and kitchen.is_goal(last)
    first, *others = re.split(r"\n\n *[0-9]+\. ", shown)[1:]
    assert [line.split()[0] for line in first.splitlines()[-3:]] == ["Robot", "Carry", "Unstack"]
    assert all("\n     " in step for step in others) and max(map(len, shown.splitlines())) <= 80


def test_play_takes_numbers_texts_hints_and_undo(call):
    moves = [
        *("2", "u", "h", "fly", "99", "u"),
        *("Move robot1 from table1 to table3", "Pick up patty1 from table3 using robot1"),
        *("Move robot1 from table3 to table1", "Stack patty1 on top of bottombun1 using robot1"),
        *("Move robot1 from table1 to table2", "Pick up topbun1 from table2 using robot1"),
        *("Move robot1 from table2 to table1", "Stack topbun1 on top of patty1 using robot1"),
    ]
    status, out, err = call("play", "--task", "burger", stdin="\n".join(moves) + "\n")
    assert (status, err) == (0, "")
    assert "1 step done, at least 8 to go; that makes 9, and 8 would have done." in out
    assert "Hint: 3  Move robot1 from table1 to table3\n" in out
    assert "'fly' is no action that is valid here" in out and "'99' is no action" in out
    assert "There is nothing to undo." in out
    assert out.endswith(
        "Served in 8 steps. The fewest possible are 8: a shortest plan, 100 points of\n"
        "100. Hints: 1.\n"
    )
    assert "\x1b" not in out and max(map(len, out.splitlines())) <= 80


def test_play_scores_detours_and_takes_shortened_words(call):
    words = "m 2, undo, restart, move table3, p patty, m 1, st, m 2, pick topbun, m 3, m 1, s"
    status, out, _ = call("play", "--task", "burger", stdin=words.replace(", ", "\n") + "\n")
    assert status == 0
    assert "Served in 9 steps. The fewest possible are 8: 1 too many, 89 points of 100.\n" in out


@pytest.mark.parametrize(
    ("line", "number"),
    [("3", 1), ("0", 0), ("6", 0), ("u", 1), ("unstack", 1), ("m", 3), ("move 2", 1), ("m t3", 1)]
    + [
        ("Move robot1 from table1 to table4", 1),
        ("do", 1),
        ("wait", 1),
        ("m 1", 0),
        ("from", 0),
        ("³", 0),
    ],
)
def test_which_actions_a_line_means(line, number):
    kitchen = Kitchen(TEMPLATES["cheese_burger"])
    actions = kitchen.valid_actions(kitchen.initial)
    assert len(find_actions(kitchen, actions, line)) == number


def test_play_names_what_was_done_to_things_and_what_goes_on():
    kitchen = soup_kitchen()
    shown = set()
    for state, accepted in kitchen.replay([action.text for action in shortest_plan(kitchen)]):
        assert accepted
        for station in range(len(kitchen.stations)):
            shown |= set(describe_things(kitchen, state, station))
        shown.add(describe_held(kitchen, state))
    assert {"potato1 (cuttable, fryableifcut)", "nothing"} <= shown
    assert {"pot1 (fill 1/4)", "pot1 (water1)", "bowl1 (water1 and potato1)"} <= shown


@pytest.mark.parametrize(
    ("stdin", "done"), [("q\n", "0 steps"), ("", "0 steps"), ("1\n", "1 step")]
)
def test_play_stops_at_q_and_at_the_end_of_the_input(call, tmp_path, stdin, done):
    path = tmp_path / "kitchen.json"
    path.write_text(json.dumps(BURGER))
    status, out, _ = call("play", "--layout", str(path), stdin=stdin)
    assert status == 0 and out.endswith(f"Stopped after {done}.\n")


def test_play_says_when_the_goal_is_out_of_reach(call, tmp_path):
    path = tmp_path / "kitchen.json"
    path.write_text(json.dumps(UNREACHABLE))
    _, out, _ = call("play", "--layout", str(path), stdin="h\n")
    assert "The start; the goal can't be reached from here." in out


def test_play_scores_no_steps_where_the_goal_is_reached_at_once(call, tmp_path):
    layout = TEMPLATES["burger"].to_json()
    layout["goal"] = [{"predicate": "nothing", "args": ["robot"], "ids": [1]}]
    path = tmp_path / "kitchen.json"
    path.write_text(json.dumps(layout))
    status, out, _ = call("play", "--layout", str(path))
    assert status == 0 and out.endswith("Served in 0 steps.\n")


def test_the_recorded_game_is_what_a_terminal_shows():
    root = Path(__file__).resolve().parents[3]
    record = runpy.run_path(str(root / "benchmarks" / "record_play.py"))["record"]
    assert record() == (root / "docs" / "play.txt").read_text()


GOOD = json.dumps(BURGER).encode()
CONTENTS = {
    "plain": GOOD + b"\n",
    "byte order mark": b"\xef\xbb\xbf" + GOOD,
    "wrong bytes": GOOD + b"\n\xff\xfe\n" + GOOD,
    "UTF-16": GOOD.decode().encode("utf-16"),
    "line ends of another system": GOOD + b"\r\n" + GOOD + b"\r\n",
    "separators of other kinds": GOOD.replace(
        b'"version": "1.0.0"', '"version": "\u2028\x85"'.encode()
    ),
    "no line": b"\n\n",
}


@pytest.mark.parametrize("case", CONTENTS)
def test_a_file_and_standard_input_are_read_alike_to_the_byte(tmp_path, case):
    file = tmp_path / "requests.jsonl"
    file.write_bytes(CONTENTS[case])
    command = [*COMMAND, "plan"]
    by_file = subprocess.run([*command, str(file)], capture_output=True)
    by_pipe = subprocess.run([*command, "-"], input=CONTENTS[case], capture_output=True)
    named = by_file.stdout.replace(str(file).encode(), b"stdin")
    assert (named, by_file.returncode) == (by_pipe.stdout, by_pipe.returncode)
    assert b"Traceback" not in by_file.stderr + by_pipe.stderr
    replies = [json.loads(line) for line in by_pipe.stdout.splitlines()]
    refused = [reply["error"] for reply in replies if "error" in reply]
    assert bool(refused) == (case in ("wrong bytes", "UTF-16"))
    assert all("not UTF-8 text" in text or "not valid JSON" in text for text in refused)


def test_a_long_search_says_how_far_it_is_and_ends_when_it_is_told_to(call, tmp_path, monkeypatch):
    """Two dishes at once and an empty hand: of such a goal the planner's bound knows nothing."""
    layout = BURGER | {"width": 9, "height": 9}
    for key in ("stations", "items"):
        more = [row | {"x": row["x"] + 4, "y": row["y"] + 4} for row in BURGER[key]]
        layout[key] = [*BURGER[key], *more]
    layout["items"] = [
        row | {"predicates": ["iscookable"]} if row["name"] == "patty" else row
        for row in layout["items"]
    ]
    layout["stations"] = [*layout["stations"], {"name": "stove", "x": 8, "y": 0}]
    again = [row | {"ids": [key + 10 for key in row["ids"]]} for row in BURGER["goal"]]
    empty = {"predicate": "nothing", "args": ["robot"], "ids": [20]}
    layout["goal"] = [*BURGER["goal"], *again, empty]
    file = tmp_path / "dishes.json"
    file.write_text(json.dumps(layout))
    monkeypatch.setattr(_Pace, "printed", float("-inf"))
    status, out, err = call("plan", str(file), "--seconds", "1.5")
    assert status == 2 and err.count("states searched, a plan takes") == 1
    assert "no plan was found in 1.5 s, but any takes" in json.loads(out)["error"]


@pytest.mark.parametrize("text", ["0", "-1", "nan", "soon"])
def test_a_bound_that_is_no_time_is_refused(call, text, capsys):
    with pytest.raises(SystemExit):
        call("plan", "-", f"--seconds={text}")
    assert "--seconds" in capsys.readouterr().err
