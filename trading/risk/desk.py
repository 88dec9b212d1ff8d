"""The desk's transitions: pure steps from one `Exposure` to the next, so that the workflow only orders them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from trading.money import ZERO
from trading.policy.model import Policy
from trading.risk.models import (
    Exposure,
    GateRequest,
    Mode,
    Permit,
    Protection,
    ProtectionKind,
    Reservation,
    SymbolHistory,
)
from trading.risk.sanity import day_loss_fraction, drawdown_fraction
from trading.risk.tail import exposed_symbols

STRICTNESS = (Mode.AUTO, Mode.MANUAL, Mode.DEFENSIVE, Mode.HALTED)
"""The modes from free to closed."""


KEPT_TIMES = 1000
"""So many times of entries are kept: as many as the largest rate that the policy allows counts."""


def reserve(exposure: Exposure, permit: Permit, *, at: datetime) -> Exposure:
    """Promise the permit's exposure until its order settles; the same permit again changes nothing.

    A permit that reduces is remembered too, with no exposure. An entry counts for the day.
    """
    if _reservation(exposure, permit.id) is not None:
        return exposure
    promise = Reservation(
        permit_id=permit.id,
        symbol=permit.symbol,
        notional_usd=permit.notional_usd if permit.opens else ZERO,
        reserved_at=at,
        opens=permit.opens,
    )
    return exposure.model_copy(
        update={
            "reservations": (*exposure.reservations, promise),
            "entries_today": exposure.entries_today + int(permit.opens),
            "entries_at": (*exposure.entries_at, at)[-KEPT_TIMES:] if permit.opens else exposure.entries_at,
        }
    )


def release(exposure: Exposure, permit_id: str) -> Exposure:
    """Drop the promise: its order ended, or its permit lapsed without an intent; an unknown id changes nothing."""
    kept = tuple(one for one in exposure.reservations if one.permit_id != permit_id)
    return exposure if len(kept) == len(exposure.reservations) else exposure.model_copy(update={"reservations": kept})


def without(exposure: Exposure, permit_id: str | None) -> Exposure:
    """The account as if the permit had not been given, for the gate to be asked again in its place.

    An unknown id, and none, change nothing. Whoever is permitted then reserves the new permit instead.
    """
    promise = None if permit_id is None else _reservation(exposure, permit_id)
    if promise is None:
        return exposure
    counted = promise.opens and (exposure.day_started_at is None or promise.reserved_at >= exposure.day_started_at)
    entries = max(exposure.entries_today - int(counted), 0)
    times = list(exposure.entries_at)
    if promise.opens and promise.reserved_at in times:
        times.remove(promise.reserved_at)
    without_it = release(exposure, promise.permit_id)
    return without_it.model_copy(update={"entries_today": entries, "entries_at": tuple(times)})


def mark(exposure: Exposure, prices: Mapping[str, Decimal]) -> Exposure:
    """The account at new prices; a symbol without one keeps its mark. The peak follows equity up, never down."""
    holdings = tuple(
        one.model_copy(update={"mark_price": prices[one.symbol]}) if one.symbol in prices else one
        for one in exposure.holdings
    )
    return _with_peak(exposure.model_copy(update={"holdings": holdings}))


def refreshed(exposure: Exposure, ledger: Exposure) -> Exposure:
    """The ledger's cash, holdings, marks, trades and others' exposure under what only the desk knows.

    For a desk that reads the ledger again: the peak stays the desk's, because a person who resumed the account started
    it anew (X42); promises whose order the ledger already holds must be released in the same
    step, or they count twice.
    """
    is_other = exposure.opened_at is not None and ledger.opened_at != exposure.opened_at
    anew = _begun_anew(ledger) if is_other or ledger.arming != exposure.arming else {}
    return _with_peak(
        exposure.model_copy(
            update={
                **anew,
                "must_be_armed": ledger.must_be_armed,
                "arming": ledger.arming,
                "opened_at": ledger.opened_at,
                "cash_usd": ledger.cash_usd,
                "holdings": ledger.holdings,
                "closed_trades": ledger.closed_trades,
                "recent_trades": ledger.recent_trades,
                "recent_wins": ledger.recent_wins,
                "elsewhere": ledger.elsewhere,
                "equity_elsewhere_usd": ledger.equity_elsewhere_usd,
            }
        )
    )


def _begun_anew(ledger: Exposure) -> dict[str, object]:
    """An account that was armed or disarmed, or whose venue was wiped, counts day and drawdown from what it has now."""
    return {"day_start_equity_usd": ledger.day_start_equity_usd, "peak_equity_usd": ledger.peak_equity_usd}


def voided(exposure: Exposure) -> Exposure:
    """The account with every permit of before made worthless: the epoch rises."""
    return exposure.model_copy(update={"epoch": exposure.epoch + 1})


def reopened(exposure: Exposure, ledger: Exposure) -> Exposure:
    """The account in the books that follow a wiped venue's: promises went with the old ones, and permits are void."""
    news = {"epoch": max(exposure.epoch, ledger.epoch), "reservations": ()}
    return refreshed(exposure, ledger).model_copy(update=news)


