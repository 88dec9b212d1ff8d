"""Weeks put together are one long run, nothing later than a week's end is in it, and small tests end somewhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache

import pytest

from trading.backtest.market_facts import MarketFacts
from trading.backtest.models import BacktestPlan
from trading.backtest.run import backtest
from trading.candles import CandleSeries
from trading.decision.analysts import propose, propose_by_set
from trading.decision.models import Action
from trading.evolution.cull import CullVerdict, Fate
from trading.evolution.lessons import principles_of
from trading.evolution.models import Record, TradeReturn, reason
from trading.evolution.pool import Pool, Status, first_pool, trading_set, with_newborns, with_verdicts
from trading.evolution.promotion import Promotion
from trading.evolution.running import run_between
from trading.evolution.small_test import after_small_tests
from trading.evolution.trail import one_after_another, side_by_side
from trading.evolution.vary import mutants
from trading.facts.models import Fact
from trading.generator import generate_market
from trading.planning.hours import MarketHours, week_to_judge
from trading.policy.model import Policy
from trading.policy.table import changed
from trading.strategies.conditions import number
from trading.strategies.gene_pool import GENE_POOL
from trading.strategies.library import LIBRARY
from trading.strategies.models import Op, Setup, Strategy

START = datetime(2024, 1, 1, tzinfo=UTC)
POLICY = changed(Policy(), min_history_bars=100)
SYMBOLS = ["BTC/USDT", "ETH/USDT"]
NAMES = ("breakout", "macd-cross", "mean-reversion", "trend-following")
CARRYING = ("mean-reversion", "trend-following")


@cache
def market() -> dict[str, CandleSeries]:
    return generate_market(seed=5, symbols=SYMBOLS, start=START, days=70)


def preset(name: str) -> Strategy:
    return next(row for row in GENE_POOL if row.name == name)


def plans(name: str) -> list[BacktestPlan]:
    return [BacktestPlan(strategy=preset(name), series=series, policy=POLICY) for series in market().values()]


def times(record: Record) -> list[tuple[datetime, datetime]]:
    return [(trade.entry_at, trade.exit_at) for trade in record.trades]


@pytest.mark.parametrize("name", NAMES)
def test_weeks_one_after_another_are_the_long_run(name: str) -> None:
    """Positions are carried over the week's end: none is lost, none counts twice."""
    first, last = START + timedelta(days=20), START + timedelta(days=62)
    whole = run_between(plans(name), start=first, end=last, pending={})
    assert whole is not None
    weeks, pending = [], {}
    for number_ in range(6):
        at = first + timedelta(days=7 * number_)
        run = run_between(plans(name), start=at, end=at + timedelta(days=7), pending=pending)
        assert run is not None
        weeks.append(run.record)
        pending = dict(run.pending)
    together = one_after_another(weeks)
    mine, long = times(together), times(whole.record)
    assert len(mine) == len(set(mine)), "no trade counts twice"
    carried = any(opened < first + timedelta(days=7 * week) < closed for opened, closed in mine for week in range(1, 6))
    assert carried or name not in CARRYING, "positions that lived over a week's end are among them"
    assert mine == long
    assert [day for day, _ in together.daily_returns] == [day for day, _ in whole.record.daily_returns]
    gap = abs(together.equity[-1] - whole.record.equity[-1])
    assert gap < Decimal("0.001"), "only the size differs: each run that goes on has fresh capital"


@pytest.mark.parametrize("name", NAMES)
def test_a_week_knows_nothing_later_than_its_end(name: str) -> None:
    end = START + timedelta(days=40)
    told = [replace(plan, series=plan.series.closed_at(end - timedelta(microseconds=1))) for plan in plans(name)]
    start = end - timedelta(days=7)
    assert run_between(plans(name), start=start, end=end, pending={}) == run_between(
        told, start=start, end=end, pending={}
    )


def test_shared_facts_change_no_result() -> None:
    (plan, *_) = plans("breakout")
    facts = MarketFacts(plan.series, policy=POLICY)
    shared = [backtest(replace(plan, strategy=row, facts=facts)) for row in GENE_POOL[:4]]
    assert shared == [backtest(replace(plan, strategy=row)) for row in GENE_POOL[:4]]
    with pytest.raises(ValueError, match="another series or another policy"):
        backtest(replace(plan, facts=MarketFacts(market()["ETH/USDT"], policy=POLICY)))


def test_two_symbols_beside_each_other_share_the_account() -> None:
    day = START
    one = Record(strategy="x", start=day, end=day, trades=(), daily_returns=((day, Decimal("0.04")),))
    other = one.model_copy(update={"daily_returns": ((day, Decimal("-0.02")),)})
    assert side_by_side("x", [one, other], start=day, end=day).daily == (Decimal("0.01"),)


@pytest.mark.parametrize(
    ("at", "period", "until"),
    [
        ("2024-02-04T20:00", "2024-W05", "2024-02-04T20:00"),
        ("2024-02-05T00:00", "2024-W05", "2024-02-05T00:00"),
        ("2024-02-07T13:00", "2024-W05", "2024-02-05T00:00"),
        ("2021-01-03T20:00", "2020-W53", "2021-01-03T20:00"),
    ],
)
def test_the_week_to_judge_is_the_newest_that_has_a_sunday(at: str, period: str, until: str) -> None:
    found = week_to_judge(datetime.fromisoformat(at).replace(tzinfo=UTC), MarketHours())
    assert found == (period, datetime.fromisoformat(until).replace(tzinfo=UTC))


