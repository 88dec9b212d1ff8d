"""The plan of one day for all accounts: watch list, triggers, ideas, risk windows. It orders nothing."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.market.calls import (
        OBSERVE_ALL_CALL,
        OBSERVE_ALL_PATIENCE_S,
        REPLAYED_OBSERVE_ALL_CALL,
        MarketCalls,
    )
    from activities.market.port import ObserveAllRequest, Observed
    from activities.planning.calls import PeriodQuestion, PlanMade, PlanningCalls, PlanOrder
    from activities.planning.surveying import LIVE_SURVEY_CALL, SURVEY_CALL, Survey, SurveyCalls, SurveyRequest
    from activities.store.calls import STORE_CALL
    from activities.store.ports.plans import KeptPlan
    from trading.contract import Contract
    from trading.planning.hours import period_of_day
    from trading.planning.models import Unwatched
    from workflows.names import QueueRole, Signal, task_queue, watch_workflow
    from workflows.options import at, found_by_time
    from workflows.periods import PeriodKind, PeriodRequest, nominal_time, run_period
    from workflows.protocol import Planned


class PlanResult(Contract):
    """The plan of the period, made by this run or by an earlier one."""

    kept: KeptPlan
    already_planned: bool = False


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class DailyPlanning:
    """Look at yesterday and at the market, make three plans, check them against memory (C09, C61, C62)."""

    @workflow.run
    async def run(self, request: PeriodRequest) -> PlanResult:
        """Return the day's plan; a day that was planned before keeps its first one, and a revision of it too."""
        survey = await self._survey(request, nominal_time(request))
        as_of = min(nominal_time(request), survey.market_time).replace(microsecond=0)
        found_by_time(as_of)
        day = request.hours.day_of(as_of)
        state = await workflow.execute_local_activity_method(
            PlanningCalls.period_state,
            PeriodQuestion(
                realm=request.realm,
                period=period_of_day(day, revision=request.revision),
                playbook_hash=request.playbook_hash,
            ),
            **STORE_CALL,
        )
        if state.kept is not None:
            return PlanResult(kept=state.kept, already_planned=True)
        seen = await self._observe(request, survey.symbols, as_of)
        made = await self._make(request, as_of, seen, playbook_hash=state.playbook_hash)
        workflow.set_current_details(made.story)
        if not request.in_campaign:  # whoever owns the clock says it with the next tick
            await _tell_watch(request, made.kept)
        return PlanResult(kept=made.kept)

    async def _survey(self, request: PeriodRequest, as_of: datetime) -> Survey:
        """What to look at. A replayed market that has not come to the nominal time is planned where it is."""
        if request.symbols and (request.in_campaign or not request.market_is_replayed):
            return Survey(market_time=as_of, symbols=request.symbols)
        call = SURVEY_CALL if request.market_is_replayed else LIVE_SURVEY_CALL
        try:
            survey = await workflow.execute_activity_method(
                SurveyCalls.survey_market,
                SurveyRequest(venue=request.venue, as_of=as_of, usual=request.usual),
                **at(task_queue(request.realm, QueueRole.MARKET), "which symbols are listed", call),
            )
        except ActivityError as failed:
            if is_cancelled_exception(failed) or request.market_is_replayed:
                raise
            workflow.logger.warning("the venue does not say what it lists: %s", failed.cause)
            return Survey(market_time=as_of, symbols=request.symbols or request.usual)
        if request.symbols:
            return survey.model_copy(update={"symbols": request.symbols})
        return survey if request.market_is_replayed else survey.model_copy(update={"market_time": as_of})

    async def _observe(self, request: PeriodRequest, symbols: tuple[str, ...], as_of: datetime) -> Observed:
        """Every symbol at once; those that do not answer are not watched today. A campaign waits for the answer."""
        call = REPLAYED_OBSERVE_ALL_CALL if request.in_campaign else OBSERVE_ALL_CALL
        try:
            seen: Observed = await workflow.execute_activity_method(
                MarketCalls.observe_markets,
                ObserveAllRequest(
                    realm=request.realm,
                    venue=request.venue,
                    symbols=symbols,
                    as_of=as_of,
                    patience_s=None if request.in_campaign else OBSERVE_ALL_PATIENCE_S,
                ),
                **at(task_queue(request.realm, QueueRole.MARKET), f"observe {len(symbols)} symbols", call),
            )
        except ActivityError as failed:
            if is_cancelled_exception(failed):
                raise
            workflow.logger.warning("no market could be observed: %s", failed.cause)
            return Observed(
                unobserved=tuple(Unwatched(symbol=symbol, reason="market_unavailable") for symbol in symbols)
            )
        return seen

    async def _make(
        self,
        request: PeriodRequest,
        as_of: datetime,
        seen: Observed,
        *,
        playbook_hash: str,
    ) -> PlanMade:
        order = PlanOrder(
            realm=request.realm,
            venue=request.venue,
            ledger=request.ledger,
            as_of=as_of,
            hours=request.hours,
            accounts=request.accounts,
            playbook_hash=playbook_hash,
            snapshots=seen.snapshots,
            unobserved=seen.unobserved,
            revision=request.revision,
        )
        return await workflow.execute_local_activity_method(PlanningCalls.make_plan, order, **STORE_CALL)


async def _tell_watch(request: PeriodRequest, kept: KeptPlan) -> None:
    """The watch reads the triggers itself; where none watches, the plan still binds every decision."""
    watch = workflow.get_external_workflow_handle(watch_workflow(request.realm))
    try:
        await watch.signal(Signal.PLANNED, Planned(period=kept.period, plan_hash=kept.plan_hash))
    except ApplicationError:
        workflow.logger.info("nobody watches the market of %s: the plan of %s waits", request.realm, kept.period)


async def plan_day(request: PeriodRequest) -> PlanResult:
    """Plan a day as a child of the calling workflow, and wait for the plan. Planned twice is planned once."""
    if request.as_of is None:
        raise ValueError("a caller that plans a day says its time: as_of is missing")
    day = period_of_day(request.hours.day_of(request.as_of), revision=request.revision)
    result: PlanResult = await run_period(DailyPlanning.run, PeriodKind.DAILY_PLANNING, request, period=day)
    return result
