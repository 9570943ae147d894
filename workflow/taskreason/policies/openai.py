"""A model behind an OpenAI-compatible server as a policy: a served vLLM, llama.cpp, or a hosted API.

Some requests are under way at once; one that is refused, times out or fails on the server's side is tried again after
a pause that grows (the ``openai`` package's back-off, which heeds Retry-After). When the tries are used up, the run
ends with one sentence; what has been finished before is kept and taken up again. The key is read from the environment
and goes nowhere but into the request.
"""

import asyncio
import os
from itertools import count
from urllib.parse import urlsplit

import openai

from taskreason.config.groups import Endpoint
from taskreason.durability.errors import UserError
from taskreason.durability.progress import LONG, Progress
from taskreason.policies.generation import GeneratingPolicy, Sampling
from taskreason.policies.prompt import PLAIN, PromptFormat

LONGEST_PAUSE_S = 60
"""The ``openai`` package waits no longer than this before it tries again, whatever a server asks for."""


class EndpointPolicy(GeneratingPolicy):
    """Replies of the model ``model`` of a server: chat completions for chat prompts, else plain completions."""

    def __init__(
        self, model: str, endpoint: Endpoint, sampling: Sampling, prompt: PromptFormat = PLAIN
    ):
        super().__init__(f"api:{model}", sampling, prompt)
        self.model, self.endpoint = model, endpoint
        self._key = read_key(endpoint)

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
        async with openai.AsyncOpenAI(
            base_url=self.endpoint.base_url,
            api_key=self._key,
            max_retries=retries,
            timeout=timeout,
        ) as client:

            async def ask(text: str) -> str:
                async with places, asyncio.timeout(longest):
                    reply = await self._ask_again(client, text)
                progress.show(next(answered))
                return reply

            tasks = [asyncio.create_task(ask(text)) for text in texts]
            try:
                return list(await asyncio.gather(*tasks))
            except (openai.OpenAIError, ValueError, TimeoutError) as error:
                for task in tasks:
                    task.cancel()
                raise UserError(self._explain(error)) from None

    async def _ask_again(self, client, text: str) -> str:
        """One reply; an answer that is none is asked for again, and the client retries the rest by itself."""
        for failed in range(self.endpoint.retries):
            try:
                return await self._ask(client, text)
            except ValueError:
                await asyncio.sleep(min(0.5 * 2**failed, 8))
        return await self._ask(client, text)

    async def _ask(self, client, text: str) -> str:
        options = {
            "model": self.model,
            "max_tokens": self.sampling.max_new_tokens,
            "temperature": self.sampling.temperature,
        }
        if self.prompt.style == "chat":
            answer = await client.chat.completions.create(
                messages=self.prompt.list_messages(text), **options
            )
        else:
            answer = await client.completions.create(prompt=text, **options)
        try:
            choice, used = answer.choices[0], answer.usage
            text = choice.message.content if self.prompt.style == "chat" else choice.text
        except (AttributeError, IndexError, TypeError):
            raise ValueError("the answer holds no reply") from None
        read, written = (used.prompt_tokens, used.completion_tokens) if used else (0, 0)
        self.usage.add(1, read or 0, written or 0)
        return text or ""  # a model that says nothing has an empty reply, which counts as malformed

    def _explain(self, error: Exception) -> str:
        """One sentence for a request that failed for good, without the key."""
        status = getattr(error, "status_code", None)
        reason = " ".join(str(error).replace(self._key, "***").split())[:160]
        fix = {
            401: f"set {self.endpoint.key_variable} to a valid key",
            403: f"set {self.endpoint.key_variable} to a key that may use the model",
            404: "correct endpoint.base_url or the model's name",
            429: "lower endpoint.concurrency or wait, then run again",
        }.get(status, "start the server or correct endpoint.base_url, then run again")
        return (
            f"{self.endpoint.base_url}: the model {self.model} did not answer after "
            f"{self.endpoint.retries + 1} tries ({reason or 'too slow'}); {fix}; what is finished is kept."
        )


def read_key(endpoint: Endpoint) -> str:
    """The key from the environment; servers on this machine need none."""
    key = os.environ.get(endpoint.key_variable, "")
    host = urlsplit(endpoint.base_url).hostname or ""
    if not key and host not in ("localhost", "127.0.0.1", "::1") and "." in host:
        raise UserError(
            f"endpoint.key_variable: the environment variable {endpoint.key_variable}, which holds the key for "
            f"{endpoint.base_url}, is not set; export it (any text where the server asks for none)."
        )
    return key or "none"
