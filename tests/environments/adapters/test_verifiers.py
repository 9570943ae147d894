"""verifiers plays kitchens against a local endpoint that knows the expert's replies in some of them.

verifiers needs an older client of endpoints than this project, so that it has an environment of its own:

    python -m venv venv && venv/bin/pip install torch==2.13.0 . verifiers uv pytest
    PYTHONPATH=tests venv/bin/python -m pytest tests/environments/adapters/test_verifiers.py
"""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from taskreason.environments.adapters.session import Session

vf = pytest.importorskip("verifiers.v1")


def list_replies(seeds):
    """What the expert says, by what it sees."""
    known = {}
    for seed in seeds:
        session = Session("burger", seed)
        while not session.over:
            known[session.observe()] = session.teacher.reply(session.state)
            session.take(known[session.observe()])
    return known


@pytest.fixture
def endpoint():
    """An endpoint that answers as the expert in the worlds of the seeds 1 and 2, and with nonsense elsewhere."""
    known = list_replies((1, 2))

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            seen = asked["messages"][-1]["content"]
            seen = seen if isinstance(seen, str) else seen[0]["text"]
            reply = next((r for text, r in known.items() if seen.endswith(text)), "Action: fly")
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "none"}
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            deltas = [({"role": "assistant", "content": reply}, None), ({}, "stop")]
            lines = [
                chunk
                | {"choices": [{"index": 0, "delta": delta, "finish_reason": end}], "usage": usage}
                for delta, end in deltas
            ]
            data = "".join(f"data: {json.dumps(line)}\n\n" for line in lines) + "data: [DONE]\n\n"
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("content-length", str(len(data.encode())))
            self.end_headers()
            self.wfile.write(data.encode())

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()


def test_episodes_are_scored_as_the_simulator_says(endpoint):
    from taskreason.environments.adapters.verifiers import load_environment

    environment = load_environment("burger", number=3)
    client = vf.EvalClientConfig(base_url=endpoint, api_key_var="NONE")
    context = vf.ModelContext(model="none", client=client, sampling=vf.SamplingConfig())

    async def play():
        async with environment.serving():
            return [await environment.run_episode(task, context) for task in environment.taskset]

    episodes = asyncio.run(play())
    traces = [episode.traces[0] for episode in episodes]
    assert all(episode.ok for episode in episodes)
    assert [trace.rewards["solved"].score for trace in traces] == [1, 1, 0]
    shortest = [Session("burger", seed).tell()["distance"] for seed in (1, 2)]
    assert [trace.metrics["steps"] for trace in traces] == [*shortest, 15]
    assert [trace.metrics["valid"] for trace in traces] == [*shortest, 0]
    told = traces[0].info["steps"]
    assert [step["distance"] for step in told] == list(range(shortest[0], 0, -1))
    assert all(step["optimal_actions"] and step["state_hash"] for step in told)


def test_a_taskset_has_a_world_for_every_seed_with_the_rules():
    from taskreason.environments.adapters.verifiers import load_environment

    tasks = list(load_environment("burger", first_seed=5, number=2).taskset)
    assert [task.data.info["seed"] for task in tasks] == [5, 6]
    assert tasks[0].data.prompt_text.endswith(Session("burger", 5).observe())
    assert "Action:" in tasks[0].data.system_prompt
