"""A proxy that stands before one of our HTTP servers and spoils chosen answers, or delivers chosen requests late.

The server behind it knows nothing of faults: a lost reply is a request that really arrived, and whose answer was really
read to its end. A plan is a list of rules; the first one that fits a request and is not used up decides. Everything
else passes untouched. `GET /__faults__`, `POST /__faults__/plan` and `POST /__faults__/release` steer a proxy that runs
in a process of its own: `python -m workers.trials.fault_proxy --listen HOST:PORT --target HOST:PORT --plan FILE`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import socket
import struct
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from workers.trials.http_messages import Message, read_message

STEERING = "/__faults__"


class Fault(StrEnum):
    """What happens to a request; `RESET`, `HANG`, `HALF_BODY` and `REPLACE` only after it was answered in full."""

    RESET = "reset"
    HANG = "hang"
    HALF_BODY = "half_body"
    REPLACE = "replace"
    ANSWER = "answer"
    DROP = "drop"
    HOLD = "hold"


class Rule(BaseModel):
    """One fault, `times` times, for requests whose method and path fit (and whose text has `containing`).

    `status`, `body` and `retry_after_s` are the answer of `REPLACE` and `ANSWER`. `HOLD` resets the client (or lets it
    hang) at once and delivers the request after `hold_s`, or, where that is `None`, when it is released.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fault: Fault
    method: str = ".*"
    path: str = ".*"
    containing: str = ""
    after: int = Field(default=0, ge=0, description="let this many fitting requests pass first")
    times: int = Field(default=1, ge=1)
    status: int = 502
    body: str = ""
    retry_after_s: int | None = None
    hold_s: float | None = None
    hold_hangs: bool = False

    def fits(self, method: str, target: str, text: str) -> bool:
        path = target.split("?", 1)[0]
        return (
            re.fullmatch(self.method, method) is not None
            and re.fullmatch(self.path, path) is not None
            and self.containing in f"{target}\n{text}"
        )


def venue_error(fault: Fault, *, status: int, code: int, message: str, **rule: object) -> Rule:
    """A rule whose answer is a Binance error: `{"code": -1007, "msg": "..."}`."""
    return Rule.model_validate(
        {"fault": fault, "status": status, "body": json.dumps({"code": code, "msg": message}), **rule}
    )


