"""What a month's and a quarter's reflection have in common: look, tighten, tell, ask."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.reports.calls import REPORT_CALL
    from activities.reports.reflecting import Reflected, ReflectionCalls, ReflectOrder
    from activities.store.answering import AnsweringCalls, Ruling, RulingOrder
    from activities.store.calls import STORE_CALL
    from activities.store.ports.playbooks import Revised, ReviseRequest
    from activities.store.revising import RevisingCalls
    from trading.review.period import ReportKind, is_last_day
    from trading.review.proposals import ReflectionAnswer, ReflectionVerb
    from workflows.names import PLAYBOOK, TASK_TIMEOUT, QueueRole, proposals_workflow, task_queue
    from workflows.options import at, found_by_time, labels
    from workflows.periods import PeriodDone, PeriodKind, PeriodRequest
    from workflows.playbook_news import tell_playbook
    from workflows.proposal_review import ProposalReview, ProposalsRequest
    from workflows.protocol import PlaybookNews

POLICY_SPEAKS = {"grant": ReflectionVerb.APPROVE, "expire": ReflectionVerb.EXPIRE}
"""In a campaign nobody waits: its policy answers at once."""


class Reflecting:
    """The steps of one reflection; the workflow says in which order."""

    def __init__(self, request: PeriodRequest, *, kind: PeriodKind, report: ReportKind) -> None:
        self._request = request
        self._kind = kind
        self._report = report
        self._active: PlaybookNews | None = None

    def not_due(self, as_of: datetime) -> PeriodDone | None:
        """A schedule cannot say "the last day": it fires on days 28 to 31, and the other days do nothing."""
        day = self._request.hours.day_of(as_of)
        if is_last_day(self._report, day):
            return None
        workflow.set_current_details(f"{day} is not the last day of its period: nothing to do")
        return PeriodDone(kind=self._kind, period=f"{day}", is_due=False)

    async def look(self, as_of: datetime) -> Reflected:
        """The reports of all accounts are made here, before anybody is asked anything."""
        found_by_time(as_of)
        order = ReflectOrder(
            realm=self._request.realm,
            job=self._kind.value,
            kind=self._report,
            as_of=as_of,
            zone=self._request.hours.zone,
            accounts=self._request.accounts,
            keep_files=not self._request.in_campaign,
            with_architecture=self._kind is PeriodKind.QUARTERLY_REFLECTION,
        )
        queue = task_queue(self._request.realm, QueueRole.DECISIONS)
        seen: Reflected = await workflow.execute_activity_method(
            ReflectionCalls.reflect, order, **at(queue, "review the period and make its reports", REPORT_CALL)
        )
        workflow.set_current_details(seen.story)
        return seen

    async def tighten(self, seen: Reflected) -> None:
        """What admits less risk applies by itself, once."""
        if not seen.policy_changes and not seen.principles:
            return
        revised: Revised = await workflow.execute_local_activity_method(
            RevisingCalls.revise_playbook,
            ReviseRequest(
                realm=self._request.realm,
                operation_id=f"{self._kind.value}:{seen.period}",
                created_from=f"{self._kind.value} {seen.period}",
                why="what the period's reviews tighten",
                who=self._kind.value,
                policy_changes=seen.policy_changes,
                principles=seen.principles,
            ),
            **STORE_CALL,
        )
        self._take(revised)

    async def ask(self, seen: Reflected) -> None:
        """People answer elsewhere, so that nothing waits here; a campaign's policy answers at once."""
        if not seen.open_proposals:
            return
        if self._request.in_campaign:
            await self._policy_answers(seen)
            return
        try:
            await workflow.start_child_workflow(
                ProposalReview.run,
                ProposalsRequest(
                    realm=self._request.realm,
                    accounts=self._request.accounts,
                    proposals=seen.open_proposals,
                    expires_s=seen.expires_s,
                ),
                id=proposals_workflow(self._request.realm, self._kind.value, seen.period),
                task_timeout=TASK_TIMEOUT,
                parent_close_policy=ParentClosePolicy.ABANDON,
                static_summary=f"proposals of {self._kind.value} {seen.period}",
                search_attributes=labels(realm=self._request.realm, accounts=self._request.accounts),
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.info("the proposals of %s are being asked already", seen.period)

    async def tell(self) -> None:
        """Desks and watch live by the version that this reflection made active, if it made one."""
        if self._active is not None:
            workflow.upsert_search_attributes([PLAYBOOK.value_set(self._active.version)])
            await tell_playbook(self._request.realm, self._request.accounts, self._active)

    def done(self, seen: Reflected) -> PeriodDone:
        return PeriodDone(
            kind=self._kind,
            period=seen.period,
            already_done=seen.already_done,
            report_hash=seen.report_hash,
            playbook_version=None if self._active is None else self._active.version,
            playbook_hash=None if self._active is None else self._active.playbook_hash,
        )

    async def _policy_answers(self, seen: Reflected) -> None:
        words = {"who": "policy", "reason": f"approvals: {self._request.approvals}"}
        rulings: tuple[Ruling, ...] = await workflow.execute_local_activity_method(
            AnsweringCalls.rule_on,
            RulingOrder(
                realm=self._request.realm,
                verb=POLICY_SPEAKS[self._request.approvals],
                answers=tuple(ReflectionAnswer(proposal=each.id, **words) for each in seen.open_proposals),
            ),
            **STORE_CALL,
        )
        for ruling in rulings:
            if ruling.ruled is not None and ruling.ruled.revised is not None:
                self._take(ruling.ruled.revised)

    def _take(self, revised: Revised) -> None:
        if revised.changed and revised.is_active:
            self._active = PlaybookNews(version=revised.version, playbook_hash=revised.playbook_hash)
