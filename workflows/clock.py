"""Market time inside an entity: a campaign's ticks, or the wall's own passage."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.exchange.port import ClockEvent
    from workflows.names import Signal
    from workflows.protocol import Settled, Tick, Watched


class MarketTime:
    """The time an entity lives in. Ticked entities never look at a clock; the others read the workflow's."""

    def __init__(self, *, coordinator: str | None, as_of: datetime | None) -> None:
        self._coordinator = coordinator
        self._now = as_of
        self._pending: list[Tick] = []
        self._handling: list[Tick] = []

    @property
    def is_ticked(self) -> bool:
        return self._coordinator is not None

    @property
    def now(self) -> datetime:
        """Market time: the last tick's, or the workflow's own clock where nobody ticks."""
        if self.is_ticked and self._now is not None:
            return self._now
        return workflow.now()

    @property
    def has_tick(self) -> bool:
        return bool(self._pending)

    def record(self, tick: Tick) -> None:
        """Take a tick in; time never goes back."""
        self._pending.append(tick)
        if self._now is None or tick.as_of > self._now:
            self._now = tick.as_of

    def begin(self) -> None:
        """Take up the ticks recorded so far: `events` and `answer` speak of these, a later one waits its turn."""
        self._handling.extend(self._pending)
        self._pending = []

    def events(self) -> tuple[ClockEvent, ...]:
        """What happened, according to the ticks that are being handled."""
        return tuple(event for tick in self._handling for event in tick.events)

    async def answer(self, watched: Watched, *, also: tuple[str, ...] = (), closed: bool = False) -> None:
        """Tell the coordinator that the ticks taken up are handled, and what is waited for from here on."""
        if self._coordinator is None:
            return
        if closed:
            self.begin()
        ticks, self._handling = self._handling, []
        handle = workflow.get_external_workflow_handle(self._coordinator)
        for tick in ticks:
            await handle.signal(Signal.SETTLED, Settled(number=tick.number, watched=watched, also=also, closed=closed))
