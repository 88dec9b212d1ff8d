"""What the shape of price says: swings, levels, structure, order blocks, fair-value gaps, liquidity (S4-23).

Every function returns arrays whose element i uses candles 0 to i alone. A swing is known only `SWING_BARS` candles
after it happened, so nothing here is redrawn later. Elements before `start` are left NaN: a snapshot wants the last.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading.facts.bars import Bars, FloatArray, IntArray
from trading.facts.indicators import ATR_PERIOD, true_range

SWING_BARS = 3
"""A swing high is above the three candles on each side (and the first of equals)."""
STRUCTURE_BARS, LEVEL_BARS, BLOCK_BARS = 200, 200, 100
LEVEL_TOLERANCE_ATR = 0.5
"""Swings closer than this share of the ATR are one level."""
EQUAL_TOLERANCE_ATR = 0.15
"""Two highs closer than this are equal highs: stops gather behind them."""

STRUCTURE = ("lower_highs_lower_lows", "contracting", "expanding", "higher_highs_higher_lows")
BREAK = ("bearish", "none", "bullish")
LIQUIDITY = ("none", "pool_below", "pool_above", "pools_on_both_sides")
SWEEP = ("none", "swept_lows", "swept_highs", "swept_both")


@dataclass(frozen=True, slots=True)
class Swings:
    """Indices of confirmed-in-hindsight swings; the one at i may be used from i + `SWING_BARS` on."""

    highs: IntArray
    lows: IntArray


def swings_of(bars: Bars) -> Swings:
    """All swings of the bars; the newest `SWING_BARS` candles can hold none yet."""
    return bars.once("swings", lambda bars: Swings(_peaks(bars.high), _peaks(-bars.low)))


def _peaks(values: FloatArray) -> IntArray:
    count = len(values) - 2 * SWING_BARS
    if count < 1:
        return np.empty(0, dtype=np.int64)
    middle = values[SWING_BARS : SWING_BARS + count]
    is_peak = np.ones(count, dtype=bool)
    for place in range(SWING_BARS):
        is_peak &= middle > values[place : place + count]
        is_peak &= middle >= values[place + SWING_BARS + 1 : place + SWING_BARS + 1 + count]
    return (np.flatnonzero(is_peak) + SWING_BARS).astype(np.int64)


def _usable(points: IntArray, at: int, window: int) -> IntArray:
    """Those of the points that were confirmed at candle `at` and lie within the newest `window` candles."""
    first = np.searchsorted(points, at - window + 1)
    return points[first : np.searchsorted(points, at - SWING_BARS, side="right")]


def levels(bars: Bars, start: int) -> tuple[FloatArray, ...]:
    """Nearest support and resistance, and how many swings made each: swing prices of the last 200 candles, joined
    where they lie within half an ATR of each other. Absent where no level lies on that side of the close."""
    swings, atr = swings_of(bars), true_range(bars)
    support, support_touches, resistance, resistance_touches = _blank(bars, 4)
    for at in range(start, len(bars)):
        if np.isnan(atr[at]):
            continue
        highs, lows = _usable(swings.highs, at, LEVEL_BARS), _usable(swings.lows, at, LEVEL_BARS)
        prices = np.sort(np.concatenate((bars.high[highs], bars.low[lows])))
        for level, touches in _clusters(prices, LEVEL_TOLERANCE_ATR * float(atr[at])):
            if level < bars.close[at]:
                support[at], support_touches[at] = level, touches
            elif level > bars.close[at]:
                resistance[at], resistance_touches[at] = level, touches
                break
    return support, support_touches, resistance, resistance_touches


def _clusters(prices: FloatArray, tolerance: float) -> list[tuple[float, int]]:
    """Ascending prices joined while they stay within `tolerance` of the group's first: (mean, count) a group."""
    groups: list[list[float]] = []
    for price in prices.tolist():
        if groups and price - groups[-1][0] <= tolerance:
            groups[-1].append(price)
        else:
            groups.append([price])
    return [(sum(group) / len(group), len(group)) for group in groups]


def market_structure(bars: Bars, start: int) -> tuple[FloatArray, ...]:
    """The order of the last two swing highs and lows; whether this candle closed beyond the last swing (a break of
    structure); and the prices of those swings."""
    swings = swings_of(bars)
    structure, broke, last_high, last_low = _blank(bars, 4)
    for at in range(start, len(bars)):
        highs, lows = _usable(swings.highs, at, STRUCTURE_BARS), _usable(swings.lows, at, STRUCTURE_BARS)
        if len(highs) < 2 or len(lows) < 2:
            continue
        high, low = bars.high[highs[-2:]], bars.low[lows[-2:]]
        rising_highs, rising_lows = high[1] > high[0], low[1] > low[0]
        structure[at] = 3.0 if rising_highs and rising_lows else 2.0 if rising_highs else 1.0 if rising_lows else 0.0
        last_high[at], last_low[at] = high[1], low[1]
        close, before = bars.close[at], bars.close[at - 1]
        broke[at] = 2.0 if before <= high[1] < close else 0.0 if before >= low[1] > close else 1.0
    return structure, broke, last_high, last_low