class FaultProxy:
    """An async context manager that listens on `listen` (port 0: a free one) and forwards to `target`.

    `counts` holds how often each fault was used, and `passed`, `forwarded`, `delivered_late` and `late_<status>`.
    """

    def __init__(self, target: tuple[str, int], *, listen: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self._target = target
        self._listen = listen
        self._rules: list[Rule] = []
        self._used: Counter[int] = Counter()
        self._released = asyncio.Event()
        self._late: set[asyncio.Task[None]] = set()
        self._clients: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.counts: Counter[str] = Counter()

    @property
    def url(self) -> str:
        host, port = self.address
        return f"http://{host}:{port}"

    @property
    def address(self) -> tuple[str, int]:
        if self._server is None:
            raise RuntimeError("the proxy does not listen yet: enter it first")
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    def plan(self, rules: Sequence[Rule]) -> None:
        """Replace the rules; the counts stay."""
        self._rules = list(rules)
        self._used.clear()

    def release(self) -> None:
        """Deliver every request that is held without a time; later ones are held anew."""
        self._released.set()
        self._released = asyncio.Event()

    async def all_delivered(self) -> None:
        """Wait until no held request is left."""
        while self._late:
            await asyncio.wait(set(self._late))

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, *self._listen)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        open_tasks = [*self._clients, *self._late]
        for task in open_tasks:
            task.cancel()
        await asyncio.gather(*open_tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._clients.add(task)
            task.add_done_callback(self._clients.discard)
        try:
            while True:
                request = await read_message(reader)
                if request is None or not await self._handle(request, reader, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            _reset(writer)
        except asyncio.CancelledError:
            _reset(writer)
        finally:
            writer.close()

    async def _handle(self, request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request in its way; True where the connection goes on."""
        method, target, _ = request.first_line.split(" ", 2)
        if target.startswith(STEERING):
            return await _say(writer, self._steer(method, target, request.body))
        rule = self._rule_for(method, target, request.body)
        if rule is None:
            self.counts["passed"] += 1
            return await _say(writer, await self._forward(request, method))
        self.counts[rule.fault.value] += 1
        match rule.fault:
            case Fault.ANSWER:
                return await _say(writer, _answer(rule))
            case Fault.DROP:
                return _reset(writer)
            case Fault.HOLD:
                late = asyncio.create_task(self._deliver_late(request, method, rule, self._released))
                self._late.add(late)
                late.add_done_callback(self._late.discard)
                return await _hang(reader, writer) if rule.hold_hangs else _reset(writer)
        answer = await self._forward(request, method)
        match rule.fault:
            case Fault.HANG:
                return await _hang(reader, writer)
            case Fault.HALF_BODY:
                whole = answer.encoded()
                writer.write(whole[: len(whole) - max(1, len(answer.body) // 2)])
                await writer.drain()
                return False
            case Fault.REPLACE:
                return await _say(writer, _answer(rule))
            case _:
                return _reset(writer)

    def _rule_for(self, method: str, target: str, body: bytes) -> Rule | None:
        text = body.decode("utf-8", "replace")
        for number, rule in enumerate(self._rules):
            if rule.fits(method, target, text) and self._used[number] < rule.after + rule.times:
                self._used[number] += 1
                if self._used[number] > rule.after:
                    return rule
        return None

    async def _forward(self, request: Message, method: str) -> Message:
        """Deliver the request on a connection of its own and read the whole answer."""
        try:
            reader, writer = await asyncio.open_connection(*self._target)
        except OSError:
            self.counts["unreachable"] += 1
            return Message("HTTP/1.1 502 Bad Gateway", (), b"the server behind the proxy does not listen")
        try:
            writer.write(request.encoded())
            await writer.drain()
            answer = await read_message(reader, is_answer_to=method)
        finally:
            writer.close()
        if answer is None:
            raise ConnectionResetError("the server closed without an answer")
        self.counts["forwarded"] += 1
        return answer

    async def _deliver_late(self, request: Message, method: str, rule: Rule, released: asyncio.Event) -> None:
        if rule.hold_s is None:
            await released.wait()
        else:
            await asyncio.sleep(rule.hold_s)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            answer = await self._forward(request, method)
            self.counts["delivered_late"] += 1
            self.counts[f"late_{answer.first_line.split(' ')[1]}"] += 1

    def _steer(self, method: str, target: str, body: bytes) -> Message:
        if method == "POST" and target == f"{STEERING}/plan":
            self.plan(read_plan(body.decode()))
        elif method == "POST" and target == f"{STEERING}/release":
            self.release()
        elif not (method == "GET" and target == STEERING):
            return Message("HTTP/1.1 404 Not Found", (), b"")
        text = json.dumps({"counts": dict(self.counts), "held": len(self._late)})
        return Message("HTTP/1.1 200 OK", (("Content-Type", "application/json"),), text.encode())


def read_plan(text: str) -> tuple[Rule, ...]:
    """The rules of a plan, `{"rules": [{"fault": "reset", "method": "POST", ...}]}`. Raises `ValueError`."""
    return tuple(Rule.model_validate(row) for row in json.loads(text)["rules"])


def _answer(rule: Rule) -> Message:
    headers = [("Content-Type", "application/json" if rule.body.startswith("{") else "text/html")]
    if rule.retry_after_s is not None:
        headers.append(("Retry-After", str(rule.retry_after_s)))
    return Message(f"HTTP/1.1 {rule.status} Replaced", tuple(headers), rule.body.encode())


async def _say(writer: asyncio.StreamWriter, answer: Message) -> bool:
    writer.write(answer.encoded())
    await writer.drain()
    return True


async def _hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Say nothing until the client gives up."""
    with suppress(ConnectionError):
        await reader.read()
    return _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> bool:
    """Close with RST: no lingering, nothing more is sent."""
    with suppress(OSError):
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host, int(port)


async def _run(listen: tuple[str, int], target: tuple[str, int], rules: Sequence[Rule], ready: Path | None) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with FaultProxy(target, listen=listen) as proxy:
        proxy.plan(rules)
        if ready is not None:
            part = ready.with_suffix(".part")
            part.write_text(json.dumps({"url": proxy.url}))
            part.replace(ready)
        await ended.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run until SIGTERM. `--ready FILE` is written with the proxy's address once it listens."""
    parser = argparse.ArgumentParser(prog="python -m workers.trials.fault_proxy", description="Spoil chosen answers.")
    parser.add_argument("--listen", type=_endpoint, default=("127.0.0.1", 0), help="HOST:PORT, port 0 for a free one")
    parser.add_argument("--target", type=_endpoint, required=True, help="HOST:PORT of the server behind")
    parser.add_argument("--plan", type=Path, help='a file of {"rules": [...]}')
    parser.add_argument("--ready", type=Path, help="a file to write the address to")
    given = parser.parse_args(arguments)
    rules = read_plan(given.plan.read_text()) if given.plan is not None else ()
    asyncio.run(_run(given.listen, given.target, rules, given.ready))


if __name__ == "__main__":
    main()
