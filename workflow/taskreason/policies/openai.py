"""A model behind an OpenAI-compatible server as a policy: a served vLLM, llama.cpp, or a hosted API.

Some requests are under way at once; one that may pass later (refused for now, timed out, failed on the server's side,
answered with what is no answer) is tried again after a pause that grows, by the ``openai`` package's back-off, which
heeds Retry-After. When the tries are used up, or at once where no further try can help, the run ends with one sentence
that quotes the server; what has been finished before is kept and taken up again. The key is read from the environment
and goes nowhere but into the request.
"""

import asyncio
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import openai

from taskreason.config.groups import Endpoint
from taskreason.durability.errors import UserError, quote
from taskreason.durability.progress import LONG, Progress
from taskreason.policies.generation import GeneratingPolicy, Sampling
from taskreason.policies.prompt import PLAIN, PromptFormat

LONGEST_PAUSE_S = 60
"""The ``openai`` package waits no longer than this before it tries again, whatever a server asks for."""
FIRST_PAUSE_S, LONGER_PAUSE_S = 0.5, 8
"""Before an answer without a reply is asked for again: the first pause, which doubles, up to the longest."""
TRIED_AGAIN = (408, 409, 429)
"""Refusals that may pass, as the ``openai`` package sees it; others of 400 to 499 never do."""
VARIABLES = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Of the environment, by which the client finds its way, in capital or small letters."""
TEXT_PARTS = (None, "text", "output_text")
"""Types of the parts of a content that the answer consists of; others hold thinking, or what is no text."""
QUOTED = 300
"""Characters that a message quotes of a server, at most."""
SHORTEST_SECRET = 8
"""Characters of a key that is kept out of messages wherever it stands; a shorter one only as a word of its own."""


class BadAnswer(Exception):
    """The server answered, but with no reply. hopeless: the same request would be answered the same way."""

    def __init__(self, reason: str, hopeless: bool = False):
        super().__init__(reason)
        self.hopeless = hopeless


@dataclass(frozen=True)
class Completion:
    """One reply as a server delivers it; cut: it ended at the limit of tokens."""

    text: str
    cut: bool
    prompt_tokens: int
    reply_tokens: int


class EndpointPolicy(GeneratingPolicy):
    """Replies of the model ``model`` of a server: chat completions for chat prompts, else plain completions."""

    def __init__(
        self, model: str, endpoint: Endpoint, sampling: Sampling, prompt: PromptFormat = PLAIN
    ):
        super().__init__(f"api:{model}", sampling, prompt)
        self.model, self.endpoint = model, endpoint
        self._key = read_key(endpoint)
        make_client(endpoint, self._key)

    def sample(self, texts: list[str], number: int) -> list[list[str]]:
        """``number`` replies to each text, asked for one by one; UserError when the server gives up on one."""
        replies = asyncio.run(self._ask_all([text for text in texts for _ in range(number)]))
        return [replies[n : n + number] for n in range(0, len(replies), number)]

    async def _ask_all(self, texts: list[str]) -> list[str]:
        places = asyncio.Semaphore(self.endpoint.concurrency)
        progress, answered = Progress(self.name, len(texts), "replies", LONG), count(1)
        retries, timeout = self.endpoint.retries, self.endpoint.timeout
        # The client's timeout is for each part of an answer; one that trickles would never end by it.
        longest = (retries + 1) * timeout + retries * LONGEST_PAUSE_S
        async with make_client(self.endpoint, self._key) as client:

            async def ask(text: str) -> str:
                async with places:
                    try:
                        async with asyncio.timeout(longest):
                            completion = await self._ask_again(client, text)
                    except TimeoutError:
                        raise self._explain("too slow", f"within {longest:g} s") from None
                self.usage.add(1, completion.prompt_tokens, completion.reply_tokens)
                if completion.cut:
                    self.cut.add(completion.text)
                progress.show(next(answered))
                return completion.text

            tasks = [asyncio.create_task(ask(text)) for text in texts]
            try:
                return list(await asyncio.gather(*tasks))
            finally:
                for task in tasks:
                    task.cancel()

    async def _ask_again(self, client: openai.AsyncOpenAI, text: str) -> Completion:
        """One reply. The client tries again by itself what the server refuses; an answer that is none, this does."""
        tries, left = 0, self.endpoint.retries
        while True:
            try:
                answer = await self._ask(client.with_options(max_retries=left), text)
                tries += answer.retries_taken + 1
                return read_completion(read_json(answer.http_response))
            except BadAnswer as error:
                left = self.endpoint.retries - tries
                if error.hopeless or left < 0:
                    raise self._explain(str(error), count_tries(tries)) from None
                await asyncio.sleep(min(FIRST_PAUSE_S * 2 ** (tries - 1), LONGER_PAUSE_S))
            except openai.OpenAIError as error:
                request = getattr(error, "request", None)
                tries += (
                    int(request.headers.get("x-stainless-retry-count", 0)) + 1 if request else 1
                )
                status = getattr(error, "status_code", None)
                raise self._explain(tell(error), count_tries(tries), status) from None
            except (OSError, OverflowError, UnicodeError) as error:
                raise self._explain(str(error), count_tries(tries + 1)) from None

    async def _ask(self, client: openai.AsyncOpenAI, text: str):
        options = {
            "model": self.model,
            "max_tokens": self.sampling.max_new_tokens,
            "temperature": self.sampling.temperature,
        }
        if self.prompt.style == "chat":
            messages = self.prompt.list_messages(text)
            return await client.chat.completions.with_raw_response.create(
                messages=messages, **options
            )
        return await client.completions.with_raw_response.create(prompt=text, **options)

    def _explain(self, reason: str, when: str, status: int | None = None) -> UserError:
        """One sentence for a request that failed for good, in the server's words and without the key."""
        words = hide(" ".join(re.sub(r"<[^<>]*>", " ", reason).split()), self._key)[:QUOTED]
        variable = self.endpoint.key_variable
        fix = {
            400: "change what it names (rollout.max_new_tokens is sent as max_tokens)",
            401: f"set {variable} to a valid key",
            402: "see to the account behind the key",
            403: f"set {variable} to a key that may use the model",
            404: "correct endpoint.base_url or the model's name",
            413: "raise the server's limit or set prompt.history to false",
            422: "change what it names",
            429: "lower endpoint.concurrency or wait, then run again",
        }.get(status, "start the server or correct endpoint.base_url, then run again")
        return UserError(
            f"{self.endpoint.base_url}: the model {self.model} did not answer {when} ({words}); {fix}; "
            "what is finished is kept."
        )


