"""What a guard carries: its state, its venue, its time; the ground under its exits and under the hands of people."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from trading.decision.story import guard_story
    from trading.orders.guarding import REFUSED_SALES, GuardState
    from trading.orders.models import OrderReport, OrderRequest
    from workflows.clock import MarketTime
    from workflows.guard_watching import Watching
    from workflows.protocol import GuardRequest
    from workflows.venue_orders import VenueOrders


class GuardBook:
    """The state changes in one place: what changed is news."""

    def __init__(self, request: GuardRequest) -> None:
        self._request = request
        self._state = request.state or GuardState()
        self._venue = VenueOrders(
            realm=request.realm, venue=request.venue, account=request.account, symbol=request.symbol
        )
        self._time = MarketTime(coordinator=request.coordinator, as_of=self._state.as_of)
        self._news = False
        self._crossed: set[str] = set()
        self._changed: set[str] = set()

    @property
    def _watching(self) -> Watching:
        return Watching(workflow.info().workflow_id, self._request, self._state)

    def _is_crossed(self, what: str = "") -> bool:
        return self._watching.level_id(what) in self._crossed

    def _set(self, **changes: object) -> None:
        self._take_state(self._state.model_copy(update=changes))

    def _take_state(self, state: GuardState) -> None:
        """What changed is news: the loop goes round once more before it waits."""
        self._news = self._news or state is not self._state
        self._state = state

    def _take_report(self, order: OrderRequest, report: OrderReport) -> None:
        self._take_state(self._state.taken(order, report))

    def _show(self) -> None:
        """Tell the Web UI what is held and what protects it."""
        state = self._state
        story = guard_story(
            position=state.position,
            stop=state.stop.stop_price if state.stop else None,
            target=state.plan.target_price if state.plan else None,
            frozen=state.frozen,
            leaving_because=state.leave.reason if state.leave else None,
            refuses_to_sell=state.refused_sales >= REFUSED_SALES,
            is_market_closed=state.closed_until is not None,
        )
        workflow.set_current_details(story)
