"""What a desk knows of its account, and how it writes that down: the ground under permits, breakers and hands."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.models.verification import PlaybookRequest, VerificationCalls
    from activities.store.calls import ENTITY_CALL, ExposureRequest, GateRow, HandRecord, StoreCalls
    from trading.decision.story import desk_story
    from trading.policy.model import Policy
    from trading.risk.models import Exposure
    from workflows.clock import MarketTime
    from workflows.errands import tell_guard
    from workflows.names import MODE
    from workflows.protocol import DeskRequest, DeskState, Errand, Hand, HandDone, Watched

KEPT_OPERATIONS = 200


class DeskBook:
    """State, limits and errands of one account. Its calls are never local: a desk has updates (see `ENTITY_CALL`)."""

    def __init__(self, request: DeskRequest) -> None:
        self._request = request
        self._state = request.state
        self._playbook_hash = request.playbook_hash
        self._policy: Policy | None = None
        self._policy_of = ""
        self._one_gate_row = asyncio.Lock()
        self._time = MarketTime(coordinator=request.coordinator, as_of=None)
        self._closing = False

    def _has_to_act(self) -> bool:
        state = self._state
        has_errands = state is not None and bool(state.errands or state.playbook_errands)
        has_news = has_errands or self._time.has_tick
        return self._closing or has_news or workflow.info().is_continue_as_new_suggested()

    async def _answer_tick(self) -> None:
        """Name the guards that were told something since the last tick: the coordinator ticks them next."""
        if not self._time.is_asked:
            return
        told = self._current.told
        self._keep(told=())
        await self._time.answer(Watched(entity=workflow.info().workflow_id), also=told)

    async def _run_errands(self) -> None:
        """Tell the guards what people and breakers want. A symbol without one has nothing of ours at the venue."""
        while self._current.errands:
            errand = self._current.errands[0]
            for symbol in await self._symbols_of(errand):
                guard = await tell_guard(self._request, symbol, errand)
                if guard is not None and self._time.is_ticked and guard not in self._current.told:
                    self._keep(told=(*self._current.told, guard))
            self._keep(errands=self._current.errands[1:])

    async def _symbols_of(self, errand: Errand) -> list[str]:
        if errand.symbol is not None:
            return [errand.symbol]
        ledger = await self._load_exposure()
        held = {holding.symbol for holding in ledger.holdings}
        promised = {promise.symbol for promise in self._current.exposure.reservations}
        return sorted(held | promised)

    def _send(self, hand: Hand, *, leaves: bool, sales: tuple[tuple[str, Decimal], ...] = ()) -> None:
        """Leave it to `run`: a handler does not wait for another workflow."""
        errand = Errand(
            operation_id=hand.operation_id,
            symbol=hand.symbol,
            leaves=leaves,
            who=hand.who,
            reason=hand.reason,
            sales=sales,
        )
        self._keep(errands=(*self._current.errands, errand))

    def _done(self, hand: Hand, *, state: str) -> HandDone:
        target = self._request.account if hand.symbol is None else f"{self._request.account} {hand.symbol}"
        done = HandDone(operation_id=hand.operation_id, target=target, accepted=True, reason=hand.reason, state=state)
        kept = dict(list(self._current.hands.items())[-KEPT_OPERATIONS:])
        self._keep(hands={**kept, hand.operation_id: done})
        return done

    async def _record(self, hand: Hand, what: str) -> None:
        await workflow.execute_activity_method(
            StoreCalls.record_hand,
            HandRecord(
                realm=self._request.realm,
                operation_id=hand.operation_id,
                subject=self._request.account,
                what=what,
                who=hand.who,
                reason=hand.reason,
            ),
            **ENTITY_CALL,
        )

    def _keep(self, **changes: object) -> None:
        self._state = self._current.model_copy(update=changes)

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

    async def _take_policy(self) -> None:
        """Read the limits of the newest playbook, where they are not known yet."""
        while self._policy_of != self._playbook_hash:
            newest = self._playbook_hash
            self._policy = await workflow.execute_activity_method(
                VerificationCalls.policy, PlaybookRequest(playbook_hash=newest), **ENTITY_CALL
            )
            self._policy_of = newest

    async def _load_exposure(self) -> Exposure:
        return await workflow.execute_activity_method(
            StoreCalls.load_exposure,
            ExposureRequest(realm=self._request.realm, account=self._request.account),
            **ENTITY_CALL,
        )

    async def _write_gate(self, exposure: Exposure, *, reason: str, who: str) -> None:
        await workflow.execute_activity_method(
            StoreCalls.write_gate,
            GateRow(
                realm=self._request.realm,
                account=self._request.account,
                mode=exposure.mode,
                epoch=exposure.epoch,
                reason=reason,
                who=who,
            ),
            **ENTITY_CALL,
        )

    def _take_mode(self, changed: Exposure) -> None:
        """Mode, epoch, peak and protections of `changed` under everything else as it is by now."""
        taken = {
            "mode": changed.mode,
            "epoch": changed.epoch,
            "peak_equity_usd": changed.peak_equity_usd,
            "protections": changed.protections,
        }
        exposure = self._current.exposure.model_copy(update=taken)
        self._state = self._current.model_copy(update={"exposure": exposure})
        workflow.upsert_search_attributes([MODE.value_set(changed.mode.value)])
        self._show()

    def _show(self) -> None:
        if self._state is not None:
            state = self._state
            workflow.set_current_details(
                desk_story(
                    state.exposure,
                    policy=self._policy,
                    mode_because=state.mode_because,
                    taught=state.taught,
                    reopened=state.reopened,
                )
            )


def numbered(hand: Hand) -> Hand:
    """A hand without an operation id is an operation of its own."""
    if hand.operation_id:
        return hand
    return hand.model_copy(update={"operation_id": f"hand-{workflow.uuid4()}"})


def named(hand: Hand) -> Hand:
    """What stops the agent is taken from everybody: a signal that lacks a name or a reason gets these words."""
    return hand.model_copy(update={"who": hand.who.strip() or "unnamed", "reason": hand.reason.strip() or "not given"})


def is_anonymous(hand: Hand) -> bool:
    return not hand.who.strip() or not hand.reason.strip()


def refuse_anonymous(hand: Hand) -> None:
    if is_anonymous(hand):
        raise ApplicationError("a hand on an account names who and why: both must be given", type="ReasonMissing")
