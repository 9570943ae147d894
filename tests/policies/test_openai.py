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
from taskreason.cli.preflight import check_source
from taskreason.config.load import load_config
from taskreason.durability.errors import UserError
from taskreason.durability.provenance import write_provenance
from taskreason.policies.generation import Sampling
from taskreason.policies.openai import EndpointPolicy, hide, read_completion, read_key
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
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
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
    monkeypatch.setattr("taskreason.policies.openai.FIRST_PAUSE_S", 0.01)


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
        pytest.raises(UserError, match=r"did not answer within 0\.5 s \(too slow\)"),
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


def reply_with(content, **message):
    """The body of a chat completion."""
    choice = {"index": 0, "message": {"content": content, **message}, "finish_reason": "stop"}
    return {"id": "1", "choices": [choice]}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            [{"type": "text", "text": "Thought: a\n"}, {"type": "text", "text": "Action: b"}],
            "Thought: a\nAction: b",
        ),
        ([{"type": "thinking", "thinking": "no"}, {"type": "text", "text": "yes"}], "yes"),
        ([{"type": "reasoning", "text": "no"}, {"type": "output_text", "text": "yes"}], "yes"),
        (["a", "b"], "ab"),
        ([{"text": "a"}, {"type": "image_url", "image_url": {}}], "a"),
        ([], ""),
        (None, ""),
        ("", ""),
    ],
)
def test_a_content_in_parts_is_joined_and_what_is_thought_apart_left_out(content, text):
    with serve(
        Server(faults=[lambda h: send(h, 200, reply_with(content, reasoning_content="Action: no"))])
    ) as end:
        assert make_policy(end).complete(["a"]) == [text]


@pytest.mark.parametrize(
    "content",
    [7, 1.5, True, {"text": "a"}, [7], [None], [{"type": "text", "text": {"a": 1}}], [[]]],
)
def test_a_content_of_another_type_is_refused_at_once(content):
    server = Server(faults=[lambda h: send(h, 200, reply_with(content))] * 9)
    with serve(server) as end, pytest.raises(UserError, match="after 1 try .*content is") as caught:
        make_policy(end).complete(["a"])
    assert len(server.requests) == 1 and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["message", "usage", "choices"])
@pytest.mark.parametrize("value", [None, 7, "text", [], [7], {}, {"prompt_tokens": "many"}])
def test_answers_of_any_shape_are_read_or_refused(name, value):
    answer = reply_with("fine")
    (answer["choices"][0] if name == "message" else answer)[name] = value
    server = Server(faults=[lambda h: send(h, 200, answer)] * 9)
    with serve(server) as end:
        try:
            replies = make_policy(replace(end, retries=0)).complete(["a"])
        except UserError as error:
            assert name != "usage" and "after 1 try" in str(error)
        else:
            assert replies == (["fine"] if name == "usage" else [""])


def send_as(kind, text):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    return answer


def send_error(status, error):
    return lambda handler: send(handler, status, {"error": error})


STREAM = b'data: {"choices": [{"delta": {"content": "a"}}]}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize(
    ("fault", "tries", "words"),
    [
        (send_error(200, {"message": "no credits left", "code": 402}), 1, "no credits left"),
        (send_error(200, {"message": "upstream busy", "code": 429}), 3, "upstream busy"),
        (send_error(200, "out of memory"), 3, "out of memory"),
        (lambda h: send(h, 200, {"choices": None}), 3, "choices is None"),
        (
            lambda h: send(h, 200, {"choices": [{"error": {"message": "filtered", "code": 403}}]}),
            1,
            "filtered",
        ),
        (lambda h: send(h, 200, b"[]"), 1, r"the answer is \[\]"),
        (
            send_as("text/html", b"<html><title>Sign in to the network</title></html>"),
            1,
            "Sign in to the network",
        ),
        (send_as("text/event-stream", STREAM), 1, "event-stream"),
        (
            send_error(400, {"message": "max_tokens is not supported, use max_completion_tokens"}),
            1,
            "max_completion_tokens.*change what it names",
        ),
        (
            send_error(400, {"message": "maximum context length is 512 tokens"}),
            1,
            "context length is 512",
        ),
        (send_error(402, {"message": "Insufficient balance"}), 1, "Insufficient balance.*account"),
        (send_error(413, {"message": "Payload too large"}), 1, "Payload too large.*limit"),
        (send_error(422, {"message": "temperature: too low"}), 1, "temperature: too low"),
        (send_as("application/json", b"{'choices': nothing"), 3, "no JSON: {'choices'"),
    ],
)
def test_the_servers_words_are_quoted_and_only_what_can_pass_is_tried_again(fault, tries, words):
    server = Server(faults=[fault] * 9)
    after = "after 1 try" if tries == 1 else f"after {tries} tries"
    with serve(server) as end, pytest.raises(UserError, match=f"{after} .*{words}") as caught:
        make_policy(replace(end, retries=2)).complete(["a"])
    assert len(server.requests) == tries and "\n" not in str(caught.value)


