"""Migrations, digests, several processes and kill -9: what must hold whatever the database and the timing."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text, update
from store_rows import (
    NOON,
    D,
    a_fill,
    a_head,
    a_prepared,
    a_request,
    a_stance,
    a_summary,
    a_venue_order,
    an_answer,
)

from activities.store.migrate import current_revision, head_revision, migrate
from activities.store.open import Store, open_store
from activities.store.ports.faults import StoreRefused, StoreUnavailable
from activities.store.tables import BlobRow, FillRow, OrderRow, Row
from trading.decision.models import Finding, Severity
from trading.risk.models import GateAnswer, Mode

ROOT = Path(__file__).parents[2]
Step = Callable[[], Awaitable[object]]


async def test_migrating_creates_exactly_the_tables_of_the_models(store: Store) -> None:
    async with store.database.write() as connection:
        unlike = await connection.run_sync(lambda c: compare_metadata(MigrationContext.configure(c), Row.metadata))
    assert unlike == []


async def test_a_database_knows_its_revision(empty_database_url: str) -> None:
    assert await current_revision(empty_database_url) is None
    assert await migrate(empty_database_url) == head_revision()
    assert await migrate(empty_database_url) == head_revision()
    assert await current_revision(empty_database_url) == head_revision()


async def test_a_database_of_a_newer_version_is_left_alone(empty_database_url: str) -> None:
    await migrate(empty_database_url)
    store = await open_store(empty_database_url)
    try:
        async with store.database.write() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    finally:
        await store.aclose()
    with pytest.raises(StoreRefused, match="at revision 9999, which this version of Perennial does not know"):
        await migrate(empty_database_url)
    assert await current_revision(empty_database_url) == "9999"


async def test_a_file_that_is_no_database_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "notes.sqlite").write_text("not a database, but long enough to look at\n" * 100)
    url = f"sqlite+aiosqlite:///{tmp_path / 'notes.sqlite'}"
    for call in (migrate, current_revision):
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            await call(url)


async def test_processes_that_start_together_migrate_once(empty_database_url: str) -> None:
    code = "import asyncio, sys; from activities.store.migrate import migrate; print(asyncio.run(migrate(sys.argv[1])))"
    started = [
        subprocess.Popen(  # noqa: ASYNC220 - real processes are the point
            [sys.executable, "-c", code, empty_database_url], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    said = await asyncio.gather(*(asyncio.to_thread(process.communicate) for process in started))
    assert [out.strip() for out, _ in said] == [head_revision()] * 4
    assert [process.returncode for process in started] == [0] * 4


@pytest.mark.parametrize("url", ["sqlite:///x.db", "sqlite+aiosqlite://", "mysql://root@localhost/x"])
async def test_another_kind_of_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"sqlite\+aiosqlite:///PATH"):
        await open_store(url)


async def test_sqlite_runs_in_wal_with_foreign_keys(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'a.db'}"
    await migrate(url)
    store = await open_store(url)
    async with store.database.read() as connection:
        values = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "foreign_keys", "synchronous")
        ]
    await store.aclose()
    assert values == ["wal", 1, 1]


async def fill_realm(store: Store, realm: str, seed: int) -> None:
    """The same facts in another order: accounts, decisions, model calls, orders and fills of two accounts."""
    rng = random.Random(seed)
    accounts = ["aggressive", "conservative"]
    heads = [a_head(realm=realm, cause=f"c{n}", accounts=tuple(accounts)) for n in range(3)]
    for account in rng.sample(accounts, 2):
        await store.open_account(
            realm, venue="simulated", ledger="main", account=account, opening=[("USDT", D("5000"))], as_of=NOON
        )
    for head in rng.sample(heads, 3):
        await store.open_decision(head)
    steps: list[Step] = []
    for number, head in enumerate(heads):
        steps += [_decision_steps(store, head, seed), _trade_steps(store, realm, head.decision_id, number, accounts)]
    for step in rng.sample(steps, len(steps)):
        await step()
    await store.write_gate(realm, "aggressive", mode=Mode.HALTED, epoch=1, reason="drill", who="tester")
    for account in rng.sample(accounts, 2):
        await store.record_equity(realm, account, as_of=NOON.replace(hour=20), marks=[("BTC/USDT", D("5100"))])


def _decision_steps(store: Store, head: object, seed: int) -> Step:
    async def run() -> None:
        assert isinstance(head, type(a_head()))
        finding = Finding(code="x", severity=Severity.NOTE, path="p", expected="1.0", found="2")
        await store.keep_answer(
            head.realm, an_answer(decision_id=head.decision_id, latency_ms=seed, attempt=seed, cost_usd=D("0.10"))
        )
        await store.record_findings(head, a_stance(), [finding, finding], step="propose")
        request_id = f"{head.realm}/decision/{head.decision_id}/gate"
        await store.record_gate(head, GateAnswer(request_id=request_id), account="aggressive")
        await store.finish_decision(a_summary(head))

    return run


def _trade_steps(store: Store, realm: str, decision: str, number: int, accounts: list[str]) -> Step:
    async def run() -> None:
        for account in accounts:
            request = a_request(realm=realm, account=account, decision_id=decision)
            fills = [
                a_fill(request, trade_id=f"{number}{part}", quantity=D("0.05"), price=D("5000") + number)
                for part in range(2)
            ]
            await store.record_intent(request, a_prepared(request))
            await store.record_sent(request.key)
            await store.record_order(request.key, a_venue_order(request, fills[0]), fills[:1])
            await store.record_order(request.key, a_venue_order(request, *fills), fills)

    return run


async def test_two_databases_filled_in_different_orders_have_one_digest(
    tmp_path: Path, postgres_or_second_sqlite: str
) -> None:
    one = f"sqlite+aiosqlite:///{tmp_path / 'one.db'}"
    digests = []
    for url, realm, seed in ((one, "test-a", 1), (postgres_or_second_sqlite, "test-bb", 2)):
        await migrate(url)
        store = await open_store(url)
        await fill_realm(store, realm, seed)
        digests.append(await store.digest(realm))
        await store.aclose()
    assert digests[0] == digests[1]


@pytest.fixture
def postgres_or_second_sqlite(empty_database_url: str) -> str:
    """The other side of the comparison: once another SQLite file, once PostgreSQL."""
    return empty_database_url


async def test_a_changed_price_changes_the_digest_and_a_latency_does_not(store: Store) -> None:
    await fill_realm(store, "test-a", 1)
    before = await store.digest("test-a")
    async with store.database.write() as connection:
        await connection.execute(update(OrderRow).values(sends=OrderRow.sends + 1, reason="slow"))
    assert await store.digest("test-a") == before
    async with store.database.write() as connection:
        await connection.execute(update(FillRow).where(FillRow.trade_id == "00").values(price=D("5000.00000001")))
    assert await store.digest("test-a") != before
    assert await store.digest("test-other") != before


WRITER = """
import asyncio, sys
sys.path.insert(0, "tests")
from store_rows import NOON, D, a_fill, a_prepared, a_request, a_venue_order
from activities.store.open import open_store

