"""The clock of a simulated market, for a verb that owns it."""

from __future__ import annotations

from datetime import datetime

from workers.operator.place import Place


async def market_time(place: Place) -> datetime:
    """The simulated market's time."""
    from activities.exchange.simulated_clock import SimulatedClock

    clock = SimulatedClock(realm=place.realm, base_url=place.venue_url)
    try:
        return await clock.now()
    finally:
        await clock.aclose()


async def advance_simulated(place: Place, to: datetime, *, request_id: str) -> datetime:
    """Run a simulated market forward to `to`, through every event on the way; never back. Market time afterwards."""
    from activities.exchange.simulated_clock import SimulatedClock

    clock = SimulatedClock(realm=place.realm, base_url=place.venue_url)
    try:
        now, number = await clock.now(), 0
        while now < to:
            stop = await clock.advance(to, (), request_id=f"{request_id}-{number}")
            now, number = stop.now, number + 1
        return now
    finally:
        await clock.aclose()
