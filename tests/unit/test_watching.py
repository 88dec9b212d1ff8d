"""What a watch reacts to, as tables: due times, triggers with their caps, anomalies by policy rows."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
from builders import candle
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.facts.models import RiskRegime
from trading.planning.hours import MarketHours
from trading.playbook import first_playbook
from trading.watching.anomalies import candle_anomalies, limits_of, price_anomalies, regime_anomaly
from trading.watching.due import is_due, next_due
from trading.watching.models import WatchedTrigger, Watchlist
from trading.watching.triggers import awaited, firing

D = Decimal
HOURS = MarketHours()
LIMITS = limits_of(first_playbook().policy)


def at(hour: int, minute: int = 0, day: int = 3) -> datetime:
    return datetime(2024, 1, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("after", "every_s", "due"),
    [
        (at(7), None, at(8)),
        (at(8), None, at(8, day=4)),
        (at(7), 4 * 3600, at(8)),
        (at(8), 4 * 3600, at(12)),
        (at(23), 4 * 3600, at(0, day=4)),
        (at(0), 12 * 3600, at(8)),
    ],
)
def test_the_session_and_the_grid_are_due(after: datetime, every_s: int | None, due: datetime) -> None:
    assert next_due(HOURS, after=after, every_s=every_s) == due


def test_a_session_starts_in_the_markets_own_zone() -> None:
    new_york = MarketHours(zone="America/New_York", session_start_at=time(9, 30))
    assert next_due(new_york, after=at(0), every_s=None) == at(14, 30)


@settings(deadline=None)
@given(minutes=st.integers(0, 3 * 1440), step=st.integers(30, 600))
def test_every_session_is_due_once_however_time_passes(minutes: int, step: int) -> None:
    now, count, since = at(9, day=1), 0, at(9, day=1)
    while now < at(9, day=1) + timedelta(minutes=minutes):
        now += timedelta(minutes=step)
        count += is_due(HOURS, since=since, now=now, every_s=None)
        since = now
    sessions = max((now - at(8, day=1)) // timedelta(days=1), 0)
    assert count == sessions or step > 1440


def a_trigger(name: str, *, symbol: str = "BTC/USDT", kind: str = "pullback") -> WatchedTrigger:
    return WatchedTrigger(id=name, symbol=symbol, direction="below", price=D(100), kind=kind, accounts=("composite",))


def a_list(*triggers: WatchedTrigger, per_symbol: int = 2, per_day: int = 6) -> Watchlist:
    return Watchlist(
        playbook_hash="h",
        playbook_version="v",
        triggers=triggers,
        triggers_per_symbol=per_symbol,
        triggers_per_day=per_day,
    )


A, B, ETH, SHIELD = (
    a_trigger("a"),
    a_trigger("b"),
    a_trigger("e", symbol="ETH/USDT"),
    a_trigger("d", kind="defend"),
)


@pytest.mark.parametrize(
    ("plan", "fired", "crossed", "fires"),
    [
        (a_list(A, B), (), ["a"], ["a"]),
        (a_list(A, B), (A,), ["a"], []),
        (a_list(A, B, per_symbol=1), (), ["a", "b"], ["a"]),
        (a_list(A, B, ETH, per_symbol=1), (A,), ["b", "e"], ["e"]),
        (a_list(A, B, ETH, per_day=1), (A,), ["b", "e"], []),
        (a_list(SHIELD, A, per_symbol=0), (), ["a", "d"], ["d"]),
        (a_list(A), (), ["of another plan"], []),
    ],
)
def test_a_trigger_fires_once_and_within_the_caps(
    plan: Watchlist, fired: tuple[WatchedTrigger, ...], crossed: list[str], fires: list[str]
) -> None:
    assert [one.id for one in firing(plan, fired, crossed)] == fires
    left = {one.id for one in awaited(plan, (*fired, *firing(plan, fired, crossed)))}
    assert not left & set(fires)


@pytest.mark.parametrize(
    ("prices", "kind", "defends"),
    [
        ([(0, 100), (10, 101)], None, None),
        ([(0, 100), (10, 97)], "price_jump", True),
        ([(0, 100), (10, 103)], "price_jump", False),
        ([(0, 100), (10, 90)], "flash_crash", True),
        ([(0, 100), (5, 105), (10, "94.5")], "flash_crash", True),
        ([(0, 100), (16, 97)], None, None),
        ([(0, 97)], None, None),
    ],
)
def test_prices_that_jump_and_crash(prices: list[tuple[int, object]], kind: str | None, defends: bool | None) -> None:
    samples = [(at(9, minute), D(str(price))) for minute, price in prices]
    found = price_anomalies("BTC/USDT", samples, LIMITS)
    assert [(one.kind, one.defends) for one in found] == ([] if kind is None else [(kind, defends)])


def test_a_crash_that_goes_on_is_one_anomaly() -> None:
    fall = [(at(9), D(100)), (at(9, 1), D(89)), (at(9, 2), D(88))]
    first, again = price_anomalies("X/USDT", fall[:2], LIMITS), price_anomalies("X/USDT", fall, LIMITS)
    assert first[0].id == again[0].id


@pytest.mark.parametrize(
    ("volume", "high", "kinds"),
    [
        ("49", "102", []),
        ("50", "102", ["volume_spike"]),
        ("10", "111", ["volatility_surge"]),
        ("60", "120", ["volume_spike", "volatility_surge"]),
    ],
)
def test_the_last_candle_against_the_usual_ones(volume: str, high: str, kinds: list[str]) -> None:
    usual = [candle(at(0, day=1) + n * timedelta(hours=1)) for n in range(LIMITS.candles)]
    last = candle(at(0, day=1) + LIMITS.candles * timedelta(hours=1), high=high, volume=volume)
    found = candle_anomalies("BTC/USDT", [*usual, last], as_of=at(9), limits=LIMITS)
    assert [one.kind for one in found] == kinds
    assert candle_anomalies("BTC/USDT", [*usual[1:], last], as_of=at(9), limits=LIMITS) == (), "too few to compare"


@pytest.mark.parametrize(
    ("before", "now", "defends"),
    [
        (RiskRegime.NORMAL, RiskRegime.NORMAL, None),
        (RiskRegime.CRASH, RiskRegime.NORMAL, None),
        (RiskRegime.NORMAL, RiskRegime.RALLY, False),
        (RiskRegime.NORMAL, RiskRegime.HIGH_VOLATILITY, True),
        (RiskRegime.RALLY, RiskRegime.CRASH, True),
    ],
)
def test_only_a_worse_regime_is_news(before: RiskRegime, now: RiskRegime, defends: bool | None) -> None:
    found = regime_anomaly("BTC/USDT", before, now, as_of=at(9))
    assert (None if found is None else found.defends) == defends
