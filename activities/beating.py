"""Beats while a call lasts: how the server learns within seconds that a worker was killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from temporalio import activity

BEAT_EVERY_S = 0.4
"""Under half of the heartbeat time-out, so that one late beat costs nothing."""

HEARTBEAT = timedelta(seconds=2)
"""A killed worker is noticed in 2 s. One second would be quicker, but the SDK passes a beat on every half second, and
half a second of slack is less than a loaded two-core machine pauses a process: each false alarm starts a second
attempt, which for an order then waits out its horizon."""

WAITING_HEARTBEAT = timedelta(seconds=1)
"""The same for a wait that changes nothing: a false alarm costs a question, and what was filled waits for its stop."""


@asynccontextmanager
async def beating(*, every_s: float = BEAT_EVERY_S) -> AsyncIterator[None]:
    """Heartbeat for as long as the block runs; outside an activity, or in a local one, it does nothing."""
    if not activity.in_activity() or activity.info().is_local:
        yield
        return
    beats = asyncio.create_task(_beat(every_s))
    try:
        yield
    finally:
        beats.cancel()
        with suppress(asyncio.CancelledError):
            await beats


async def _beat(every_s: float) -> None:
    """The start counts as the first beat: most calls are over before the second."""
    while True:
        await asyncio.sleep(every_s)
        activity.heartbeat()
