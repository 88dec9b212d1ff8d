"""What a venue's rate limits leave us, read from its own headers, with a part kept for protection.

The venue counts request weight by minute, and orders by ten seconds and by day for each account. Entries and
questions may use all but a reserve; protective orders, cancels and the question after an unknown order may use the
reserve too. After a 418 or 429 nothing at all is sent before the venue's Retry-After has passed, because sending during
a ban lengthens it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

RESERVE = Decimal("0.2")
"""The fraction of each limit that only protection may use: a stop, its cancel and the questions between them."""

DEFAULT_PAUSE_S = Decimal(5)
"""How long to be silent after a 418 or 429 that names no time."""

_WINDOWS_S = {"S": 1, "M": 60, "H": 3600, "D": 86400}


@dataclass(slots=True)
class _Budget:
    limit: int
    window_s: int
    used: int = 0
    window: int = -1


@dataclass(slots=True)
class Throttle:
    """The budgets of one venue as seen by one process; `clock_s` gives wall seconds, in the venue's time.

    `wait_s` answers before a request, `saw` learns from each answer, `must_pause` from a 418 or 429.
    """

    clock_s: Callable[[], float]
    reserve: Decimal = RESERVE
    _weight: dict[str, _Budget] = field(default_factory=dict)
    _order_limits: dict[str, int] = field(default_factory=dict)
    _orders: dict[tuple[str, str], _Budget] = field(default_factory=dict)
    _silent_until_s: float = 0.0

    def learn_limits(self, *, weight: Mapping[str, int], orders: Mapping[str, int]) -> None:
        """Take the limits of `exchangeInfo`: `{"1M": 6000}` weight, `{"10S": 100, "1D": 200000}` orders."""
        for interval, limit in weight.items():
            budget = self._weight.setdefault(interval, _Budget(limit=limit, window_s=_seconds(interval)))
            budget.limit = limit
        self._order_limits |= orders

    def saw(self, headers: Mapping[str, str], *, account: str | None = None) -> None:
        """Read `X-MBX-USED-WEIGHT-1M`, and for an account `X-MBX-ORDER-COUNT-10S`; header names in any case."""
        for name, value in headers.items():
            kind, _, interval = name.upper().removeprefix("X-MBX-").rpartition("-")
            if not value.isdigit():
                continue
            if kind == "USED-WEIGHT" and interval in self._weight:
                self._count(self._weight[interval], int(value))
            elif kind == "ORDER-COUNT" and interval in self._order_limits and account is not None:
                limit = self._order_limits[interval]
                budget = self._orders.setdefault((account, interval), _Budget(limit, _seconds(interval)))
                self._count(budget, int(value))

    def must_pause(self, retry_after_s: Decimal | None) -> Decimal:
        """Be silent from now on for the venue's Retry-After (or a default); returns the pause."""
        pause_s = retry_after_s if retry_after_s is not None else DEFAULT_PAUSE_S
        self._silent_until_s = max(self._silent_until_s, self.clock_s() + float(pause_s))
        return pause_s

    def wait_s(self, *, weight: int, protective: bool, order_of: str | None = None) -> Decimal | None:
        """How long this request has to wait, or `None` where it may go now; `order_of` names a new order's account."""
        now_s = self.clock_s()
        costs = [(budget, weight) for budget in self._weight.values()]
        costs += [(budget, 1) for (account, _), budget in self._orders.items() if account == order_of]
        waits = [self._silent_until_s - now_s]
        for budget, cost in costs:
            kept = 0 if protective else int(budget.limit * self.reserve)
            waits.append(_shortage_s(budget, cost, now_s, kept))
        longest_s = max(waits)
        return Decimal(str(round(longest_s, 3))) if longest_s > 0 else None

    def _count(self, budget: _Budget, used: int) -> None:
        budget.used, budget.window = used, int(self.clock_s() // budget.window_s)


def _shortage_s(budget: _Budget, cost: int, now_s: float, kept: int) -> float:
    """Seconds until the budget's window ends where `cost` does not fit above `kept`; 0 where it fits."""
    window = int(now_s // budget.window_s)
    used = budget.used if window == budget.window else 0
    if used == 0 or used + cost <= budget.limit - kept:
        return 0.0
    return (window + 1) * budget.window_s - now_s


def _seconds(interval: str) -> int:
    return int(interval[:-1]) * _WINDOWS_S[interval[-1].upper()]
