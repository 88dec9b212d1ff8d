"""The ports of reports: the records of a period, and a renderer that gives a report its formats."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from trading.evolution.report import EvolutionReport
from trading.playbook import Playbook
from trading.reports.models import Report
from trading.review.day import DayRecords, DayReview
from trading.review.period import Period, ReportKind
from trading.review.proposals import ReflectionProposal
from trading.review.review import PeriodRecords


class ReviewSource(Protocol):
    """What is on record of an account's period."""

    async def period_records(self, realm: str, account: str, *, start: datetime, end: datetime) -> PeriodRecords:
        """Nothing that happened at or after `end` is in them; raises `KeyError` for an unknown account."""
        ...

    async def day_records(self, realm: str, accounts: Sequence[str], period: Period) -> DayRecords:
        """The same of one day and several accounts; raises `KeyError` for an unknown account."""
        ...

    async def evolutions(self, realm: str, *, until: datetime) -> tuple[EvolutionReport, ...]:
        """What each week of evolution up to a time came to, oldest first."""
        ...

    async def day_review(self, realm: str, period: str) -> tuple[DayReview, str | None] | None:
        """The day's first review and the playbook version that it made active, if it made one."""
        ...

    async def asked(self, realm: str, *, kind: ReportKind, period: str) -> tuple[tuple[ReflectionProposal, str], ...]:
        """What the period's reflection asked of people, each with how it stands or ended."""
        ...

    async def playbook(self, version: str) -> Playbook | None:
        """The playbook of this version, or `None` where it was never kept."""
        ...


class Renderer(Protocol):
    """One report in both formats. The same report gives the same bytes; nothing of it is taken as markup."""

    def markdown(self, report: Report) -> str: ...

    def html(self, report: Report) -> str:
        """One page that needs nothing else: style and drawings are in it, no script, no link to elsewhere."""
        ...
