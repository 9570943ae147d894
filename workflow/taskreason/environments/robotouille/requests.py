"""Requests in JSON lines: the states along given actions, and shortest plans.

Input: a file, or standard input, with a request a line, or one request as pretty JSON; output: a reply a line on
standard output, in the same order and as soon as it is found. A request that means nothing is answered with a sentence
and stops none of the others.
"""

import json
import sys
from collections.abc import Callable, Iterator

from taskreason.durability.errors import UserError

from .planner.search import Planner
from .simulator.engine import Kitchen
from .simulator.layout_files import LayoutError, Reader, parse_json, parse_layout, read_text
from .simulator.observation import list_predicates


def answer_requests(path: str, answer: Callable[[dict, str], dict]) -> int:
    """Print one reply a request; the exit status is 2 where one is refused, which is answered {"error": ...}."""
    status = 0
    for text, source in _read_requests(path):
        try:
            reply = answer(parse_json(text, source), source)
        except UserError as error:
            reply, status = {"error": str(error)}, 2
            print(f"taskreason: {error}", file=sys.stderr)
        print(json.dumps(reply), flush=True)
    return status


def _read_requests(path: str) -> Iterator[tuple[str, str]]:
    """(text, source for messages) of every request."""
    if path.endswith(".json"):
        yield read_text(path, "requests"), path
        return
    # From standard input line by line, so that a request is answered before the next one is written.
    lines = sys.stdin if path == "-" else read_text(path, "requests").splitlines()
    name = "stdin" if path == "-" else path
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield line, f"{name}:{number}"


def replay_request(request: dict, source: str) -> dict:
    """The initial state and the one after each action; an invalid action changes nothing."""
    reader = Reader(request, source, "")
    actions = reader.array("actions")
    for i, text in enumerate(actions):
        if not isinstance(text, str):
            raise reader.fail(f"actions[{i}]", "must be a string")
    kitchen = Kitchen(parse_layout(reader.required("layout"), source, check_goal=False))
    states = [(kitchen.initial, True), *kitchen.replay(actions)]
    return {
        "steps": [
            {
                "action": text,
                "accepted": accepted,
                "valid": [action.text for action in kitchen.valid_actions(state)],
                "predicates": list_predicates(kitchen, state),
                "done": kitchen.is_goal(state),
            }
            for text, (state, accepted) in zip([None, *actions], states, strict=True)
        ]
    }


def plan_request(request: dict, source: str) -> dict:
    """A shortest plan and its length; raises UserError where there is none."""
    wrapped = isinstance(request, dict) and "layout" in request
    layout = parse_layout(request["layout"] if wrapped else request, source)
    plan = Planner(Kitchen(layout)).plan()
    if plan is None:
        raise LayoutError(f"{source}: goal can't be reached from this layout's initial state.")
    return {"optimal_steps": len(plan), "plan": [action.text for action in plan]}
