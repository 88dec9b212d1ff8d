"""The orders that end a position: a stop, a stop with its target as one list, a sale; alone or beside the entry."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from trading.contract import Contract
from trading.ids import client_order_id
from trading.money import floor_to_step
from trading.orders.models import Leg, OrderRequest, OrderType, Side, TimeInForce
from trading.orders.symbols import Lot, Quote
from trading.orders.wishes import ExitPlan, Expect, Guarded
from trading.policy.execution import ExecutionPolicy

PROTECTED_WITHIN_S = Decimal(5)
"""What has filled has an exit at the venue within this time, while the venue answers and a worker lives (venue.md)."""


class ExitLevels(Contract):
    """Where a stop rests, and the target that rests beside it where the venue takes both as one list."""

    stop_price: Decimal
    target_price: Decimal | None = None


class Trail(Contract):
    """How far the stop of one entry has followed the price."""

    client_order_id: str
    steps: int
    stop_price: Decimal


def exit_plan(terms: ExecutionPolicy) -> ExitPlan:
    """The part of a permit's terms that its position is left by."""
    return ExitPlan(
        slippage_fraction=terms.slippage_tolerance_fraction,
        trail_after_risks=terms.trail_after_risks,
        trail_step_risks=terms.trail_step_risks,
        first_target_risks=terms.first_target_risks,
        first_target_share=terms.first_target_share,
    )


def with_exits(
    order: OrderRequest, quote: Quote, *, stop_price: Decimal, target_price: Decimal | None, plan: ExitPlan
) -> OrderRequest:
    """The entry as the head of a list, where the venue takes one; else the entry itself (venue.md, Protection).

    An entry at the market becomes a limit at the slippage bound that fills at once and whole, or not at all: the venue
    places its exits when it is full, for what it brought net of commission. One that rests is protected fill by fill.
    """
    if not order.takes_at_once or not quote.opo_allowed:
        return order
    levels = ExitLevels(stop_price=stop_price, target_price=target_price if quote.oco_allowed else None)
    whose = Guarded.model_validate(order.model_dump(include=set(Guarded.model_fields)))
    lead = order.client_order_id
    stop = _stop(whose, order.decision_id, order.quantity, stop_price, 0, order.as_of, lot=quote.lot, plan=plan)
    exits = [stop.model_copy(update={"led_by": lead})]
    if levels.target_price is not None:
        target = _target(whose, order.decision_id, order.quantity, levels.target_price, 0, order.as_of)
        exits.append(target.model_copy(update={"led_by": lead}))
    return order.model_copy(
        update={
            "type": OrderType.LIMIT,
            "time_in_force": TimeInForce.FOK,
            "price": order.worst_price or quote.ask * (1 + plan.slippage_fraction),
            "beside": tuple(exits),
        }
    )


def led_anew(exits: tuple[OrderRequest, ...], lead: OrderRequest) -> tuple[OrderRequest, ...]:
    """The same exits beside the lead's next revision: under ids of that revision, for its quantity."""
    return tuple(
        exit_order.model_copy(
            update={
                "led_by": lead.client_order_id,
                "revision": lead.revision,
                "slice_number": lead.slice_number,
                "quantity": lead.quantity,
                "as_of": lead.as_of,
                "client_order_id": client_order_id(
                    ledger=lead.ledger,
                    account=lead.account,
                    decision=lead.decision_id,
                    leg=exit_order.leg.value,
                    slice_number=lead.slice_number,
                    revision=lead.revision,
                ),
            }
        )
        for exit_order in exits
    )


def protection(
    whose: Guarded, entry: Expect, *, quantity: Decimal, levels: ExitLevels, revision: int, now: datetime
) -> OrderRequest:
    """The stop for `quantity`; with a target it leads a list of both. All carry the same revision."""
    lot, plan = entry.terms.lot, entry.terms.plan
    stop = _stop(whose, entry.decision_id, quantity, levels.stop_price, revision, now, lot=lot, plan=plan)
    if levels.target_price is None:
        return stop
    target = _target(whose, entry.decision_id, quantity, levels.target_price, revision, now)
    return stop.model_copy(update={"beside": (target.model_copy(update={"led_by": stop.client_order_id}),)})


