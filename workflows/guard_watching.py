"""What a guard waits for: its orders, the prices that its plan names, and the times at which something is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.exchange.port import AwaitMarket, Level, WatchedOrder
    from trading.orders.guarding import GuardState
    from trading.orders.models import OrderRequest
    from workflows.protocol import GuardRequest, Watched


@dataclass(frozen=True, slots=True)
class Watching:
    """`guard` is its workflow id, after which the levels are named."""

    guard: str
    request: GuardRequest
    state: GuardState

    def level_id(self, what: str = "") -> str:
        """A level of the newest filled entry: its target, or the one named."""
        plan = self.state.plan
        entry = plan.client_order_id if plan is not None else ""
        return "#".join((self.guard, entry, *([what] if what else ())))

    @property
    def levels(self) -> tuple[Level, ...]:
        """Prices that wake the guard: a target that does not rest at the venue, the next trail, a share to sell."""
        plan, state = self.state.plan, self.state
        if plan is None or not state.is_watched_in_time:
            return ()
        above = {
            "": plan.target_price if state.target is None else None,
            "first": state.first_target,
        }
        if state.next_trail is not None:
            above[f"trail-{state.next_trail[1].steps}"] = state.next_trail[0]
        since = state.entries[plan.client_order_id].observed_at
        levels = [
            Level(
                id=self.level_id(what),
                symbol=self.request.symbol,
                direction="above",
                price=price,
                after_candle_of=since,
            )
            for what, price in above.items()
            if price is not None
        ]
        is_watched = state.covering or (state.limits_its_stop and state.stop_due is None)
        if is_watched and state.stop_price is not None:
            levels.append(
                Level(id=self.level_id("stop"), symbol=self.request.symbol, direction="below", price=state.stop_price)
            )
        return tuple(levels)

    @property
    def watched(self) -> Watched:
        """The same for a coordinator, which ticks the guard when any of it comes."""
        return Watched(
            entity=self.guard,
            orders=tuple(order.client_order_id for order in self.state.at_the_venue),
            levels=self.levels,
            wakes_at=min(self.due, default=None),
        )

    @property
    def due(self) -> list[datetime]:
        """The market times at which something is to be done without any other news."""
        plan, state = self.state.plan, self.state
        exit_at = plan.exit_at if plan is not None and state.is_watched_in_time else None
        return [at for at in (exit_at, state.retry_at, state.closed_until, state.stop_due) if at is not None]

    def awaited(self, until: datetime) -> AwaitMarket:
        """The same for the venue's own watch, where nobody ticks."""
        return AwaitMarket(
            realm=self.request.realm,
            venue=self.request.venue,
            symbol=self.request.symbol,
            keys=tuple(self._seen(order) for order in self.state.at_the_venue),
            levels=self.levels,
            until=until,
        )

    def _seen(self, order: OrderRequest) -> WatchedOrder:
        report = self.state.exits[order.client_order_id]
        return WatchedOrder(key=order.key, seen_status=report.status, seen_executed=report.executed_quantity)
