"""Answers to what reflections ask, as an activity: the first counts, and is applied with it (C12, C14)."""

from __future__ import annotations

from temporalio import activity

from activities.beating import beating
from activities.store.ports.playbooks import PlaybookRefused
from activities.store.ports.proposals import Proposals, Ruled
from activities.store.revising import playbook_errors
from trading.contract import Contract
from trading.review.proposals import ReflectionAnswer, ReflectionVerb


class RulingOrder(Contract):
    """The same word on one proposal or on several: a person's on one, a policy's or the clock's on all that wait."""

    realm: str
    verb: ReflectionVerb
    answers: tuple[ReflectionAnswer, ...]


class Ruling(Contract):
    """`fault` says why an answer was not taken; then `ruled` is missing and the proposal stays open."""

    proposal: str
    ruled: Ruled | None = None
    fault: str | None = None


class AnsweringCalls:
    """May be repeated: it changes nothing more. Called locally, with `STORE_CALL`; errors as of `RevisingCalls`."""

    def __init__(self, records: Proposals) -> None:
        self._records = records

    @activity.defn
    async def rule_on(self, order: RulingOrder) -> tuple[Ruling, ...]:
        """Take each answer that is the first one, apply what it approves, write down who and why."""
        async with beating():
            return tuple([await self._ruling(order, answer) for answer in order.answers])

    async def _ruling(self, order: RulingOrder, answer: ReflectionAnswer) -> Ruling:
        with playbook_errors():
            try:
                ruled = await self._records.answer_proposal(order.realm, answer, order.verb)
            except PlaybookRefused as refused:
                return Ruling(proposal=answer.proposal, fault=str(refused))
            return Ruling(proposal=answer.proposal, ruled=ruled)
