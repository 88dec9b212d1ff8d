"""Indicators over whole arrays: element i is what was known at the close of candle i, NaN while it warms up.

TA-Lib where its result depends on the past alone. Its EMA, RSI, MACD, ADX and ATR remember their whole past with a
weight that fades; after 500 candles what is left of the beginning is below 1e-13 of the value, so the last element over
the newest 500 candles and the same element over a longer history agree in the eight digits that a fact states.
Bollinger bands are computed a window at a time: TA-Lib's running sums carry the rounding of earlier candles along and
call a deviation of a cheap asset zero.
"""

from __future__ import annotations

import numpy as np
import talib
from numpy.lib.stride_tricks import sliding_window_view

from trading.facts.bars import DAY_S, Bars, FloatArray

EMA_FAST, EMA_SLOW, MACD_SIGNAL = 12, 26, 9
EMA_FLAT_BAND = 0.0005
"""Fast and slow EMA closer than this fraction have no direction."""
RSI_PERIOD, RSI_OVERSOLD, RSI_OVERBOUGHT = 14, 30.0, 70.0
BOLLINGER_PERIOD, BOLLINGER_DEVIATIONS = 20, 2.0
ADX_PERIOD, ADX_GRADES = 14, (20.0, 25.0, 50.0)
ATR_PERIOD = 14
VOLUME_PERIOD = 20
VOLATILITY_BARS = 20
VOLATILITY_BARS_MAX = 480
"""Daily volatility looks at one day's candles, but at no fewer and no more than these (a window has 500)."""

EMA_TREND = ("down", "flat", "up")
RSI_SIGNAL = ("oversold", "neutral", "overbought")
CROSS = ("bearish", "none", "bullish")
ADX_GRADE = ("weak", "developing", "strong", "very_strong")


def ema(bars: Bars, start: int) -> tuple[FloatArray, ...]:
    """EMA 12, EMA 26 and the trend between them (S4-17)."""
    fast, slow = talib.EMA(bars.close, EMA_FAST), talib.EMA(bars.close, EMA_SLOW)
    distance = fast / slow - 1.0
    trend = np.where(distance > EMA_FLAT_BAND, 2.0, np.where(distance < -EMA_FLAT_BAND, 0.0, 1.0))
    return fast, slow, _where_known(trend, distance)


def rsi(bars: Bars, start: int) -> tuple[FloatArray, ...]:
    """RSI 14 and its signal at 30 and 70 (S4-18). A market that has never moved has none."""
    value = talib.RSI(bars.close, RSI_PERIOD)
    moved = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(bars.close)))))
    value = np.where(moved[: len(value)] > 0, value, np.nan)
    signal = np.where(value < RSI_OVERSOLD, 0.0, np.where(value > RSI_OVERBOUGHT, 2.0, 1.0))
    return value, _where_known(signal, value)


def macd(bars: Bars, start: int) -> tuple[FloatArray, ...]:
    """MACD line, histogram (12, 26, 9) and the cross of the histogram through zero in this very candle (S4-19)."""
    line, _signal, histogram = talib.MACD(bars.close, EMA_FAST, EMA_SLOW, MACD_SIGNAL)
    before = _shifted(histogram)
    crossed = np.where((before <= 0) & (histogram > 0), 2.0, np.where((before >= 0) & (histogram < 0), 0.0, 1.0))
    return line, histogram, _where_known(crossed, before)


def bollinger(bars: Bars, start: int) -> tuple[FloatArray, ...]:
    """Upper, middle and lower band (20 candles, 2 population deviations), their width over the middle, and the place
    of the close between them (0 at the lower, 1 at the upper band; absent where the bands touch) (S4-20)."""
    middle, deviation = _blank(bars), _blank(bars)
    first = max(start, BOLLINGER_PERIOD - 1)
    if len(bars) > first:
        windows = sliding_window_view(bars.close[first - BOLLINGER_PERIOD + 1 :], BOLLINGER_PERIOD)
        middle[first:] = windows.mean(axis=1)
        deviation[first:] = windows.std(axis=1)
    upper, lower = middle + BOLLINGER_DEVIATIONS * deviation, middle - BOLLINGER_DEVIATIONS * deviation
    place = _ratio(bars.close - lower, upper - lower)
    return upper, middle, lower, (upper - lower) / middle, place


