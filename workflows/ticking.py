"""Who waits for what in market time, and how a tick is followed until nobody has anything left to do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.exchange.port import ClockEvent, ClockStop, Level
    from workflows.names import Signal, watch_workflow
    from workflows.protocol import CampaignState, Settled, Tick, Watched

Touched = dict[str, tuple[ClockEvent, ...]]
"""Entities to be ticked, each with the events that are its own."""


class Ticking:
    """The ticked entities of one campaign. `state` is what it carries through continue-as-new."""

    def __init__(self, realm: str, state: CampaignState, *, before_the_watch: Callable[[], Awaitable[None]]) -> None:
        self.state = state
        self._watch = watch_workflow(realm)
        self._before_the_watch = before_the_watch
        self._settled: dict[int, Settled] = {}

    def hear_settled(self, answer: Settled) -> None:
        self._settled[answer.number] = answer

    def levels(self) -> tuple[Level, ...]:
        """Every price that somebody waits for."""
        return tuple(level for watched in self.state.watched.values() for level in watched.levels)

    def next_wake(self) -> datetime | None:
        """The first time after now that somebody waits for."""
        wakes = (watched.wakes_at for watched in self.state.watched.values())
        return min((at for at in wakes if at is not None and at > self.state.now), default=None)

    def awake(self) -> Touched:
        """Everybody whose time has come."""
        due = [w.entity for w in self.state.watched.values() if w.wakes_at is not None and w.wakes_at <= self.state.now]
        return dict.fromkeys(sorted(due), ())

    def touched(self, stop: ClockStop) -> Touched:
        """Which entity each event belongs to, in a stated order; an event of nobody's order is nobody's."""
        owners = {order: w.entity for w in self.state.watched.values() for order in w.orders}
        found: Touched = {}
        for event in stop.events:
            owner = (
                owners.get(event.client_order_id)
                if event.client_order_id is not None
                else (event.level_id or "").partition("#")[0]
            )
            if owner:
                found[owner] = (*found.get(owner, ()), event)
        return dict(sorted(found.items()))

    async def settle(self, touched: Touched) -> None:
        """Tick what was touched, then what these told, until nobody has anything left to do at this time.

        The watch is ticked last and alone: what it decides on, it decides on settled and marked accounts.
        """
        wave = touched
        while wave:
            now = {entity: events for entity, events in wave.items() if entity != self._watch} or wave
            if self._watch in now and (now[self._watch] or self._watch in self.awake()):
                await self._before_the_watch()
            later = {entity: events for entity, events in wave.items() if entity not in now}
            numbers = [await self._tick(entity, events) for entity, events in now.items()]
            answers = [await self._answer(entity, number) for entity, number in zip(now, numbers, strict=True)]
            told = {entity for answer in answers for entity in answer.also}
            wave = dict.fromkeys(sorted(told), ()) | later

    async def _tick(self, entity: str, events: tuple[ClockEvent, ...]) -> int | None:
        number = self.next_number()
        planned = self.state.planned and entity == self._watch
        tick = Tick(number=number, as_of=self.state.now, events=events, planned=planned)
        try:
            await workflow.get_external_workflow_handle(entity).signal(Signal.TICK, tick)
        except ApplicationError:
            self._forget(entity)
            return None
        self._keep(ticks=self.state.ticks + 1, planned=self.state.planned and not planned)
        return number

    async def _answer(self, entity: str, number: int | None) -> Settled:
        if number is None:
            return Settled(number=0, watched=Watched(entity=entity), closed=True)
        await workflow.wait_condition(lambda: number in self._settled, timeout_summary=f"{entity} settles")
        answer = self._settled.pop(number)
        if answer.closed:
            self._forget(entity)
        else:
            self.watch(answer.watched)
        for watched in answer.found:
            self.watch(watched)
        self._keep(decisions=self.state.decisions + len(answer.started))
        return answer

    def watch(self, watched: Watched) -> None:
        """Remember what an entity waits for now."""
        everything = {**self.state.watched, watched.entity: watched}
        self._keep(watched=dict(sorted(everything.items())))

    def _forget(self, entity: str) -> None:
        self._keep(watched={name: watched for name, watched in self.state.watched.items() if name != entity})

    def next_number(self) -> int:
        self._keep(number=self.state.number + 1)
        return self.state.number

    def _keep(self, **changes: object) -> None:
        self.state = self.state.model_copy(update=changes)
