"""The single writer of an account: its mode, its permits, and the exposure promised to them."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.models.verification import PlaybookRequest, VerificationCalls
    from activities.store.calls import (
        STORE_CALL,
        ExposureRequest,
        GateRow,
        HandRecord,
        LiftRecord,
        PermitsRequest,
        ProtectionRecord,
        StoreCalls,
    )
    from trading.decision.story import desk_story
    from trading.policy.model import Policy
    from trading.risk.breakers import CASH_SHORT, SYSTEMIC, is_short_of_cash, protection_of, safe_sales
    from trading.risk.day import roll_day
    from trading.risk.desk import (
        change_mode,
        defended,
        is_stricter,
        lapsed,
        lifted,
        mark,
        protected,
        refreshed,
        release,
        remembering,
        reserve,
        rung,
        still_protected,
        without,
    )
    from trading.risk.desk import resume as resumed
    from trading.risk.gate import gate
    from trading.risk.models import Exposure, GateAnswer, GateRequest, Mode, ProtectionKind
    from workflows.breakers import DefendsItself
    from workflows.clock import MarketTime
    from workflows.errands import tell_guard
    from workflows.hands import TakenByHand
    from workflows.names import MODE, PLAYBOOK, Signal, Update
    from workflows.protocol import (
        Defend,
        DeskRequest,
        DeskState,
        Errand,
        Hand,
        HandDone,
        Lift,
        ModeChange,
        ModeChanged,
        PlaybookNews,
        Settlement,
        Tick,
        Watched,
    )

KEPT_OPERATIONS = 200
KEPT_ANSWERS = 200
"""Answers that no order settles (denials, reductions) are kept this far back: a retried question comes much sooner."""


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class AccountDesk(TakenByHand, DefendsItself):
    """Every wish for exposure of one account passes here, one after the other (C16).

    The ledger in the database is the truth about cash and holdings; it is read anew for each request. What lives here
    is what the ledger cannot know yet: permits that were given, and the mode that people chose.
    """

    @workflow.init
    def __init__(self, request: DeskRequest) -> None:
        self._request = request
        self._state = request.state
        self._playbook_hash = request.playbook_hash
        self._policy: Policy | None = None
        self._policy_of = ""
        self._one_at_a_time = asyncio.Lock()
        self._one_gate_row = asyncio.Lock()
        self._time = MarketTime(coordinator=request.coordinator, as_of=None)
        self._closing = False

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
            await self._run_errands()
            await self._answer_tick()
        await workflow.wait_condition(workflow.all_handlers_finished)
        if not self._closing:
            kept = {"state": self._state, "playbook_hash": self._playbook_hash}
            workflow.continue_as_new(request.model_copy(update=kept))

    @workflow.update(name=Update.RESERVE, description="Ask for a permit; asked again, the same answer is given")
    async def reserve(self, wish: GateRequest) -> GateAnswer:
        async with self._one_at_a_time:
            state = await self._ready()
            if wish.request_id in state.answers:
                return state.answers[wish.request_id]
            await self._take_policy()
            await self._release_lapsed(wish)
            promised = self._current.exposure.reservations
            ledger = await self._load_exposure()
            await self._defend(wish, ledger)
            # A promise released while the ledger was read may hold fills that it did not see yet: it still counts here.
            standing = self._standing(wish, ledger)
            asked = standing.model_copy(update={"reservations": promised})
            answer = gate(wish, without(asked, wish.replaces), self._limits)
            answer = answer.model_copy(update={"desk_acts": bool(self._current.errands)})
            if answer.permit is not None and wish.opens:
                standing = reserve(without(standing, wish.replaces), answer.permit, at=wish.now)
                standing = remembering(standing, wish)
            kept = dict(list(self._current.answers.items())[-KEPT_ANSWERS:])
            self._state = self._current.model_copy(
                update={"exposure": standing, "answers": {**kept, wish.request_id: answer}}
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

    @workflow.signal(name=Signal.PLAYBOOK, description="Another playbook is active: its limits bind the next wish")
    def playbook(self, news: PlaybookNews) -> None:
        self._playbook_hash = news.playbook_hash
        workflow.upsert_search_attributes([PLAYBOOK.value_set(news.version)])

    @workflow.signal(name=Signal.TICK, description="Market time moved, and the desk has somebody to tell")
    def tick(self, tick: Tick) -> None:
        self._time.record(tick)

    @workflow.signal(description="End this desk; its account stays in the ledger")
    def close(self) -> None:
        self._closing = True

    @workflow.query(description="Mode, exposure and permits")
    def state(self) -> DeskState | None:
        return self._state

    async def _apply(self, change: ModeChange) -> ModeChanged:
        """The gate row is written before the change is acknowledged: an order that reads it later is refused.

        A change does not queue behind questions. A stricter mode binds them from here on, a freer one from its row on.
        """
        await self._ready()
        async with self._one_gate_row:
            state = self._current
            if change.operation_id in state.operations:
                return state.operations[change.operation_id]
            exposure = state.exposure
            wanted = resumed(exposure) if change.mode is Mode.AUTO else change_mode(exposure, change.mode)
            if is_stricter(wanted.mode, than=exposure.mode):
                self._take_mode(wanted)
            await self._write_gate(wanted, reason=change.reason, who=change.who)
            self._keep(mode_because=f"{change.who}: {change.reason}")
            changed = ModeChanged(operation_id=change.operation_id, mode=wanted.mode, epoch=wanted.epoch)
            if self._current.exposure.mode is not wanted.mode:
                self._take_mode(wanted)
            kept = dict(list(self._current.operations.items())[-KEPT_OPERATIONS:])
            self._keep(operations={**kept, change.operation_id: changed})
            return changed

    async def _defend_market(self, news: Defend) -> None:
        """Protect first, write it down after: the epoch voids what was permitted, the gate row what is on its way.

        Entries that rest are withdrawn; stops stay. Only systemic risk sells, down to the safe level (S2-71).
        """
        await self._ready()
        await self._take_policy()
        protection = protection_of(
            account=self._request.account,
            operation_id=news.operation_id,
            reason=news.reason,
            symbol=news.symbol,
            as_of=news.as_of,
            who="watch",
            policy=self._limits,
        )
        async with self._one_gate_row:
            wanted = protected(still_protected(self._current.exposure, now=news.as_of), protection)
            if wanted.epoch == self._current.exposure.epoch:
                return
            if wanted.mode is not self._current.exposure.mode:
                self._keep(mode_because=f"{protection.who}: {news.reason}")
            self._take_mode(wanted)
            await self._write_gate(self._current.exposure, reason=news.reason, who=protection.who)
        await workflow.execute_local_activity_method(
            StoreCalls.keep_protection,
            ProtectionRecord(realm=self._request.realm, account=self._request.account, protection=protection),
            **STORE_CALL,
        )
        sales = safe_sales(await self._load_exposure(), self._limits) if protection.code == SYSTEMIC else ()
        hand = Hand(operation_id=protection.id, who=protection.who, reason=news.reason, symbol=news.symbol)
        self._send(hand, leaves=False, sales=sales)

    async def _lift_by_hand(self, lift: Lift) -> HandDone:
        """A person ends a protection; a defence that was the last one leaves the account automatic again."""
        hand = _numbered(Hand(operation_id=lift.operation_id, who=lift.who, reason=lift.reason))
        await self._ready()
        done = self._current.hands.get(hand.operation_id)
        if done is not None:
            return done
        async with self._one_gate_row:
            exposure = self._current.exposure
            wanted = lifted(exposure, lift.protection_id)
            if wanted is exposure:
                standing = ", ".join(one.id for one in exposure.protections) or "none"
                return HandDone(
                    operation_id=hand.operation_id,
                    target=lift.protection_id,
                    accepted=False,
                    reason=f"no such protection: standing are {standing}",
                    state=exposure.mode.value,
                )
            if wanted.mode is not exposure.mode:
                await self._write_gate(wanted, reason=lift.reason, who=lift.who)
            self._take_mode(lifted(self._current.exposure, lift.protection_id))
            done = self._done(hand, state=self._current.exposure.mode.value)
        await self._record_lift(hand, lift.protection_id, operation_id=hand.operation_id)
        return done

    async def _record_lift(self, hand: Hand, protection_id: str, *, operation_id: str) -> None:
        await workflow.execute_local_activity_method(
            StoreCalls.lift_protection,
            LiftRecord(
                realm=self._request.realm,
                account=self._request.account,
                protection_id=protection_id,
                operation_id=operation_id,
                who=hand.who,
                reason=hand.reason,
            ),
            **STORE_CALL,
        )

    async def _lift_defences(self, hand: Hand) -> None:
        """Whoever resumes the account ends its defences as well; freezes of single symbols stay."""
        for one in self._current.exposure.protections:
            if one.kind is ProtectionKind.ACCOUNT_DEFENCE:
                self._take_mode(lifted(self._current.exposure, one.id))
                await self._record_lift(hand, one.id, operation_id=f"{hand.operation_id}:{one.id}")

    async def _mode_by_hand(self, hand: Hand, mode: Mode, verb: str) -> HandDone:
        """A person changes the mode. A halt also withdraws the entries that rest; stops stay at the venue."""
        hand = _numbered(hand)
        change = ModeChange(operation_id=hand.operation_id, mode=mode, reason=hand.reason, who=hand.who)
        changed = await self._apply(change)
        done = self._current.hands.get(hand.operation_id)
        if done is not None:
            return done
        done = self._done(hand, state=changed.mode.value)
        if mode is Mode.HALTED:
            self._send(hand, leaves=False)
        await self._record(hand, verb)
        if mode is Mode.AUTO:
            await self._lift_defences(hand)
        return done

    async def _leave_by_hand(self, hand: Hand) -> HandDone:
        """A person wants out of a symbol, or of everything; the guards sell, and sell a rest again."""
        hand = _numbered(hand)
        await self._ready()
        done = self._current.hands.get(hand.operation_id)
        if done is not None:
            return done
        done = self._done(hand, state=self._current.exposure.mode.value)
        self._send(hand, leaves=True)
        await self._record(hand, "flatten" if hand.symbol is None else f"flatten {hand.symbol}")
        return done

    def _done(self, hand: Hand, *, state: str) -> HandDone:
        target = self._request.account if hand.symbol is None else f"{self._request.account} {hand.symbol}"
        done = HandDone(operation_id=hand.operation_id, target=target, accepted=True, reason=hand.reason, state=state)
        kept = dict(list(self._current.hands.items())[-KEPT_OPERATIONS:])
        self._keep(hands={**kept, hand.operation_id: done})
        return done

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

    def _has_to_act(self) -> bool:
        has_errands = self._state is not None and bool(self._state.errands)
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

    async def _record(self, hand: Hand, what: str) -> None:
        await workflow.execute_local_activity_method(
            StoreCalls.record_hand,
            HandRecord(
                realm=self._request.realm,
                operation_id=hand.operation_id,
                subject=self._request.account,
                what=what,
                who=hand.who,
                reason=hand.reason,
            ),
            **STORE_CALL,
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
            self._policy = await workflow.execute_local_activity_method(
                VerificationCalls.policy, PlaybookRequest(playbook_hash=newest), **STORE_CALL
            )
            self._policy_of = newest

    async def _load_exposure(self) -> Exposure:
        return await workflow.execute_local_activity_method(
            StoreCalls.load_exposure,
            ExposureRequest(realm=self._request.realm, account=self._request.account),
            **STORE_CALL,
        )

    async def _release_lapsed(self, wish: GateRequest) -> None:
        """Give back what was promised to permits that ran out before any order of theirs was intended (§4.8)."""
        late = lapsed(self._current.exposure, self._limits, now=wish.now)
        if not late:
            return
        used = await workflow.execute_local_activity_method(
            StoreCalls.used_permits,
            PermitsRequest(realm=self._request.realm, account=self._request.account, permit_ids=late),
            **STORE_CALL,
        )
        exposure = self._current.exposure
        for permit in late:
            if permit not in used.permit_ids:
                workflow.logger.warning("permit %s lapsed unused: its promise is released", permit)
                exposure = release(exposure, permit)
        self._keep(exposure=exposure)

    def _standing(self, wish: GateRequest, ledger: Exposure) -> Exposure:
        """The ledger's view under what only this desk knows, at the wish's price and in the wish's day."""
        exposure = mark(refreshed(self._current.exposure, ledger), {wish.symbol: wish.price})
        return still_protected(roll_day(exposure, wish.now), now=wish.now)

    async def _defend(self, wish: GateRequest, ledger: Exposure) -> None:
        """Take the mode that losses ask for (X42); the gate row says so before anything else is decided."""
        self._lower_if_systemic(self._standing(wish, ledger), wish)
        if defended(self._standing(wish, ledger), self._limits).mode is self._current.exposure.mode:
            return
        async with self._one_gate_row:
            exposure = self._standing(wish, ledger)
            asked = defended(exposure, self._limits)
            if asked.mode is exposure.mode:
                return
            reason = f"losses: {rung(exposure, self._limits).value}"
            await self._write_gate(asked, reason=reason, who="limits")
            self._keep(mode_because=f"limits: {reason}")
            self._take_mode(asked)

    def _lower_if_systemic(self, exposure: Exposure, wish: GateRequest) -> None:
        """Where cash ran short, holdings are lowered to the safe level, once a day (S2-70, S2-71)."""
        operation = f"{CASH_SHORT}-{self._request.account}-{wish.now:%Y-%m-%d}"
        if self._current.lowered == operation or not is_short_of_cash(exposure, self._limits):
            return
        hand = Hand(operation_id=operation, who="limits", reason=f"{SYSTEMIC}: {CASH_SHORT}")
        self._send(hand, leaves=False, sales=safe_sales(exposure, self._limits))
        self._keep(lowered=operation)

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
                desk_story(state.exposure, policy=self._policy, mode_because=state.mode_because)
            )


def _numbered(hand: Hand) -> Hand:
    """A hand without an operation id is an operation of its own."""
    if hand.operation_id:
        return hand
    return hand.model_copy(update={"operation_id": f"hand-{workflow.uuid4()}"})
