"""Market time inside an entity: what a campaign's ticks say, or what the venue was last seen to say."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.exchange.port import ClockEvent
    from workflows.names import Signal
    from workflows.protocol import Settled, Tick, Watched


class MarketTime:
    """The time an entity lives in. It is an input like any other: no entity reads a clock.

    Ticked entities learn it from their coordinator. The others learn it from what the venue reports: a simulated
    market may be years away from the wall, and a real one is never ahead of what it said last.
    """

    def __init__(self, *, coordinator: str | None, as_of: datetime | None) -> None:
        self._coordinator = coordinator
        self._now = as_of
        self._pending: list[Tick] = []
        self._handling: list[Tick] = []
        self._newest: tuple[ClockEvent, ...] = ()

    @property
    def is_ticked(self) -> bool:
        return self._coordinator is not None

    @property
    def known(self) -> datetime | None:
        """The newest market time that was told, or `None` before the first news."""
        return self._now

    @property
    def now(self) -> datetime:
        """The newest market time; raises `RuntimeError` before the first news."""
        if self._now is None:
            raise RuntimeError("no market time is known yet: nothing was observed")
        return self._now

    def observe(self, at: datetime) -> None:
        """Take in a market time that the venue reported; time never goes back."""
        if self._now is None or at > self._now:
            self._now = at

    @property
    def has_tick(self) -> bool:
        return bool(self._pending)

    def record(self, tick: Tick) -> None:
        """Take a tick in; time never goes back."""
        self._pending.append(tick)
        self.observe(tick.as_of)

    def begin(self) -> None:
        """Take up the ticks recorded so far: `events` and `answer` speak of these, a later one waits its turn."""
        self._newest = tuple(event for tick in self._pending for event in tick.events)
        self._handling.extend(self._pending)
        self._pending = []

    @property
    def is_asked(self) -> bool:
        """Whether a tick that was taken up still waits for its answer."""
        return bool(self._handling)

    def events(self) -> tuple[ClockEvent, ...]:
        """What happened, according to the ticks that are being handled."""
        return tuple(event for tick in self._handling for event in tick.events)

    def new_events(self) -> tuple[ClockEvent, ...]:
        """Of these only the ones that were taken up last: who goes round again has seen the others."""
        return self._newest

    async def answer(
        self,
        watched: Watched,
        *,
        also: tuple[str, ...] = (),
        started: tuple[str, ...] = (),
        found: tuple[Watched, ...] = (),
        closed: bool = False,
    ) -> None:
        """Tell the coordinator that the ticks taken up are handled, and what is waited for from here on."""
        if self._coordinator is None:
            return
        if closed:
            self.begin()
        handle = workflow.get_external_workflow_handle(self._coordinator)
        while self._handling:
            tick = self._handling.pop(0)
            answer = Settled(
                number=tick.number, watched=watched, also=also, started=started, found=found, closed=closed
            )
            started = found = ()  # said once
            await handle.signal(Signal.SETTLED, answer)
            if closed:
                self.begin()  # whoever ends answers also the tick that came while it said so
