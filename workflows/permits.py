"""Permits: every wish for exposure of one account passes here, one after the other (C16)."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.store.calls import ENTITY_CALL, PermitsRequest, PromiseRecord, StoreCalls
    from trading.risk.breakers import CASH_SHORT, SYSTEMIC, is_short_of_cash, safe_sales
    from trading.risk.day import roll_day
    from trading.risk.desk import (
        defended,
        lapsed,
        mark,
        refreshed,
        release,
        remembering,
        reserve,
        rung,
        still_protected,
        without,
    )
    from trading.risk.gate import gate
    from trading.risk.models import Exposure, GateAnswer, GateRequest, Reservation
    from trading.risk.promises import promise_of
    from workflows.desk_book import DeskBook
    from workflows.names import Signal, Update
    from workflows.protocol import DeskRequest, Hand, Settlement

KEPT_ANSWERS = 200
"""Answers that no order settles (denials, reductions) are kept this far back: a retried question comes much sooner."""


class GivesPermits(DeskBook):
    """The ledger in the database is the truth about cash and holdings; it is read anew for each wish."""

    def __init__(self, request: DeskRequest) -> None:
        super().__init__(request)
        self._one_at_a_time = asyncio.Lock()

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
            answer, ledger = await self._permitted(wish, ledger, promised)
            standing = self._standing(wish, ledger)
            if answer.permit is not None and wish.opens:
                standing = reserve(without(standing, wish.replaces), answer.permit, at=wish.now)
                standing = remembering(standing, wish)
            kept = dict(list(self._current.answers.items())[-KEPT_ANSWERS:])
            self._state = self._current.model_copy(
                update={"exposure": standing, "answers": {**kept, wish.request_id: answer}}
            )
            self._show()
            return answer

    async def _permitted(
        self, wish: GateRequest, ledger: Exposure, promised: tuple[Reservation, ...]
    ) -> tuple[GateAnswer, Exposure]:
        """The gate's answer, and the ledger that it holds on: with what other desks have promised meanwhile.

        `promised` is what stood before the ledger was read: of what was released since, it may not show the fills.
        """
        while True:
            asked = self._standing(wish, ledger).model_copy(update={"reservations": promised})
            answer = gate(wish, without(asked, wish.replaces), self._limits)
            promise = promise_of(wish, answer, asked, self._limits)
            if promise is not None:
                given = await workflow.execute_activity_method(
                    StoreCalls.promise,
                    PromiseRecord(realm=self._request.realm, account=self._request.account, promise=promise),
                    **ENTITY_CALL,
                )
                ledger = given.ledger
                if not given.stands:
                    continue
            return answer.model_copy(update={"desk_acts": bool(self._current.errands)}), ledger

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

    async def _release_lapsed(self, wish: GateRequest) -> None:
        """Give back what was promised to permits that ran out before any order of theirs was intended (§4.8)."""
        late = lapsed(self._current.exposure, self._limits, now=wish.now)
        if not late:
            return
        used = await workflow.execute_activity_method(
            StoreCalls.used_permits,
            PermitsRequest(realm=self._request.realm, account=self._request.account, permit_ids=late),
            **ENTITY_CALL,
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
