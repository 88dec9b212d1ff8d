"""The evolution of one week: strategies scored and culled, variants bred and tested, the playbook's set brought on."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from activities.evolution.calls import (
        EVOLVE_CALL,
        REPLAYED_EVOLVE_CALL,
        EvolutionCalls,
        EvolutionRecordsCalls,
        SetRequest,
    )
    from activities.evolution.port import EvolutionOrder, EvolutionQuestion, KeptEvolution
    from activities.store.calls import STORE_CALL
    from trading.planning.hours import week_to_judge
    from workflows.names import AS_OF, QueueRole, task_queue
    from workflows.options import at
    from workflows.periods import PeriodDone, PeriodKind, PeriodRequest, nominal_time, run_period
    from workflows.playbook_news import tell_playbook
    from workflows.protocol import PlaybookNews


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class WeeklyEvolution:
    """Score the week, cull, breed and test, and tell the realm of a changed set of strategies (C11, C50, C51, C54)."""

    @workflow.run
    async def run(self, request: PeriodRequest) -> PeriodDone:
        """Return what the week came to; a week that was evolved before keeps its first result."""
        period, week_end = week_to_judge(nominal_time(request), request.hours)
        workflow.upsert_search_attributes([AS_OF.value_set(week_end)])
        state = await workflow.execute_local_activity_method(
            EvolutionRecordsCalls.evolution_state,
            EvolutionQuestion(realm=request.realm, period=period, playbook_hash=request.playbook_hash),
            **STORE_CALL,
        )
        kept = state.kept
        if kept is None:
            kept = await self._evolve(request, period=period, as_of=week_end, playbook_hash=state.playbook_hash)
        done = await self._bring_on(request, kept)
        return done.model_copy(update={"already_done": state.kept is not None})

    async def _evolve(
        self, request: PeriodRequest, *, period: str, as_of: datetime, playbook_hash: str
    ) -> KeptEvolution:
        kept = await workflow.execute_activity_method(
            EvolutionCalls.evolve,
            EvolutionOrder(
                realm=request.realm,
                venue=request.venue,
                period=period,
                as_of=as_of,
                symbols=request.symbols or request.usual,
                playbook_hash=playbook_hash,
            ),
            **at(
                task_queue(request.realm, QueueRole.COMPUTE),
                f"evolve {period}",
                REPLAYED_EVOLVE_CALL if request.in_campaign else EVOLVE_CALL,
            ),
        )
        workflow.set_current_details(kept.story)
        return kept

    async def _bring_on(self, request: PeriodRequest, kept: KeptEvolution) -> PeriodDone:
        """Make what the week left the realm's set of strategies, and tell those that live by the playbook."""
        revised = await workflow.execute_local_activity_method(
            EvolutionRecordsCalls.revise_strategies,
            SetRequest(realm=request.realm, period=kept.period, report_hash=kept.report_hash),
            **STORE_CALL,
        )
        activated = revised.changed and revised.is_active
        if activated:
            news = PlaybookNews(version=revised.version, playbook_hash=revised.playbook_hash)
            await tell_playbook(request.realm, request.accounts, news)
        return PeriodDone(
            kind=PeriodKind.WEEKLY_EVOLUTION,
            period=kept.period,
            report_hash=kept.report_hash,
            playbook_version=revised.version if activated else None,
            playbook_hash=revised.playbook_hash if activated else None,
        )


async def evolve_week(request: PeriodRequest) -> PeriodDone:
    """Evolve a week as a child of the calling workflow, and wait for the result. Evolved twice is evolved once."""
    if request.as_of is None:
        raise ValueError("a caller that evolves a week says its time: as_of is missing")
    period, _ = week_to_judge(request.as_of, request.hours)
    done: PeriodDone = await run_period(WeeklyEvolution.run, PeriodKind.WEEKLY_EVOLUTION, request, period=period)
    return done
