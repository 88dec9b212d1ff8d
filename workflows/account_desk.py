"""The single writer of an account: its mode, its permits, and the exposure promised to them."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from workflows.arming import ArmedByPeople
    from workflows.hands import TakenByHand
    from workflows.names import Signal, Update
    from workflows.permits import GivesPermits
    from workflows.protocol import DeskRequest, DeskState, ModeChange, ModeChanged, Tick
    from workflows.reopening import BeginsAnew
    from workflows.teaching import TaughtByPeople


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class AccountDesk(TakenByHand, ArmedByPeople, TaughtByPeople, BeginsAnew, GivesPermits):
    """One account from its first permit to its closing: permits, breakers, hands and lessons each have a file.

    What lives here is what the ledger cannot know yet: permits that were given, and the mode that people chose.
    """

    @workflow.init
    def __init__(self, request: DeskRequest) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: DeskRequest) -> None:
        """Serve until closed; continue as new when the server suggests it, with every answer that still matters."""
        await self._take_policy()
        if self._state is None:
            self._state = DeskState(exposure=await self._load_exposure())
        self._show()
        while not self._closing and not workflow.info().is_continue_as_new_suggested():
            await workflow.wait_condition(self._has_to_act, timeout_summary="open")
            self._time.begin()
            if self._time.is_asked:  # what it was told before the tick is done within it
                await workflow.wait_condition(workflow.all_handlers_finished, timeout_summary="what was told")
            await self._run_errands()
            await self._tell_playbooks()
            await self._answer_tick()
        await workflow.wait_condition(workflow.all_handlers_finished)
        if not self._closing:
            kept = {"state": self._state, "playbook_hash": self._playbook_hash}
            workflow.continue_as_new(request.model_copy(update=kept))

    @workflow.update(name=Update.CHANGE_MODE, description="auto, manual, defensive or halted, with who and why")
    async def change_mode(self, change: ModeChange) -> ModeChanged:
        return await self._apply(change)

    @change_mode.validator
    def _check_change(self, change: ModeChange) -> None:
        if not change.reason.strip() or not change.who.strip():
            raise ApplicationError("a change of mode names who and why: both must be given", type="ReasonMissing")

    @workflow.signal(name=Signal.TICK, description="Market time moved, and the desk has somebody to tell")
    def tick(self, tick: Tick) -> None:
        self._time.record(tick)

    @workflow.signal(description="End this desk; its account stays in the ledger")
    def close(self) -> None:
        self._closing = True

    @workflow.query(description="Mode, exposure and permits")
    def state(self) -> DeskState | None:
        return self._state
