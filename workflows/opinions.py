"""How two models come to their stances: asked side by side, verified, corrected at most once each."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.models.calls import CAMPAIGN_MODEL_CALL, MODEL_CALL, ModelCalls, ProposeRequest
    from activities.models.verification import VERIFY_CALL, VerificationCalls, VerifyRequest
    from trading.decision.cross import are_opposed
    from trading.decision.models import Role, Stance, Verdict
    from trading.decision.verify import absent, after_correction
    from workflows.names import QueueRole, task_queue
    from workflows.options import at
    from workflows.protocol import DecisionRequest
    from workflows.scene import Scene


class Opinions:
    """The two models of one decision."""

    def __init__(self, request: DecisionRequest, scene: Scene) -> None:
        self._request = request
        self._scene = scene
        self._used_correction: set[Role] = set()

    async def both(self) -> tuple[Stance, Stance]:
        """Both models in parallel; opposite directions are shown to both once, before they count (C02)."""
        primary, secondary = await asyncio.gather(self._opinion(Role.PRIMARY), self._opinion(Role.SECONDARY))
        if are_opposed(primary, secondary):
            primary, secondary = await asyncio.gather(
                self._reconsider(primary, secondary), self._reconsider(secondary, primary)
            )
        return primary, secondary

    async def _opinion(self, role: Role) -> Stance:
        """One model's verified answer, with at most one correction round."""
        stance = await self._answer(role)
        if stance.verdict is Verdict.REPAIRABLE:
            return await self._corrected(stance, other=None)
        return stance

    async def _reconsider(self, own: Stance, other: Stance) -> Stance:
        """The model's answer knowing that the other one is opposed; who was corrected before stays with his word."""
        if own.role in self._used_correction:
            return own
        return await self._corrected(own, other=other)

    async def _corrected(self, own: Stance, *, other: Stance | None) -> Stance:
        self._used_correction.add(own.role)
        return after_correction(await self._answer(own.role, own=own, other=other))

    async def _answer(self, role: Role, *, own: Stance | None = None, other: Stance | None = None) -> Stance:
        """Ask and verify; a model that cannot answer abstains."""
        head, scene, step = self._request.head, self._scene, "correction" if own else "proposal"
        try:
            answer = await workflow.execute_activity_method(
                ModelCalls.propose,
                ProposeRequest(
                    head=head,
                    role=role,
                    step=step,
                    snapshot_hash=scene.seen.snapshot_hash,
                    recall_hash=scene.recall_hash,
                    playbook_hash=self._request.playbook_hash,
                    correction_of=own.answer_hash if own else None,
                    own=own,
                    other=other,
                    position=scene.position,
                ),
                **at(task_queue(head.realm, QueueRole.MODELS), f"{role.value} {step}", self._model_call),
            )
        except ActivityError as failed:
            if is_cancelled_exception(failed):
                raise
            workflow.logger.warning("the %s model gave no answer: %s", role.value, failed.cause)
            return absent(role=role, model="", is_rule_based=False, because="model_unavailable")
        return await workflow.execute_local_activity_method(
            VerificationCalls.verify,
            VerifyRequest(
                head=head,
                role=role,
                step=step,
                answer=answer,
                snapshot_hash=scene.seen.snapshot_hash,
                recall_hash=scene.recall_hash,
                playbook_hash=self._request.playbook_hash,
                position=scene.position,
            ),
            **VERIFY_CALL,
        )

    @property
    def _model_call(self) -> workflow.ActivityConfig:
        return CAMPAIGN_MODEL_CALL if self._request.coordinator else MODEL_CALL