def sale(whose: Guarded, *, leg: Leg, decision: str, quantity: Decimal, revision: int, now: datetime) -> OrderRequest:
    """A sale at market."""
    return _exit(whose, decision, leg, OrderType.MARKET, quantity, revision, now)


def next_trail(entry: Expect, *, average_price: Decimal, trail: Trail | None) -> tuple[Decimal, Trail] | None:
    """The price at which the stop is raised next, and the trail from then on; `None` where the plan has none."""
    plan = entry.terms.plan
    risk = average_price - entry.stop_price
    if plan.trail_after_risks <= 0 or plan.trail_step_risks <= 0 or risk <= 0:
        return None
    steps = trail.steps if trail is not None else 0
    gained = (plan.trail_after_risks + steps * plan.trail_step_risks) * risk
    behind = plan.trail_after_risks * risk
    tick = entry.terms.lot.tick_size if entry.terms.lot is not None else Decimal("0.01")
    stop_price = max(entry.stop_price, floor_to_step(average_price + gained - behind, tick))
    return average_price + gained, Trail(client_order_id=entry.client_order_id, steps=steps + 1, stop_price=stop_price)


def trail_behind(entry: Expect, *, average_price: Decimal, stop_price: Decimal) -> Trail | None:
    """The trail of a stop that rests at this price; `None` where it is the first one, which follows nothing."""
    step = entry.terms.plan.trail_step_risks * (average_price - entry.stop_price)
    if stop_price <= entry.stop_price or step <= 0:
        return None
    steps = 1 + int(((stop_price - average_price) / step).to_integral_value(ROUND_HALF_EVEN))
    return Trail(client_order_id=entry.client_order_id, steps=max(steps, 1), stop_price=stop_price)


def first_target(entry: Expect, *, average_price: Decimal) -> Decimal | None:
    """The price at which a share of the position is sold; `None` where the plan sells none before the target."""
    plan = entry.terms.plan
    risk = average_price - entry.stop_price
    if plan.first_target_share <= 0 or plan.first_target_risks <= 0 or risk <= 0:
        return None
    price = average_price + plan.first_target_risks * risk
    return price if entry.target_price is None or price < entry.target_price else None


def _stop(
    whose: Guarded,
    decision: str,
    quantity: Decimal,
    stop_price: Decimal,
    revision: int,
    now: datetime,
    *,
    lot: Lot | None,
    plan: ExitPlan,
) -> OrderRequest:
    """At market where the symbol takes that, else with a limit as far below as an order may slip."""
    if lot is None or lot.has_stop_loss:
        order = _exit(whose, decision, Leg.STOP, OrderType.STOP_LOSS, quantity, revision, now)
        limit = None
    else:
        order = _exit(whose, decision, Leg.STOP, OrderType.STOP_LOSS_LIMIT, quantity, revision, now)
        limit = floor_to_step(stop_price * (1 - plan.slippage_fraction), lot.tick_size)
    return order.model_copy(update={"stop_price": stop_price, "price": limit, "expected_price": stop_price})


def _target(
    whose: Guarded, decision: str, quantity: Decimal, price: Decimal, revision: int, now: datetime
) -> OrderRequest:
    order = _exit(whose, decision, Leg.TARGET, OrderType.LIMIT_MAKER, quantity, revision, now)
    return order.model_copy(update={"price": price, "expected_price": price})


def _exit(
    whose: Guarded, decision: str, leg: Leg, kind: OrderType, quantity: Decimal, revision: int, now: datetime
) -> OrderRequest:
    return OrderRequest(
        realm=whose.realm,
        venue=whose.venue,
        ledger=whose.ledger,
        account=whose.account,
        symbol=whose.symbol,
        decision_id=decision,
        leg=leg,
        revision=revision,
        client_order_id=client_order_id(
            ledger=whose.ledger, account=whose.account, decision=decision, leg=leg.value, revision=revision
        ),
        side=Side.SELL,
        type=kind,
        quantity=quantity,
        as_of=now,
    )