def adx(bars: Bars, start: int) -> tuple[FloatArray, ...]:
    """ADX 14, its grade at 20, 25 and 50, and both directional indicators (S4-21)."""
    value = talib.ADX(bars.high, bars.low, bars.close, ADX_PERIOD)
    grade = np.searchsorted(np.array(ADX_GRADES), value, side="right").astype(np.float64)
    plus = talib.PLUS_DI(bars.high, bars.low, bars.close, ADX_PERIOD)
    minus = talib.MINUS_DI(bars.high, bars.low, bars.close, ADX_PERIOD)
    return value, _where_known(grade, value), plus, minus


def atr(bars: Bars, start: int) -> tuple[FloatArray, ...]:
    """ATR 14 in price and as a fraction of the close (S4-22)."""
    value = true_range(bars)
    return value, value / bars.close


def true_range(bars: Bars) -> FloatArray:
    """ATR 14 in price, Wilder's average; computed once for all facts that measure by it."""
    return bars.once("atr", _atr)


def _atr(bars: Bars) -> FloatArray:
    value: FloatArray = talib.ATR(bars.high, bars.low, bars.close, ATR_PERIOD)
    return value


def daily_volatility(bars: Bars, start: int) -> tuple[FloatArray, ...]:
    """Realised volatility a day, a fraction: the root mean square of the log returns of the last day's candles (at
    least 20, at most 480), times the root of the candles a day. The mean is taken as zero: over one day it is noise.
    A return over a gap counts as one return. This is the volatility that the regimes of C21 compare (5.0 % and 1.0 %).
    """
    value = _blank(bars)
    count = min(max(VOLATILITY_BARS, bars.per_day), VOLATILITY_BARS_MAX)
    if len(bars) > count:
        squares = np.square(np.diff(np.log(bars.close)))
        value[count:] = np.sqrt(sliding_window_view(squares, count).mean(axis=1) * bars.per_day)
    return (value,)


def change_24h(bars: Bars, start: int) -> tuple[FloatArray, ...]:
    """The close against the close 24 hours earlier, by the clock and not by counting candles. Where a gap lies there,
    the last close before it counts, when it is at most two candles older; else the change is absent."""
    wanted = bars.closes_at - DAY_S
    place = np.searchsorted(bars.closes_at, wanted, side="right") - 1
    there = np.maximum(place, 0)
    known = (place >= 0) & (wanted - bars.closes_at[there] <= 2 * bars.step_s)
    return (np.where(known, bars.close / bars.close[there] - 1.0, np.nan),)


def volume_24h(bars: Bars, start: int) -> tuple[FloatArray, ...]:
    """Base volume and turnover (volume at the close) of the candles that closed in the last 24 hours. Absent until
    the history is that long."""
    first = np.searchsorted(bars.closes_at, bars.closes_at - DAY_S, side="right")
    long_enough = bars.closes_at - DAY_S >= (bars.closes_at[:1] - bars.step_s)
    volume, turnover = _blank(bars), _blank(bars)
    for place in range(start, len(bars)):
        if long_enough[place]:
            window = slice(first[place], place + 1)
            volume[place] = bars.volume[window].sum()
            turnover[place] = (bars.volume[window] * bars.close[window]).sum()
    return volume, turnover


def volume_ratio(bars: Bars, start: int) -> tuple[FloatArray, ...]:
    """The candle's volume over the mean volume of the twenty before it (1 is usual)."""
    usual = _blank(bars)
    if len(bars) > VOLUME_PERIOD:
        usual[VOLUME_PERIOD:] = sliding_window_view(bars.volume, VOLUME_PERIOD).mean(axis=1)[:-1]
    return (_ratio(bars.volume, usual),)


def _blank(bars: Bars) -> FloatArray:
    return np.full(len(bars), np.nan)


def _shifted(values: FloatArray) -> FloatArray:
    return np.concatenate(([np.nan], values[:-1])) if len(values) else values


def _where_known(codes: FloatArray, source: FloatArray) -> FloatArray:
    return np.where(np.isnan(source), np.nan, codes)


def _ratio(upper: FloatArray, lower: FloatArray) -> FloatArray:
    result: FloatArray = np.divide(upper, lower, out=np.full(len(upper), np.nan), where=lower > 0)
    return result
