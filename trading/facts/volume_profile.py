"""At which prices the volume was done: point of control and value area (C67)."""

from __future__ import annotations

import numpy as np

from trading.facts.bars import Bars, FloatArray

PROFILE_BARS, PROFILE_BINS = 100, 24
VALUE_AREA_FRACTION = 0.70

PLACE = ("below_value", "inside_value", "above_value")


def volume_profile(bars: Bars, start: int) -> tuple[FloatArray, ...]:
    """Point of control, bounds of the value area, and where the close lies against it, over the last 100 candles.

    Each candle's volume is spread evenly from its low to its high over 24 equal price bins; the point of control is the
    middle of the fullest bin (the lower of equals); the value area grows from it to the fuller neighbour until it
    holds 70 % of the volume. Absent until there are 100 candles, and where nothing was traded.
    """
    control, value_low, value_high, place = (np.full(len(bars), np.nan) for _ in range(4))
    for at in range(max(start, PROFILE_BARS - 1), len(bars)):
        window = slice(at - PROFILE_BARS + 1, at + 1)
        edges, volumes = _bins(bars.low[window], bars.high[window], bars.volume[window])
        if volumes.sum() <= 0 or edges[-1] <= edges[0]:
            continue
        fullest = int(volumes.argmax())
        first, last = _value_area(volumes, fullest)
        control[at] = (edges[fullest] + edges[fullest + 1]) / 2
        value_low[at], value_high[at] = edges[first], edges[last + 1]
        close = bars.close[at]
        place[at] = 0.0 if close < value_low[at] else 2.0 if close > value_high[at] else 1.0
    return control, value_low, value_high, place


def _bins(low: FloatArray, high: FloatArray, volume: FloatArray) -> tuple[FloatArray, FloatArray]:
    edges = np.linspace(low.min(), high.max(), PROFILE_BINS + 1)
    # A candle without a range still needs a width to be spread over: a millionth of a bin keeps it in one place.
    least = max((edges[1] - edges[0]) * 1e-6, np.finfo(np.float64).tiny)
    top = np.maximum(high, low + least)
    inside = np.minimum(top[:, None], edges[None, 1:]) - np.maximum(low[:, None], edges[None, :-1])
    shares = np.clip(inside, 0.0, None) / (top - low)[:, None]
    return edges, np.asarray((shares * volume[:, None]).sum(axis=0))


def _value_area(volumes: FloatArray, fullest: int) -> tuple[int, int]:
    sizes = volumes.tolist()
    wanted = VALUE_AREA_FRACTION * sum(sizes)
    first = last = fullest
    held = sizes[fullest]
    while held < wanted and (first > 0 or last < len(sizes) - 1):
        below = sizes[first - 1] if first > 0 else -1.0
        above = sizes[last + 1] if last < len(sizes) - 1 else -1.0
        if above >= below:
            last += 1
            held += above
        else:
            first -= 1
            held += below
    return first, last
