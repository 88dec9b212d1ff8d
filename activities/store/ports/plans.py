"""The ports to day plans and to the results of period jobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

from trading.contract import Contract, Utc
from trading.planning.hours import MarketHours
from trading.planning.models import AccountNumbers, DayNumbers, DayPlan


class Periods(Protocol):
    """Plans and the results of period jobs: the first one of a period is the one."""

    async def keep_plan(self, realm: str, *, account: str, period: str, as_of: datetime, content_hash: str) -> str:
        """Store it, or return the content hash of the plan already kept for the period."""
        ...

    async def find_plan(self, realm: str, *, account: str, period: str) -> str | None: ...

    async def keep_report(
        self, realm: str, *, kind: str, account: str, period: str, as_of: datetime, content_hash: str
    ) -> str:
        """Store it, or return the content hash of the report already kept for (kind, account, period)."""
        ...

    async def find_report(self, realm: str, *, kind: str, account: str, period: str) -> str | None: ...

    async def is_behind(self, realm: str, *, kind: str, account: str, period: str, until: datetime) -> bool:
        """Whether `account` has a later period of `kind` on record, or the result of any period job from `until` on."""
        ...


class KeptPlan(Contract):
    """A day's plan as the database has it: the whole, and each account's part, by content hash."""

    period: str
    as_of: Utc
    plan_hash: str
    accounts: tuple[tuple[str, str], ...] = ()


class PlanInForce(Contract):
    """The plan that binds at a time. `period` is its row's: the day, and for a revision its number behind a dot."""

    period: str
    plan_hash: str
    plan: DayPlan


class DayPlans(Protocol):
    """Plans of whole days: the first of a period is the one, for all its accounts.

    A day that was planned anew has one more period, `2024-01-31.1`: the first plan stays.
    """

    async def find_day_plan(self, realm: str, period: str) -> KeptPlan | None: ...

    async def keep_day_plan(self, realm: str, plan: DayPlan) -> KeptPlan:
        """Store the plan and its parts in one transaction, or return what is kept for its period already."""
        ...

    async def day_plans(self, realm: str, day: date) -> tuple[DayPlan, ...]:
        """Every plan of the day, in the order of its revisions."""
        ...

    async def day_plan_before(self, realm: str, period: str) -> DayPlan | None:
        """The newest plan of an earlier day."""
        ...

    async def day_plan_in_force(self, realm: str, *, as_of: datetime | None) -> PlanInForce | None:
        """The newest plan made up to `as_of`, unless it is over by then; without a time the newest one."""
        ...

    async def day_numbers(self, realm: str, accounts: Sequence[str], *, day: date, hours: MarketHours) -> DayNumbers:
        """What the local `day` came to for each account: equity, closed trades, decisions and entries."""
        ...

    async def account_numbers(
        self, realm: str, accounts: Sequence[str], *, start: datetime, end: datetime
    ) -> tuple[AccountNumbers, ...]:
        """What a stretch of time came to for each account."""
        ...

    async def held_symbols(self, realm: str, account: str, *, as_of: datetime) -> frozenset[str]:
        """The symbols of which the fills up to `as_of` leave more than dust."""
        ...
