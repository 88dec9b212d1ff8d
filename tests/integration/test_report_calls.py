"""Reports from real rows: what is read of a period, what is kept of it, and the verb that writes it."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from command_line import perennial
from store_rows import (
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
)  # fmt: skip
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.reports.calls import BaselineResult, ReportCalls, ReportRequest
from activities.reports.rendering import TemplateRenderer
from activities.reports.source import StoreSource
from activities.store.migrate import migrate
from activities.store.open import Store, open_store
from activities.store.playbooks import keep_playbook
from activities.store.review_data import period_records
from trading.decision.codes import finding
from trading.decision.models import AccountOutcome, DecisionHead, FusionOutcome, Role
from trading.facts.models import Fact, MarketSnapshot
from trading.ids import canonical_json
from trading.orders.models import Leg, OrderStatus, OrderType, Side
from trading.playbook import first_playbook, revised
from trading.policy.model import Policy
from trading.policy.table import changed
from trading.review.period import ReportKind, period_of
from trading.review.review import PeriodRecords, review_period

DAY = date(2020, 3, 12)
TODAY = period_of(ReportKind.DAILY, DAY)
PLAYBOOK = revised(first_playbook(), policy=changed(Policy(), principle_min_samples=2))
ANSWER = {"action": "buy", "claims": [{"statement": "it falls", "cites": ["change_24h"], "value": "-0.03"}]}


def a_snapshot(symbol: str, as_of: datetime, price: str) -> MarketSnapshot:
    def fact(id: str, value: object, unit: str) -> Fact:
        return Fact.model_validate(
            {"id": id, "name": id.partition("@")[0], "value": value, "unit": unit, "as_of": as_of}
        )

    return MarketSnapshot(
        symbol=symbol, as_of=as_of, venue="simulated", last_price=D(price), bars=500, base_timeframe="1h",
        facts=(fact("change_24h", D("-0.03"), "fraction"), fact("ema_trend@1h", "down", "label")),
    )  # fmt: skip


async def decide(store: Store, as_of: datetime, price: str, *, outcome: str = "held") -> DecisionHead:
    """One finished decision with its snapshot, both answers, a finding and its end for the account."""
    head = a_head(as_of=as_of, playbook_version=PLAYBOOK.version)
    await store.open_decision(head)
    snapshot = await store.put(canonical_json(a_snapshot(head.symbol, as_of, price)), media_type="application/json")
    answer = await store.put(json.dumps(ANSWER), media_type="application/json")
    found = finding("uncited_number", path="steps.0", expected="a fact", found="7")
    for role in Role:
        stance = a_stance(role, answer_hash=answer)
        await store.record_findings(head, stance, [found] if role is Role.PRIMARY else [], step="propose")
        model = f"rules-{role.value}"
        await store.keep_answer(REALM, an_answer(decision_id=head.decision_id, role=role, model=model))
    opens = outcome == "opened"
    fusion = a_fusion() if opens else a_fusion(outcome=FusionOutcome.HOLD, size_fraction=D(0))
    ends = (AccountOutcome(account="main", outcome=outcome),)
    await store.finish_decision(a_summary(head, snapshot_hash=snapshot, fusion=fusion, outcomes=ends))
    return head


async def trade(store: Store, at: datetime, *, entry: str, exit_price: str, pnl: str) -> DecisionHead:
    """A decision that opened: bought at `entry`, stopped or sold four hours later, recorded."""
    head = await decide(store, at, entry, outcome="opened")
    number = str(at.hour)
    bought = a_request(decision_id=head.decision_id, as_of=at, expected_price=D("4999"), quantity=D("0.1"))
    sold = a_request(
        decision_id=head.decision_id, leg=Leg.STOP, side=Side.SELL, type=OrderType.STOP_LOSS, stop_price=D(exit_price),
        quantity=D("0.0999"), as_of=at + timedelta(seconds=2), permit_id=None,
    )  # fmt: skip
    for request, price, filled_at in ((bought, entry, at), (sold, exit_price, at + timedelta(hours=4))):
        await store.record_intent(request, a_prepared(request))
        fill = a_fill(
            request, trade_id=f"{number}{request.leg.value}", price=D(price), filled_at=filled_at + timedelta(seconds=1)
        )
        order = a_venue_order(request, fill, status=OrderStatus.FILLED, updated_at=filled_at + timedelta(seconds=1))
        await store.record_order(request.key, order, [fill])
    await store.record_outcome(
        REALM, "main", head.symbol, head.decision_id, pnl_usd=D(pnl), return_fraction=D(pnl) / 500,
        exit_reason="stop", closed_at=at + timedelta(hours=4, seconds=1),
    )  # fmt: skip
    return head


async def a_small_day(store: Store) -> dict[str, DecisionHead]:
    """Yesterday one trade; today a gain, a loss, a hold and marks until midnight; beside it an account that waits."""
    midnight = TODAY.start
    for account in ("main", "quiet"):
        await store.open_account(
            REALM, venue="simulated", ledger="main", account=account, opening=[("USDT", D(10000))],
            as_of=midnight - timedelta(days=2),
        )  # fmt: skip
    await keep_playbook(store, PLAYBOOK)
    heads = {
        "before": await trade(store, midnight - timedelta(hours=9), entry="5000", exit_price="4900", pnl="-11"),
        "won": await trade(store, midnight + timedelta(hours=1), entry="5000", exit_price="5300", pnl="29"),
        "lost": await trade(store, midnight + timedelta(hours=6), entry="5010", exit_price="4900", pnl="-12"),
        "held": await decide(store, midnight + timedelta(hours=12), "5100"),
        "after": await decide(store, midnight + timedelta(hours=25), "9999"),
    }
    for hour, equity in ((0, 1000), (6, 1029), (12, 1017), (24, 1017), (30, 1)):
        marks = [("BTC/USDT", D(5000 + equity))]
        await store.record_equity(REALM, "main", as_of=midnight + timedelta(hours=hour), marks=marks)
        await store.record_equity(REALM, "quiet", as_of=midnight + timedelta(hours=hour), marks=[])
    return heads


@pytest.fixture
async def day(store: Store) -> dict[str, DecisionHead]:
    return await a_small_day(store)


async def today(store: Store) -> PeriodRecords:
    return await period_records(store, REALM, "main", start=TODAY.start, end=TODAY.end)


async def test_a_trade_is_read_with_its_plan_orders_and_chain(store: Store, day: dict[str, DecisionHead]) -> None:
    records = await today(store)
    won, lost = records.trades
    assert (won.decision_id, lost.decision_id) == (day["won"].decision_id, day["lost"].decision_id)
    assert (won.pnl_usd, won.exit_reason, won.opened_at) == (29, "stop", TODAY.start + timedelta(hours=1, seconds=1))
    assert [order.leg for order in won.orders] == [Leg.ENTRY, Leg.STOP]
    assert won.orders[0].commission_usd == D("0.0001") * 5000  # charged in base
    assert won.orders[0].first_fill_at == won.opened_at
    plan = won.plan
    assert (plan.entry_price, plan.stop_price, plan.win_probability) == (5000, 4900, D("0.6"))
    assert (plan.change_24h, plan.opposing_facts, plan.opposing_cited) == (D("-0.03"), 2, 1)
    assert won.chain is not None
    assert won.chain.playbook_version == PLAYBOOK.version
    assert won.chain.finding_codes == ("uncited_number",)
    assert len(won.chain.answer_hashes) == 2
    assert won.chain.client_order_ids == tuple(order.client_order_id for order in won.orders)


async def test_a_period_holds_what_happened_in_it_and_nothing_later(store: Store, day: dict[str, DecisionHead]) -> None:
    records = await today(store)
    assert [trade.decision_id for trade in records.trades_before] == [day["before"].decision_id]
    assert (records.tally.decisions, dict(records.tally.outcomes)) == (3, {"opened": 2, "held": 1})
    assert dict(records.tally.findings) == {"uncited_number": 3}
    assert records.tally.regimes == (("BTC/USDT", "bear_market", 3),)
    assert (records.tally.model_calls, records.tally.models_cost_usd) == (6, 6 * D("0.00123"))
    assert len(records.orders) == 4
    assert [point.at for point in records.equity] == [TODAY.start + timedelta(hours=h) for h in (0, 6, 12, 24)]
    assert [account.account for account in records.accounts] == ["main", "quiet"]
    assert records.buy_and_hold_return == D(5100) / 5000 - 1, "from the first to the last observation of the day"
    assert [(model.name, model.is_rule_based) for model in records.models] == [
        ("rules-primary", True),
        ("rules-secondary", True),
    ]


async def test_a_position_is_told_as_it_was_at_the_end_of_the_period(store: Store) -> None:
    await a_small_day(store)
    morning = await period_records(store, REALM, "main", start=TODAY.start, end=TODAY.start + timedelta(hours=2))
    held = morning.positions[0].position
    assert held.quantity == D("0.0999"), "bought at one, sold at five"
    assert held.last_fill_at == TODAY.start + timedelta(hours=1, seconds=1)
    assert morning.positions[0].mark == 5000, "the last price that was observed, no mark of later"
    assert (await today(store)).positions == ()


async def test_an_account_that_never_opened_is_named(store: Store, day: dict[str, DecisionHead]) -> None:
    with pytest.raises(KeyError, match="account 'nobody' is unknown in realm test-store: known are main, quiet"):
        await period_records(store, REALM, "nobody", start=TODAY.start, end=TODAY.end)


def calls(store: Store, folder: Path | None = None) -> ReportCalls:
    return ReportCalls(StoreSource(store), store, TemplateRenderer(), folder=folder)


def text_of(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def endings(folder: Path) -> list[str]:
    return sorted(path.suffix for path in folder.rglob("*") if path.is_file())


def a_report_request(kind: ReportKind = ReportKind.DAILY, **changes: object) -> ReportRequest:
    return ReportRequest.model_validate({"realm": REALM, "account": "main", "kind": kind, "day": DAY} | changes)


@pytest.mark.parametrize("kind", list(ReportKind))
async def test_every_kind_is_kept_and_written(
    store: Store, day: dict[str, DecisionHead], tmp_path: Path, kind: ReportKind
) -> None:
    kept = await ActivityEnvironment().run(calls(store, tmp_path / "reports").make_report, a_report_request(kind))
    assert kept.period == period_of(kind, DAY).name
    assert await store.find_report(REALM, kind=kind.value, account="main", period=kept.period) == kept.content_hash
    markdown = await store.get(kept.content_hash)
    assert kept.markdown_path is not None
    assert kept.html_path is not None
    assert text_of(kept.markdown_path) == markdown
    assert f"# {kind.value.capitalize()} report {kept.period}" in markdown
    assert text_of(kept.html_path).startswith("<!doctype html>")
    assert kept.is_complete is (kind is ReportKind.DAILY)
    assert endings(tmp_path / "reports") == [".html", ".md"], "no half-written file is left"


async def test_the_first_report_of_a_period_stays(store: Store, day: dict[str, DecisionHead], tmp_path: Path) -> None:
    made = calls(store, tmp_path)
    first = await ActivityEnvironment().run(made.make_report, a_report_request())
    again = await ActivityEnvironment().run(made.make_report, a_report_request())
    assert again == first, "the same records give the same report"
    beaten = (BaselineResult(account="main", percentile=D("0.5")),)
    other = await ActivityEnvironment().run(made.make_report, a_report_request(baseline=beaten))
    assert (other.content_hash, other.was_kept_before, other.markdown_path) == (first.content_hash, True, None)
    assert first.markdown_path is not None
    assert text_of(first.markdown_path) == await store.get(first.content_hash)


async def test_a_review_tells_a_workflow_what_to_branch_on(store: Store, day: dict[str, DecisionHead]) -> None:
    brief = await ActivityEnvironment().run(calls(store).review_period, a_report_request())
    assert (brief.period, brief.trades, brief.pnl_usd) == ("2020-03-12", 2, "17")
    assert len(brief.lessons) == 3
    assert brief.principles == (
        "To buy BTC/USDT in a bear market has failed, in 2 of 3 trades: say what is different now, or do not trade.",
    ), "by the policy of the playbook in force, which asks for two samples"


async def test_a_report_of_an_unknown_account_is_final(store: Store, day: dict[str, DecisionHead]) -> None:
    with pytest.raises(ApplicationError, match="account 'nobody' is unknown") as refused:
        await ActivityEnvironment().run(calls(store).make_report, a_report_request(account="nobody"))
    assert (refused.value.type, refused.value.non_retryable) == ("UnknownAccount", True)
    with pytest.raises(ApplicationError, match="time zone 'Mars/Base' is unknown") as refused:
        await ActivityEnvironment().run(calls(store).make_report, a_report_request(zone="Mars/Base"))
    assert (refused.value.type, refused.value.non_retryable) == ("ReportRefused", True)


async def test_two_reads_of_one_day_give_the_same_review(store: Store, day: dict[str, DecisionHead]) -> None:
    first, second = await today(store), await today(store)
    assert review_period(first, TODAY, Policy()) == review_period(second, TODAY, Policy())


async def a_home(folder: Path) -> Path:
    """A home whose records are the small day."""
    url = f"sqlite+aiosqlite:///{folder / 'perennial.sqlite'}"
    await migrate(url)
    store = await open_store(url)
    await a_small_day(store)
    await store.aclose()
    return folder


async def test_the_verb_writes_a_report_of_a_kept_home(tmp_path: Path) -> None:
    home = await a_home(tmp_path)
    said = perennial(home, "report", "weekly", "--date", "2020-03-12", "--account", "main", "--json")
    assert said.code == 0, said.err
    answer = said.answer
    assert (answer["kind"], answer["period"], answer["realm"], answer["kept"]) == ("weekly", "2020-W11", REALM, "none")
    assert Path(answer["path"]) == home / "reports" / REALM / "main" / "weekly-2020-W11.md"
    assert "<svg" in text_of(answer["html"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("hourly", "--date", "2020-03-12"),
            "report 'hourly' is unknown: allowed are daily, weekly, monthly, quarterly",
        ),
        (("daily", "--date", "soon"), "--date 'soon' is no date"),
        (("daily", "--date", "2020-03-12"), "has several accounts: name one with --account, of main, quiet"),
        (("daily", "--date", "2020-03-12", "--account", "x"), "account 'x' is unknown in realm test-store"),
        (("daily", "--date", "2020-03-12", "--home", "/does/not/exist"), "no such folder"),
    ],
)
async def test_a_wrong_request_is_refused_in_one_sentence(
    tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    said = perennial(await a_home(tmp_path), "report", *words)
    assert said.is_one_sentence
    assert sentence in said.err
