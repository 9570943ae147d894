"""Models behind a server: a local one that answers, stumbles, or fails; none of it is the real network."""

import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chat_models import CHAT
from kitchens import ENV, make_world, read_jsonl
from taskreason.config.load import load_config
from taskreason.durability.errors import UserError
from taskreason.durability.provenance import write_provenance
from taskreason.policies.generation import Sampling
from taskreason.policies.openai import EndpointPolicy, read_key
from taskreason.policies.prompt import PLAIN
from taskreason.rollouts.episode import Start, rollout_to_file

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-secret-0123456789"
ENDPOINT = load_config({}).endpoint


class Server:
    """Answers each prompt with itself; ``faults`` are used up first: a status, or a function of the handler."""

    def __init__(self, faults=(), answer=None, delay=0.0):
        self.faults, self.answer, self.delay = list(faults), answer or (lambda text: text), delay
        self.requests, self.headers = [], []
        self.under_way = self.most = 0
        self.lock = threading.Lock()

    def reply(self, handler):
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self.lock:
            self.requests.append((handler.path, body))
            self.headers.append({name.lower(): text for name, text in handler.headers.items()})
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            fault = self.faults.pop(0) if self.faults else None
        try:
            if self.delay:
                threading.Event().wait(self.delay)
            if callable(fault):
                fault(handler)
            elif fault:
                send(handler, fault, {"error": {"message": f"no, {KEY}"}})
            else:
                send(handler, 200, self.make_answer(handler.path, body))
        finally:
            with self.lock:
                self.under_way -= 1

    def make_answer(self, path, body):
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
        if path.endswith("/chat/completions"):
            text = self.answer(body["messages"][-1]["content"])
            choice = {"index": 0, "message": {"role": "assistant", "content": text}}
        else:
            choice = {"index": 0, "text": self.answer(body["prompt"])}
        choice["finish_reason"] = "stop"
        return {"id": "1", "object": "x", "created": 0, "model": "m", "usage": usage} | {
            "choices": [choice]
        }


def send(handler, status, answer):
    data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(data)))
    handler.send_header("retry-after-ms", "10")
    handler.end_headers()
    handler.wfile.write(data)


def hang_up(handler):
    """Promise more than is sent, then close."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices"')
    handler.close_connection = True


def trickle(handler):
    """A byte now and then, for as long as somebody listens."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.close_connection = True
    with suppress(OSError):
        for _ in range(1000):
            handler.wfile.write(b" ")
            threading.Event().wait(0.05)


