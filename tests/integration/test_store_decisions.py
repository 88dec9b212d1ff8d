"""Decision cards, recall, track records, answers, periods and read models on both databases."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from store_rows import (
    NOON,
    REALM,
    D,
    a_fill,
    a_fusion,
    a_head,
    a_prepared,
    a_request,
    a_stance,
    a_summary,
    a_venue_order,
    an_answer,
)

from activities.store.open import Store
from activities.store.reading import (
    decision_card,
    decision_list,
    equity_series,
    order_list,
    position_list,
    run_summary,
    status,
)
from trading.decision.models import Action, DecisionHead, Finding, FusionOutcome, Role, Severity, Verdict
from trading.facts.models import TrendRegime
from trading.ids import canonical_json
from trading.risk.models import Denial, GateAnswer

DECIDE_KEYS = {
    "decision_id",
    "outcome",
    "action",
    "size",
    "entry",
    "stop",
    "targets",
    "confidence",
    "facts",
    "proposals",
    "findings",
    "fusion",
    "risk",
    "approval",
    "orders",
    "latency_ms",
    "cost_usd",
    "playbook_version",
}


async def finished(store: Store, hours: int, *, pnl: str | None = None, **changes: Any) -> DecisionHead:
    """One finished decision `hours` after noon, and its closed trade an hour later where `pnl` is given."""
    head = a_head(as_of=NOON + timedelta(hours=hours), **{k: changes.pop(k) for k in ("symbol",) if k in changes})
    await store.open_decision(head)
    await store.finish_decision(a_summary(head, **changes))
    if pnl is not None:
        await store.record_outcome(
            REALM,
            "main",
            head.symbol,
            head.decision_id,
            pnl_usd=D(pnl),
            return_fraction=D(pnl) / 400,
            exit_reason="target",
            closed_at=head.as_of + timedelta(hours=1),
        )
    return head


async def test_a_decision_is_opened_once_and_found_finished_afterwards(store: Store) -> None:
    head = a_head()
    assert await store.open_decision(head) is None
    assert await store.open_decision(head) is None
    await store.finish_decision(a_summary(head))
    assert await store.open_decision(head) == a_summary(head)
    await store.finish_decision(a_summary(head, fusion=None))
    assert await store.open_decision(head) == a_summary(head)


async def test_a_decision_that_was_never_opened_cannot_end(store: Store) -> None:
    with pytest.raises(ValueError, match="never opened"):
        await store.finish_decision(a_summary())


async def test_one_id_never_stands_for_two_decisions(store: Store) -> None:
    head = a_head()
    await store.open_decision(head)
    with pytest.raises(ValueError, match="recorded as"):
        await store.open_decision(head.model_copy(update={"symbol": "ETH/USDT"}))


async def test_an_answer_is_paid_once_even_when_two_attempts_finish(store: Store) -> None:
    first, second = an_answer(), an_answer(answer_hash="c" * 64, attempt=2)
    kept = await asyncio.gather(store.keep_answer(REALM, first), store.keep_answer(REALM, second))
    assert kept[0] == kept[1]
    found = await store.find_answer(
        REALM, decision_id=first.decision_id, step="propose", model="trend-rules", prompt_hash="a" * 64
    )
    assert found == kept[0]
    assert (
        await store.find_answer(
            "test-other", decision_id=first.decision_id, step="propose", model="trend-rules", prompt_hash="a" * 64
        )
        is None
    )


async def test_texts_are_stored_once_under_their_hash(store: Store) -> None:
    name = await store.put("naïve – 中文", media_type="text/plain")
    assert await store.put("naïve – 中文", media_type="text/plain") == name
    assert await store.get(name) == "naïve – 中文"
    with pytest.raises(KeyError, match="nothing is stored"):
        await store.get("0" * 64)


async def test_recall_knows_only_what_was_earlier(store: Store) -> None:
    await finished(store, -2, pnl="12.5")
    await finished(store, -1, pnl="-3")  # closes at noon: not known strictly before noon
    await finished(store, 0, symbol="ETH/USDT")  # the same time is not earlier
    await finished(store, 1)
    name, count = await store.recall(a_head(cause="again"))
    recalled = await store.load_recall(name)
    assert count == 2
    assert [item.text for item in recalled.items] == [
        "2020-03-12 11:00Z BTC/USDT open 4 % (executed) result pending",
        "2020-03-12 10:00Z BTC/USDT open 4 % (executed) won 12.5 USD (3.12 %)",
    ]
    assert await store.recall(a_head(cause="again")) == (name, count)


async def test_recall_has_ten_recent_and_five_similar_that_worked_and_failed(store: Store) -> None:
    for hour in range(-40, 0):
        await finished(store, hour, pnl="1" if hour % 2 else "-1", symbol="BTC/USDT" if hour % 4 else "ETH/USDT")
    name, _ = await store.recall(a_head())
    items = (await store.load_recall(name)).items
    kinds = [item.kind for item in items]
    assert (kinds.count("decision"), kinds.count("similar"), kinds.count("failure")) == (10, 5, 5)
    assert len({item.id for item in items}) == 20
    assert all("BTC/USDT" in item.text for item in items if item.kind != "decision")
    recent = [item.as_of for item in items if item.kind == "decision"]
    assert recent == [NOON - timedelta(hours=hours) for hours in range(1, 11)]


async def test_track_records_count_failures_and_score_promises(store: Store) -> None:
    won = await finished(store, -5, pnl="10")
    await finished(store, -4, pnl="-10")
    await finished(store, -3, trend_regime=TrendRegime.BULL_RUN, pnl="5")
    await finished(store, 1, pnl="5")
    bad = Finding(code="uncited_number", severity=Severity.REPAIRABLE, path="steps.0", expected="a fact", found="42")
    note = bad.model_copy(update={"severity": Severity.NOTE})
    await store.record_findings(won, a_stance(Role.PRIMARY), [bad, bad], step="propose")
    await store.record_findings(won, a_stance(Role.SECONDARY), [note], step="propose")
    primary, secondary = await store.track_records(REALM, regime="bear_market", before=NOON)
    assert (primary.decisions, primary.grounding_failures) == (2, 1)
    assert (secondary.decisions, secondary.grounding_failures) == (2, 0)
    # primary promised 0.6 twice: (0.4^2 + 0.6^2) / 2; secondary 0.8: (0.2^2 + 0.8^2) / 2
    assert (primary.brier, secondary.brier) == (D("0.26"), D("0.34"))
    anywhere, _ = await store.track_records(REALM, regime=None, before=NOON)
    assert anywhere.decisions == 3
    nothing, _ = await store.track_records(REALM, regime="sideways", before=NOON)
    assert (nothing.decisions, nothing.grounding_failures, nothing.brier) == (0, 0, None)


async def test_a_promise_counts_only_for_the_role_that_said_buy(store: Store) -> None:
    held = a_stance(Role.SECONDARY, action=Action.HOLD)
    await finished(store, -2, pnl="1", stances=(a_stance(Role.PRIMARY), held))
    primary, secondary = await store.track_records(REALM, regime=None, before=NOON)
    assert primary.brier == D("0.16")
    assert secondary.brier is None


async def test_the_first_result_of_a_period_is_the_one(store: Store) -> None:
    key = {"account": "main", "period": "2020-03-12"}
    assert await store.find_report(REALM, kind="daily", **key) is None
    for content in ("a" * 64, "b" * 64):
        assert await store.keep_report(REALM, kind="daily", as_of=NOON, content_hash=content, **key) == "a" * 64
        assert await store.keep_plan(REALM, as_of=NOON, content_hash=content, **key) == "a" * 64
    assert await store.find_report(REALM, kind="daily", **key) == "a" * 64
    assert await store.find_plan(REALM, **key) == "a" * 64


async def whole_decision(store: Store) -> DecisionHead:
    """An account, one finished decision with everything a card shows, and its filled entry."""
    await store.open_account(
        REALM, venue="simulated", ledger="main", account="main", opening=[("USDT", D("10000"))], as_of=NOON
    )
    head = a_head()
    await store.open_decision(head)
    snapshot = await store.put(
        canonical_json({"symbol": "BTC/USDT", "facts": [{"id": "rsi_14@1h", "value": "29.5"}]}),
        media_type="application/json",
    )
    answer = await store.put('{"action":"buy"}', media_type="application/json")
    await store.recall(head)
    await store.keep_answer(REALM, an_answer(answer_hash=answer))
    await store.keep_answer(REALM, an_answer(answer_hash=answer, role=Role.SECONDARY, model="range-rules"))
    finding = Finding(code="reward_risk_low", severity=Severity.NOTE, path="target", expected="2", found="1.8")
    await store.record_findings(head, a_stance(answer_hash=answer), [finding], step="propose")
    await store.record_findings(
        head, a_stance(Role.SECONDARY, verdict=Verdict.ABSTAINS, action=None), [], step="propose"
    )
    denial = Denial(code="max_position", message="too large", numbers={"limit": "0.1"})
    await store.record_gate(head, GateAnswer(request_id=f"{REALM}/x/gate", denials=(denial,)), account="main")
    request = a_request(decision_id=head.decision_id)
    await store.record_intent(request, a_prepared(request))
    await store.record_sent(request.key)
    await store.record_order(request.key, a_venue_order(request, a_fill(request)), [a_fill(request)])
    await store.finish_decision(a_summary(head, snapshot_hash=snapshot))
    return head


async def test_the_card_has_every_key_of_decide(store: Store) -> None:
    head = await whole_decision(store)
    card = await decision_card(store, REALM, head.decision_id)
    assert card is not None
    assert card.keys() >= DECIDE_KEYS | {"accounts"}
    assert (card["outcome"], card["action"], card["size"]) == ("executed", "buy", "0.04")
    assert (card["entry"], card["stop"], card["targets"]) == ("5000", "4900", ["5300"])
    assert card["facts"] == [{"id": "rsi_14@1h", "value": "29.5"}]
    assert [(p["role"], p["verdict"], p["answer"]) for p in card["proposals"]] == [
        ("primary", "accepted", '{"action":"buy"}'),
        ("secondary", "abstains", None),
    ]
    assert card["findings"][0]["code"] == "reward_risk_low"
    assert card["risk"][0]["denials"][0]["code"] == "max_position"
    assert card["orders"][0]["executed_quantity"] == "0.1"
    assert card["cost_usd"] == "0.00246"
    assert card["latency_ms"] >= 0
    assert card["accounts"][0]["notional_usd"] == "400.1"
    assert json.loads(json.dumps(card)) == card
    assert await decision_card(store, REALM, "nothing") is None


async def test_a_card_can_be_read_before_the_decision_ends(store: Store) -> None:
    head = a_head()
    await store.open_decision(head)
    card = await decision_card(store, REALM, head.decision_id)
    assert card is not None
    assert (card["outcome"], card["action"], card["latency_ms"], card["accounts"]) == ("open", "hold", None, [])


async def test_lists_and_status_tell_the_same_story(store: Store) -> None:
    head = await whole_decision(store)
    await store.record_equity(REALM, "main", as_of=NOON + timedelta(hours=12), marks=[("BTC/USDT", D("4000"))])
    (line,) = await decision_list(store, REALM)
    assert (line["decision_id"], line["accounts"]) == (head.decision_id, {"main": "executed"})
    (order,) = await order_list(store, REALM, account="main")
    assert order["status"] == "FILLED"
    (held,) = await position_list(store, REALM)
    assert (held["quantity"], held["mark_price"], held["notional_usd"]) == ("0.0999", "4000", "399.6")
    assert [row["equity_usd"] for row in await equity_series(store, REALM)] == ["10000", "9899.6"]
    now = await status(store, REALM)
    assert (now["decisions"], now["orders"], now["fills"], now["model_calls"]) == (1, 1, 1, 2)
    assert now["last_decision"] == line
    assert now["positions"] == [held]
    assert now["accounts"][0]["mode"] == "auto"
    assert now["open_orders"] == []
    assert json.loads(json.dumps(now)) == now


async def test_the_summary_of_a_run(store: Store) -> None:
    await whole_decision(store)
    await finished(store, 2, fusion=a_fusion(outcome=FusionOutcome.ABSTAIN))
    await finished(store, 3, fusion=None)
    for days, price in ((1, "6000"), (2, "3000"), (3, "5000")):
        await store.record_equity(REALM, "main", as_of=NOON + timedelta(days=days), marks=[("BTC/USDT", D(price))])
    assert await run_summary(store, REALM) == {
        "days": 3,
        "decisions": 3,
        "abstentions": 2,
        "orders": 1,
        "fills": 1,
        "model_calls": 2,
        "equity_start_usd": "10000",
        "equity_end_usd": "9999.5",
        "max_drawdown": str(((D("10099.4") - D("9799.7")) / D("10099.4")).quantize(D("0.00000001"))),
    }
    empty = await run_summary(store, "test-empty")
    assert (empty["days"], empty["equity_end_usd"], empty["max_drawdown"]) == (0, "0", "0")
