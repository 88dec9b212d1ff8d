"""Hands that people lay on an account: each an update, and a signal of the same name that nothing keeps out (C14)."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from trading.risk.desk import change_mode, is_stricter
    from trading.risk.desk import resume as resumed
    from trading.risk.models import Mode
    from workflows.breakers import DefendsItself
    from workflows.desk_book import KEPT_OPERATIONS, is_anonymous, named, numbered, refuse_anonymous
    from workflows.names import Signal, Update
    from workflows.protocol import Hand, HandDone, ModeChange, ModeChanged


class TakenByHand(DefendsItself):
    """Modes, and leaving. A resumption ends the account's defences as well."""

    @workflow.update(name=Update.PAUSE, description="No new exposure by itself until resumed")
    async def pause(self, hand: Hand) -> HandDone:
        return await self._mode_by_hand(hand, Mode.MANUAL, "pause")

    @workflow.signal(name=Signal.PAUSE, description="No new exposure by itself until resumed")
    async def hear_pause(self, hand: Hand) -> None:
        await self._mode_by_hand(named(hand), Mode.MANUAL, "pause")

    @workflow.update(name=Update.MANUAL, description="Entries only with a person's approval")
    async def manual(self, hand: Hand) -> HandDone:
        return await self._mode_by_hand(hand, Mode.MANUAL, "manual")

    @workflow.signal(name=Signal.MANUAL, description="Entries only with a person's approval")
    async def hear_manual(self, hand: Hand) -> None:
        await self._mode_by_hand(named(hand), Mode.MANUAL, "manual")

    @workflow.update(name=Update.HALT, description="No new exposure at all; resting entries are withdrawn, stops stay")
    async def halt(self, hand: Hand) -> HandDone:
        return await self._mode_by_hand(hand, Mode.HALTED, "halt")

    @workflow.signal(
        name=Signal.HALT,
        description="No new exposure at all; resting entries are withdrawn, stops stay",
    )
    async def hear_halt(self, hand: Hand) -> None:
        await self._mode_by_hand(named(hand), Mode.HALTED, "halt")

    @workflow.update(name=Update.FLATTEN, description="Sell all that is held, or one symbol, and withdraw its entries")
    async def flatten(self, hand: Hand) -> HandDone:
        return await self._leave_by_hand(hand)

    @workflow.signal(
        name=Signal.FLATTEN,
        description="Sell all that is held, or one symbol, and withdraw its entries",
    )
    async def hear_flatten(self, hand: Hand) -> None:
        await self._leave_by_hand(named(hand))

    @workflow.update(name=Update.RESUME, description="Back to automatic")
    async def resume(self, hand: Hand) -> HandDone:
        return await self._mode_by_hand(hand, Mode.AUTO, "resume")

    @workflow.signal(name=Signal.RESUME, description="Back to automatic; not without who and why")
    async def hear_resume(self, hand: Hand) -> None:
        if is_anonymous(hand):
            workflow.logger.warning("a resumption without who and why was not taken")
            return
        await self._mode_by_hand(hand, Mode.AUTO, "resume")

    @pause.validator
    def _check_pause(self, hand: Hand) -> None:
        refuse_anonymous(hand)

    @manual.validator
    def _check_manual(self, hand: Hand) -> None:
        refuse_anonymous(hand)

    @halt.validator
    def _check_halt(self, hand: Hand) -> None:
        refuse_anonymous(hand)

    @flatten.validator
    def _check_flatten(self, hand: Hand) -> None:
        refuse_anonymous(hand)

    @resume.validator
    def _check_resume(self, hand: Hand) -> None:
        refuse_anonymous(hand)

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
            self._show()
            return changed

    async def _mode_by_hand(self, hand: Hand, mode: Mode, verb: str) -> HandDone:
        """A person changes the mode. A halt also withdraws the entries that rest; stops stay at the venue."""
        hand = numbered(hand)
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
        hand = numbered(hand)
        await self._ready()
        done = self._current.hands.get(hand.operation_id)
        if done is not None:
            return done
        done = self._done(hand, state=self._current.exposure.mode.value)
        self._send(hand, leaves=True)
        what = "flatten" if hand.symbol is None else f"flatten {hand.symbol}"
        self._keep(taught=f"{what} by {hand.who}: {hand.reason}")
        self._show()
        await self._record(hand, what)
        return done
