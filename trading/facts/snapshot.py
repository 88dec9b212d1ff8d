"""From candles, book and position to one `MarketSnapshot`: all that was known at a time, and nothing that was not."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from trading.candle_quality import CandleDataError, gaps_in
from trading.candles import Candle, CandleSeries, coarser_timeframes, resample
from trading.decision.models import PositionView
from trading.facts.bars import Bars, bars_of, shortened
from trading.facts.catalogue import DAY_FACTS, TIMEFRAME_FACTS, WINDOW_BARS, FactGroup, columns
from trading.facts.models import DailyCloses, Fact, MarketSnapshot, RiskRegime, TrendRegime
from trading.facts.regimes import risk_regime, trend_label, trend_regime, volatility_label
from trading.facts.volume_by_hour import volume_by_hour
from trading.money import plain
from trading.orders.symbols import BookTop
from trading.policy.regimes import RegimePolicy

OBSERVED_TIMEFRAMES = ("15m", "1h", "4h", "1d")
"""Besides the base timeframe, those of these that are coarser than it."""

STALE_STEPS = 2
STRANDED_AFTER = timedelta(hours=24)
STRANDED_STEPS = 5
"""Older than two steps is stale; older than a day (and five steps) means that the symbol's data has ended."""

HISTORY_DAYS = 31
"""So many daily closes are kept for limits: thirty returns."""

_DEFAULT_POLICY = RegimePolicy()


def observe(
    series: CandleSeries,
    *,
    as_of: datetime,
    venue: str,
    book: BookTop | None,
    position: PositionView | None,
    funding_rate: Decimal | None = None,
    coarser: Sequence[CandleSeries] = (),
    policy: RegimePolicy = _DEFAULT_POLICY,
) -> MarketSnapshot:
    """The snapshot of one symbol at `as_of`, from candles that had closed by then; later ones are not looked at.

    `series` is the base timeframe. Coarser ones come from `coarser` where the source has them, else from resampling
    the base (complete, closed buckets only). Each uses its newest 500 closed candles. A fact that warms up is absent.
    `insufficient` is `stranded` or `stale_data` where the newest candle is too old, else `insufficient_history` under
    500 candles on the base timeframe, and the facts that can be computed are listed all the same.
    A book from after `as_of` is refused with `ValueError`; impossible or unordered candles, or none at all, with
    `CandleDataError`. Pure: the same arguments give the same snapshot.
    """
    frames = _frames(series, as_of, coarser)
    base = frames[0]
    if not base.candles:
        raise CandleDataError(f"{series.symbol}: no {series.timeframe} candle had closed at {as_of.isoformat()}")
    if book is not None and book.as_of > as_of:
        raise ValueError(f"{series.symbol}: a book of {book.as_of.isoformat()} was not known at {as_of.isoformat()}")
    last_price = _tidy(base.candles[-1].close)
    facts = _candle_facts(frames, last_price)
    numbers = {fact.id: fact.value for fact in facts if isinstance(fact.value, Decimal)}
    change, volatility = numbers.get("change_24h"), numbers.get("daily_volatility")
    known_at = facts[0].as_of
    trend, risk = trend_regime(change, volatility, policy=policy), risk_regime(change, volatility, policy=policy)
    facts += _regime_facts(change, volatility, trend, risk, known_at, policy)
    facts += _book_facts(book)
    if funding_rate is not None:
        facts.append(
            Fact(id="funding_rate", name="funding_rate", value=_tidy(funding_rate), unit="fraction", as_of=as_of)
        )
    facts += _account_facts(position, last_price, as_of)
    return MarketSnapshot(
        symbol=series.symbol,
        as_of=as_of,
        venue=venue,
        facts=tuple(facts),
        trend_regime=trend or TrendRegime.NORMAL,
        risk_regime=risk or RiskRegime.NORMAL,
        last_price=last_price,
        bid=None if book is None else _tidy(book.bid),
        ask=None if book is None else _tidy(book.ask),
        atr_fraction=numbers.get(f"atr_fraction@{base.timeframe}"),
        bars=len(base.candles),
        base_timeframe=base.timeframe,
        gaps=tuple(_gaps(frames)),
        insufficient=_insufficient(base, as_of),
        history=_daily_closes(frames[-1]),
        hour_volumes_usd=volume_by_hour(base),
    )


def _frames(series: CandleSeries, as_of: datetime, coarser: Sequence[CandleSeries]) -> list[CandleSeries]:
    """The base and the coarser timeframes, shortest first, each cut to what is known and wanted."""
    known = series.closed_at(as_of)
    given = {other.timeframe: other.closed_at(as_of) for other in coarser}
    frames = [known.last(WINDOW_BARS)]
    for timeframe in coarser_timeframes(series.timeframe, OBSERVED_TIMEFRAMES):
        frame = given.get(timeframe) or resample(known, timeframe).series
        frames.append(frame.last(WINDOW_BARS))
    return frames


def _candle_facts(frames: Sequence[CandleSeries], last_price: Decimal) -> list[Fact]:
    base = bars_of(frames[0])
    facts = [Fact(id="last_price", name="last_price", value=last_price, unit="USD", as_of=_known_at(base))]
    facts += _last_elements(base, DAY_FACTS, suffix="")
    facts += _last_elements(base, TIMEFRAME_FACTS, suffix=f"@{frames[0].timeframe}")
    for frame in frames[1:]:
        facts += _coarse_facts(frame)
    return facts


