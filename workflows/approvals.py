"""Proposals that wait for a person: one question each, the first answer counts, silence is a rejection (C14)."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.models.verification import LevelsRequest, VerificationCalls
    from activities.store.calls import ENTITY_CALL, HandRecord, StoreCalls
    from trading.decision.approval import (
        WAITING,
        AnswerVerb,
        PersonAnswer,
        ProposedTrade,
        Ruling,
        faults_of_answer,
        modified,
        proposal_card,
    )
    from trading.decision.models import Fusion
    from workflows.names import OUTCOME, Signal, Update
    from workflows.protocol import DecisionRequest, HandDone

POLICY_SPEAKS = {"grant": AnswerVerb.APPROVE, "expire": AnswerVerb.EXPIRE}
"""In a campaign nobody waits: its policy answers at once."""


class Approvals:
    """The questions of one decision. Whoever answers is bound to the proposal's id, which holds price and size."""

    def __init__(self, request: DecisionRequest) -> None:
        self._request = request
        self._waiting: dict[str, ProposedTrade] = {}
        self._views: dict[str, Fusion] = {}
        self._snapshots: dict[str, str] = {}
        self._rulings: dict[str, Ruling] = {}
        self._remarks: dict[str, str] = {}

    @property
    def waiting(self) -> tuple[ProposedTrade, ...]:
        """The proposals that nobody has answered yet."""
        return tuple(trade for trade in self._waiting.values() if trade.id not in self._rulings)

    @property
    def answers(self) -> tuple[str, ...]:
        """For the decision's card: each answer that counts, with who gave it and why."""
        return tuple(f"{ruling.verb.value} by {ruling.who}: {ruling.reason}" for ruling in self._rulings.values())

    @property
    def have_begun(self) -> bool:
        """From the first question on an answer may come at any time: no call of this decision is local any more."""
        return bool(self._waiting)

    async def ruling_on(self, trade: ProposedTrade, fusion: Fusion, *, snapshot_hash: str) -> Ruling:
        """Ask, and wait at no cost for the first answer or for the end of the time."""
        self._waiting[trade.id], self._views[trade.id] = trade, fusion
        self._snapshots[trade.id] = snapshot_hash
        if self._request.coordinator is not None:
            verb = POLICY_SPEAKS[self._request.approvals]
            await self._rule(trade, verb, who="policy", reason=f"approvals: {self._request.approvals}")
            return self._rulings[trade.id]
        workflow.upsert_search_attributes([OUTCOME.value_set(WAITING)])
        self._show()
        try:
            await workflow.wait_condition(
                lambda: trade.id in self._rulings,
                timeout=timedelta(seconds=trade.expires_s),
                timeout_summary=f"approval of {trade.id}",
            )
        except TimeoutError:
            if trade.id not in self._rulings:
                await self._rule(trade, AnswerVerb.EXPIRE, who="clock", reason="nobody answered in time")
        self._show()
        return self._rulings[trade.id]

    def check(self, answer: PersonAnswer, verb: AnswerVerb) -> None:
        """For validators: what cannot be taken is rejected before it is history; a late answer is told the earlier."""
        if answer.proposal in self._rulings:
            return
        fault = faults_of_answer(answer, verb=verb, waiting=self._waiting)
        if fault is not None:
            raise ApplicationError(fault, type="AnswerRefused")

    async def answered(self, answer: PersonAnswer, verb: AnswerVerb) -> HandDone:
        """Take the answer, or say which one came before it, or what is wrong with a changed proposal."""
        earlier = self._rulings.get(answer.proposal)
        if earlier is not None:
            return _too_late(answer, earlier)
        trade = self._waiting[answer.proposal]
        if verb is AnswerVerb.MODIFY:
            found = await self._objections(trade, answer)
            if found:
                self._remarks[trade.id] = f"{answer.who} proposed a change that does not stand: {'; '.join(found)}"
                self._show()
                return _done(answer, accepted=False, reason="; ".join(found), state=WAITING)
            if answer.proposal in self._rulings:
                return _too_late(answer, self._rulings[answer.proposal])
        ruling = await self._rule(trade, verb, who=answer.who, reason=answer.reason, answer=answer)
        return _done(answer, accepted=True, reason=answer.reason, state=ruling.verb.value, done_as=ruling.operation_id)

    async def heard(self, answer: PersonAnswer, verb: AnswerVerb) -> None:
        """A signal's answer: what an update would be told is shown in the current details instead."""
        fault = faults_of_answer(answer, verb=verb, waiting=self._waiting)
        if answer.proposal in self._rulings or fault is not None:
            workflow.logger.warning("an answer was not taken: %s", fault or "the proposal is answered")
            if fault is not None:
                self._remarks[answer.proposal] = fault
                self._show()
            return
        await self.answered(answer, verb)

    async def _objections(self, trade: ProposedTrade, answer: PersonAnswer) -> tuple[str, ...]:
        return await workflow.execute_activity_method(
            VerificationCalls.check_levels,
            LevelsRequest(
                fusion=modified(self._views[trade.id], answer.changes),
                snapshot_hash=self._snapshots[trade.id],
                playbook_hash=self._request.playbook_hash,
            ),
            **ENTITY_CALL,
        )

    async def _rule(
        self, trade: ProposedTrade, verb: AnswerVerb, *, who: str, reason: str, answer: PersonAnswer | None = None
    ) -> Ruling:
        """The answer counts from here on; then it is written down, once for its operation id."""
        changes = answer.changes if answer is not None else {}
        ruling = Ruling(
            proposal=trade.id,
            verb=verb,
            who=who,
            reason=reason,
            operation_id=(answer.operation_id if answer is not None else "") or f"{trade.id}:{verb.value}",
            fusion=modified(self._views[trade.id], changes),
        )
        self._rulings[trade.id] = ruling
        stated = "".join(f" {name}={value}" for name, value in changes.items())
        await workflow.execute_activity_method(
            StoreCalls.record_hand,
            HandRecord(
                realm=self._request.head.realm,
                operation_id=ruling.operation_id,
                subject=trade.id,
                what=f"{verb.value}{stated}",
                who=who,
                reason=reason,
            ),
            **ENTITY_CALL,
        )
        return ruling

    def _show(self) -> None:
        here = workflow.info().workflow_id
        cards = [proposal_card(trade, workflow_id=here) for trade in self.waiting]
        workflow.set_current_details("\n\n".join((*cards, *self._remarks.values(), *self.answers)))


