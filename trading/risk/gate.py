"""The pre-trade gate (C16): every limit speaks, the smallest cap wins; it shrinks or refuses and never enlarges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from decimal import Decimal
from typing import Final

from trading.money import ONE, USD_QUANTUM, ZERO, floor_to_step
from trading.policy.model import Policy
from trading.risk.codes import denial
from trading.risk.day import roll_day
from trading.risk.levels import entry_price, least_entry_usd
from trading.risk.models import Cap, Denial, Exposure, GateAnswer, GateRequest
from trading.risk.money import Limit, cap_of, entry_rooms
from trading.risk.permits import FLOORING, permit_for
from trading.risk.planned import Left
from trading.risk.sanity import account_denials, entry_denials


def gate(
    request: GateRequest, exposure: Exposure, policy: Policy, *, profile_is_spot: bool = True, zone: tzinfo = UTC
) -> GateAnswer:
    """A permit, or every denial with its numbers. Pure: the same three inputs give the same answer.

    An entry gets at most the smallest cap and at most what was proposed; what is below the venue's smallest workable
    order is refused, never rounded up. A reduction passes in every mode, within the position. The caller reserves the
    permit before it asks again, and keeps the answer by `request_id`: a repeated request is answered from there.
    `zone` is the market profile's, where a day begins.
    """
    wrong_desk = account_denials(request, exposure)
    if wrong_desk:
        return GateAnswer(request_id=request.request_id, denials=wrong_desk)
    if not request.opens:
        return _reduce(request, exposure, policy, profile_is_spot=profile_is_spot)
    return _open(request, roll_day(exposure, request.now, zone=zone), policy, profile_is_spot=profile_is_spot)


def entry_verdict(request: GateRequest, exposure: Exposure, policy: Policy, *, zone: tzinfo = UTC) -> EntryVerdict:
    """What `gate` says of an entry on a spot account at its own desk, without the papers: for thousands of entries."""
    return _judged(request, roll_day(exposure, request.now, zone=zone), policy, profile_is_spot=True)


@dataclass(frozen=True, slots=True)
class EntryVerdict:
    """What the limits leave an entry, and what is denied; with a denial nothing is permitted."""

    rooms: Sequence[tuple[Limit, Left]]
    smallest: Cap
    notional_usd: Decimal
    denials: tuple[Denial, ...]
    price: Decimal

    @property
    def quantity(self) -> Decimal:
        """Base units that the notional buys; not on the venue's grid."""
        return FLOORING.divide(self.notional_usd, self.price)


def _judged(request: GateRequest, exposure: Exposure, policy: Policy, *, profile_is_spot: bool) -> EntryVerdict:
    rooms = entry_rooms(request, exposure, policy, profile_is_spot=profile_is_spot)
    smallest = cap_of(*min(rooms, key=lambda room: max(room[1].usd, ZERO)))
    notional = floor_to_step(smallest.leaves_usd, USD_QUANTUM)
    denials = (*entry_denials(request, exposure, policy), *_too_small(request, exposure, policy, smallest, notional))
    return EntryVerdict(rooms, smallest, notional, denials, entry_price(request))


def _open(request: GateRequest, exposure: Exposure, policy: Policy, *, profile_is_spot: bool) -> GateAnswer:
    verdict = _judged(request, exposure, policy, profile_is_spot=profile_is_spot)
    caps = tuple(cap_of(limit, left) for limit, left in verdict.rooms)
    binding = verdict.smallest.code
    if verdict.denials:
        return GateAnswer(request_id=request.request_id, denials=verdict.denials, caps=caps, binding=binding)
    permit = permit_for(
        request,
        exposure,
        policy,
        notional_usd=verdict.notional_usd,
        quantity=verdict.quantity,
        price=verdict.price,
    )
    return GateAnswer(request_id=request.request_id, permit=permit, caps=caps, binding=binding)


@dataclass(frozen=True, slots=True)
class SizeCheck:
    """One row: what is left may be too small in one way."""

    code: str
    look: Callable[[GateRequest, Exposure, Policy, Cap, Decimal], Denial | None]


def _too_small(
    request: GateRequest, exposure: Exposure, policy: Policy, smallest: Cap, notional: Decimal
) -> tuple[Denial, ...]:
    """The first reason why what is left cannot be traded and stopped out again; nothing is rounded up to pass."""
    found = (check.look(request, exposure, policy, smallest, notional) for check in SIZE_CHECKS)
    first = next((one for one in found if one is not None), None)
    return () if first is None else (first,)


