"""What a market does not usually do: jumps, crashes, spikes, surges, a worse regime (C66). Pure, by policy rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median

from trading.candles import Candle
from trading.facts.models import RiskRegime
from trading.ids import stamp
from trading.money import ONE, plain
from trading.policy.model import Policy
from trading.policy.regimes import BY_DANGER, RegimePolicy
from trading.watching.models import Anomaly, AnomalyKind, AnomalyLimits

Sample = tuple[datetime, Decimal]
"""A time and the best bid that was seen then."""


def limits_of(policy: Policy) -> AnomalyLimits:
    """The rows of a policy that anomalies are measured by; a crash is what the breaker calls one (C20)."""
    return AnomalyLimits(
        window_s=policy.anomaly_window_s,
        price_fraction=policy.anomaly_price_fraction,
        volume_multiple=policy.anomaly_volume_multiple,
        range_multiple=policy.anomaly_range_multiple,
        candles=policy.anomaly_candles,
        crash_fall_fraction=policy.breaker_fall_fraction,
        crash_window_s=policy.breaker_window_s,
        regimes=RegimePolicy.model_validate(policy.model_dump(include=set(RegimePolicy.model_fields))),
    )


def price_anomalies(symbol: str, samples: Sequence[Sample], limits: AnomalyLimits) -> tuple[Anomaly, ...]:
    """Jumps and crashes of the newest of `samples` (oldest first) against those within the windows.

    A crash is measured from the highest price of its window, a jump from the price farthest away in its own. One that
    goes on keeps its id until a window has passed, so that it is told once.
    """
    return tuple(_price_anomalies(symbol, samples, limits)) if samples else ()


def _price_anomalies(symbol: str, samples: Sequence[Sample], limits: AnomalyLimits) -> Iterator[Anomaly]:
    now, price = samples[-1]
    crash = [seen for at, seen in samples if now - at <= timedelta(seconds=limits.crash_window_s)]
    fall = ONE - price / max(crash)
    if fall >= limits.crash_fall_fraction:
        yield _anomaly(
            "flash_crash",
            symbol,
            now,
            window_s=limits.crash_window_s,
            defends=True,
            numbers={"fall": fall, "limit": limits.crash_fall_fraction, "price": price},
        )
        return
    recent = [seen for at, seen in samples if now - at <= timedelta(seconds=limits.window_s)]
    farthest = max(recent, key=lambda seen: abs(price / seen - ONE))
    move = price / farthest - ONE
    if abs(move) >= limits.price_fraction:
        yield _anomaly(
            "price_jump",
            symbol,
            now,
            window_s=limits.window_s,
            defends=move < 0,
            numbers={"move": move, "limit": limits.price_fraction, "price": price},
        )


def replayed_crash(symbol: str, *, at: datetime, price: Decimal | None, fall_fraction: Decimal) -> Anomaly:
    """The crash that a replayed market stopped at: a fall by the breaker's share against the close of an hour before.

    Candles know no quarter of an hour; venue.md names this measure for them.
    """
    return Anomaly(
        id=f"flash_crash:{symbol}:{stamp(at)}",
        kind="flash_crash",
        symbol=symbol,
        as_of=at,
        defends=True,
        numbers={"limit": plain(fall_fraction)} | ({} if price is None else {"price": plain(price)}),
    )


def candle_anomalies(
    symbol: str, candles: Sequence[Candle], *, as_of: datetime, limits: AnomalyLimits
) -> tuple[Anomaly, ...]:
    """Spikes of volume and surges of range in the last closed candle, against the median of those before it."""
    usual = candles[-1 - limits.candles : -1]
    if len(usual) < limits.candles:
        return ()
    last = candles[-1]
    measures: tuple[tuple[AnomalyKind, Decimal, Decimal, Decimal, bool], ...] = (
        ("volume_spike", last.volume, median(c.volume for c in usual), limits.volume_multiple, False),
        ("volatility_surge", last.high - last.low, median(c.high - c.low for c in usual), limits.range_multiple, True),
    )
    return tuple(
        Anomaly(
            id=f"{kind}:{symbol}:{stamp(last.open_time)}",
            kind=kind,
            symbol=symbol,
            as_of=as_of,
            defends=defends,
            numbers={"seen": plain(seen), "usual": plain(normal), "limit": plain(multiple)},
        )
        for kind, seen, normal, multiple, defends in measures
        if normal > 0 and seen >= normal * multiple
    )


def regime_anomaly(symbol: str, before: RiskRegime, now: RiskRegime, *, as_of: datetime) -> Anomaly | None:
    """A regime worse than the one before (X26); high volatility and crash make the desks defend."""
    if BY_DANGER.index(now) <= BY_DANGER.index(before):
        return None
    return Anomaly(
        id=f"regime_change:{symbol}:{now.value}:{as_of:%Y-%m-%d}",
        kind="regime_change",
        symbol=symbol,
        as_of=as_of,
        defends=now in (RiskRegime.HIGH_VOLATILITY, RiskRegime.CRASH),
        numbers={"from": before.value, "to": now.value},
    )


def _anomaly(
    kind: AnomalyKind, symbol: str, now: datetime, *, window_s: int, defends: bool, numbers: dict[str, Decimal]
) -> Anomaly:
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    window = (now - day) // timedelta(seconds=window_s)
    shown = {name: plain(round(value, 8)) for name, value in numbers.items()}
    return Anomaly(
        id=f"{kind}:{symbol}:{now:%Y-%m-%d}:{window}",
        kind=kind,
        symbol=symbol,
        as_of=now,
        defends=defends,
        numbers=shown | {"window_s": str(window_s)},
    )
