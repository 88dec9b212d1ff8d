"""From an answer to a stance: pure code of `trading.decision` on stored texts."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy

from activities.beating import beating
from activities.models.calls import NEVER_RETRIED, AnswerRef
from activities.models.texts import StoredTexts
from activities.store.ports.blobs import Blobs
from activities.store.ports.decisions import Decisions
from trading.contract import Contract
from trading.decision.models import DecisionHead, Fusion, PositionView, Role, Stance
from trading.policy.model import Policy

VERIFY_CALL: workflow.LocalActivityConfig = {
    # local: 1 to 10 ms of pure code between two reads and a write; a task of its own would cost more than the work
    "start_to_close_timeout": timedelta(seconds=10),
    # only the database can fail here, and without it nothing else goes on either: tried until it is back
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=5),
        maximum_attempts=0,
        non_retryable_error_types=list(NEVER_RETRIED),
    ),
}


class VerifyRequest(Contract):
    """One answer to be checked against what its model was shown."""

    head: DecisionHead
    role: Role
    step: str = "proposal"
    answer: AnswerRef
    snapshot_hash: str
    recall_hash: str | None = None
    playbook_hash: str
    position: PositionView | None = None


class PlaybookRequest(Contract):
    playbook_hash: str


class LevelsRequest(Contract):
    """A view as a person changed it, and the snapshot that it is held against."""

    fusion: Fusion
    snapshot_hash: str
    playbook_hash: str


class VerificationCalls:
    """Activities that judge answers. They ask no model and no venue."""

    def __init__(self, blobs: Blobs, decisions: Decisions) -> None:
        self._texts = StoredTexts(blobs)
        self._decisions = decisions

    @activity.defn
    async def verify(self, request: VerifyRequest) -> Stance:
        """Check one answer (C03) and record what was found, under the decision, the role and the step.

        Deterministic on the stored texts; a repeat records the same findings again.
        """
        from trading.decision.verify import verify_answer

        playbook = await self._texts.playbook(request.playbook_hash)
        stance, findings = verify_answer(
            await self._texts.answer(request.answer.answer_hash),
            role=request.role,
            model=request.answer.model,
            is_rule_based=request.answer.is_rule_based,
            answer_hash=request.answer.answer_hash,
            snapshot=await self._texts.snapshot(request.snapshot_hash),
            recall=await self._texts.recall(request.recall_hash),
            policy=playbook.policy,
            position=request.position,
        )
        await self._decisions.record_findings(request.head, stance, findings, step=request.step)
        return stance

    @activity.defn
    async def policy(self, request: PlaybookRequest) -> Policy:
        """The policy of a playbook version, for workflows that branch on its limits."""
        async with beating():
            return (await self._texts.playbook(request.playbook_hash)).policy

    @activity.defn
    async def check_levels(self, request: LevelsRequest) -> tuple[str, ...]:
        """What is wrong with size, levels and odds that a person chose: sentences, none where they stand (C14)."""
        from trading.decision.approval import objections
        from trading.decision.ground import Ground

        async with beating():
            playbook = await self._texts.playbook(request.playbook_hash)
            snapshot = await self._texts.snapshot(request.snapshot_hash)
        return objections(request.fusion, Ground(snapshot=snapshot, recall=None, policy=playbook.policy, position=None))