class AnsweredByPeople:
    """The handlers through which people answer a decision's proposals; `_approvals` is set by the workflow."""

    _approvals: Approvals

    @workflow.update(name=Update.APPROVE, description="Let a proposal go on as it is")
    async def approve(self, answer: PersonAnswer) -> HandDone:
        return await self._approvals.answered(answer, AnswerVerb.APPROVE)

    @workflow.update(name=Update.REJECT, description="End a proposal")
    async def reject(self, answer: PersonAnswer) -> HandDone:
        return await self._approvals.answered(answer, AnswerVerb.REJECT)

    @workflow.update(name=Update.MODIFY, description="Let a proposal go on with another size or other levels")
    async def modify(self, answer: PersonAnswer) -> HandDone:
        return await self._approvals.answered(answer, AnswerVerb.MODIFY)

    @approve.validator
    def _check_approve(self, answer: PersonAnswer) -> None:
        self._approvals.check(answer, AnswerVerb.APPROVE)

    @reject.validator
    def _check_reject(self, answer: PersonAnswer) -> None:
        self._approvals.check(answer, AnswerVerb.REJECT)

    @modify.validator
    def _check_modify(self, answer: PersonAnswer) -> None:
        self._approvals.check(answer, AnswerVerb.MODIFY)

    @workflow.signal(name=Signal.APPROVE, description="As the update, without an answer")
    async def hear_approve(self, answer: PersonAnswer) -> None:
        await self._approvals.heard(answer, AnswerVerb.APPROVE)

    @workflow.signal(name=Signal.REJECT, description="As the update, without an answer")
    async def hear_reject(self, answer: PersonAnswer) -> None:
        await self._approvals.heard(answer, AnswerVerb.REJECT)

    @workflow.signal(name=Signal.MODIFY, description="As the update, without an answer")
    async def hear_modify(self, answer: PersonAnswer) -> None:
        await self._approvals.heard(answer, AnswerVerb.MODIFY)

    @workflow.query(description="The proposals that wait for a person")
    def proposals(self) -> list[ProposedTrade]:
        return list(self._approvals.waiting)


def _done(answer: PersonAnswer, *, accepted: bool, reason: str, state: str, done_as: str = "") -> HandDone:
    return HandDone(
        operation_id=done_as or answer.operation_id,
        target=answer.proposal,
        accepted=accepted,
        reason=reason,
        state=state,
    )


def _too_late(answer: PersonAnswer, earlier: Ruling) -> HandDone:
    if answer.operation_id and answer.operation_id == earlier.operation_id:
        return _done(answer, accepted=True, reason=earlier.reason, state=earlier.verb.value)
    said = f"answered before: {earlier.verb.value} by {earlier.who}: {earlier.reason}"
    return _done(answer, accepted=False, reason=said, state=earlier.verb.value)