def order_blocks(bars: Bars, start: int) -> tuple[FloatArray, ...]:
    """How many order blocks of the last 100 candles still hold, both kinds together and each, and the nearest edge
    of each kind: the top of a bullish block below the close, the bottom of a bearish block above it.

    A bullish block is a falling candle whose successor closes above its high with a body of at least one ATR; it holds
    until a candle closes below its low. Bearish mirrors it.
    """
    atr = true_range(bars)
    body = bars.close - bars.open
    born_up, born_down = np.zeros(len(bars), dtype=bool), np.zeros(len(bars), dtype=bool)
    with np.errstate(invalid="ignore"):
        born_up[1:] = (body[:-1] < 0) & (bars.close[1:] > bars.high[:-1]) & (body[1:] >= atr[1:])
        born_down[1:] = (body[:-1] > 0) & (bars.close[1:] < bars.low[:-1]) & (-body[1:] >= atr[1:])
    total, bullish, bearish, below, above = _blank(bars, 5)
    for at in range(max(start, ATR_PERIOD), len(bars)):
        first = max(1, at - BLOCK_BARS + 1)
        closes = bars.close[first : at + 1]
        lowest, highest = _least_from(closes), -_least_from(-closes)
        up = np.flatnonzero(born_up[first : at + 1] & (lowest >= bars.low[first - 1 : at]))
        down = np.flatnonzero(born_down[first : at + 1] & (highest <= bars.high[first - 1 : at]))
        bullish[at], bearish[at], total[at] = len(up), len(down), len(up) + len(down)
        below[at] = _nearest_below(bars.high[up + first - 1], bars.close[at])
        above[at] = _nearest_above(bars.low[down + first - 1], bars.close[at])
    return total, bullish, bearish, below, above


def fair_value_gaps(bars: Bars, start: int) -> tuple[FloatArray, ...]:
    """How many fair-value gaps of the last 100 candles are still open, both kinds together and each, and the nearest
    edge of what is left of each kind: the top of a bullish gap below the close, the bottom of a bearish one above it.

    A bullish gap lies between the high of a candle and the low of the next but one; a later low at or under its
    bottom closes it. Bearish mirrors it.
    """
    total, bullish, bearish, below, above = _blank(bars, 5)
    for at in range(max(start, 2), len(bars)):
        first = max(2, at - BLOCK_BARS + 1)
        low, high = bars.low[first : at + 1], bars.high[first : at + 1]
        bottom, top = bars.high[first - 2 : at - 1], bars.low[first - 2 : at - 1]
        lowest, highest = _least_from(low), -_least_from(-high)
        up, down = np.flatnonzero(lowest > bottom), np.flatnonzero(highest < top)
        bullish[at], bearish[at], total[at] = len(up), len(down), len(up) + len(down)
        below[at] = _nearest_below(lowest[up], bars.close[at])
        above[at] = _nearest_above(highest[down], bars.close[at])
    return total, bullish, bearish, below, above


def liquidity(bars: Bars, start: int) -> tuple[FloatArray, ...]:
    """Where stops gather: the nearest equal highs above and equal lows below that price has not yet passed, the
    context that follows from them, and whether this candle swept a swing (went beyond it and closed back inside)."""
    swings, atr = swings_of(bars), true_range(bars)
    context, sweep, pool_above, pool_below = _blank(bars, 4)
    for at in range(max(start, 1), len(bars)):
        if np.isnan(atr[at]):
            continue
        highs = _untouched(bars.high, _usable(swings.highs, at, BLOCK_BARS), at)
        lows = _untouched(-bars.low, _usable(swings.lows, at, BLOCK_BARS), at)
        tolerance = EQUAL_TOLERANCE_ATR * float(atr[at])
        pool_above[at] = _pool(highs[highs >= bars.high[at]], tolerance)
        pool_below[at] = -_pool(lows[lows >= -bars.low[at]], tolerance)
        context[at] = 2.0 * np.isfinite(pool_above[at]) + 1.0 * np.isfinite(pool_below[at])
        swept_high = ((highs < bars.high[at]) & (highs > bars.close[at])).any()
        swept_low = ((lows < -bars.low[at]) & (lows > -bars.close[at])).any()
        sweep[at] = 2.0 * swept_high + 1.0 * swept_low
    return context, sweep, pool_above, pool_below


def _untouched(values: FloatArray, points: IntArray, at: int) -> FloatArray:
    """Prices of the points that no candle between them and `at` (both excluded) went beyond."""
    if not len(points):
        return np.empty(0)
    first = int(points[0]) + 1
    highest = -_least_from(-values[first:at])
    return values[points][highest[points + 1 - first] <= values[points]]


def _pool(prices: FloatArray, tolerance: float) -> float:
    """The lowest price that has a second one within `tolerance` above it, or NaN."""
    ordered = np.sort(prices)
    near = np.flatnonzero(np.diff(ordered) <= tolerance)
    return float(ordered[near[0]]) if len(near) else float("nan")


def _least_from(values: FloatArray) -> FloatArray:
    """At each place the least value from there to the end."""
    return np.minimum.accumulate(values[::-1])[::-1]


def _nearest_below(prices: FloatArray, price: float) -> float:
    candidates = prices[prices < price]
    return float(candidates.max()) if len(candidates) else float("nan")


def _nearest_above(prices: FloatArray, price: float) -> float:
    candidates = prices[prices > price]
    return float(candidates.min()) if len(candidates) else float("nan")


def _blank(bars: Bars, count: int) -> tuple[FloatArray, ...]:
    return tuple(np.full((count, len(bars)), np.nan))