def a_trial(*, born_days_ago: int) -> tuple[Pool, str, datetime]:
    at = START + timedelta(days=60)
    pool = first_pool(GENE_POOL, at=START)
    (child, *_) = mutants(GENE_POOL, seed="s", policy=POLICY)
    pool = with_newborns(pool, [child], at=at - timedelta(days=born_days_ago), policy=POLICY)
    return pool, child.strategy.name, at


@pytest.mark.parametrize(
    ("days", "passed", "gain", "status", "event"),
    [
        (6, True, "0.01", Status.TRIAL, "mutation"),
        (7, True, "0.01", Status.ACTIVE, "promote"),
        (7, True, "-0.01", Status.RETIRED, "retire"),
        (7, False, "0.01", Status.RETIRED, "retire"),
        (7, None, "0.01", Status.RETIRED, "retire"),
    ],
)
def test_a_small_test_ends_in_promotion_or_retirement(
    days: int, passed: bool | None, gain: str, status: Status, event: str
) -> None:
    pool, name, at = a_trial(born_days_ago=days)
    against = () if passed else (reason("no_edge", "does not earn"),)
    verdict = Promotion(strategy=name, promoted=bool(passed), against=against, figures={})
    trade = TradeReturn(entry_at=at, exit_at=at, return_fraction=Decimal(gain))
    lived = Record(strategy=name, start=at, end=at, trades=(trade,), daily_returns=())
    verdicts = {} if passed is None else {name: verdict}
    after = after_small_tests(pool, verdicts, {name: lived}, at=at, policy=POLICY)
    assert after.entry(name).status is status
    assert after.history[-1].kind == event
    assert bool(after.history[-1].reasons) is (event == "retire")
    assert after.trials == pool.trials
    assert len(after.entries) == len(pool.entries), "nobody leaves the pool"


def test_the_trading_set_has_no_shadows_and_the_sizes_of_budgets() -> None:
    pool = first_pool(GENE_POOL, at=START)
    culled, warned, kept = (row.strategy.name for row in pool.entries[:3])
    verdicts = [
        CullVerdict(strategy=culled, fate=Fate.CULLED, reasons=(), budget_factor=Decimal(0)),
        CullVerdict(strategy=warned, fate=Fate.WARNED, reasons=(), budget_factor=Decimal("0.5")),
    ]
    rows = {row.name: row for row in trading_set(with_verdicts(pool, verdicts, at=START))}
    assert culled not in rows
    assert rows[warned].size_fraction == preset(warned).size_fraction / 2
    assert rows[kept] == preset(kept)


def test_principles_need_many_trades_that_agree() -> None:
    pool = first_pool(GENE_POOL, at=START)
    name = GENE_POOL[0].name

    def lived(*returns: str) -> dict[str, Record]:
        trades = tuple(TradeReturn(entry_at=START, exit_at=START, return_fraction=Decimal(value)) for value in returns)
        return {name: Record(strategy=name, start=START, end=START, trades=trades, daily_returns=())}

    assert principles_of(pool, lived(*["-0.02", "-0.01"] * 24), policy=POLICY) == (), "48 trades say nothing"
    (loses,) = principles_of(pool, lived(*["-0.02", "-0.01"] * 30), policy=POLICY)
    (earns,) = principles_of(pool, lived(*["0.02", "0.01"] * 30), policy=POLICY)
    assert ("have lost" in loses, "have earned" in earns) == (True, True)
    assert principles_of(pool, lived(*["-0.02", "0.02"] * 30), policy=POLICY) == ()


AT = {"unit": "USD", "as_of": START}
MARKET = {name: Fact(id=name, name=name, value=Decimal(value), **AT) for name, value in (("last_price", "100"),)}


def always(name: str, kind: str, confidence: str) -> Strategy:
    base = preset("breakout")
    return Strategy.model_validate(
        base.model_dump()
        | {
            "name": name,
            "kind": kind,
            "filters": (),
            "entries": (Setup(id="always", all_of=(number("a price", "last_price", Op.ABOVE, "0"),)),),
            "stop": {"kind": "fraction", "value": "0.02"},
            "confidence": {"start": confidence},
        }
    )


def test_the_playbooks_strategies_propose_each_in_its_school() -> None:
    base = LIBRARY["rules-momentum"]
    calm, sure = always("calm", "breakout", "0.5"), always("sure", "trend", "0.7")
    other = always("other-school", "reversion", "0.9")
    assert propose(base, MARKET).action is Action.HOLD
    assert propose_by_set(base, (), MARKET) == propose(base, MARKET)
    assert propose_by_set(base, (other,), MARKET).action is Action.HOLD
    assert propose_by_set(base, (calm, other, sure), MARKET) == propose(sure, MARKET)
    held = {
        **MARKET,
        "position_quantity": Fact(id="position_quantity", name="position_quantity", value=Decimal(1), **AT),
    }
    assert propose_by_set(base, (sure,), held) == propose(base, held), "leaving is the analyst's own and the guard's"
