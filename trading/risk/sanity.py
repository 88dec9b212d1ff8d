"""The denials of an entry: each check looks at one thing and answers with one code and its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from trading.money import ONE, ZERO
from trading.policy.model import Policy
from trading.risk.codes import denial
from trading.risk.levels import entry_price, least_stop_distance, least_target_distance
from trading.risk.models import Denial, Exposure, GateRequest, Mode
from trading.risk.planned import plan_denials


def entry_denials(request: GateRequest, exposure: Exposure, policy: Policy) -> tuple[Denial, ...]:
    """Every reason to refuse the entry, in a stated order; none is hidden behind another."""
    return (
        *_timing(request, policy),
        *_mode(request, exposure),
        *_losses(exposure, policy),
        *_counts(request, exposure, policy),
        *_plan(request, exposure),
        *_worth(request, exposure, policy),
        *_levels(request, policy),
    )


def account_denials(request: GateRequest, exposure: Exposure) -> tuple[Denial, ...]:
    """A request that reached the wrong desk is refused, whatever it asks."""
    if request.account == exposure.account:
        return ()
    return (denial("account_mismatch", requested=request.account, account=exposure.account),)


def _timing(request: GateRequest, policy: Policy) -> Iterator[Denial]:
    age = request.now - request.observed_at
    if age < timedelta(0):
        yield denial("observation_from_future", observed_at=request.observed_at, now=request.now)
    if age > timedelta(seconds=policy.stale_observation_s):
        yield denial("stale_observation", age_s=int(age.total_seconds()), allowed_s=policy.stale_observation_s)


def _mode(request: GateRequest, exposure: Exposure) -> Iterator[Denial]:
    if exposure.mode is Mode.HALTED:
        yield denial("halted", account=exposure.account)
    elif exposure.mode is Mode.DEFENSIVE:
        yield denial("defensive_mode", account=exposure.account)
    elif exposure.mode is Mode.MANUAL and request.approved_by is None:
        yield denial("manual_mode", account=exposure.account)


def _losses(exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    equity = exposure.equity_usd
    if equity <= 0:
        yield denial("no_equity", equity_usd=equity)
    loss = day_loss_fraction(exposure)
    if loss >= policy.daily_loss_alert_fraction:
        yield denial("daily_loss", loss=loss, limit=policy.daily_loss_alert_fraction)
    drawdown = drawdown_fraction(exposure)
    if drawdown >= policy.drawdown_halt_fraction:
        yield denial("drawdown_halt", drawdown=drawdown, limit=policy.drawdown_halt_fraction)
    elif drawdown >= policy.drawdown_defence_fraction:
        yield denial("drawdown_defence", drawdown=drawdown, limit=policy.drawdown_defence_fraction)


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


def _counts(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    others = _open_symbols(request, exposure) - {request.symbol}
    allowed = policy.max_positions(request.risk_regime)
    if len(others) >= allowed:
        yield denial("too_many_positions", positions=len(others), regime=request.risk_regime.value, limit=allowed)
    if exposure.entries_today >= policy.max_entries_per_day:
        yield denial("too_many_entries", entries=exposure.entries_today, limit=policy.max_entries_per_day)


def _plan(request: GateRequest, exposure: Exposure) -> Iterator[Denial]:
    others = _open_symbols(request, exposure) - {request.symbol}
    yield from plan_denials(request, exposure, other_positions=len(others), day_loss=day_loss_fraction(exposure))


def _open_symbols(request: GateRequest, exposure: Exposure) -> set[str]:
    """Symbols held above dust or promised to an entry; dust takes nobody's place."""
    held = {h.symbol for h in exposure.holdings if h.notional_usd >= request.min_notional_usd}
    return held | {r.symbol for r in exposure.reservations if r.opens}


def _worth(request: GateRequest, exposure: Exposure, policy: Policy) -> Iterator[Denial]:
    if exposure.closed_trades >= policy.bootstrap_trades:
        return
    trades = policy.bootstrap_trades
    if request.confidence < policy.bootstrap_min_confidence:
        yield denial(
            "bootstrap_confidence",
            confidence=request.confidence,
            limit=policy.bootstrap_min_confidence,
            trades=trades,
        )
    if request.win_probability < policy.bootstrap_min_win_probability:
        yield denial(
            "bootstrap_win_probability",
            win_probability=request.win_probability,
            limit=policy.bootstrap_min_win_probability,
            trades=trades,
        )


def _levels(request: GateRequest, policy: Policy) -> Iterator[Denial]:
    entry = entry_price(request)
    yield from _stop(request, policy, entry)
    if request.target_price is None:
        return
    if request.target_price <= entry:
        yield denial("target_wrong_side", target=request.target_price, entry=entry)
        return
    distance = request.target_price / entry - ONE
    least = least_target_distance(request, policy)
    if distance < least:
        yield denial("target_below_costs", distance=distance, least=least)


def _stop(request: GateRequest, policy: Policy, entry: Decimal) -> Iterator[Denial]:
    if request.stop_price is None:
        yield denial("stop_missing")
        return
    if request.stop_price >= entry:
        yield denial("stop_wrong_side", stop=request.stop_price, entry=entry)
        return
    distance = ONE - request.stop_price / entry
    least = least_stop_distance(request, policy)
    if distance < least:
        yield denial("stop_too_near", distance=distance, least=least)
    if distance > policy.stop_max_fraction:
        yield denial("stop_too_far", distance=distance, most=policy.stop_max_fraction)
