"""The denials of an entry: a table of checks; each looks at one thing and answers with its code and its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from trading.money import ONE, ZERO
from trading.policy.model import Policy
from trading.risk import planned
from trading.risk.codes import denial
from trading.risk.levels import entry_price, least_stop_distance, least_target_distance, most_stop_distance
from trading.risk.models import Denial, Exposure, GateRequest, Mode
from trading.risk.tail import judged_returns, volatility

Look = Callable[[GateRequest, Exposure, Policy], Iterator[Denial]]


@dataclass(frozen=True, slots=True)
class Check:
    """One row: the only place from which a denial with this code comes."""

    code: str
    look: Look


def entry_denials(request: GateRequest, exposure: Exposure, policy: Policy) -> tuple[Denial, ...]:
    """Every reason to refuse the entry, in the order of the table; none is hidden behind another."""
    return tuple(found for check in CHECKS for found in check.look(request, exposure, policy))


def account_denials(request: GateRequest, exposure: Exposure) -> tuple[Denial, ...]:
    """A request that reached the wrong desk is refused, whatever it asks."""
    if request.account == exposure.account:
        return ()
    return (denial("account_mismatch", requested=request.account, account=exposure.account),)


def day_loss_fraction(exposure: Exposure) -> Decimal:
    """The fall of equity since the day began; 0 on a day of gains or without a start."""
    if exposure.day_start_equity_usd <= 0:
        return ZERO
    return max(ONE - exposure.equity_usd / exposure.day_start_equity_usd, ZERO)


def drawdown_fraction(exposure: Exposure) -> Decimal:
    """The fall of equity from its peak; 0 at a new peak or without one."""
    if exposure.peak_equity_usd <= 0:
        return ZERO
    return max(ONE - exposure.equity_usd / exposure.peak_equity_usd, ZERO)


# -- who and when ------------------------------------------------------------------------------------------------------


def _future(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    if request.now < request.observed_at:
        yield denial("observation_from_future", observed_at=request.observed_at, now=request.now)


def _stale(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    age = request.now - request.observed_at
    if age > timedelta(seconds=policy.stale_observation_s):
        yield denial("stale_observation", age_s=int(age.total_seconds()), allowed_s=policy.stale_observation_s)


# -- modes and protections ---------------------------------------------------------------------------------------------


def _halted(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    if exposure.mode is Mode.HALTED:
        yield denial("halted", account=exposure.account)


def _defensive(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    if exposure.mode is Mode.DEFENSIVE:
        yield denial("defensive_mode", account=exposure.account)


def _manual(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    if exposure.mode is Mode.MANUAL and request.approved_by is None:
        yield denial("manual_mode", account=exposure.account)


def _not_armed(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    if exposure.must_be_armed and exposure.arming is None:
        yield denial("not_armed", account=exposure.account)


def _frozen(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    for one in exposure.protections:
        if one.symbol == request.symbol and one.holds(request.now):
            until = "a person lifts it" if one.until is None else one.until
            yield denial("symbol_frozen", symbol=request.symbol, until=until, protection=one.id, why=one.code)


# -- what the account has lost -----------------------------------------------------------------------------------------


def _no_equity(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    if exposure.equity_usd <= 0:
        yield denial("no_equity", equity_usd=exposure.equity_usd)


def _daily_loss(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    loss = day_loss_fraction(exposure)
    if loss >= policy.daily_loss_alert_fraction:
        yield denial("daily_loss", loss=loss, limit=policy.daily_loss_alert_fraction)


def _drawdown_halt(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    drawdown = drawdown_fraction(exposure)
    if drawdown >= policy.drawdown_halt_fraction:
        yield denial("drawdown_halt", drawdown=drawdown, limit=policy.drawdown_halt_fraction)


def _drawdown_defence(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    drawdown = drawdown_fraction(exposure)
    if policy.drawdown_defence_fraction <= drawdown < policy.drawdown_halt_fraction:
        yield denial("drawdown_defence", drawdown=drawdown, limit=policy.drawdown_defence_fraction)


def _symbol_loss(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    """A position that has lost so much has its stop to wait for; more of it is not bought (C17)."""
    held = exposure.holding(request.symbol)
    if held is None or held.notional_usd < request.min_notional_usd or held.average_price <= 0:
        return
    loss = ONE - request.price / held.average_price
    if loss >= policy.symbol_loss_fraction:
        yield denial("symbol_loss", symbol=request.symbol, loss=loss, limit=policy.symbol_loss_fraction)


def _systemic(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    daily = volatility(judged_returns(request, policy))
    if daily is not None and daily >= policy.systemic_volatility_fraction:
        yield denial(
            "systemic_risk", symbol=request.symbol, volatility=daily, limit=policy.systemic_volatility_fraction
        )


# -- how much is going on already --------------------------------------------------------------------------------------


def _positions(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    others = _open_symbols(request, exposure) - {request.symbol}
    allowed = policy.max_positions(request.risk_regime)
    if len(others) >= allowed:
        yield denial("too_many_positions", positions=len(others), regime=request.risk_regime.value, limit=allowed)


def _open_symbols(request: GateRequest, exposure: Exposure) -> set[str]:
    """Symbols held above dust or promised to an entry; dust takes nobody's place."""
    held = {h.symbol for h in exposure.holdings if h.notional_usd >= request.min_notional_usd}
    return held | {r.symbol for r in exposure.reservations if r.opens}


