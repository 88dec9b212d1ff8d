"""The market's breakers and their undoing on a desk: one signal in, one person's hand out (C20)."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.store.calls import ENTITY_CALL, LiftRecord, ProtectionRecord, StoreCalls
    from trading.risk.breakers import SYSTEMIC, protection_of, safe_sales
    from trading.risk.desk import lifted, protected, still_protected
    from trading.risk.models import ProtectionKind
    from workflows.desk_book import DeskBook, numbered
    from workflows.names import Signal, Update
    from workflows.protocol import Defend, Hand, HandDone, Lift


class DefendsItself(DeskBook):
    """Protections: freezes of one symbol, defences of the whole account."""

    @workflow.signal(name=Signal.DEFEND, description="The market falls: freeze a symbol, or defend the account")
    async def defend(self, news: Defend) -> None:
        await self._defend_market(news)

    @workflow.update(name=Update.LIFT, description="End a protection, with who and why")
    async def lift(self, lift: Lift) -> HandDone:
        return await self._lift_by_hand(lift)

    @workflow.signal(name=Signal.LIFT, description="End a protection; not without who and why")
    async def hear_lift(self, lift: Lift) -> None:
        if not lift.who.strip() or not lift.reason.strip():
            workflow.logger.warning("a lifting without who and why was not taken")
            return
        await self._lift_by_hand(lift)

    @lift.validator
    def _check_lift(self, lift: Lift) -> None:
        if not lift.who.strip() or not lift.reason.strip() or not lift.protection_id.strip():
            raise ApplicationError("lifting names the protection, who and why: all must be given", type="ReasonMissing")

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
        await workflow.execute_activity_method(
            StoreCalls.keep_protection,
            ProtectionRecord(realm=self._request.realm, account=self._request.account, protection=protection),
            **ENTITY_CALL,
        )
        sales = safe_sales(await self._load_exposure(), self._limits) if protection.code == SYSTEMIC else ()
        hand = Hand(operation_id=protection.id, who=protection.who, reason=news.reason, symbol=news.symbol)
        self._send(hand, leaves=False, sales=sales)

    async def _lift_by_hand(self, lift: Lift) -> HandDone:
        """A person ends a protection; a defence that was the last one leaves the account automatic again."""
        hand = numbered(Hand(operation_id=lift.operation_id, who=lift.who, reason=lift.reason))
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
        await workflow.execute_activity_method(
            StoreCalls.lift_protection,
            LiftRecord(
                realm=self._request.realm,
                account=self._request.account,
                protection_id=protection_id,
                operation_id=operation_id,
                who=hand.who,
                reason=hand.reason,
            ),
            **ENTITY_CALL,
        )

    async def _lift_defences(self, hand: Hand) -> None:
        """Whoever resumes the account ends its defences as well; freezes of single symbols stay."""
        for one in self._current.exposure.protections:
            if one.kind is ProtectionKind.ACCOUNT_DEFENCE:
                self._take_mode(lifted(self._current.exposure, one.id))
                await self._record_lift(hand, one.id, operation_id=f"{hand.operation_id}:{one.id}")
