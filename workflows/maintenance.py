"""Again and again outside campaigns: what accounts are worth, whether the ledger is right, which sources answer."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.exchange.calls import RECONCILE_CALL
    from activities.exchange.port import MarkRequest
    from activities.exchange.reconcile import ReconcileCalls, ReconcileRequest, Reconciliation
    from activities.exchange.valuing import VALUE_CALL, ValuingCalls
    from activities.market.checking import CHECK_CALL, CheckSources, SourceCalls
    from activities.store.calls import STORE_CALL, HandRecord, StoreCalls
    from trading.ledger.story import closings_story, reconciliation_story, valuation_story
    from trading.ledger.venue_reset import VENUE_RESET, LedgerClosing, may_be_wiped
    from trading.watching.quality import sources_story
    from workflows.names import AS_OF, OUTCOME, QueueRole, exchange_queue, task_queue
    from workflows.options import at
    from workflows.periods import PeriodDone, PeriodKind, PeriodRequest, nominal_time
    from workflows.venue_reset import heed_wipe


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class Maintenance:
    """Value all accounts, reconcile them, ask every source of market data. Nothing is ordered.

    What the trades do not explain is written down as a transfer. Where two looks found a test venue wiped, the ledger
    is closed and another opened.
    """

    @workflow.run
    async def run(self, request: PeriodRequest) -> PeriodDone:
        """Compare and report; differences are in the details of this run and in its outcome, and freeze nothing."""
        as_of = nominal_time(request)
        valued = await self._valued(request, as_of)
        found = await self._reconciled(request)
        sources = await self._checked(request)
        closings = await self._heed_wipes(request, found, look=as_of)
        ended = {closing.account for closing in closings}
        for transfer in found.transfers:
            if transfer.account in ended:
                continue
            await self._note(request.realm, transfer.account, f"{transfer.amount:f} {transfer.asset}")
        is_reset = any(closing.closed_at is not None for closing in closings)
        outcome = VENUE_RESET if is_reset else "differences" if found.differences else "equal"
        workflow.upsert_search_attributes([AS_OF.value_set(as_of), OUTCOME.value_set(outcome)])
        told = (
            valued,
            reconciliation_story(found.differences, found.foreign_orders, orders=found.orders_checked),
            closings_story(closings),
            sources,
        )
        workflow.set_current_details("\n\n".join(one for one in told if one))
        if found.differences:
            workflow.logger.error("the ledger is not what the venue says: %s", found.differences)
        return PeriodDone(kind=PeriodKind.MAINTENANCE, period=_minute(as_of))

    async def _valued(self, request: PeriodRequest, as_of: datetime) -> str:
        """So that limits on losses, the day's course and the equity curve follow the market where nothing trades."""
        accounts = MarkRequest(
            realm=request.realm,
            venue=request.venue,
            accounts=request.accounts,
            symbols=_symbols(request),
            as_of=as_of,
        )
        try:
            valued = await workflow.execute_activity_method(
                ValuingCalls.value_accounts,
                accounts,
                **at(exchange_queue(request.realm, request.venue), "equity", VALUE_CALL),
            )
        except ActivityError as failed:
            if is_cancelled_exception(failed):
                raise
            workflow.logger.warning("the accounts could not be valued: %s", failed.cause)
            return "equity: not valued, the venue gave no prices"
        return valuation_story([(one.account, one.equity_usd) for one in valued.equities], as_of=valued.as_of)

    async def _reconciled(self, request: PeriodRequest) -> Reconciliation:
        return await workflow.execute_activity_method(
            ReconcileCalls.reconcile,
            ReconcileRequest(
                realm=request.realm,
                venue=request.venue,
                accounts=request.accounts,
                symbols=_symbols(request),
            ),
            **at(exchange_queue(request.realm, request.venue), "ledger against venue", RECONCILE_CALL),
        )

    async def _heed_wipes(
        self, request: PeriodRequest, found: Reconciliation, *, look: datetime
    ) -> tuple[LedgerClosing, ...]:
        """A test venue that was wiped begins new books; where nobody wipes a venue, the same is for people to see."""
        if may_be_wiped(request.realm):
            return await heed_wipe(request, found.wiped, look=look)
        if found.wiped:
            workflow.logger.error("the venue knows no order of %s any more: nothing is reset here", found.wiped)
        return ()

    async def _checked(self, request: PeriodRequest) -> str:
        """The sources' scores, judged by an answer of each: one that was left can come back (C64)."""
        symbols = _symbols(request)
        if not symbols:
            return "sources: no symbol to ask for"
        try:
            checked = await workflow.execute_activity_method(
                SourceCalls.check_sources,
                CheckSources(venue=request.venue, symbol=symbols[0]),
                **at(task_queue(request.realm, QueueRole.MARKET), "the sources of market data", CHECK_CALL),
            )
        except ActivityError as failed:
            if is_cancelled_exception(failed):
                raise
            workflow.logger.warning("the sources could not be checked: %s", failed.cause)
            return "sources: none says what time it is"
        return sources_story(checked.sources)

    async def _note(self, realm: str, account: str, moved: str) -> None:
        """Once for an amount: the same gap, found again an hour later, is the same entry."""
        await workflow.execute_local_activity_method(
            StoreCalls.record_hand,
            HandRecord(
                realm=realm,
                operation_id=f"transfer:{account}:{moved}",
                subject=account,
                what="transfer to classify",
                who="reconciliation",
                reason=f"the venue's balance is {moved} beside what opening and trades come to",
            ),
            **STORE_CALL,
        )


def _symbols(request: PeriodRequest) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*request.symbols, *request.usual)))


def _minute(at_: datetime) -> str:
    return f"{at_:%Y-%m-%dT%H:%M}"
