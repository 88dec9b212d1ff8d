"""A desk whose account begins anew, because its test venue was wiped (venue.md, "Profiles")."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from trading.ledger.venue_reset import VENUE_RESET, LedgerClosing
    from trading.risk.desk import reopened
    from workflows.desk_book import DeskBook
    from workflows.names import Signal


class BeginsAnew(DeskBook):
    """Promises and permits end with the old books; mode and protections are people's and stay."""

    @workflow.signal(name=Signal.VENUE_RESET, description="The venue was wiped: the account's books were begun anew")
    async def venue_reset(self, closing: LedgerClosing) -> None:
        await self._ready()
        async with self._one_gate_row:
            ledger = await self._load_exposure()
            self._keep(
                exposure=reopened(self._current.exposure, ledger),
                reopened=f"**{VENUE_RESET}**: books begun anew at {closing.closed_at:%Y-%m-%d %H:%M} UTC",
            )
            self._show()
