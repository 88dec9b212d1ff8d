"""The review of one day for all accounts: what it taught, and what tightens from tomorrow on. It orders nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.market.calls import OBSERVE_CALL, REPLAYED_OBSERVE_CALL, MarketCalls
    from activities.market.port import ClosesRequest
    from activities.planning.surveying import SURVEY_CALL, SurveyCalls, SurveyRequest
    from activities.reports.reviewing import DayOrder, DayReviewed, DayState, ReviewCalls
    from activities.store.calls import STORE_CALL
    from activities.store.ports.playbooks import Revised, ReviseRequest
    from activities.store.revising import RevisingCalls
    from trading.planning.hours import period_of_day
    from workflows.names import QueueRole, task_queue
    from workflows.options import at, found_by_time
    from workflows.periods import PeriodDone, PeriodKind, PeriodRequest, nominal_time, run_period
    from workflows.playbook_news import tell_playbook
    from workflows.protocol import PlaybookNews

DAY = timedelta(days=1)


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class DailyReview:
    """Label the day's trades, learn from them, check habits and execution, say what changes (C10, C18, C49, C58)."""

    @workflow.run
    async def run(self, request: PeriodRequest) -> PeriodDone:
        """Review the day that ended before the nominal time; a day that was reviewed keeps its first review."""
        as_of = await self._market_time(request)
        found_by_time(as_of)
        reviewed = await self._review(request, as_of)
        revised = await self._tighten(request, reviewed)
        workflow.set_current_details(reviewed.story)
        return PeriodDone(
            kind=PeriodKind.DAILY_REVIEW,
            period=reviewed.period,
            already_done=reviewed.was_kept_before,
            report_hash=reviewed.content_hash,
            playbook_version=None if revised is None else revised.version,
            playbook_hash=None if revised is None else revised.playbook_hash,
        )

    async def _market_time(self, request: PeriodRequest) -> datetime:
        """The nominal time; a replayed market that has not come so far is reviewed where it is."""
        nominal = nominal_time(request)
        if request.in_campaign or not request.market_is_replayed:
            return nominal
        survey = await workflow.execute_activity_method(
            SurveyCalls.survey_market,
            SurveyRequest(venue=request.venue, as_of=nominal),
            **at(task_queue(request.realm, QueueRole.MARKET), "what time the market shows", SURVEY_CALL),
        )
        return min(nominal, survey.market_time.replace(microsecond=0))

    async def _review(self, request: PeriodRequest, as_of: datetime) -> DayReviewed:
        order = DayOrder(
            realm=request.realm,
            accounts=request.accounts,
            day=request.hours.day_of(as_of) - DAY,
            zone=request.hours.zone,
            playbook_hash=request.playbook_hash,
            symbols=request.symbols,
        )
        state = await workflow.execute_local_activity_method(ReviewCalls.day_state, order, **STORE_CALL)
        if state.reviewed is not None:
            return state.reviewed
        if state.missing_prices:
            order = order.model_copy(update={"prices_hash": await self._prices(request, state, as_of)})
        return await workflow.execute_local_activity_method(ReviewCalls.review_day, order, **STORE_CALL)

    async def _prices(self, request: PeriodRequest, state: DayState, as_of: datetime) -> str | None:
        """The closes that chance is drawn from. A market that does not answer keeps no day from being reviewed."""
        call = REPLAYED_OBSERVE_CALL if request.in_campaign else OBSERVE_CALL
        try:
            loaded = await workflow.execute_activity_method(
                MarketCalls.load_closes,
                ClosesRequest(
                    realm=request.realm,
                    venue=request.venue,
                    wishes=state.missing_prices,
                    as_of=state.until,
                    now=as_of,
                ),
                **at(task_queue(request.realm, QueueRole.MARKET), "closes for the random baseline", call),
            )
        except ActivityError as failed:
            if is_cancelled_exception(failed):
                raise
            return None
        return loaded.prices_hash

    async def _tighten(self, request: PeriodRequest, reviewed: DayReviewed) -> Revised | None:
        """What tightens becomes active by itself, once; whoever lives by the playbook is told."""
        if not reviewed.applied:
            return None
        revised = await workflow.execute_local_activity_method(
            RevisingCalls.revise_playbook,
            ReviseRequest(
                realm=request.realm,
                operation_id=f"{PeriodKind.DAILY_REVIEW}:{reviewed.period}",
                created_from=f"{PeriodKind.DAILY_REVIEW} {reviewed.period}",
                why=reviewed.why,
                who="perennial",
                policy_changes=reviewed.applied,
            ),
            **STORE_CALL,
        )
        if not (revised.is_active and revised.changed):
            return None
        news = PlaybookNews(version=revised.version, playbook_hash=revised.playbook_hash)
        await tell_playbook(request.realm, request.accounts, news)
        return revised


async def review_day(request: PeriodRequest) -> PeriodDone:
    """Review the day before `as_of` as a child of the calling workflow. Reviewed twice is reviewed once."""
    if request.as_of is None:
        raise ValueError("a caller that reviews a day says its time: as_of is missing")
    day = period_of_day(request.hours.day_of(request.as_of) - DAY)
    done: PeriodDone = await run_period(DailyReview.run, PeriodKind.DAILY_REVIEW, request, period=day)
    return done