def count_tries(number: int) -> str:
    """'after 1 try', 'after 7 tries'."""
    return f"after {number} {'try' if number == 1 else 'tries'}"


def tell(error: openai.OpenAIError) -> str:
    """What a server says of a request that it refuses, or what has kept the request from it."""
    body = getattr(error, "body", None)
    if isinstance(body, Mapping) and isinstance(body.get("message"), str):
        return f"{error.status_code}: {body['message']}" if error.status_code else body["message"]
    return f"{error} {error.__cause__ or ''}"


def hide(text: str, key: str) -> str:
    """A text without the key; what is too short to be a secret must not take letters out of words."""
    if len(key) >= SHORTEST_SECRET:
        return text.replace(key, "***")
    return re.sub(rf"(?<!\w){re.escape(key)}(?!\w)", "***", text) if len(key) > 3 else text


def read_json(answer: Any) -> Any:
    """The JSON of an answer with status 200; BadAnswer, with what it begins with, where it is none."""
    try:
        return answer.json()
    except ValueError:
        kind = answer.headers.get("content-type", "").partition(";")[0]
        # A page is somebody else's, and a stream was not asked for; a torn answer may come whole the next time.
        other = kind in ("text/html", "text/event-stream")
        raise BadAnswer(f"{kind or 'an answer'} that is no JSON: {answer.text}", other) from None


