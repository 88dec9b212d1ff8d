"""A reflection's proposals wait here for people: the first answer counts, silence leaves everything as it is."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from pydantic import Field

    from activities.store.answering import AnsweringCalls, Ruling, RulingOrder
    from activities.store.calls import ENTITY_CALL
    from trading.contract import Contract
    from trading.decision.approval import WAITING
    from trading.review.proposals import (
        ReflectionAnswer,
        ReflectionProposal,
        ReflectionVerb,
        faults_of_answer,
    )
    from trading.review.reflecting import waiting_story
    from workflows.names import OUTCOME, Signal, Update
    from workflows.playbook_news import tell_playbook
    from workflows.protocol import HandDone, PlaybookNews


class ProposalsRequest(Contract):
    """The questions of one period, none of them answered yet, and how long they wait."""

    realm: str
    accounts: tuple[str, ...]
    proposals: tuple[ReflectionProposal, ...] = Field(min_length=1)
    expires_s: int


class ProposalsResult(Contract):
    """(proposal, how it ended), in the order of the questions."""

    ended: tuple[tuple[str, str], ...]


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class ProposalReview:
    """Ask people what a reflection may not decide; apply what they approve and tell those that run (C12, C14)."""

    @workflow.init
    def __init__(self, request: ProposalsRequest) -> None:
        self._request = request
        self._known = {proposal.id: proposal for proposal in request.proposals}
        self._ended: dict[str, str] = {}
        self._remarks: dict[str, str] = {}
        self._news: list[PlaybookNews] = []

    @workflow.run
    async def run(self, request: ProposalsRequest) -> ProposalsResult:
        """Wait at no cost until all are answered or their time is over."""
        workflow.upsert_search_attributes([OUTCOME.value_set(WAITING)])
        self._show()
        over = asyncio.create_task(
            workflow.sleep(timedelta(seconds=request.expires_s), summary="the proposals expire unapplied")
        )
        while self._open and not over.done():
            await workflow.wait_condition(lambda: bool(self._news) or not self._open or over.done())
            await self._tell()
        over.cancel()
        if self._open:
            await self._expire()
        await workflow.wait_condition(workflow.all_handlers_finished)
        await self._tell()
        ended = tuple((name, self._ended[name]) for name in self._known)
        workflow.upsert_search_attributes([OUTCOME.value_set("answered")])
        return ProposalsResult(ended=ended)

    @workflow.update(name=Update.APPROVE, description="Let a proposal be applied as it is")
    async def approve(self, answer: ReflectionAnswer) -> HandDone:
        return await self._answered(answer, ReflectionVerb.APPROVE)

    @workflow.update(name=Update.REJECT, description="End a proposal; nothing is applied")
    async def reject(self, answer: ReflectionAnswer) -> HandDone:
        return await self._answered(answer, ReflectionVerb.REJECT)

    @workflow.update(name=Update.MODIFY, description="Apply another value of a threshold, or another text")
    async def modify(self, answer: ReflectionAnswer) -> HandDone:
        return await self._answered(answer, ReflectionVerb.MODIFY)

    @approve.validator
    def _check_approve(self, answer: ReflectionAnswer) -> None:
        self._check(answer, ReflectionVerb.APPROVE)

    @reject.validator
    def _check_reject(self, answer: ReflectionAnswer) -> None:
        self._check(answer, ReflectionVerb.REJECT)

    @modify.validator
    def _check_modify(self, answer: ReflectionAnswer) -> None:
        self._check(answer, ReflectionVerb.MODIFY)

    @workflow.signal(name=Signal.APPROVE, description="As the update, without an answer")
    async def hear_approve(self, answer: ReflectionAnswer) -> None:
        await self._heard(answer, ReflectionVerb.APPROVE)

    @workflow.signal(name=Signal.REJECT, description="As the update, without an answer")
    async def hear_reject(self, answer: ReflectionAnswer) -> None:
        await self._heard(answer, ReflectionVerb.REJECT)

    @workflow.signal(name=Signal.MODIFY, description="As the update, without an answer")
    async def hear_modify(self, answer: ReflectionAnswer) -> None:
        await self._heard(answer, ReflectionVerb.MODIFY)

    @workflow.query(description="The proposals that wait for a person")
    def proposals(self) -> list[ReflectionProposal]:
        return list(self._open.values())

    @property
    def _open(self) -> dict[str, ReflectionProposal]:
        return {name: each for name, each in self._known.items() if name not in self._ended}

    def _check(self, answer: ReflectionAnswer, verb: ReflectionVerb) -> None:
        """What cannot be taken is rejected before it is history."""
        fault = faults_of_answer(answer, verb=verb, known=self._known)
        if fault is not None:
            raise ApplicationError(fault, type="AnswerRefused")

    async def _answered(self, answer: ReflectionAnswer, verb: ReflectionVerb) -> HandDone:
        """The database knows which answer was the first; what the policy forbids leaves the proposal open."""
        (ruling,) = await self._rule(verb, answer)
        return hand_done(answer, ruling)

    async def _heard(self, answer: ReflectionAnswer, verb: ReflectionVerb) -> None:
        """A signal's answer: what an update would be told is shown in the current details instead."""
        fault = faults_of_answer(answer, verb=verb, known=self._known)
        if fault is None:
            done = await self._answered(answer, verb)
            fault = None if done.accepted else done.reason
        if fault is not None:
            self._remarks[answer.proposal] = f"an answer was not taken: {fault}"
            self._show()

    async def _expire(self) -> None:
        words = {"who": "clock", "reason": "nobody answered in time"}
        await self._rule(ReflectionVerb.EXPIRE, *(ReflectionAnswer(proposal=name, **words) for name in self._open))

    async def _rule(self, verb: ReflectionVerb, *answers: ReflectionAnswer) -> tuple[Ruling, ...]:
        order = RulingOrder(realm=self._request.realm, verb=verb, answers=answers)
        rulings: tuple[Ruling, ...] = await workflow.execute_activity_method(
            AnsweringCalls.rule_on, order, **ENTITY_CALL
        )
        for ruling in rulings:
            self._take(ruling)
        self._show()
        return rulings

    def _take(self, ruling: Ruling) -> None:
        if ruling.ruled is None:
            self._remarks[ruling.proposal] = f"an answer was not taken: {ruling.fault}"
            return
        kept, revised = ruling.ruled.kept, ruling.ruled.revised
        self._ended[ruling.proposal] = kept.status.value
        self._remarks[ruling.proposal] = f"{ruling.proposal} is {kept.status.value}: {kept.who}: {kept.reason}"
        if revised is not None and revised.is_active:
            self._news.append(PlaybookNews(version=revised.version, playbook_hash=revised.playbook_hash))

    async def _tell(self) -> None:
        while self._news:
            await tell_playbook(self._request.realm, self._request.accounts, self._news.pop(0))

    def _show(self) -> None:
        here = workflow.info().workflow_id
        workflow.set_current_details(waiting_story(self._open.values(), self._remarks.values(), workflow_id=here))


def hand_done(answer: ReflectionAnswer, ruling: Ruling) -> HandDone:
    """What a person is told of an answer."""
    if ruling.ruled is None:
        fault = ruling.fault or "it was refused"
        return HandDone(
            operation_id=answer.operation_id, target=answer.proposal, accepted=False, reason=fault, state="open"
        )
    kept = ruling.ruled.kept
    said = kept.reason or ""
    return HandDone(
        operation_id=kept.operation_id or answer.operation_id,
        target=answer.proposal,
        accepted=ruling.ruled.is_this,
        reason=said if ruling.ruled.is_this else f"answered before: {kept.status.value} by {kept.who}: {said}",
        state=kept.status.value,
    )
