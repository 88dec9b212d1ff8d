"""The port to day reviews and the prices that they are made with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from trading.contract import Contract, Utc
from trading.review.baseline import PriceRun
from trading.review.day import DayReview
from trading.review.period import Period


class KeptReview(Contract):
    """A day's review as the database has it; `was_kept_before` where an earlier run made it.

    A back-filled day is not the newest one: it teaches, and changes nothing of what is in force by now.
    """

    content_hash: str
    review: DayReview
    was_kept_before: bool = False
    is_newest: bool = True


class PriceWish(Contract):
    """Closes of a symbol that nobody has kept yet: those after `since`."""

    symbol: str
    since: Utc


class Reviews(Protocol):
    """Reviews of whole days, with the experiences and lessons that they leave: the first of a day is the one."""

    async def find_day_review(self, realm: str, period: str) -> KeptReview | None: ...

    async def keep_prices(self, realm: str, period: str, *, as_of: datetime, prices_hash: str) -> None:
        """Name the closes that a day's review was given, stored as a blob of `PriceRun`s; the first ones stay."""
        ...

    async def prices(self, realm: str, *, since: datetime, until: datetime) -> tuple[PriceRun, ...]:
        """The kept closes of the days that ended after `since` and up to `until`, oldest first."""
        ...

    async def missing_prices(self, realm: str, period: Period, *, symbols: Sequence[str]) -> tuple[PriceWish, ...]:
        """What a review of the day would need of the market: nothing on a day without closed trades, unless a week or
        a month ends with it. Without `symbols` those that were ever held are meant."""
        ...

    async def keep_day_review(self, realm: str, review: DayReview) -> KeptReview:
        """Store review, experiences and lessons in one transaction, or return what is kept for the day already."""
        ...
