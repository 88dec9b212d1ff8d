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
    from trading.risk.day import roll_day
    from trading.risk.desk import change_mode, defended, mark, refreshed, release, reserve, rung
    from trading.risk.desk import resume as resumed
    from trading.risk.gate import gate
    from trading.risk.models import Exposure, GateAnswer, GateRequest, Mode
    from workflows.names import MODE, Signal, Update
    from workflows.protocol import DeskRequest, DeskState, ModeChange, ModeChanged, Settlement

KEPT_OPERATIONS = 200
KEPT_ANSWERS = 200
"""Answers that no order settles (denials, reductions) are kept this far back: a retried question comes much sooner."""


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
            promised = state.exposure.reservations
            ledger = await self._load_exposure()
            await self._defend(wish, ledger)
            # A promise released while the ledger was read may hold fills that it did not see yet: it still counts here.
            standing = self._standing(wish, ledger)
            answer = gate(wish, standing.model_copy(update={"reservations": promised}), self._limits)
            if answer.permit is not None and wish.opens:
                standing = reserve(standing, answer.permit, at=wish.now)
            kept = dict(list(self._current.answers.items())[-KEPT_ANSWERS:])
            self._state = DeskState(
                exposure=standing,
                answers={**kept, wish.request_id: answer},
                operations=self._current.operations,
            )
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
            exposure = state.exposure
            wanted = resumed(exposure) if change.mode is Mode.AUTO else change_mode(exposure, change.mode)
            await self._write_gate(wanted, reason=change.reason, who=change.who)
            changed = ModeChanged(operation_id=change.operation_id, mode=wanted.mode, epoch=wanted.epoch)
            self._take_mode(wanted)
            kept = dict(list(self._current.operations.items())[-KEPT_OPERATIONS:])
            operations = {**kept, change.operation_id: changed}
            self._state = self._current.model_copy(update={"operations": operations})
            return changed

    @property
    def _limits(self) -> Policy:
        assert self._policy is not None  # _ready has waited for it
        return self._policy

    @property
    def _current(self) -> DeskState:
        assert self._state is not None  # every handler has waited for it
        return self._state

    async def _ready(self) -> DeskState:
        await workflow.wait_condition(lambda: self._state is not None and self._policy is not None)
        return self._current

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

    def _standing(self, wish: GateRequest, ledger: Exposure) -> Exposure:
        """The ledger's view under what only this desk knows, at the wish's price and in the wish's day."""
        exposure = mark(refreshed(self._current.exposure, ledger), {wish.symbol: wish.price})
        return roll_day(exposure, wish.now)

    async def _defend(self, wish: GateRequest, ledger: Exposure) -> None:
        """Take the mode that losses ask for (X42); the gate row says so before anything else is decided."""
        exposure = self._standing(wish, ledger)
        asked = defended(exposure, self._limits)
        if asked.mode is exposure.mode:
            return
        await self._write_gate(asked, reason=f"losses: {rung(exposure, self._limits).value}", who="limits")
        self._take_mode(asked)

    async def _write_gate(self, exposure: Exposure, *, reason: str, who: str) -> None:
        await workflow.execute_local_activity_method(
            StoreCalls.write_gate,
            GateRow(
                realm=self._request.realm,
                account=self._request.account,
                mode=exposure.mode,
                epoch=exposure.epoch,
                reason=reason,
                who=who,
            ),
            **STORE_CALL,
        )

    def _take_mode(self, changed: Exposure) -> None:
        """Mode, epoch and peak of `changed` under everything else as it is by now."""
        taken = {"mode": changed.mode, "epoch": changed.epoch, "peak_equity_usd": changed.peak_equity_usd}
        exposure = self._current.exposure.model_copy(update=taken)
        self._state = self._current.model_copy(update={"exposure": exposure})
        workflow.upsert_search_attributes([MODE.value_set(changed.mode.value)])
        self._show()

    def _show(self) -> None:
        if self._state is not None:
            workflow.set_current_details(desk_story(self._state.exposure, self._state.exposure.reservations))