def test_tries_are_those_that_were_made_whichever_way_they_failed():
    """A refusal and an answer without a reply come out of one budget."""
    server = Server(faults=[500, answer_nothing] * 9)
    with serve(server) as end, pytest.raises(UserError, match="after 4 tries"):
        make_policy(replace(end, retries=3)).complete(["a"])
    assert len(server.requests) == 4


def test_short_keys_take_no_letters_out_of_words():
    assert hide("an apple a day", "a") == "an apple a day"
    assert hide("none of the tools, not even none", "none") == "*** of the tools, not even ***"
    assert hide("annotated", "nota") == "annotated"
    assert hide(f"x{KEY}x", KEY) == "x***x"


@pytest.mark.parametrize(
    ("variables", "url", "words"),
    [
        ({"ALL_PROXY": "socks5://localhost:1"}, None, "ALL_PROXY"),
        (
            {"ALL_PROXY": "socks5://localhost:1", "NO_PROXY": "localhost"},
            None,
            "ALL_PROXY, NO_PROXY",
        ),
        ({"https_proxy": "gopher://localhost"}, None, "https_proxy"),
        ({"SSL_CERT_FILE": "/missing.pem"}, None, "SSL_CERT_FILE"),
        ({"SSL_CERT_FILE": __file__}, None, "SSL_CERT_FILE"),
        ({}, "http://localhost:99999/v1", "endpoint.base_url.*99999"),
        ({}, "http://localhost:port/v1", "endpoint.base_url.*port"),
        ({}, "http://[::1/v1", "endpoint.base_url.*no address"),
        ({}, "http:///v1", "names no host"),
        ({}, "http://local host/v1", "endpoint.base_url"),
        ({}, "http://localhost/\x00v1", "endpoint.base_url"),
    ],
)
def test_what_keeps_the_client_from_being_made_is_named_before_any_job(
    variables, url, words, monkeypatch
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    cfg = load_config({"endpoint": {"base_url": url}} if url else {})
    for start in (
        lambda: check_source("expert.model", "api:m", cfg),
        lambda: make_policy(cfg.endpoint),
    ):
        with pytest.raises(UserError, match=words) as caught:
            start()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["k\u00fc", "two\nlines", "\u201ckey\u201d"])
def test_a_key_that_no_header_can_hold_is_refused(key, monkeypatch):
    monkeypatch.setenv(ENDPOINT.key_variable, key)
    with pytest.raises(UserError, match=ENDPOINT.key_variable):
        read_key(ENDPOINT)


def test_the_reply_is_cut_where_the_server_says_so():
    answer = reply_with("Thought: I")
    assert not read_completion(answer).cut
    answer["choices"][0]["finish_reason"] = "length"
    assert read_completion(answer).cut


def test_replies_that_the_server_cut_are_remembered():
    answers = [reply_with("all"), reply_with("half")]
    answers[1]["choices"][0]["finish_reason"] = "length"
    server = Server(faults=[lambda h, a=a: send(h, 200, a) for a in answers])
    with serve(server) as end:
        policy = make_policy(replace(end, concurrency=1))
        policy.complete(["a", "b"])
    assert policy.cut == {"half"}
