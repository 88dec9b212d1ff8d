"""Market time: moved by hand, or running with the wall clock while the process lives. Never back."""

from __future__ import annotations

import time
from collections.abc import Sequence

from workers.exchange_sim.config import ClockMode
from workers.exchange_sim.engine import Engine, Event, Level


class MarketClock:
    """Moves an engine's time. In realtime mode fills happen lazily: `catch_up` runs the market to the present first."""

    def __init__(self, engine: Engine, mode: ClockMode) -> None:
        self._engine = engine
        self.mode = mode
        self._anchor()

    def _anchor(self) -> None:
        self._market_ms = self._engine.state.now_ms
        self._wall_s = time.monotonic()

    def catch_up(self) -> bool:
        """Run to the present instant of a running clock; returns whether market time moved."""
        if self.mode is ClockMode.MANUAL:
            return False
        present_ms = self._market_ms + int((time.monotonic() - self._wall_s) * 1000)
        if present_ms <= self._engine.state.now_ms:
            return False
        while self._engine.state.now_ms < present_ms:
            self._engine.advance(present_ms)
        return True

    def advance(self, to_ms: int, levels: Sequence[Level]) -> list[Event]:
        """Run to `to_ms` or the first event; a running clock goes on from where this stops."""
        events = self._engine.advance(to_ms, levels)
        self._anchor()
        return events

    def forget(self) -> None:
        """Go on from the engine's time: after its state was read again."""
        self._anchor()
