"""The proxy spoils answers that were really given, and delivers late what it held; the server knows nothing of it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from eventually import eventually
from hypothesis import given
from hypothesis import strategies as st

from workers.stack.kept import Command, Kept
from workers.trials.fault_proxy import Fault, FaultProxy, Rule, venue_error
from workers.trials.http_messages import Message, read_message


class Server:
    """Counts what it is sent, and answers each with the request's own body, in chunks where the path asks for them."""

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.address = ("", 0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await read_message(reader)) is not None:
                self.received.append((request.first_line.rsplit(" ", 1)[0], request.body))
                body = request.body or b"nothing was sent"
                if "/chunked" in request.first_line:
                    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    writer.write(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
                else:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except ConnectionError:
            writer.transport.abort()
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.address = listening.sockets[0].getsockname()[:2]
    yield server
    listening.close()


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(server.address) as proxy:
        yield proxy


@pytest.fixture
async def client(proxy: FaultProxy) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=proxy.url, trust_env=False, timeout=5.0) as client:
        yield client


@pytest.mark.parametrize("path", ["/plain", "/chunked"])
async def test_without_a_rule_everything_passes(client: httpx.AsyncClient, proxy: FaultProxy, path: str) -> None:
    answers = [await client.post(path, content=b"a=1&b=2") for _ in range(3)]
    assert [answer.content for answer in answers] == [b"a=1&b=2"] * 3
    assert proxy.counts["passed"] == 3


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.RESET, httpx.ReadError),
        (Fault.HALF_BODY, httpx.RemoteProtocolError),
        (Fault.HANG, httpx.ReadTimeout),
    ],
)
async def test_a_spoiled_answer_was_really_given(
    client: httpx.AsyncClient, proxy: FaultProxy, server: Server, fault: Fault, error: type[Exception]
) -> None:
    proxy.plan([Rule(fault=fault)])
    with pytest.raises(error):
        await client.post("/order", content=b"a long enough body to be cut in half", timeout=0.3)
    assert len(server.received) == 1
    assert (await client.post("/order", content=b"again")).content == b"again", "once, and only once"


async def test_a_replaced_answer_was_really_given(client: httpx.AsyncClient, proxy: FaultProxy, server: Server) -> None:
    proxy.plan([venue_error(Fault.REPLACE, status=504, code=-1007, message="Timeout.")])
    answer = await client.post("/order", content=b"x")
    assert (answer.status_code, answer.json()) == (504, {"code": -1007, "msg": "Timeout."})
    assert len(server.received) == 1


async def test_an_answer_of_the_proxy_s_own_is_not_forwarded(
    client: httpx.AsyncClient, proxy: FaultProxy, server: Server
) -> None:
    proxy.plan([Rule(fault=Fault.ANSWER, status=429, retry_after_s=7), Rule(fault=Fault.DROP)])
    answer = await client.get("/order")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    with pytest.raises(httpx.ReadError):
        await client.get("/order")
    assert server.received == []


async def test_a_held_request_is_delivered_when_released(
    client: httpx.AsyncClient, proxy: FaultProxy, server: Server
) -> None:
    proxy.plan([Rule(fault=Fault.HOLD)])
    with pytest.raises(httpx.ReadError):
        await client.post("/order", content=b"late")
    await client.post("/other", content=b"meanwhile")
    proxy.release()
    await proxy.all_delivered()
    assert [body for _, body in server.received] == [b"meanwhile", b"late"]
    assert proxy.counts["late_200"] == 1


async def test_a_held_request_is_delivered_after_its_time_while_the_client_hangs(
    client: httpx.AsyncClient, proxy: FaultProxy, server: Server
) -> None:
    proxy.plan([Rule(fault=Fault.HOLD, hold_s=0.05, hold_hangs=True)])
    with pytest.raises(httpx.ReadTimeout):
        await client.post("/order", content=b"late", timeout=0.2)
    await proxy.all_delivered()
    assert [body for _, body in server.received] == [b"late"]


async def test_rules_choose_by_method_path_text_and_number(
    client: httpx.AsyncClient, proxy: FaultProxy, server: Server
) -> None:
    proxy.plan(
        [
            Rule(fault=Fault.ANSWER, status=500, method="POST", path="/a", containing="STOP", after=1, times=2),
            Rule(fault=Fault.ANSWER, status=501, method="DELETE"),
        ]
    )
    stops = [(await client.post("/a", content=b"type=STOP")).status_code for _ in range(4)]
    assert stops == [200, 500, 500, 200]
    assert (await client.post("/a/b", content=b"type=STOP")).status_code == 200
    assert (await client.get("/a?type=STOP")).status_code == 200
    assert (await client.delete("/a")).status_code == 501


async def test_a_server_that_is_gone_is_a_bad_gateway(unused_tcp_port: int) -> None:
    async with FaultProxy(("127.0.0.1", unused_tcp_port)) as proxy, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(proxy.url)).status_code == 502


async def test_a_proxy_process_follows_its_plan_and_is_steered_by_http(server: Server, tmp_path: Path) -> None:
    plan, ready = tmp_path / "plan.json", tmp_path / "ready.json"
    plan.write_text(json.dumps({"rules": [{"fault": "answer", "status": 503}]}))
    host, port = server.address
    argv = (sys.executable, "-P", "-m", "workers.trials.fault_proxy", "--listen", "127.0.0.1:0")
    argv += ("--target", f"{host}:{port}", "--plan", str(plan), "--ready", str(ready))
    process = Kept("proxy", Command(argv=argv, env=dict(os.environ), cwd=tmp_path), tmp_path)
    try:
        await eventually(ready.exists, timeout_s=30)
        async with httpx.AsyncClient(base_url=json.loads(ready.read_text())["url"], trust_env=False) as client:
            assert (await client.get("/a")).status_code == 503
            assert (await client.get("/a")).status_code == 200
            await client.post("/__faults__/plan", json={"rules": [{"fault": "hold"}]})
            with pytest.raises(httpx.ReadError):
                await client.get("/held")
            steered = (await client.get("/__faults__")).json()
            assert steered == {"counts": {"answer": 1, "passed": 1, "forwarded": 1, "hold": 1}, "held": 1}
            await client.post("/__faults__/release")
            await eventually(lambda: ("GET /held", b"") in server.received)
    finally:
        code = process.stop()
    assert code == 0
    assert urlsplit(json.loads(ready.read_text())["url"]).hostname == "127.0.0.1"


@given(
    body=st.binary(max_size=200),
    headers=st.lists(
        st.tuples(st.from_regex(r"X-[a-z]{1,8}", fullmatch=True), st.from_regex(r"[a-z0-9]{0,9}", fullmatch=True))
    ),
)
async def test_a_message_written_is_the_message_read(body: bytes, headers: list[tuple[str, str]]) -> None:
    message = Message("POST /a HTTP/1.1", tuple(headers), body)
    reader = asyncio.StreamReader()
    reader.feed_data(message.encoded())
    reader.feed_eof()
    read = await read_message(reader)
    assert read is not None
    assert (read.first_line, read.body, read.headers[: len(headers)]) == (message.first_line, body, message.headers)
    assert await read_message(reader) is None
