"""The evolution of one week: strategies scored and culled, variants bred and tested, the playbook's set brought on."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from activities.evolution.calls import EVOLVE_CALL, REPLAYED_EVOLVE_CALL, EvolutionCalls, EvolutionRecordsCalls
    from activities.evolution.port import EvolutionOrder, EvolutionQuestion, KeptEvolution
    from activities.store.calls import STORE_CALL
    from trading.planning.hours import period_of_week, week_ending
    from workflows.names import AS_OF, QueueRole, task_queue
    from workflows.options import at
    from workflows.periods import PeriodDone, PeriodKind, PeriodRequest, nominal_time, run_period


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class WeeklyEvolution:
    """Score the week, cull, breed and test, and tell the realm of a changed set of strategies (C11, C50, C51, C54)."""

    @workflow.run
    async def run(self, request: PeriodRequest) -> PeriodDone:
        """Return what the week came to; a week that was evolved before keeps its first result."""
        week_end = week_ending(nominal_time(request), request.hours)
        workflow.upsert_search_attributes([AS_OF.value_set(week_end)])
        period = period_of_week(request.hours.day_of(week_end))
        state = await workflow.execute_local_activity_method(
            EvolutionRecordsCalls.evolution_state,
            EvolutionQuestion(realm=request.realm, period=period, playbook_hash=request.playbook_hash),
            **STORE_CALL,
        )
        kept = state.kept
        if kept is None:
            kept = await workflow.execute_activity_method(
                EvolutionCalls.evolve,
                EvolutionOrder(
                    realm=request.realm,
                    venue=request.venue,
                    period=period,
                    as_of=week_end,
                    symbols=request.symbols or request.usual,
                    playbook_hash=state.playbook_hash,
                ),
                **at(
                    task_queue(request.realm, QueueRole.COMPUTE),
                    f"evolve {period}",
                    REPLAYED_EVOLVE_CALL if request.in_campaign else EVOLVE_CALL,
                ),
            )
            workflow.set_current_details(kept.story)
        return _done(kept, already_done=state.kept is not None)


def _done(kept: KeptEvolution, *, already_done: bool) -> PeriodDone:
    return PeriodDone(
        kind=PeriodKind.WEEKLY_EVOLUTION,
        period=kept.period,
        already_done=already_done,
        report_hash=kept.report_hash,
    )


async def evolve_week(request: PeriodRequest) -> PeriodDone:
    """Evolve a week as a child of the calling workflow, and wait for the result. Evolved twice is evolved once."""
    if request.as_of is None:
        raise ValueError("a caller that evolves a week says its time: as_of is missing")
    period = period_of_week(request.hours.day_of(week_ending(request.as_of, request.hours)))
    done: PeriodDone = await run_period(WeeklyEvolution.run, PeriodKind.WEEKLY_EVOLUTION, request, period=period)
    return done
