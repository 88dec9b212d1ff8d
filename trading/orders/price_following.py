"""How a guarded position follows the price: its stop rises in steps, and a share is sold on the way. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Self

from trading.orders.exits import ExitLevels, Trail, first_target, next_trail
from trading.orders.guard_record import GuardRecord
from trading.orders.models import OrderType
from trading.orders.wishes import ReduceRequest

FIRST_TARGET = "first_target"

STOP_FILLS_WITHIN = timedelta(seconds=2)
"""A stop with a limit that was triggered and is not done after this is cancelled and sold at market (venue.md)."""


class PriceFollowing(GuardRecord):
    """Levels of the position's exits, as its plan and the price have set them."""

    @property
    def stop_price(self) -> Decimal | None:
        """Where the stop belongs: at the plan's price, or as far up as it has followed."""
        plan, trail = self.plan, self.trail
        if plan is None:
            return None
        followed = trail is not None and trail.client_order_id == plan.client_order_id
        return max(plan.stop_price, trail.stop_price) if followed and trail is not None else plan.stop_price

    @property
    def levels(self) -> ExitLevels:
        """What rests at the venue for all that is held."""
        plan, stop_price = self.plan, self.stop_price
        assert plan is not None
        assert stop_price is not None
        return ExitLevels(stop_price=stop_price, target_price=plan.target_price if plan.terms.oco_allowed else None)

    @property
    def _bought_at(self) -> Decimal | None:
        plan = self.plan
        return self.entries[plan.client_order_id].average_price if plan is not None else None

    @property
    def next_trail(self) -> tuple[Decimal, Trail] | None:
        """The price that raises the stop next, and the trail from then on."""
        plan, price = self.plan, self._bought_at
        if plan is None or price is None:
            return None
        mine = self.trail if self.trail is not None and self.trail.client_order_id == plan.client_order_id else None
        found = next_trail(plan, average_price=price, trail=mine)
        ended = found is None or (plan.target_price is not None and found[0] >= plan.target_price)
        return None if ended else found

    @property
    def first_target(self) -> Decimal | None:
        """The price at which a share is sold, until it was."""
        plan, price = self.plan, self._bought_at
        if plan is None or price is None or self.first_target_of == plan.client_order_id:
            return None
        return first_target(plan, average_price=price)

    def followed(self, trail: Trail) -> Self:
        """The price has come far enough: the stop belongs higher."""
        return self._with(trail=trail)

    def taking_a_share(self) -> Self:
        """The first target was reached: its share is to be sold, once. A share or a rest that is dust is not."""
        plan = self.plan
        assert plan is not None
        share = self.tradable * plan.terms.plan.first_target_share
        taken = self._with(first_target_of=plan.client_order_id)
        if self.tradable_of(share) == 0 or self.tradable_of(self.position - share) == 0:
            return taken
        wish = ReduceRequest(
            request_id=f"{plan.client_order_id}:{FIRST_TARGET}",
            decision_id=plan.decision_id,
            quantity=share,
            reason=FIRST_TARGET,
        )
        return taken._with(reduces=(*self.reduces, wish))

    @property
    def limits_its_stop(self) -> bool:
        """Whether the stop, once triggered, may stay unfilled."""
        return self.stop is not None and self.stop.type is OrderType.STOP_LOSS_LIMIT

    def triggered(self, now: datetime) -> Self:
        """The price has reached a stop with a limit: it has two seconds to be done."""
        return self if self.stop_due is not None else self._with(stop_due=now + STOP_FILLS_WITHIN)