_COARSE: OrderedDict[tuple[str, str], tuple[tuple[Candle, ...], tuple[Fact, ...]]] = OrderedDict()
_COARSE_KEPT = 256


def _coarse_facts(frame: CandleSeries) -> tuple[Fact, ...]:
    """The facts of one coarser timeframe. They stand until its next candle closes, through many observations: those of
    the newest candles asked about are remembered. Equal candles are mostly the same objects, so comparing is quick."""
    key = (frame.symbol, frame.timeframe)
    known = _COARSE.get(key)
    if known is not None and known[0] == frame.candles:
        return known[1]
    facts = tuple(_last_elements(bars_of(frame), TIMEFRAME_FACTS, suffix=f"@{frame.timeframe}"))
    _COARSE[key] = (frame.candles, facts)
    if len(_COARSE) > _COARSE_KEPT:
        _COARSE.popitem(last=False)
    return facts


def _last_elements(bars: Bars, groups: tuple[FactGroup, ...], *, suffix: str) -> Iterator[Fact]:
    if not len(bars):
        return
    known_at = _known_at(bars)
    for column in columns(bars, groups, start=len(bars) - 1):
        value = column.row.value_of(float(column.values[-1]))
        if value is not None:
            name = column.row.name
            yield Fact(id=name + suffix, name=name, value=value, unit=column.row.unit, as_of=known_at)


def _tidy(value: Decimal) -> Decimal:
    """The same number without trailing zeros: a source's way of writing it must not change a fact or a hash."""
    return Decimal(plain(value))


def _known_at(bars: Bars) -> datetime:
    return datetime.fromtimestamp(int(bars.closes_at[-1]), UTC)


def _regime_facts(
    change: Decimal | None,
    volatility: Decimal | None,
    trend: TrendRegime | None,
    risk: RiskRegime | None,
    known_at: datetime,
    policy: RegimePolicy,
) -> list[Fact]:
    labels = {
        "trend_24h": None if change is None else trend_label(change),
        "volatility": None if volatility is None else volatility_label(volatility, policy=policy),
        "trend_regime": trend,
        "risk_regime": risk,
    }
    return [
        Fact(id=name, name=name, value=str(value), unit="label", as_of=known_at)
        for name, value in labels.items()
        if value is not None
    ]


def _book_facts(book: BookTop | None) -> list[Fact]:
    if book is None:
        return []
    rows: tuple[tuple[str, Decimal, str], ...] = (
        ("bid", book.bid, "USD"),
        ("bid_quantity", book.bid_quantity, "base"),
        ("ask", book.ask, "USD"),
        ("ask_quantity", book.ask_quantity, "base"),
        ("spread_fraction", shortened(book.spread_fraction), "fraction"),
    )
    return [Fact(id=name, name=name, value=_tidy(value), unit=unit, as_of=book.as_of) for name, value, unit in rows]


def _account_facts(position: PositionView | None, last_price: Decimal, as_of: datetime) -> list[Fact]:
    if position is None:
        return []
    rows: list[tuple[str, Decimal, str]] = [
        ("position_quantity", position.sellable, "base"),
        ("equity_usd", position.equity_usd, "USD"),
    ]
    if position.equity_usd > 0:
        held = position.sellable * last_price / position.equity_usd
        rows.append(("position_fraction", shortened(held), "fraction"))
        rows.append(("cash_fraction", shortened(position.cash_usd / position.equity_usd), "fraction"))
    if position.is_open and position.average_price:
        rows.append(("unrealised_fraction", shortened(last_price / position.average_price - 1), "fraction"))
    return [Fact(id=name, name=name, value=_tidy(value), unit=unit, as_of=as_of) for name, value, unit in rows]


def _gaps(frames: Sequence[CandleSeries]) -> Iterator[str]:
    for frame in frames:
        for gap in gaps_in(frame.candles, step=frame.step):
            yield f"{frame.timeframe} {gap.at:%Y-%m-%dT%H:%M:%SZ} {gap.missing} missing"


def _daily_closes(frame: CandleSeries) -> DailyCloses | None:
    """The newest daily closes without a gap between them; `None` where the coarsest timeframe is not the day."""
    if frame.step != timedelta(days=1) or not frame.candles:
        return None
    closes = [frame.candles[-1]]
    for candle in reversed(frame.candles[-HISTORY_DAYS:-1]):
        if closes[-1].open_time - candle.open_time != frame.step:
            break
        closes.append(candle)
    until = frame.candles[-1].open_time + frame.step
    return DailyCloses(until=until, closes=tuple(_tidy(candle.close) for candle in reversed(closes)))


def _insufficient(base: CandleSeries, as_of: datetime) -> str | None:
    age = as_of - (base.candles[-1].open_time + base.step)
    if age > max(STRANDED_AFTER, STRANDED_STEPS * base.step):
        return "stranded"
    if age > STALE_STEPS * base.step:
        return "stale_data"
    return "insufficient_history" if len(base.candles) < WINDOW_BARS else None
