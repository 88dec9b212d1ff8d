"""What an account may lose in a day, and what moves together: figures over daily returns (C17). Pure; no I/O.

A symbol whose returns are not known on a day is taken to move as the wish's own symbol does: not knowing earns no
credit for spreading. Under the least number of days nothing is judged: a missing input is not zero (X46).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal

from trading.facts.models import DailyCloses
from trading.money import ONE, ZERO
from trading.policy.model import Policy
from trading.risk.models import Exposure, GateRequest

DAY = timedelta(days=1)
YEAR_DAYS = Decimal(365)
_EXACT = Context(prec=28, rounding=ROUND_HALF_EVEN)

Returns = Mapping[datetime, Decimal]
"""Return of a day by the time at which the day closed."""


def daily_returns(history: DailyCloses | None) -> dict[datetime, Decimal]:
    """The fractions by which each close differs from the one before; empty without history."""
    if history is None or len(history.closes) < 2:
        return {}
    closes = history.closes
    first = history.until - (len(closes) - 1) * DAY
    return {
        first + place * DAY: _EXACT.divide(closes[place], closes[place - 1]) - ONE for place in range(1, len(closes))
    }


def judged_returns(request: GateRequest, policy: Policy) -> dict[datetime, Decimal]:
    """The wish's returns where they are enough to judge by; else none."""
    returns = daily_returns(request.history)
    return returns if len(returns) >= policy.risk_min_days else {}


def volatility(returns: Returns) -> Decimal | None:
    """Standard deviation of daily returns; `None` where there are none."""
    if not returns:
        return None
    values = list(returns.values())
    mean = _mean(values)
    return _mean([(value - mean) ** 2 for value in values]).sqrt(_EXACT)


def volatility_index(returns: Returns) -> Decimal | None:
    """The annualised volatility: this profile's stand-in for a volatility index (X46)."""
    daily = volatility(returns)
    return None if daily is None else _EXACT.multiply(daily, YEAR_DAYS.sqrt(_EXACT))


def book_losses(own: Returns, exposure: Exposure) -> list[Decimal]:
    """What everything held and promised would have lost on each of the days of `own`, in quote units; gains below 0."""
    book = {symbol: exposure.symbol_usd(symbol) for symbol in exposed_symbols(exposure)}
    known = {symbol: daily_returns(exposure.history(symbol)) for symbol in book}
    return [-sum((usd * known[symbol].get(day, own[day]) for symbol, usd in book.items()), ZERO) for day in own]


def value_at_risk(losses: Sequence[Decimal], confidence: Decimal) -> Decimal:
    """The loss that all but (1 - `confidence`) of the days stay within; with few days the worst one. Never below 0."""
    ordered = sorted(losses, reverse=True)
    return max(ordered[_spared(len(ordered), confidence)], ZERO) if ordered else ZERO


def conditional_value_at_risk(losses: Sequence[Decimal], confidence: Decimal) -> Decimal:
    """The mean of the worst days, down to the one that is the value at risk. Never below 0."""
    ordered = sorted(losses, reverse=True)
    return max(_mean(ordered[: _spared(len(ordered), confidence) + 1]), ZERO) if ordered else ZERO


def var_leaves_usd(own: Returns, exposure: Exposure, *, limit_usd: Decimal, confidence: Decimal) -> Decimal:
    """The largest entry with which the value at risk stays within `limit_usd`; what gains on a bad day earns nothing.

    On each day the entry may grow until book and entry together lose the limit; the days beyond the confidence are
    spared, the next one binds.
    """
    most = exposure.equity_usd
    room = []
    for held, own_return in zip(book_losses(own, exposure), own.values(), strict=True):
        if own_return < 0:
            room.append(_EXACT.divide(limit_usd - held, -own_return))
        else:
            room.append(most if held <= limit_usd else ZERO)
    return sorted(room)[_spared(len(room), confidence)]


def cvar_leaves_usd(own: Returns, exposure: Exposure, *, limit_usd: Decimal, confidence: Decimal) -> Decimal:
    """An entry with which the conditional value at risk surely stays within `limit_usd`: it is never more than its sum.

    The figure of book and entry together is at most the sum of both alone.
    """
    alone = conditional_value_at_risk([-one for one in own.values()], confidence)
    room = limit_usd - conditional_value_at_risk(book_losses(own, exposure), confidence)
    return exposure.equity_usd if alone == 0 else _EXACT.divide(room, alone)


def correlated_usd(symbol: str, own: Returns, exposure: Exposure, policy: Policy) -> Decimal:
    """Exposure in `symbol` and in all that moves with it: correlated by the policy's mark, or of unknown returns."""
    return sum(
        (
            exposure.symbol_usd(other)
            for other in exposed_symbols(exposure)
            if other == symbol or _moves_with(own, daily_returns(exposure.history(other)), policy)
        ),
        ZERO,
    )


def exposed_symbols(exposure: Exposure) -> list[str]:
    """Symbols held or promised to an entry, by name."""
    return sorted({h.symbol for h in exposure.holdings} | {r.symbol for r in exposure.reservations if r.opens})


def _moves_with(own: Returns, other: Returns, policy: Policy) -> bool:
    common = [day for day in own if day in other]
    if len(common) < policy.risk_min_days:
        return True
    ours, theirs = [own[day] for day in common], [other[day] for day in common]
    our_mean, their_mean = _mean(ours), _mean(theirs)
    covariance = _mean([(a - our_mean) * (b - their_mean) for a, b in zip(ours, theirs, strict=True)])
    variances = _mean([(a - our_mean) ** 2 for a in ours]) * _mean([(b - their_mean) ** 2 for b in theirs])
    # Squared on both sides, so that no root is taken; what never moves is correlated with nothing.
    return covariance > 0 and variances > 0 and covariance**2 >= policy.correlated_from**2 * variances


def _spared(days: int, confidence: Decimal) -> int:
    """So many of the worst days may lose more: those beyond the confidence."""
    return int((days * (ONE - confidence)).to_integral_value(rounding=ROUND_FLOOR))


def _mean(values: Sequence[Decimal]) -> Decimal:
    return _EXACT.divide(sum(values, ZERO), Decimal(len(values)))
