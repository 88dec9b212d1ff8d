"""Real money: a person arms the account with a capital, and takes it back (venue.md, "Profiles")."""

from __future__ import annotations

from decimal import Decimal

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.store.arming import ArmingCalls, ArmRecord
    from activities.store.calls import ENTITY_CALL
    from trading.risk.desk import refreshed, voided
    from workflows.desk_book import DeskBook, named, numbered, refuse_anonymous
    from workflows.names import Signal, Update
    from workflows.protocol import Arm, Hand, HandDone


class ArmedByPeople(DeskBook):
    """Each an update and a signal. To disarm is taken from everybody; to arm is not without capital, who and why."""

    @workflow.update(name=Update.ARM, description="Let this account open positions with real money, up to a capital")
    async def arm(self, wish: Arm) -> HandDone:
        return await self._arm(_hand_of(wish), wish.capital_usd)

    @workflow.signal(name=Signal.ARM, description="As the update; not without capital, who and why")
    async def hear_arm(self, wish: Arm) -> None:
        if not _is_complete(wish):
            workflow.logger.warning("an arming without capital, who and why was not taken")
            return
        await self._arm(_hand_of(wish), wish.capital_usd)

    @workflow.update(name=Update.DISARM, description="Open nothing with real money; resting entries are withdrawn")
    async def disarm(self, hand: Hand) -> HandDone:
        return await self._arm(hand, None)

    @workflow.signal(name=Signal.DISARM, description="Open nothing with real money; resting entries are withdrawn")
    async def hear_disarm(self, hand: Hand) -> None:
        await self._arm(named(hand), None)

    @arm.validator
    def _check_arm(self, wish: Arm) -> None:
        if not _is_complete(wish):
            raise ApplicationError(
                "arming names a capital above 0, who and why: all must be given", type="ReasonMissing"
            )

    @disarm.validator
    def _check_disarm(self, hand: Hand) -> None:
        refuse_anonymous(hand)

    async def _arm(self, hand: Hand, capital_usd: Decimal | None) -> HandDone:
        """The row is written before it is acknowledged, and read with every intent; the epoch voids older permits."""
        hand = numbered(hand)
        await self._ready()
        async with self._one_gate_row:
            done = self._current.hands.get(hand.operation_id)
            if done is not None:
                return done
            answer = await workflow.execute_activity_method(
                ArmingCalls.arm_account,
                ArmRecord(
                    realm=self._request.realm,
                    account=self._request.account,
                    operation_id=hand.operation_id,
                    capital_usd=capital_usd,
                    who=hand.who,
                    reason=hand.reason,
                ),
                **ENTITY_CALL,
            )
            if answer.refused:
                self._keep(taught=f"not armed: {answer.refused} ({hand.who}: {hand.reason})")
                self._show()
                return HandDone(
                    operation_id=hand.operation_id,
                    target=self._request.account,
                    accepted=False,
                    reason=answer.refused,
                    state=self._armed_state(),
                )
            ledger = await self._load_exposure()
            self._take_mode(voided(self._current.exposure))
            await self._write_gate(self._current.exposure, reason=hand.reason, who=hand.who)
            self._keep(exposure=refreshed(self._current.exposure, ledger))
            self._show()
            if capital_usd is None:
                self._send(hand, leaves=False)
            return self._done(hand, state=self._armed_state())

    def _armed_state(self) -> str:
        arming = self._current.exposure.arming
        return "not armed" if arming is None else f"armed with {arming.capital_usd:f} USD"


def _is_complete(wish: Arm) -> bool:
    is_capital = wish.capital_usd.is_finite() and wish.capital_usd > 0
    return is_capital and bool(wish.who.strip()) and bool(wish.reason.strip())


def _hand_of(wish: Arm) -> Hand:
    return Hand(operation_id=wish.operation_id, who=wish.who, reason=wish.reason)
