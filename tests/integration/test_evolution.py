"""Weeks of evolution on a real store and real processes: kept once, the same again after anything dies."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from eventually import eventually

from activities.evolution.port import ComputeFailed, EvolutionOrder, KeptEvolution
from activities.evolution.processes import BenchProcesses
from activities.evolution.weekly import WeeklyEvolver
from activities.store.open import Store
from activities.store.ports.faults import StoreRefused
from trading.candles import CandleSeries
from trading.evolution.models import Knowledge
from trading.evolution.pool import HoldoutUse
from trading.evolution.report import EvolutionReport
from trading.generator import generate_market
from trading.planning.hours import MarketHours, week_to_judge
from trading.policy.model import Policy
from trading.policy.table import changed

REALM = "test-evolution"
START = datetime(2024, 1, 1, tzinfo=UTC)
SYMBOLS = ("BTC/USDT", "ETH/USDT")
POLICY = changed(
    Policy(),
    min_history_bars=100,
    evolution_history_days=60,
    walk_forward_train_days=14,
    walk_forward_test_days=7,
    holdout_days=7,
)
FIRST_SUNDAY = datetime(2024, 3, 3, 20, tzinfo=UTC)


class Market:
    """Candles as a venue gives them; `asked` counts the calls."""

    venue = "told"
    base_timeframe = "1h"

    def __init__(self) -> None:
        self.series: dict[str, CandleSeries] = generate_market(seed=3, symbols=list(SYMBOLS), start=START, days=90)
        self.asked = 0

    async def candles(self, symbol: str, timeframe: str, *, as_of: datetime, limit: int) -> CandleSeries:
        self.asked += 1
        return self.series[symbol].closed_at(as_of).last(limit)

    async def book_top(self, symbol: str, *, as_of: datetime) -> None:
        return None

    async def aclose(self) -> None:
        return None


def order(week: int, *, realm: str = REALM) -> EvolutionOrder:
    period, as_of = week_to_judge(FIRST_SUNDAY + timedelta(days=7 * week), MarketHours())
    return EvolutionOrder(
        realm=realm, venue="told", period=period, as_of=as_of, symbols=SYMBOLS, playbook_hash="playbook"
    )


@pytest.fixture
async def benches() -> AsyncIterator[BenchProcesses]:
    made = BenchProcesses(processes=1)
    yield made
    await made.aclose()


async def evolved(store: Store, benches: BenchProcesses, week: int, *, realm: str = REALM) -> KeptEvolution:
    return await WeeklyEvolver(store, Market(), benches).evolved(order(week, realm=realm), policy=POLICY)


async def test_weeks_are_kept_once_and_follow_each_other(store: Store, benches: BenchProcesses) -> None:
    first = await evolved(store, benches, 0)
    second = await evolved(store, benches, 1)
    assert await store.find_evolution(REALM, first.period) == first
    with pytest.raises(StoreRefused, match="in their order"):
        await evolved(store, benches, 0)
    found = await store.gene_pool(REALM, before="9999")
    assert found is not None
    assert found.pool.version == second.pool_version
    assert found.pool.trials == 10 + sum(
        event.kind != "create" and event.lineage is not None for event in found.pool.history
    )
    presets = [row.strategy.name for row in found.pool.entries if row.lineage.origin == "preset"]
    assert len(presets) == 10
    for name in presets:
        periods = [week.period for week in found.weeks[name]]
        assert periods[:2] == ["history", first.period]
        ends = [week.record.end for week in found.weeks[name]]
        starts = [week.record.start for week in found.weeks[name]]
        assert starts[1:] == ends[:-1], "weeks lie end to end"
    report = EvolutionReport.model_validate_json(await store.get(second.report_hash))
    assert len(report.candidates) == 3
    assert all(row.windows for row in report.candidates), "each was examined on walk-forward windows"
    assert await store.find_report(REALM, kind="weekly-evolution", account="all", period=first.period) == (
        first.report_hash
    )
    assert await store.evolution_reports(REALM, until=FIRST_SUNDAY) == (first.report_hash,)


async def test_two_realms_and_a_killed_process_come_to_the_same(store: Store, benches: BenchProcesses) -> None:
    mine = [await evolved(store, benches, week) for week in range(2)]
    other = [await evolved(store, benches, 0, realm="test-other")]
    for pid in benches.pids:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(ComputeFailed):
        await evolved(store, benches, 1, realm="test-other")
    other.append(await evolved(store, benches, 1, realm="test-other"))
    assert [kept.report_hash for kept in mine] == [kept.report_hash for kept in other]
    assert [kept.pool_version for kept in mine] == [kept.pool_version for kept in other]


async def test_a_week_later_costs_the_venue_one_call_a_symbol(store: Store, benches: BenchProcesses) -> None:
    market = Market()
    evolver = WeeklyEvolver(store, market, benches)
    await evolver.evolved(order(0), policy=POLICY)
    before = market.asked
    await evolver.evolved(order(1), policy=POLICY)
    assert market.asked - before == len(SYMBOLS)


async def test_later_candles_change_nothing(store: Store, benches: BenchProcesses) -> None:
    honest = await evolved(store, benches, 0)
    market = Market()
    for symbol, series in market.series.items():
        as_of = order(0).as_of
        known = series.closed_at(as_of).candles
        wild = tuple(candle._replace(close=candle.close * 3, high=candle.high * 3) for candle in series.candles)
        market.series[symbol] = CandleSeries(symbol, "1h", (*known, *wild[len(known) :]))
    scrambled = await WeeklyEvolver(store, market, benches).evolved(order(0, realm="test-scrambled"), policy=POLICY)
    assert scrambled.report_hash == honest.report_hash


async def test_a_job_that_is_broken_off_ends_its_process(benches: BenchProcesses) -> None:
    market = Market()
    series = market.series["BTC/USDT"]
    await benches.learn("BTC/USDT", "1h", series.candles, first=START)
    assert benches.known_until("BTC/USDT", first=START) == series.candles[-1].open_time
    (pid,) = benches.pids
    known = Knowledge(SYMBOLS, START + timedelta(days=80), POLICY)
    from trading.strategies.gene_pool import GENE_POOL

    wanted = [(row, START, {}) for row in GENE_POOL * 20]
    job = asyncio.create_task(benches.run("run_weeks", known, wanted, end=known.as_of))
    await asyncio.sleep(0)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job

    async def gone() -> bool:
        return pid not in benches.pids and benches.known_until("BTC/USDT", first=START) is None

    await eventually(gone)
    assert await benches.run("run_weeks", known, [], end=known.as_of) == [], "the next job has a process again"


async def test_a_holdout_is_written_down_once(store: Store) -> None:
    use = HoldoutUse(strategy="x", start=START, end=START + timedelta(days=7), at=START + timedelta(days=8))
    await store.use_holdout(REALM, use, period="2024-W01")
    await store.use_holdout(REALM, use, period="2024-W01")
    async with store.database.read() as connection:
        from sqlalchemy import func, select

        from activities.store.tables import HoldoutRow

        count = (await connection.execute(select(func.count()).select_from(HoldoutRow))).scalar_one()
    assert count == 1
