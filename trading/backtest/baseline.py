"""The random baseline: what chance earns with the same turnover and the same costs (C58).

numpy, for two hundred runs of hundreds of trades each are one table.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from trading.backtest.models import BacktestResult
from trading.candles import CandleSeries
from trading.contract import Contract
from trading.facts.bars import Bars, FloatArray, bars_of
from trading.portfolio import stated


class Baseline(Contract):
    """How a strategy's mean trade compares with random ones: the share of the runs that it beat (ties count half)."""

    runs: int
    percentile: Decimal
    mean_return: Decimal
    best_return: Decimal
    own_return: Decimal


def random_baseline(
    result: BacktestResult, series: CandleSeries, *, cost_fraction: Decimal, runs: int, seed: int
) -> Baseline | None:
    """`result` against `runs` random runs over the same candles; `None` without trades or without room to place them.

    Each run places as many trades of the same lengths in another order at random times, one after the other, and pays
    `cost_fraction` for each round trip: equal turnover and costs, no skill. Stops and targets are not imitated: they
    are part of the skill that is measured.
    """
    spans = [trade.bars for trade in result.trades]
    if not spans:
        return None
    closes = _closes(bars_of(series), result)
    if sum(spans) >= len(closes) - 1:
        return None
    own = float(sum((trade.return_fraction for trade in result.trades), Decimal(0)) / len(spans))
    means = random_means(closes, spans, cost_fraction=float(cost_fraction), runs=runs, seed=seed)
    return _compared(own, means)


def random_baseline_of_all(
    results: Sequence[BacktestResult],
    histories: Sequence[Bars],
    *,
    cost_fraction: Decimal,
    runs: int,
    seed: int,
) -> Baseline | None:
    """As `random_baseline`, of one strategy on several symbols: the trades of each are placed in its own history.

    `None` where nothing traded, or where a symbol's trades fill its history.
    """
    sums = np.zeros(runs)
    own: list[Decimal] = []
    for place, (result, bars) in enumerate(zip(results, histories, strict=True)):
        spans = [trade.bars for trade in result.trades]
        if not spans:
            continue
        closes = _closes(bars, result)
        if sum(spans) >= len(closes) - 1:
            return None
        means = random_means(closes, spans, cost_fraction=float(cost_fraction), runs=runs, seed=seed + place)
        sums += means * len(spans)
        own += [trade.return_fraction for trade in result.trades]
    if not own:
        return None
    return _compared(float(sum(own, Decimal(0)) / len(own)), sums / len(own))


def random_means(closes: FloatArray, spans: Sequence[int], *, cost_fraction: float, runs: int, seed: int) -> FloatArray:
    """The mean trade return of each random run, after costs."""
    chance = np.random.default_rng(seed)
    lengths = chance.permuted(np.tile(np.array(spans, dtype=np.int64), (runs, 1)), axis=1)
    room = len(closes) - 1 - int(sum(spans))
    offsets = np.sort(chance.integers(0, room + 1, size=(runs, len(spans))), axis=1)
    starts: NDArray[np.int64] = offsets + np.cumsum(lengths, axis=1) - lengths
    gains = closes[starts + lengths] / closes[starts] - 1.0 - cost_fraction
    means: FloatArray = gains.mean(axis=1)
    return means


def _compared(own: float, means: FloatArray) -> Baseline:
    share = float(np.mean(means < own) + np.mean(means == own) / 2)
    return Baseline(
        runs=len(means),
        percentile=stated(share),
        mean_return=stated(float(means.mean())),
        best_return=stated(float(means.max())),
        own_return=stated(own),
    )


def _closes(bars: Bars, result: BacktestResult) -> FloatArray:
    """The closes of the result's own candles."""
    first = int(np.searchsorted(bars.closes_at, int(result.closes[0].timestamp())))
    return bars.close[first : first + result.bars]