def reset(handler):
    """Cut the connection off without a word."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


@contextmanager
def serve(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            server.reply(self)

        def log_message(self, *args):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield replace(ENDPOINT, base_url=f"http://127.0.0.1:{http.server_port}/v1", timeout=5)
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def make_policy(endpoint, prompt=CHAT, temperature=0.0):
    return EndpointPolicy("m", endpoint, Sampling(50, temperature), prompt)


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv(ENDPOINT.key_variable, KEY)


def test_replies_come_in_the_order_of_the_texts_however_they_are_sent():
    server = Server(answer=lambda text: text[-1], delay=0.01)
    with serve(server) as endpoint:
        policy = make_policy(replace(endpoint, concurrency=4))
        assert policy.complete([str(n) for n in range(10)]) == [str(n) for n in range(10)]
    assert 1 < server.most <= 4
    assert vars(policy.usage) == {"requests": 10, "prompt_tokens": 70, "reply_tokens": 30}
    assert all(headers["authorization"] == f"Bearer {KEY}" for headers in server.headers)


def test_chat_prompts_are_sent_as_messages_and_plain_ones_as_text():
    server = Server()
    with serve(server) as endpoint:
        make_policy(endpoint).complete(["a kitchen"])
        make_policy(endpoint, PLAIN, 0.5).complete(["a kitchen"])
    (chat_path, chat), (plain_path, plain) = server.requests
    assert chat_path == "/v1/chat/completions" and chat["messages"] == CHAT.list_messages(
        "a kitchen"
    )
    assert (chat["model"], chat["max_tokens"], chat["temperature"]) == ("m", 50, 0.0)
    assert plain_path == "/v1/completions" and plain["prompt"] == "a kitchen"
    assert plain["temperature"] == 0.5


def test_greedy_replies_are_asked_for_once_and_sampled_ones_every_time():
    server = Server()
    with serve(server) as endpoint:
        greedy, sampled = make_policy(endpoint), make_policy(endpoint, temperature=1.0)
        greedy.complete(["a", "a"])
        sampled.complete(["a", "a"])
    assert len(server.requests) == 3


def garble(handler):
    send(handler, 200, b"{'choices': nothing")


def answer_nothing(handler):
    send(handler, 200, {"id": "1", "choices": []})


@pytest.mark.parametrize("fault", [429, 500, 503, hang_up, reset, garble, answer_nothing])
def test_a_stumbling_server_is_asked_again(fault):
    server = Server(faults=[fault, fault], answer=lambda text: "fine")
    with serve(server) as endpoint:
        assert make_policy(endpoint).complete(["a"]) == ["fine"]
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("fault", "tries", "fix"),
    [
        (401, 1, "to a valid key"),
        (404, 1, "correct endpoint.base_url or the model's name"),
        (429, 3, "lower endpoint.concurrency"),
        (500, 3, "run again"),
        (garble, 3, "run again"),
    ],
)
def test_a_server_that_gives_up_ends_the_run_in_one_sentence_without_the_key(fault, tries, fix):
    server = Server(faults=[fault] * 10)
    with serve(server) as endpoint, pytest.raises(UserError) as caught:
        make_policy(replace(endpoint, retries=2)).complete(["a"])
    message = str(caught.value)
    assert len(server.requests) == tries
    assert fix in message and endpoint.base_url in message and "what is finished is kept" in message
    assert KEY not in message and "\n" not in message


def test_a_server_that_is_not_there_is_named():
    with serve(Server()) as endpoint:
        pass
    with pytest.raises(UserError, match="start the server or correct endpoint.base_url"):
        make_policy(replace(endpoint, retries=1)).complete(["a"])


def test_a_slow_server_is_given_up_after_the_timeout():
    server = Server(delay=2)
    with serve(server) as endpoint, pytest.raises(UserError, match="did not answer"):
        make_policy(replace(endpoint, retries=1, timeout=0.2)).complete(["a"])
    assert len(server.requests) == 2


def test_an_answer_that_trickles_is_given_up_too():
    start = time.monotonic()
    with (
        serve(Server(faults=[trickle])) as endpoint,
        pytest.raises(UserError, match=r"did not answer after 1 tries \(too slow\)"),
    ):
        make_policy(replace(endpoint, retries=0, timeout=0.5)).complete(["a"])
    assert time.monotonic() - start < 10


def test_a_rollout_whose_server_fails_keeps_its_episodes_and_doubles_none(tmp_path):
    """Each episode waits until its timeout; the server dies when some are through."""
    starts = [Start(make_world(task, 0), task, None) for task in ENV.default_tasks]
    path = tmp_path / "episodes.jsonl"
    wait = "Thought: hm.\nAction: Do nothing"
    broken = Server(answer=lambda text: wait)
    broken.faults = [None] * 5 + [500] * 10
    with serve(broken) as endpoint, pytest.raises(UserError, match="what is finished is kept"):
        policy = make_policy(replace(endpoint, retries=1), temperature=1.0)
        rollout_to_file(policy, starts, 2, 1, path)
    kept = (tmp_path / "episodes.jsonl.partial").read_text()
    assert kept.count("\n") == 2 and not path.exists()
    whole = Server(answer=lambda text: wait)
    with serve(whole) as endpoint:
        rollout_to_file(make_policy(endpoint, temperature=1.0), starts, 2, 1, path)
    hashes = [row["layout_hash"] for row in read_jsonl(path)]
    assert hashes == [start.world.id for start in starts]
    assert len(whole.requests) == 2 * 2


def test_a_remote_server_needs_a_key_and_a_local_one_does_not(monkeypatch):
    monkeypatch.delenv(ENDPOINT.key_variable)
    assert read_key(ENDPOINT)
    with pytest.raises(UserError, match=ENDPOINT.key_variable):
        read_key(replace(ENDPOINT, base_url="https://models.example.org/v1"))


@pytest.mark.parametrize("fault", [None, 401])
def test_the_key_is_written_nowhere(tmp_path, fault):
    """Not even where the server repeats it: not in logs, records, provenance or what was collected so far."""
    server = Server(faults=[fault] * 100, answer=lambda text: "Thought: hm.\nAction: Do nothing")
    with serve(server) as endpoint:
        command = [sys.executable, "-m", "snakemake", "results/smoke/trajectories/burger.jsonl"]
        command += ["-s", str(ROOT / "Snakefile"), "--cores", "1", "--config", "scale=smoke"]
        command += ["expert={policy: model, model: 'api:m', attempts: 1, trajectories: 2}"]
        command += ["worlds={training: 4}"]
        command += [f"endpoint={{base_url: '{endpoint.base_url}', retries: 0}}"]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, env=dict(os.environ)
        )
    assert server.requests and server.headers[0]["authorization"] == f"Bearer {KEY}"
    log = (tmp_path / "results/smoke/logs/collect/burger.log").read_text()
    assert done.returncode != 0 and ("to a valid key" if fault else "raise worlds") in log
    cfg = load_config({})
    write_provenance(tmp_path / "provenance.json", asdict(cfg), cfg.seed, 1.0)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 5
    for content in (done.stdout.encode(), done.stderr.encode(), *map(Path.read_bytes, written)):
        assert KEY.encode() not in content
