"""Markets from a seed: regimes that switch, symbols that move together, crashes on demand, outages that leave gaps."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from trading.candle_quality import EPOCH
from trading.candles import Candle, CandleSeries, step_of

PATH_POINTS = 6
"""Steps of the price path inside one candle, from which its high and low are taken."""

CRASH_FALL = 0.40
"""What a crash day takes from the price, give or take 0.03 by symbol."""

OUTAGE_EVERY_DAYS = 15
"""The venue is silent for one to three candles once in each full block of this many days; crash days are spared."""


@dataclass(frozen=True, slots=True)
class SymbolShape:
    """How a symbol looks: its first price, its tick, the step of its volumes, its share in the common movement."""

    level: Decimal
    tick: Decimal
    volume_step: Decimal
    beta: float
    daily_turnover_usd: float


@dataclass(frozen=True, slots=True)
class _Regime:
    drift_a_day: float
    volatility_a_day: float
    mean_days: float
    weight: int


_REGIMES = {
    "trend_up": _Regime(0.015, 0.030, 6.0, 30),
    "trend_down": _Regime(-0.014, 0.033, 5.0, 22),
    "range": _Regime(0.0, 0.018, 6.0, 32),
    "high_volatility": _Regime(0.0, 0.065, 2.5, 13),
    "crash": _Regime(-0.22, 0.090, 0.6, 3),
}

_LEVELS = {"BTC": "28000", "ETH": "1800", "BNB": "300", "SOL": "95", "LTC": "80", "XRP": "0.55", "ADA": "0.45"}
_BETAS = {"BTC": 1.0, "ETH": 1.1, "BNB": 1.0, "ADA": 1.15}
_TURNOVERS = {"BTC": 2.0e9, "ETH": 9.0e8, "BNB": 2.5e8, "ADA": 1.2e8}


def shape_of(symbol: str) -> SymbolShape:
    """The shape of `symbol`; a base asset without a row gets a level between 0.5 and 500 from its name alone."""
    base = symbol.split("/", maxsplit=1)[0]
    level = Decimal(_LEVELS[base]) if base in _LEVELS else _level_from_name(base)
    digits = 2 if level >= 10 else 3 if level >= 1 else 4 if level >= Decimal("0.1") else 6
    volume_digits = 5 if level >= 1000 else 4 if level >= 100 else 2 if level >= 1 else 1
    return SymbolShape(
        level=level.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN),
        tick=Decimal(1).scaleb(-digits),
        volume_step=Decimal(1).scaleb(-volume_digits),
        beta=_BETAS.get(base, 0.9),
        daily_turnover_usd=_TURNOVERS.get(base, 5.0e7),
    )


def generate_market(
    *,
    seed: int,
    symbols: Sequence[str],
    start: datetime,
    days: int,
    timeframe: str = "1h",
    crash_days: Sequence[int] = (),
) -> dict[str, CandleSeries]:
    """One market: a series a symbol, over the same `days` from `start`; the same arguments give the same candles.

    A symbol's candles do not depend on which others are asked for. `crash_days` (0 is the first day) each fall by
    about 40 % from open to close, for every symbol. One outage in each full block of 15 days leaves one to three
    candles missing for all symbols, so a series may be shorter than days times candles a day. Every price is a
    positive multiple of the symbol's tick. Raises `ValueError` for a start off the timeframe's grid or without a
    zone, for no symbols or days, and for a crash day outside the range.
    """
    step = step_of(timeframe)
    _check(symbols, start, days, step, crash_days)
    clock = _Clock(start=start, step=step, per_day=timedelta(days=1) // step, days=days)
    crashes = frozenset(crash_days)
    common = list(_common_returns(random.Random(f"{seed}|market"), clock, crashes))
    silent = _outages(random.Random(f"{seed}|outages"), clock, crashes)
    return {
        symbol: CandleSeries(
            symbol,
            timeframe,
            tuple(_candles(random.Random(f"{seed}|{symbol}"), symbol, clock, common, crashes, silent)),
        )
        for symbol in symbols
    }


@dataclass(frozen=True, slots=True)
class _Clock:
    start: datetime
    step: timedelta
    per_day: int
    days: int

    @property
    def candles(self) -> int:
        return self.per_day * self.days


@dataclass(frozen=True, slots=True)
class _Tide:
    """What the whole market does in one candle: its move, and how wild the regime is (daily volatility)."""

    move: float
    volatility_a_day: float


def _check(symbols: Sequence[str], start: datetime, days: int, step: timedelta, crash_days: Sequence[int]) -> None:
    if start.tzinfo is None:
        raise ValueError(f"start {start.isoformat()} has no zone: allowed is an aware time, in UTC")
    if (start - EPOCH) % step:
        raise ValueError(f"start {start.isoformat()} is off the grid: allowed are whole multiples of {step} in UTC")
    if days < 1 or not symbols:
        raise ValueError(f"{days} days of {len(symbols)} symbols: allowed are at least one of each")
    if len(set(symbols)) != len(symbols):
        raise ValueError(f"symbols {', '.join(symbols)}: each is allowed once")
    for day in crash_days:
        if not 0 <= day < days:
            raise ValueError(f"crash day {day} is outside the market: allowed are 0 to {days - 1}")


def _level_from_name(base: str) -> Decimal:
    draw = int.from_bytes(hashlib.sha256(base.encode()).digest()[:4], "big") / 2**32
    return Decimal(f"{0.5 * 1000**draw:.4g}")


def _common_returns(rng: random.Random, clock: _Clock, crashes: frozenset[int]) -> Iterator[_Tide]:
    """The common factor: log returns a candle, from a regime that lasts a random time and then gives way."""
    names = tuple(_REGIMES)
    weights = [_REGIMES[name].weight for name in names]
    regime, left = _REGIMES["range"], 0
    for index in range(clock.candles):
        day = index // clock.per_day
        if left <= 0:
            regime = _REGIMES[rng.choices(names, weights)[0]]
            left = max(1, round(rng.expovariate(1 / (regime.mean_days * clock.per_day))))
        if day - 1 in crashes and index % clock.per_day == 0:
            regime, left = _REGIMES["high_volatility"], 2 * clock.per_day
        left -= 1
        noise = rng.gauss(0.0, regime.volatility_a_day / math.sqrt(clock.per_day))
        if day in crashes:
            yield _Tide(noise, _REGIMES["crash"].volatility_a_day)
        else:
            yield _Tide(regime.drift_a_day / clock.per_day + noise, regime.volatility_a_day)


def _outages(rng: random.Random, clock: _Clock, crashes: frozenset[int]) -> frozenset[int]:
    silent: set[int] = set()
    for block in range(clock.days // OUTAGE_EVERY_DAYS):
        first = block * OUTAGE_EVERY_DAYS
        calm = [day for day in range(first + 1, first + OUTAGE_EVERY_DAYS - 1) if day not in crashes]
        offset, length = rng.randrange(max(1, clock.per_day - 3)), rng.randint(1, 3)
        if calm:
            at = rng.choice(calm) * clock.per_day + offset
            silent.update(range(at, at + length))
    return frozenset(silent)


def _candles(
    rng: random.Random,
    symbol: str,
    clock: _Clock,
    common: Sequence[_Tide],
    crashes: frozenset[int],
    silent: frozenset[int],
) -> Iterator[Candle]:
    shape = shape_of(symbol)
    price = float(shape.level)
    for day in range(clock.days):
        tides = common[day * clock.per_day : (day + 1) * clock.per_day]
        own_noise = 0.012 / math.sqrt(clock.per_day)
        moves = [shape.beta * tide.move + rng.gauss(0.0, own_noise) for tide in tides]
        if day in crashes:
            moves = _crashed(rng, moves)
        for place, (move, tide) in enumerate(zip(moves, tides, strict=True)):
            index = day * clock.per_day + place
            candle = _candle(rng, clock.start + index * clock.step, price, move, tide, shape, clock.per_day)
            price = float(candle.close)
            if index not in silent:
                yield candle


def _crashed(rng: random.Random, moves: Sequence[float]) -> list[float]:
    """`moves` with the missing fall laid over the middle of the day, more in some candles than in others."""
    target = math.log(1.0 - CRASH_FALL + rng.uniform(-0.03, 0.03))
    count = len(moves)
    first, last = (3 * count) // 10, max((3 * count) // 10 + 1, (7 * count) // 10)
    weights = [rng.expovariate(1.0) + 0.2 if first <= place < last else 0.0 for place in range(count)]
    rest = target - math.fsum(moves)
    total = math.fsum(weights)
    return [move + rest * weight / total for move, weight in zip(moves, weights, strict=True)]


def _candle(
    rng: random.Random, at: datetime, price: float, move: float, tide: _Tide, shape: SymbolShape, per_day: int
) -> Candle:
    """One bar from `price`: a path that ends at `move`, its extremes, and a volume that rises with its range."""
    typical = tide.volatility_a_day / math.sqrt(per_day)
    shake = 0.6 * typical / math.sqrt(PATH_POINTS)
    position, path = 0.0, []
    for _ in range(PATH_POINTS - 1):
        position += rng.gauss(0.0, shake)
        path.append(position)
    end = position + rng.gauss(0.0, shake)
    bridge = [value + (move - end) * number / PATH_POINTS for number, value in enumerate(path, start=1)]
    floor = float(shape.tick) * 10
    opened = _on_tick(price, shape.tick)
    closed = _on_tick(max(floor, price * math.exp(move)), shape.tick)
    high = max(opened, closed, _on_tick(price * math.exp(max(bridge)), shape.tick))
    low = min(opened, closed, _on_tick(max(floor, price * math.exp(min(bridge))), shape.tick))
    spread = math.log(float(high) / float(low))
    usual = 0.022 / math.sqrt(per_day)
    turnover = shape.daily_turnover_usd / per_day * (0.35 + 0.65 * spread / usual) * math.exp(rng.gauss(0.0, 0.25))
    volume = Decimal(f"{turnover / float(shape.level):.8f}").quantize(shape.volume_step, rounding=ROUND_HALF_EVEN)
    return Candle(at, opened, high, low, closed, max(volume, shape.volume_step))


def _on_tick(price: float, tick: Decimal) -> Decimal:
    return Decimal(f"{price:.8f}").quantize(tick, rounding=ROUND_HALF_EVEN)
