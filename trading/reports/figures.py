"""The data of the figures: equity, drawdown, reliability, the strategy pool over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from trading.contract import Contract, Utc
from trading.money import ONE, ZERO, quantised
from trading.reports.models import Figure, Point, Series
from trading.review.calibration import Calibration
from trading.review.comparison import AccountPeriod
from trading.review.models import EquityPoint

MOST_POINTS = 500


class PoolPoint(Contract):
    """The gene pool at one time."""

    at: Utc
    active: int
    culled: int = 0
    on_trial: int = 0


def equity_figure(accounts: Iterable[AccountPeriod]) -> Figure:
    """Equity of each account, at most 500 points of each."""
    series = [
        Series(name=each.account, points=tuple(_at(point, point.equity_usd) for point in _thinned(each.equity)))
        for each in accounts
    ]
    return Figure(name="equity", title="Equity", y_unit="USD", series=tuple(s for s in series if s.points))


def drawdown_figure(accounts: Iterable[AccountPeriod]) -> Figure:
    """The fall from the period's own peak, as a negative fraction."""
    return Figure(
        name="drawdown",
        title="Drawdown",
        y_unit="fraction",
        series=tuple(Series(name=each.account, points=tuple(_falls(each.equity))) for each in accounts if each.equity),
    )


def _falls(equity: Sequence[EquityPoint]) -> list[Point]:
    peak, falls = ZERO, []
    for point in equity:
        peak = max(peak, point.equity_usd)
        falls.append(_at(point, quantised(point.equity_usd / peak - 1) if peak > 0 else ZERO))
    kept = {place for place, _ in _places(len(falls))}
    return [point for place, point in enumerate(falls) if place in kept]


def reliability_figure(seen: Calibration) -> Figure:
    """Stated against observed probability, a point a bin, with the diagonal on which both are equal."""
    return Figure(
        name="calibration",
        title="Calibration",
        x_is_time=False,
        x_label="stated win probability",
        y_unit="fraction",
        style="points",
        diagonal=True,
        series=(
            Series(
                name="observed",
                points=tuple(Point(x=each.mean_probability, y=each.observed_rate) for each in seen.bins),
            ),
        ),
    )


def pool_figure(pool: Sequence[PoolPoint]) -> Figure:
    """How many strategies are active, on trial and culled."""
    ordered = sorted(pool, key=lambda each: each.at)
    return Figure(
        name="pool",
        title="Strategy pool",
        y_unit="count",
        series=(
            _counted("active", [(each.at, each.active) for each in ordered]),
            _counted("on trial", [(each.at, each.on_trial) for each in ordered]),
            _counted("culled", [(each.at, each.culled) for each in ordered]),
        ),
    )


def _counted(name: str, counts: Sequence[tuple[Utc, int]]) -> Series:
    return Series(name=name, points=tuple(Point(x=_seconds(at), y=Decimal(count)) for at, count in counts))


def _thinned(equity: Sequence[EquityPoint]) -> list[EquityPoint]:
    return [equity[place] for place, _ in _places(len(equity))]


def _places(count: int) -> list[tuple[int, int]]:
    """Evenly spread places of `count`, the first and the last among them."""
    if count <= MOST_POINTS:
        return [(place, place) for place in range(count)]
    step = (Decimal(count) - ONE) / (MOST_POINTS - 1)
    return [(int(step * place), place) for place in range(MOST_POINTS)]


def _at(point: EquityPoint, value: Decimal) -> Point:
    return Point(x=_seconds(point.at), y=value)


def _seconds(at: Utc) -> Decimal:
    return Decimal(str(at.timestamp()))
