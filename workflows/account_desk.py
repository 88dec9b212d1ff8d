"""The single writer of an account: its mode, its permits, and the exposure promised to them."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.models.verification import PlaybookRequest, VerificationCalls
    from activities.store.calls import STORE_CALL, ExposureRequest, GateRow, StoreCalls
    from trading.decision.story import desk_story
    from trading.policy.model import Policy
    from trading.risk.desk import mark, release, reserve
    from trading.risk.gate import gate
    from trading.risk.models import Exposure, GateAnswer, GateRequest, Mode
    from workflows.names import MODE, Signal, Update
    from workflows.protocol import DeskRequest, DeskState, ModeChange, ModeChanged, Settlement

KEPT_OPERATIONS = 200


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class AccountDesk:
    """Every wish for exposure of one account passes here, one after the other (C16).

    The ledger in the database is the truth about cash and holdings; it is read anew for each request. What lives here
    is what the ledger cannot know yet: permits that were given, and the mode that people chose.
    """

    @workflow.init
    def __init__(self, request: DeskRequest) -> None:
        self._request = request
        self._state = request.state
        self._policy: Policy | None = None
        self._one_at_a_time = asyncio.Lock()
        self._closing = False

    @workflow.run
    async def run(self, request: DeskRequest) -> None:
        """Serve until closed; continue as new when the server suggests it, with every answer that still matters."""
        self._policy = await self._load_policy()
        if self._state is None:
            self._state = DeskState(exposure=await self._load_exposure())
        self._show()
        await workflow.wait_condition(
            lambda: self._closing or workflow.info().is_continue_as_new_suggested(), timeout_summary="open"
        )
        await workflow.wait_condition(workflow.all_handlers_finished)
        if not self._closing:
            workflow.continue_as_new(request.model_copy(update={"state": self._state}))

    @workflow.update(name=Update.RESERVE, description="Ask for a permit; asked again, the same answer is given")
    async def reserve(self, wish: GateRequest) -> GateAnswer:
        async with self._one_at_a_time:
            state = await self._ready()
            if wish.request_id in state.answers:
                return state.answers[wish.request_id]
            exposure = mark(await self._fresh_exposure(), {wish.symbol: wish.price})
            answer = gate(wish, exposure, self._limits)
            if answer.permit is not None and wish.opens:
                exposure = reserve(exposure, answer.permit, at=wish.now)
            answers = {**state.answers, wish.request_id: answer}
            self._state = state.model_copy(update={"exposure": exposure, "answers": answers})
            self._show()
            return answer

    @reserve.validator
    def _check_reserve(self, wish: GateRequest) -> None:
        if wish.account != self._request.account:
            raise ApplicationError(
                f"account {wish.account!r} is not this desk's, which is {self._request.account!r}", type="WrongDesk"
            )

    @workflow.signal(name=Signal.SETTLE, description="An order of a permit is final: release what it reserved")
    def settle(self, settlement: Settlement) -> None:
        if self._state is None:
            return
        permit = settlement.permit_id
        answers = {
            key: answer
            for key, answer in self._state.answers.items()
            if answer.permit is None or answer.permit.id != permit
        }
        exposure = release(self._state.exposure, permit)
        self._state = self._state.model_copy(update={"exposure": exposure, "answers": answers})

    @workflow.update(name=Update.CHANGE_MODE, description="auto, manual, defensive or halted, with who and why")
    async def change_mode(self, change: ModeChange) -> ModeChanged:
        return await self._apply(change)

    @change_mode.validator
    def _check_change(self, change: ModeChange) -> None:
        if not change.reason.strip() or not change.who.strip():
            raise ApplicationError("a change of mode names who and why: both must be given", type="ReasonMissing")

    @workflow.signal(name=Signal.PAUSE, description="No new exposure until resumed")
    async def pause(self, change: ModeChange) -> None:
        await self._apply(change.model_copy(update={"mode": Mode.MANUAL}))

    @workflow.signal(name=Signal.RESUME, description="Back to automatic")
    async def resume(self, change: ModeChange) -> None:
        await self._apply(change.model_copy(update={"mode": Mode.AUTO}))

    @workflow.signal(name=Signal.HALT, description="Stop everything that raises exposure")
    async def halt(self, change: ModeChange) -> None:
        await self._apply(change.model_copy(update={"mode": Mode.HALTED}))

    @workflow.signal(description="End this desk; its account stays in the ledger")
    def close(self) -> None:
        self._closing = True

    @workflow.query(description="Mode, exposure and permits")
    def state(self) -> DeskState | None:
        return self._state

    async def _apply(self, change: ModeChange) -> ModeChanged:
        """The gate row is written before the change is acknowledged: an order that reads it later is refused."""
        async with self._one_at_a_time:
            state = await self._ready()
            if change.operation_id in state.operations:
                return state.operations[change.operation_id]
            epoch = state.exposure.epoch + 1
            await workflow.execute_local_activity_method(
                StoreCalls.write_gate,
                GateRow(
                    realm=self._request.realm,
                    account=self._request.account,
                    mode=change.mode,
                    epoch=epoch,
                    reason=change.reason,
                    who=change.who,
                ),
                **STORE_CALL,
            )
            changed = ModeChanged(operation_id=change.operation_id, mode=change.mode, epoch=epoch)
            self._remember(changed)
            return changed

    @property
    def _limits(self) -> Policy:
        assert self._policy is not None  # _ready has waited for it
        return self._policy

    async def _ready(self) -> DeskState:
        await workflow.wait_condition(lambda: self._state is not None and self._policy is not None)
        assert self._state is not None
        return self._state

    async def _load_policy(self) -> Policy:
        return await workflow.execute_local_activity_method(
            VerificationCalls.policy, PlaybookRequest(playbook_hash=self._request.playbook_hash), **STORE_CALL
        )

    async def _load_exposure(self) -> Exposure:
        return await workflow.execute_local_activity_method(
            StoreCalls.load_exposure,
            ExposureRequest(realm=self._request.realm, account=self._request.account),
            **STORE_CALL,
        )

    async def _fresh_exposure(self) -> Exposure:
        """The ledger's view now, with the reservations that only this desk knows."""
        loaded = await self._load_exposure()
        assert self._state is not None
        return loaded.model_copy(update={"reservations": self._state.exposure.reservations})

    def _remember(self, changed: ModeChanged) -> None:
        assert self._state is not None
        exposure = self._state.exposure.model_copy(update={"mode": changed.mode, "epoch": changed.epoch})
        kept = dict(list(self._state.operations.items())[-KEPT_OPERATIONS:])
        operations = {**kept, changed.operation_id: changed}
        self._state = self._state.model_copy(update={"exposure": exposure, "operations": operations})
        workflow.upsert_search_attributes([MODE.value_set(changed.mode.value)])
        self._show()

    def _show(self) -> None:
        if self._state is not None:
            workflow.set_current_details(desk_story(self._state.exposure, self._state.exposure.reservations))