def _nothing_proposed(
    request: GateRequest, exposure: Exposure, policy: Policy, smallest: Cap, notional: Decimal
) -> Denial | None:
    return denial("nothing_proposed") if request.size_fraction == 0 else None


def _exhausted(
    request: GateRequest, exposure: Exposure, policy: Policy, smallest: Cap, notional: Decimal
) -> Denial | None:
    if notional > 0 or exposure.equity_usd <= 0:
        return None
    return denial(smallest.code, limit=smallest.limit, equity_usd=exposure.equity_usd)


def _below_lot(
    request: GateRequest, exposure: Exposure, policy: Policy, smallest: Cap, notional: Decimal
) -> Denial | None:
    on_grid = floor_to_step(FLOORING.divide(notional, entry_price(request)), request.step_size)
    if notional == 0 or on_grid >= request.min_quantity:
        return None
    return denial("below_lot", quantity=on_grid, step=request.step_size, least=request.min_quantity)


def _below_min_notional(
    request: GateRequest, exposure: Exposure, policy: Policy, smallest: Cap, notional: Decimal
) -> Denial | None:
    least = _least_usd(request, policy)
    if notional == 0 or least is None or notional >= least:
        return None
    return denial("below_min_notional", leaves_usd=notional, least_usd=least, binding=smallest.code)


SIZE_CHECKS: Final = (
    SizeCheck("nothing_proposed", _nothing_proposed),
    SizeCheck("exhausted", _exhausted),
    SizeCheck("below_lot", _below_lot),
    SizeCheck("below_min_notional", _below_min_notional),
)
"""The table, in the order in which a reason hides the next."""


def _least_usd(request: GateRequest, policy: Policy) -> Decimal | None:
    entry = entry_price(request)
    if request.stop_price is None or not 0 < request.stop_price < entry:
        return None
    return least_entry_usd(
        min_notional_usd=request.min_notional_usd,
        stop_distance=ONE - request.stop_price / entry,
        fee=request.taker_fee,
        margin=policy.min_notional_margin,
    )


def _reduce(request: GateRequest, exposure: Exposure, policy: Policy, *, profile_is_spot: bool) -> GateAnswer:
    """A reduction, in any mode and whatever was lost: at most the position, and not less than the venue takes."""
    holding = exposure.holding(request.symbol)
    held = ZERO if holding is None else max(holding.quantity, ZERO)
    found = (check.look(request, held, profile_is_spot) for check in REDUCTION_CHECKS)
    refused = next((one for one in found if one is not None), None)
    if refused is not None:
        return GateAnswer(request_id=request.request_id, denials=(refused,))
    quantity = held * request.size_fraction
    notional = quantity * request.price
    permit = permit_for(request, exposure, policy, notional_usd=notional, quantity=quantity, price=request.price)
    return GateAnswer(request_id=request.request_id, permit=permit)


@dataclass(frozen=True, slots=True)
class ReductionCheck:
    """One row: a reduction of what is `held`, in base units, that makes no order."""

    code: str
    look: Callable[[GateRequest, Decimal, bool], Denial | None]


def _no_position(request: GateRequest, held: Decimal, is_spot: bool) -> Denial | None:
    if held > 0:
        return None
    code = "short_unavailable" if is_spot else "nothing_to_reduce"
    return denial(code, symbol=request.symbol, held_usd=ZERO, least_usd=request.min_notional_usd)


def _no_share(request: GateRequest, held: Decimal, is_spot: bool) -> Denial | None:
    return denial("nothing_proposed") if request.size_fraction == 0 else None


def _only_dust(request: GateRequest, held: Decimal, is_spot: bool) -> Denial | None:
    held_usd, least = held * request.price, request.min_notional_usd
    if held_usd >= least:
        return None
    return denial("nothing_to_reduce", symbol=request.symbol, held_usd=held_usd, least_usd=least)


def _small_share(request: GateRequest, held: Decimal, is_spot: bool) -> Denial | None:
    notional = held * request.size_fraction * request.price
    if notional >= request.min_notional_usd:
        return None
    return denial("below_min_notional", leaves_usd=notional, least_usd=request.min_notional_usd)


REDUCTION_CHECKS: Final = (
    ReductionCheck("short_unavailable", _no_position),
    ReductionCheck("nothing_proposed", _no_share),
    ReductionCheck("nothing_to_reduce", _only_dust),
    ReductionCheck("below_min_notional", _small_share),
)
"""The table, in the order in which a reason hides the next."""