def _entries_today(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    if exposure.entries_today >= policy.max_entries_per_day:
        yield denial("too_many_entries", entries=exposure.entries_today, limit=policy.max_entries_per_day)


def _rate(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    since = request.now - timedelta(seconds=policy.order_rate_window_s)
    entries = sum(1 for at in exposure.entries_at if at > since)
    if entries >= policy.order_rate_entries:
        yield denial(
            "order_rate", entries=entries, window_s=policy.order_rate_window_s, limit=policy.order_rate_entries
        )


# -- what the plan of the day leaves -----------------------------------------------------------------------------------


def _plan_place(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    yield from planned.not_here(request)


def _plan_positions(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    yield from planned.positions(request, len(_open_symbols(request, exposure) - {request.symbol}))


def _plan_entries(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    yield from planned.entries(request, exposure)


def _plan_loss(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    yield from planned.daily_loss(request, day_loss_fraction(exposure))


# -- what the decision is worth ----------------------------------------------------------------------------------------


def _confidence(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    if exposure.closed_trades < policy.bootstrap_trades and request.confidence < policy.bootstrap_min_confidence:
        yield denial(
            "bootstrap_confidence",
            confidence=request.confidence,
            limit=policy.bootstrap_min_confidence,
            trades=policy.bootstrap_trades,
        )


def _win_probability(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    least = policy.bootstrap_min_win_probability
    if exposure.closed_trades < policy.bootstrap_trades and request.win_probability < least:
        yield denial(
            "bootstrap_win_probability",
            win_probability=request.win_probability,
            limit=least,
            trades=policy.bootstrap_trades,
        )


# -- prices ------------------------------------------------------------------------------------------------------------


def _collar(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    if request.limit_price is None:
        return
    distance = abs(request.limit_price / request.price - ONE)
    if distance > policy.entry_collar_fraction:
        yield denial(
            "price_collar",
            limit_price=request.limit_price,
            price=request.price,
            distance=distance,
            most=policy.entry_collar_fraction,
        )


def _tick(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    """Levels nearer than a step of the venue's price grid become one price when they are rounded."""
    entry = entry_price(request)
    for name, level in (("stop", request.stop_price), ("target", request.target_price)):
        if level is not None and 0 < abs(entry - level) < request.tick_size:
            yield denial("below_tick", level=name, price=level, entry=entry, tick=request.tick_size)


def _stop_missing(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    if request.stop_price is None:
        yield denial("stop_missing")


def _stop_side(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    entry = entry_price(request)
    if request.stop_price is not None and request.stop_price >= entry:
        yield denial("stop_wrong_side", stop=request.stop_price, entry=entry)


def _stop_near(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    distance, least = _stop_distance(request), least_stop_distance(request, policy)
    if distance is not None and distance < least:
        yield denial("stop_too_near", distance=distance, least=least)


def _stop_far(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    distance, most = _stop_distance(request), most_stop_distance(request, policy)
    if distance is not None and distance > most:
        yield denial("stop_too_far", distance=distance, most=most)


def _stop_distance(request: GateRequest) -> Decimal | None:
    """The stop's distance as a fraction of the entry; `None` without a stop on the right side."""
    entry = entry_price(request)
    if request.stop_price is None or request.stop_price >= entry:
        return None
    return ONE - request.stop_price / entry


def _target_side(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    entry = entry_price(request)
    if request.target_price is not None and request.target_price <= entry:
        yield denial("target_wrong_side", target=request.target_price, entry=entry)


def _target_costs(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    entry = entry_price(request)
    if request.target_price is None or request.target_price <= entry:
        return
    distance, least = request.target_price / entry - ONE, least_target_distance(request, policy)
    if distance < least:
        yield denial("target_below_costs", distance=distance, least=least)


CHECKS: Final = (
    Check("observation_from_future", _future),
    Check("stale_observation", _stale),
    Check("halted", _halted),
    Check("defensive_mode", _defensive),
    Check("manual_mode", _manual),
    Check("not_armed", _not_armed),
    Check("symbol_frozen", _frozen),
    Check("no_equity", _no_equity),
    Check("daily_loss", _daily_loss),
    Check("drawdown_halt", _drawdown_halt),
    Check("drawdown_defence", _drawdown_defence),
    Check("symbol_loss", _symbol_loss),
    Check("systemic_risk", _systemic),
    Check("too_many_positions", _positions),
    Check("too_many_entries", _entries_today),
    Check("order_rate", _rate),
    Check("plan_not_here", _plan_place),
    Check("plan_too_many_positions", _plan_positions),
    Check("plan_too_many_entries", _plan_entries),
    Check("plan_daily_loss", _plan_loss),
    Check("bootstrap_confidence", _confidence),
    Check("bootstrap_win_probability", _win_probability),
    Check("price_collar", _collar),
    Check("below_tick", _tick),
    Check("stop_missing", _stop_missing),
    Check("stop_wrong_side", _stop_side),
    Check("stop_too_near", _stop_near),
    Check("stop_too_far", _stop_far),
    Check("target_wrong_side", _target_side),
    Check("target_below_costs", _target_costs),
)
"""The table. Taking one row out lets something pass: `make mutants` shows that a test says so for each."""
