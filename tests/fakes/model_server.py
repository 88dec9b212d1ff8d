"""A local server that speaks the real HTTP of both model providers, scripted reply by reply.

`POST /v1/chat/completions` answers as OpenAI does, `POST /api/v1/services/aigc/text-generation/generation` as
DashScope.
Replies are taken from the script in order, then the default answer goes on for ever; every request is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

Wire = Literal["openai", "dashscope"]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One scripted reply: an answer's text, or a status with a provider's error, or raw bytes.

    `cut` announces the whole body, sends half of it and closes the line. `delay_s` passes before the first byte,
    `drip_s` sends blank lines for that long first, as a busy provider does to keep the line open.
    """

    text: str = "{}"
    status: int = 200
    code: str | None = None
    message: str = "scripted"
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    content_type: str = "application/json"
    delay_s: float = 0.0
    drip_s: float = 0.0
    cut: bool = False
    prompt_tokens: int = 1000
    completion_tokens: int = 500
    cached_tokens: int = 0
    finish_reason: str = "stop"
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Seen:
    """One request as it came in, header names in lower case."""

    wire: Wire
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def messages(self) -> list[dict[str, str]]:
        found = self.body["messages"] if self.wire == "openai" else self.body["input"]["messages"]
        return list(found)


class ModelServer:
    """Start it with `running_model_server()`. `answer` writes the text of unscripted replies from the request seen."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answer: Callable[[Seen], Reply] = lambda seen: Reply()
        self.url = ""
        self._script: deque[Reply] = deque()
        routes = [
            Route("/v1/chat/completions", self._openai, methods=["POST"]),
            Route("/api/v1/services/aigc/text-generation/generation", self._dashscope, methods=["POST"]),
        ]
        self.app = Starlette(routes=routes)

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def dashscope_url(self) -> str:
        return f"{self.url}/api/v1"

    @property
    def calls(self) -> int:
        return len(self.seen)

    def script(self, *replies: Reply) -> None:
        self._script.extend(replies)

    def forget(self) -> None:
        """Drop what was seen and what is still scripted."""
        self.seen.clear()
        self._script.clear()

    async def _openai(self, request: Request) -> Response:
        return await self._serve("openai", request)

    async def _dashscope(self, request: Request) -> Response:
        return await self._serve("dashscope", request)

    async def _serve(self, wire: Wire, request: Request) -> Response:
        seen = Seen(wire, request.url.path, dict(request.headers), json.loads(await request.body()))
        self.seen.append(seen)
        reply = self._script.popleft() if self._script else self.answer(seen)
        await asyncio.sleep(reply.delay_s)
        content = reply.raw if reply.raw is not None else json.dumps(_payload(wire, seen, reply)).encode()
        if reply.cut:
            return StreamingResponse(
                _half(content),
                headers={**reply.headers, "content-length": str(len(content))},
                media_type=reply.content_type,
            )
        if reply.drip_s:
            return StreamingResponse(_dripped(content, reply.drip_s), media_type=reply.content_type)
        return Response(content, status_code=reply.status, headers=dict(reply.headers), media_type=reply.content_type)


async def _half(content: bytes) -> AsyncIterator[bytes]:
    yield content[: len(content) // 2]


async def _dripped(content: bytes, seconds: float) -> AsyncIterator[bytes]:
    for _ in range(int(seconds / 0.05)):
        yield b"\n"
        await asyncio.sleep(0.05)
    yield content


def _payload(wire: Wire, seen: Seen, reply: Reply) -> Mapping[str, Any]:
    if reply.body is not None:
        return reply.body
    if wire == "openai":
        return _openai_body(seen, reply)
    return _dashscope_body(reply)


def _openai_body(seen: Seen, reply: Reply) -> Mapping[str, Any]:
    if reply.status != 200:
        return {"error": {"message": reply.message, "type": "scripted_error", "code": reply.code}}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": seen.body["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": reply.text},
                "finish_reason": reply.finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
        },
    }


def _dashscope_body(reply: Reply) -> Mapping[str, Any]:
    if reply.status != 200:
        return {"request_id": "r-1", "code": reply.code or "Unknown", "message": reply.message}
    return {
        "request_id": "r-1",
        "output": {
            "choices": [{"finish_reason": reply.finish_reason, "message": {"role": "assistant", "content": reply.text}}]
        },
        "usage": {
            "input_tokens": reply.prompt_tokens,
            "output_tokens": reply.completion_tokens,
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
        },
    }


@contextlib.contextmanager
def running_model_server() -> Iterator[ModelServer]:
    """A `ModelServer` on a free local port, in a thread of its own; gone when the block ends."""
    fake = ModelServer()
    config = uvicorn.Config(
        fake.app, host="127.0.0.1", port=0, log_level="critical", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    listening = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    fake.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    thread.start()
    try:
        yield fake
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listening.close()


@contextlib.asynccontextmanager
async def dropping_server() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that reads each request and closes the line without a word: its address, and the requests it read."""
    requests: list[bytes] = []

    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        requests.append(head)
        writer.close()

    server = await asyncio.start_server(drop, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", requests
    finally:
        server.close()
        await server.wait_closed()
