"""The store's activities: what a workflow gets back, and which errors it may retry."""

from __future__ import annotations

import pytest
from store_rows import NOON, REALM, D, a_head, a_summary
from temporalio.exceptions import ApplicationError

from activities.store.calls import (
    ExposureRequest,
    GateRow,
    OutcomeRecord,
    PlaybookText,
    PositionRequest,
    StoreCalls,
    TrackRequest,
)
from activities.store.open import Store, open_store
from trading.risk.models import Mode


async def open_with_capital(store: Store) -> None:
    await store.open_account(
        REALM, venue="simulated", ledger="test", account="main", opening=(("USDT", D(1000)),), as_of=NOON
    )


async def test_a_decision_that_ended_comes_back_with_its_end(store: Store) -> None:
    calls, head = StoreCalls(store), a_head()
    await open_with_capital(store)
    first = await calls.open_decision(head)
    assert (first.finished, first.position.quantity, first.position.equity_usd) == (None, 0, 1000)
    assert (await calls.recall(head)).items == 0
    await calls.finish_decision(a_summary(head))
    assert (await calls.open_decision(head)).finished == a_summary(head)
    later = await calls.track_records(TrackRequest(realm=REALM, before=NOON.replace(hour=20)))
    assert (later.primary.decisions, later.secondary.decisions) == (1, 1)


async def test_an_account_is_seen_through_the_activities(store: Store) -> None:
    calls = StoreCalls(store)
    await store.open_account(
        REALM, venue="simulated", ledger="main", account="main", opening=[("USDT", D("1000"))], as_of=NOON
    )
    await calls.write_gate(
        GateRow(realm=REALM, account="main", mode=Mode.DEFENSIVE, epoch=2, reason="drill", who="tester")
    )
    outcome = OutcomeRecord(
        realm=REALM,
        account="main",
        symbol="BTC/USDT",
        decision_id="d1",
        pnl_usd=D("-1"),
        return_fraction=D("-0.01"),
        exit_reason="stop",
        closed_at=NOON,
    )
    await calls.record_outcome(outcome)
    await calls.record_outcome(outcome)
    exposure = await calls.load_exposure(ExposureRequest(realm=REALM, account="main"))
    assert (exposure.mode, exposure.epoch, exposure.closed_trades) == (Mode.DEFENSIVE, 2, 1)
    view = await calls.position_view(PositionRequest(realm=REALM, account="main", symbol="BTC/USDT"))
    assert (view.is_open, view.equity_usd) == (False, D("1000"))
    kept = await calls.keep_playbook(PlaybookText(text="{}"))
    assert await store.get(kept.playbook_hash) == "{}"


async def test_what_can_never_succeed_is_final(store: Store) -> None:
    calls, head = StoreCalls(store), a_head()
    await open_with_capital(store)
    await calls.open_decision(head)
    finals = [
        (calls.load_exposure(ExposureRequest(realm=REALM, account="nobody")), "UnknownAccount"),
        (calls.open_decision(head.model_copy(update={"cause": "other"})), "StoreConflict"),
        (
            calls.write_gate(GateRow(realm=REALM, account="nobody", mode=Mode.AUTO, epoch=1, reason="", who="x")),
            "StoreRefused",
        ),
    ]
    for call, kind in finals:
        with pytest.raises(ApplicationError) as final:
            await call
        assert (final.value.type, final.value.non_retryable) == (kind, True)


@pytest.mark.parametrize(
    "url", ["sqlite+aiosqlite:////nowhere/at/all/a.db", "postgresql+psycopg://app@127.0.0.1:1/nothing"]
)
async def test_a_database_that_does_not_answer_is_retried(url: str) -> None:
    store = await open_store(url)
    with pytest.raises(ApplicationError) as silent:
        await StoreCalls(store).open_decision(a_head())
    await store.aclose()
    assert (silent.value.type, silent.value.non_retryable) == ("StoreUnavailable", False)
