"""The port to the audit."""

from __future__ import annotations

from typing import Protocol

from trading.contract import Contract, Utc


class AuditEntry(Contract):
    """One line of the audit: who did what to whom, when and why. `at` is wall-clock time."""

    operation_id: str
    subject: str
    what: str
    who: str
    reason: str
    at: Utc


class Audit(Protocol):
    """What people did, and what limits did in their place."""

    async def record_hand(
        self, realm: str, *, operation_id: str, subject: str, what: str, who: str, reason: str
    ) -> None:
        """Written once for an operation id: a repeat changes nothing."""
        ...

    async def audit(self, realm: str, *, subject: str | None = None, limit: int = 100) -> tuple[AuditEntry, ...]:
        """The newest entries, newest first; of one subject, or of a decision's proposals where it ends with `-`."""
        ...