def read_completion(data: Any) -> Completion:
    """The reply in a server's answer, of either kind; BadAnswer, in the server's words if it has any, without one.

    The text of a content in parts is joined. Thinking that is delivered apart (``reasoning_content``, parts of another
    type) is no part of it; a model that has said nothing else has an empty reply, which counts as malformed.
    """
    if not isinstance(data, Mapping):
        raise BadAnswer(f"the answer is {quote(data)}", hopeless=True)
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    for part in (data, choice):
        if isinstance(part, Mapping) and part.get("error"):
            raise _read_error(part["error"])
    if not isinstance(choice, Mapping):
        raise BadAnswer(f"the answer holds no reply: choices is {quote(choices)}")
    message = choice.get("message", choice)
    if not isinstance(message, Mapping):
        raise BadAnswer(f"the answer holds no reply: message is {quote(message)}")
    content = message.get("content" if "message" in choice else "text")
    usage = data.get("usage")
    used = [
        value if type(value) is int and value > 0 else 0
        for key in ("prompt_tokens", "completion_tokens")
        for value in [usage.get(key) if isinstance(usage, Mapping) else 0]
    ]
    return Completion(_join(content), choice.get("finish_reason") == "length", *used)


def _join(content: Any) -> str:
    """The text of a message's content: text, nothing, or a list of parts."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise BadAnswer(f"the reply's content is {quote(content)}, not text", hopeless=True)
    texts = []
    for part in content:
        if isinstance(part, Mapping):
            part = part.get("text") or "" if part.get("type") in TEXT_PARTS else ""
        if not isinstance(part, str):
            raise BadAnswer(f"a part of the reply's content is {quote(part)}", hopeless=True)
        texts.append(part)
    return "".join(texts)


def _read_error(error: Any) -> BadAnswer:
    """An error that came with status 200; its code may be an HTTP status."""
    values = error if isinstance(error, Mapping) else {"message": error}
    code = values.get("code")
    hopeless = type(code) is int and 400 <= code < 500 and code not in TRIED_AGAIN
    return BadAnswer(str(values.get("message") or error), hopeless)


def read_key(endpoint: Endpoint) -> str:
    """The key from the environment; servers on this machine need none."""
    key = os.environ.get(endpoint.key_variable, "").strip()
    if not key.isascii() or not key.isprintable():
        raise UserError(
            f"endpoint.key_variable: the environment variable {endpoint.key_variable} holds characters that no key "
            "has; set it again."
        )
    try:
        host = urlsplit(endpoint.base_url).hostname or ""
    except ValueError:  # the client will tell
        return key or "none"
    if not key and host not in ("localhost", "127.0.0.1", "::1") and "." in host:
        raise UserError(
            f"endpoint.key_variable: the environment variable {endpoint.key_variable}, which holds the key for "
            f"{endpoint.base_url}, is not set; export it (any text where the server asks for none)."
        )
    return key or "none"


def make_client(endpoint: Endpoint, key: str) -> openai.AsyncOpenAI:
    """The client of a server; UserError where the address or the machine's settings allow none."""
    try:
        place = urlsplit(endpoint.base_url)
        if not place.hostname or place.port == 0 or re.search(r"[\s\x00-\x1f]", endpoint.base_url):
            raise ValueError("it names no host")
    except ValueError as error:
        raise UserError(
            f"endpoint.base_url: {quote(endpoint.base_url)} is no address ({error}); correct it."
        ) from None
    try:
        return openai.AsyncOpenAI(
            base_url=endpoint.base_url,
            api_key=key,
            max_retries=endpoint.retries,
            timeout=endpoint.timeout,
        )
    except Exception as error:  # of the libraries below: proxies, certificates, headers
        names = [v for name in VARIABLES for v in (name, name.lower()) if os.environ.get(v)]
        where = f"the environment variables {', '.join(names)}" if names else "endpoint.base_url"
        reason = " ".join(str(error).split()).partition(". ")[0].rstrip(".")
        raise UserError(
            f"{endpoint.base_url}: no client can be made ({type(error).__name__}: {reason}); correct or unset {where}."
        ) from None