async def main(url):
    store = await open_store(url)
    for number in range(100000):
        request = a_request(decision_id=f"d{number}", quantity=D("0.001"))
        await store.record_intent(request, a_prepared(request))
        sys.stdout.write(f"intent {request.client_order_id}\\n")
        sys.stdout.flush()
        fill = a_fill(request, trade_id=str(number), venue_order_id=str(number))
        order = a_venue_order(request, fill, venue_order_id=str(number))
        await store.record_order(request.key, order, [fill])
        sys.stdout.write(f"fill {number}\\n")
        sys.stdout.flush()

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.parametrize("acknowledged", [3, 24, 61])
async def test_kill_9_of_a_writer_loses_nothing_that_was_acknowledged(
    store: Store, database_url: str, acknowledged: int
) -> None:
    await store.open_account(
        "test-store", venue="simulated", ledger="main", account="main", opening=[("USDT", D("10000"))], as_of=NOON
    )
    process = subprocess.Popen(  # noqa: ASYNC220 - a real process is the point
        [sys.executable, "-c", WRITER, database_url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = [await asyncio.to_thread(process.stdout.readline) for _ in range(acknowledged)]
    os.kill(process.pid, signal.SIGKILL)
    rest = await asyncio.to_thread(process.stdout.read)
    await asyncio.to_thread(process.wait)
    said = [line.split() for line in (*lines, *rest.splitlines()) if line.strip()]
    intents = {word for kind, word in said if kind == "intent"}
    trades = {word for kind, word in said if kind == "fill"}
    stored_fills = await store.ledger_fills("test-store", "main")
    assert intents <= {intent.request.client_order_id for intent in await store.ledger_orders("test-store", "main")}
    assert trades <= {fill.trade_id for fill in stored_fills}
    (held,) = await store.positions("test-store", "main")
    exposure = await store.exposure("test-store", "main")
    assert exposure is not None
    assert held.quantity == sum(fill.quantity - fill.commission for fill in stored_fills)
    assert exposure.cash_usd == D("10000") - held.cost


async def test_a_long_writer_elsewhere_is_waited_for(tmp_path: Path) -> None:
    """Another process's write transaction holds ours up; it does not fail it."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'a.db'}"
    await migrate(url)
    one, two = await open_store(url), await open_store(url)
    order: list[str] = []

    async def late() -> None:
        await two.put("late", media_type="text/plain")
        order.append("late")

    async with one.database.write() as connection:
        await one.database.add(connection, BlobRow, {"content_hash": "h", "media_type": "m", "text": "t"})
        waiting = asyncio.create_task(late())
        await asyncio.wait([waiting], timeout=0.3)
        order.append("first")
    await waiting
    async with one.database.read() as connection:
        assert len((await connection.execute(select(BlobRow.content_hash))).all()) == 2
    await one.aclose()
    await two.aclose()
    assert order == ["first", "late"]
