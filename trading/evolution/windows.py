"""Walk-forward windows, purged, and the holdout at the end that is looked at once (C59)."""

from __future__ import annotations

from datetime import datetime, timedelta

from trading.contract import Contract, Utc


class HistoryTooShort(ValueError):
    """There are not enough candles to examine a strategy on; the message says how many there are and are needed."""


class Window(Contract):
    """Train on the first part, test on the second; nothing that was open in the first reaches into the second."""

    train_from: Utc
    train_to: Utc
    test_from: Utc
    test_to: Utc


class WalkForward(Contract):
    """The windows in order and the holdout behind them."""

    windows: tuple[Window, ...]
    holdout_from: Utc
    holdout_to: Utc


def walk_forward(
    start: datetime,
    end: datetime,
    *,
    train: timedelta,
    test: timedelta,
    holdout: timedelta,
    purge: timedelta,
) -> WalkForward:
    """As many windows as fit before the holdout, each `test` later than the last; test periods do not overlap.

    `purge`, the longest time that a position may be held, lies between training and test and between the last test
    and the holdout, so that no trade is in both. Raises `HistoryTooShort` where not even one window fits.
    """
    for name, span in (("train", train), ("test", test), ("holdout", holdout)):
        if span <= timedelta(0):
            raise ValueError(f"{name} {span} must be longer than nothing")
    if purge < timedelta(0):
        raise ValueError(f"purge {purge} must not be below nothing")
    holdout_from = end - holdout
    windows: list[Window] = []
    at = start
    while at + train + purge + test <= holdout_from - purge:
        test_from = at + train + purge
        windows.append(Window(train_from=at, train_to=at + train, test_from=test_from, test_to=test_from + test))
        at += test
    if not windows:
        raise HistoryTooShort(
            f"{end - start} from {start.isoformat()} is too short for one window: "
            f"{train + test + holdout + 2 * purge} are needed (train, test, holdout and twice the purge of {purge})"
        )
    return WalkForward(windows=tuple(windows), holdout_from=holdout_from, holdout_to=end)
