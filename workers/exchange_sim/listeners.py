"""Who listens to the user data streams: one entry a subscription."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Deliver = Callable[[int, dict[str, Any]], None]


class Listeners:
    """Subscriptions of accounts. `watched` is kept up to date: for others no event needs to be built."""

    def __init__(self, watched: set[str]) -> None:
        self._watched = watched
        self._by_id: dict[int, tuple[str, Deliver]] = {}
        self._next = 0

    def add(self, account: str, deliver: Deliver) -> int:
        """Deliver every later event of `account`; returns the subscription's number."""
        number, self._next = self._next, self._next + 1
        self._by_id[number] = (account, deliver)
        self._watched.add(account)
        return number

    def remove(self, number: int) -> None:
        account, _ = self._by_id.pop(number)
        if account not in {other for other, _ in self._by_id.values()}:
            self._watched.discard(account)

    def tell(self, account: str, event: dict[str, Any]) -> None:
        for number, (listening, deliver) in list(self._by_id.items()):
            if listening == account:
                deliver(number, event)
