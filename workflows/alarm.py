"""What a watch tells the desks of the market: falls, surges and a dangerous regime, each once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.exchange.port import Level
    from trading.watching.anomalies import replayed_crash
    from trading.watching.models import Anomaly
    from workflows.clock import MarketTime
    from workflows.names import Signal, desk_workflow
    from workflows.protocol import Defend, WatchRequest
    from workflows.watched_day import WatchedDay

CRASH = "crash:"
KEPT_ANOMALIES = 100
"""What was told looks this far back; an anomaly's id names its window, so an older one cannot come again."""


class Alarm:
    """Raises the desks' defence (C09). What defence is, each desk decides."""

    def __init__(self, request: WatchRequest, day: WatchedDay, time: MarketTime) -> None:
        self._request = request
        self._day = day
        self._time = time

    async def raise_for(self, anomalies: Sequence[Anomaly]) -> None:
        """Remember what was seen, and tell every desk what is to be defended against."""
        self._remember(*anomalies)
        for anomaly in anomalies:
            if anomaly.defends:
                await asyncio.gather(*(self._tell_desk(account, anomaly) for account in self._request.accounts))

    def _remember(self, *anomalies: Anomaly) -> None:
        self._day.keep(anomalies=(*self._day.state.anomalies, *anomalies)[-KEPT_ANOMALIES:])

    async def raise_for_crashes(self) -> tuple[str, ...]:
        """The crashes that a replayed market stopped at, told to every desk; whom to tick for it."""
        limits, now = self._day.plan.limits, self._time.known
        crashed = {
            symbol: event.price
            for event in self._time.events()
            if (symbol := (event.level_id or "").partition(f"#{CRASH}")[2])
        }
        if not crashed or limits is None or now is None:
            return ()
        told = {one.id for one in self._day.state.anomalies}
        for symbol, price in sorted(crashed.items()):
            crash = replayed_crash(symbol, at=now, price=price, fall_fraction=limits.crash_fall_fraction)
            if crash.id not in told:
                self._remember(crash)
                for account in self._request.accounts:
                    await self._tell_desk(account, crash)
        return tuple(desk_workflow(self._request.realm, account) for account in self._request.accounts)

    async def _tell_desk(self, account: str, anomaly: Anomaly) -> None:
        """The desk decides what defence is; told again under the same id, it has heard it already."""
        desk = workflow.get_external_workflow_handle(desk_workflow(self._request.realm, account))
        told = Defend(
            operation_id=f"watch:{anomaly.id}",
            reason=anomaly.kind,
            symbol=anomaly.symbol,
            as_of=anomaly.as_of,
            numbers=anomaly.numbers,
        )
        try:
            await desk.signal(Signal.DEFEND, told)
        except ApplicationError:
            workflow.logger.info("%s has no desk to defend", account)

    def levels(self, entity: str) -> tuple[Level, ...]:
        """Where the market is ticked, its clock stops at a crash; of one that was told, not before the next candle."""
        limits = self._day.plan.limits
        if not self._time.is_ticked or limits is None:
            return ()
        told = {one.symbol: one.as_of for one in self._day.state.anomalies if one.kind == "flash_crash"}
        return tuple(
            Level(
                id=f"{entity}#{CRASH}{symbol}",
                symbol=symbol,
                direction="below",
                fall_fraction=limits.crash_fall_fraction,
                after_candle_of=told.get(symbol),
            )
            for symbol in self._day.symbols
        )
