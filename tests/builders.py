"""One builder a model, with defaults that a test overrides by keyword. Light to import: no numpy, no vendor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from trading.candles import Candle, CandleSeries, step_of
from trading.decision.models import PositionView
from trading.facts.models import Fact, MarketSnapshot
from trading.generator import generate_market
from trading.orders.symbols import BookTop

START = datetime(2024, 1, 1, tzinfo=UTC)
"""A Monday, 00:00 UTC."""

Row = tuple[float | str, float | str, float | str, float | str]


def candle(
    open_time: datetime = START,
    open: object = "100",
    high: object = "102",
    low: object = "99",
    close: object = "101",
    volume: object = "10",
) -> Candle:
    """A rising candle; numbers may be given as text, integers or floats."""
    numbers = [Decimal(str(value)) for value in (open, high, low, close, volume)]
    return Candle(open_time, *numbers)


def series_of(
    rows: Sequence[Row],
    *,
    symbol: str = "BTC/USDT",
    timeframe: str = "1h",
    start: datetime = START,
    volume: object = "10",
) -> CandleSeries:
    """A series without gaps from rows of open, high, low, close."""
    step = step_of(timeframe)
    candles = tuple(candle(start + place * step, *row, volume) for place, row in enumerate(rows))
    return CandleSeries(symbol, timeframe, candles)


def closes_series(
    closes: Sequence[float | str], *, symbol: str = "BTC/USDT", timeframe: str = "1h", start: datetime = START
) -> CandleSeries:
    """A series from closes alone: each candle opens at the close before it, high and low are its ends."""
    opens = [closes[0], *closes[:-1]]
    rows: list[Row] = [
        (opened, max(opened, closed, key=float), min(opened, closed, key=float), closed)
        for opened, closed in zip(opens, closes, strict=True)
    ]
    return series_of(rows, symbol=symbol, timeframe=timeframe, start=start)


def market_series(
    *, symbol: str = "BTC/USDT", days: int = 25, seed: int = 7, timeframe: str = "1h", crash_days: Sequence[int] = ()
) -> CandleSeries:
    """A generated market of one symbol from `START`; 25 days hold more than the 500 hours that a decision needs."""
    market = generate_market(
        seed=seed, symbols=[symbol], start=START, days=days, timeframe=timeframe, crash_days=crash_days
    )
    return market[symbol]


def end_of(series: CandleSeries) -> datetime:
    """When the last candle closes: the earliest time at which all of the series is known."""
    return series.candles[-1].open_time + series.step


def book_top(
    symbol: str = "BTC/USDT",
    *,
    bid: object = "27999",
    ask: object = "28001",
    as_of: datetime = START,
    quantity: object = "1.5",
) -> BookTop:
    size = Decimal(str(quantity))
    return BookTop(
        symbol=symbol, bid=Decimal(str(bid)), bid_quantity=size, ask=Decimal(str(ask)), ask_quantity=size, as_of=as_of
    )


def position_view(
    *,
    account: str = "composite",
    quantity: object = "0",
    average_price: object | None = None,
    equity_usd: object = "10000",
    cash_usd: object = "10000",
) -> PositionView:
    return PositionView(
        account=account,
        quantity=Decimal(str(quantity)),
        average_price=None if average_price is None else Decimal(str(average_price)),
        equity_usd=Decimal(str(equity_usd)),
        cash_usd=Decimal(str(cash_usd)),
    )


def fact(fact_id: str, value: object, *, unit: str = "USD", as_of: datetime = START) -> Fact:
    """A fact; a number becomes a `Decimal`, text stays a label."""
    stated = value if isinstance(value, str) else Decimal(str(value))
    return Fact(id=fact_id, name=fact_id.split("@", maxsplit=1)[0], value=stated, unit=unit, as_of=as_of)


def snapshot(
    *facts: Fact,
    symbol: str = "BTC/USDT",
    as_of: datetime = START,
    last_price: object = "28000",
    **changes: object,
) -> MarketSnapshot:
    """A sufficient snapshot around `facts`; any other field by keyword."""
    fields: dict[str, object] = {
        "symbol": symbol,
        "as_of": as_of,
        "venue": "simulated",
        "facts": facts,
        "last_price": Decimal(str(last_price)),
        "bars": 500,
        "base_timeframe": "1h",
    }
    return MarketSnapshot.model_validate({**fields, **changes})