def remembering(exposure: Exposure, request: GateRequest) -> Exposure:
    """`exposure` with the daily closes that the wish brought, and those of what is held or promised; no others."""
    if request.history is None:
        return exposure
    kept = {one.symbol: one for one in exposure.histories if one.symbol in exposed_symbols(exposure)}
    kept[request.symbol] = SymbolHistory(symbol=request.symbol, history=request.history)
    return exposure.model_copy(update={"histories": tuple(kept[symbol] for symbol in sorted(kept))})


def protected(exposure: Exposure, protection: Protection) -> Exposure:
    """The account under one more protection; the same id again changes nothing.

    The epoch rises, which voids every permit issued before it. A defence of the whole account makes it defensive where
    it was freer.
    """
    if any(one.id == protection.id for one in exposure.protections):
        return exposure
    news: dict[str, object] = {"protections": (*exposure.protections, protection), "epoch": exposure.epoch + 1}
    if protection.kind is ProtectionKind.ACCOUNT_DEFENCE and is_stricter(Mode.DEFENSIVE, than=exposure.mode):
        news["mode"] = Mode.DEFENSIVE
    return exposure.model_copy(update=news)


def lifted(exposure: Exposure, protection_id: str) -> Exposure:
    """The account without that protection; where it was its last defence, a defensive account is automatic again.

    An account that its losses made defensive as well will be so again at its next wish.
    """
    gone = next((one for one in exposure.protections if one.id == protection_id), None)
    if gone is None:
        return exposure
    kept = tuple(one for one in exposure.protections if one is not gone)
    news: dict[str, object] = {"protections": kept}
    defends = any(one.kind is ProtectionKind.ACCOUNT_DEFENCE for one in kept)
    if gone.kind is ProtectionKind.ACCOUNT_DEFENCE and not defends and exposure.mode is Mode.DEFENSIVE:
        news["mode"] = Mode.AUTO
    return exposure.model_copy(update=news)


def still_protected(exposure: Exposure, *, now: datetime) -> Exposure:
    """The account without the protections whose time has come."""
    kept = tuple(one for one in exposure.protections if one.holds(now))
    return exposure if len(kept) == len(exposure.protections) else exposure.model_copy(update={"protections": kept})


def lapsed(exposure: Exposure, policy: Policy, *, now: datetime) -> tuple[str, ...]:
    """Permits past their validity: released where the store knows no order of theirs, else they wait for it.

    Twice the validity: an order whose permit was looked at in its last moment has an intent row long before that.
    """
    validity = timedelta(seconds=policy.permit_validity_s)
    return tuple(one.permit_id for one in exposure.reservations if now > one.reserved_at + 2 * validity)


def is_stricter(mode: Mode, *, than: Mode) -> bool:
    """Whether `mode` lets less pass."""
    return STRICTNESS.index(mode) > STRICTNESS.index(than)


def change_mode(exposure: Exposure, mode: Mode) -> Exposure:
    """The account in `mode`. A stricter mode raises the epoch, which voids every permit issued before it."""
    if mode is exposure.mode:
        return exposure
    stricter = is_stricter(mode, than=exposure.mode)
    return exposure.model_copy(update={"mode": mode, "epoch": exposure.epoch + int(stricter)})


def resume(exposure: Exposure) -> Exposure:
    """A person lets the account trade again: drawdown counts from today's equity, or it would halt at once (X42)."""
    return change_mode(exposure, Mode.AUTO).model_copy(update={"peak_equity_usd": exposure.equity_usd})


class Rung(StrEnum):
    """How far down the loss ladder an account stands (X42)."""

    NONE = "none"
    ALERT = "alert"
    DEFENCE = "defence"
    HALT = "halt"


def rung(exposure: Exposure, policy: Policy) -> Rung:
    """The lowest rung that the account's losses reach: the day's loss alerts, drawdown defends, then halts."""
    drawdown = drawdown_fraction(exposure)
    if drawdown >= policy.drawdown_halt_fraction:
        return Rung.HALT
    if drawdown >= policy.drawdown_defence_fraction:
        return Rung.DEFENCE
    if day_loss_fraction(exposure) >= policy.daily_loss_alert_fraction:
        return Rung.ALERT
    return Rung.NONE


def defended(exposure: Exposure, policy: Policy) -> Exposure:
    """The account in the mode its losses ask for; never a freer one than it has. Only a person goes back."""
    wanted = {Rung.DEFENCE: Mode.DEFENSIVE, Rung.HALT: Mode.HALTED}.get(rung(exposure, policy), exposure.mode)
    return change_mode(exposure, wanted) if is_stricter(wanted, than=exposure.mode) else exposure


def _reservation(exposure: Exposure, permit_id: str) -> Reservation | None:
    return next((one for one in exposure.reservations if one.permit_id == permit_id), None)


def _with_peak(exposure: Exposure) -> Exposure:
    equity = exposure.equity_usd
    return exposure.model_copy(update={"peak_equity_usd": equity}) if equity > exposure.peak_equity_usd else exposure
