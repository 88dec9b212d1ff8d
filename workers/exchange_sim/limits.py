"""Request weights and order counts, as Binance counts and announces them.

Windows follow market time. A manual market clock stands still while a campaign settles an instant, so there a window
also ends with its wall-clock minute (ten seconds, day): nobody waits for a time that only his own next step could
bring. `enforce_limits=False` (`--no-rate-limits`) keeps counting and announcing but never refuses. Counts are in
memory: a restarted exchange starts with fresh windows. Fills never depend on them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from trading.matching.model import Refusal
from workers.exchange_sim.config import ClockMode, SimConfig

_MINUTE_MS, _TEN_S_MS, _DAY_MS = 60_000, 10_000, 86_400_000
Window = tuple[int, int]


class LimitReached(Refusal):
    """429: nothing was processed; `retry_after_s` where Binance names it (weights), not for order counts."""

    def __init__(self, code: int, message: str, retry_after_s: int | None) -> None:
        super().__init__(code, message, http_status=429)
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class _Count:
    window: Window = (-1, -1)
    used: int = 0

    def in_window(self, window: Window) -> _Count:
        if window != self.window:
            self.window, self.used = window, 0
        return self


@dataclass(slots=True)
class Limits:
    """The counters of one exchange process: weight for everybody together, orders for each account."""

    config: SimConfig
    _weight: _Count = field(default_factory=_Count)
    _orders: dict[tuple[str, int], _Count] = field(default_factory=dict)

    def spend(self, weight: int, *, market_ms: int, wall_ms: int) -> int:
        """Count a request and return the weight used in this minute; raises `LimitReached` (-1003) above the limit."""
        count = self._weight.in_window(self._window(_MINUTE_MS, market_ms, wall_ms))
        if self.config.enforce_limits and count.used + weight > self.config.weight_per_minute:
            raise LimitReached(
                -1003,
                f"Too much request weight used; current limit is {self.config.weight_per_minute} request weight per "
                "1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.",
                max(1, (_MINUTE_MS - wall_ms % _MINUTE_MS + 999) // 1000),
            )
        count.used += weight
        return count.used

    def check_order(self, account: str, *, market_ms: int, wall_ms: int) -> None:
        """Raise `LimitReached` (-1015) where the account has sent too many orders. A list counts each of its orders."""
        for span, limit, name in self._order_limits():
            count = self._count(account, span, market_ms, wall_ms)
            if self.config.enforce_limits and count.used >= limit:
                message = f"Too many new orders; current limit is {limit} orders per {name}."
                raise LimitReached(-1015, message, None)

    def count_order(self, account: str, *, market_ms: int, wall_ms: int) -> tuple[int, int]:
        """Count an accepted order; returns the counts of ten seconds and of the day."""
        counts = [self._count(account, span, market_ms, wall_ms) for span, _, _ in self._order_limits()]
        for count in counts:
            count.used += 1
        return counts[0].used, counts[1].used

    def order_counts(self, account: str, *, market_ms: int, wall_ms: int) -> tuple[int, int]:
        counts = [self._count(account, span, market_ms, wall_ms).used for span, _, _ in self._order_limits()]
        return counts[0], counts[1]

    def _order_limits(self) -> tuple[tuple[int, int, str], tuple[int, int, str]]:
        return (
            (_TEN_S_MS, self.config.orders_per_10s, "10 SECOND"),
            (_DAY_MS, self.config.orders_per_day, "1 DAY"),
        )

    def _count(self, account: str, span: int, market_ms: int, wall_ms: int) -> _Count:
        count = self._orders.setdefault((account, span), _Count())
        return count.in_window(self._window(span, market_ms, wall_ms))

    def _window(self, span: int, market_ms: int, wall_ms: int) -> Window:
        stands_still = self.config.clock_mode is ClockMode.MANUAL
        return (market_ms // span, wall_ms // span if stands_still else 0)
