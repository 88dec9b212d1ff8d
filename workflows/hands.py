"""Hands that people lay on an account: each an update, and a signal of the same name that nothing keeps out (C14)."""

from __future__ import annotations

from abc import ABC, abstractmethod

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from trading.risk.models import Mode
    from workflows.names import Signal, Update
    from workflows.protocol import Hand, HandDone


class TakenByHand(ABC):
    """The handlers; what they do is the desk's."""

    @abstractmethod
    async def _mode_by_hand(self, hand: Hand, mode: Mode, verb: str) -> HandDone:
        """Change the account's mode; once for an operation id."""

    @abstractmethod
    async def _leave_by_hand(self, hand: Hand) -> HandDone:
        """Have the guards leave a symbol, or all; once for an operation id."""

    @workflow.update(name=Update.PAUSE, description="No new exposure by itself until resumed")
    async def pause(self, hand: Hand) -> HandDone:
        return await self._mode_by_hand(hand, Mode.MANUAL, "pause")

    @workflow.signal(name=Signal.PAUSE, description="No new exposure by itself until resumed")
    async def hear_pause(self, hand: Hand) -> None:
        await self._mode_by_hand(_named(hand), Mode.MANUAL, "pause")

    @workflow.update(name=Update.MANUAL, description="Entries only with a person's approval")
    async def manual(self, hand: Hand) -> HandDone:
        return await self._mode_by_hand(hand, Mode.MANUAL, "manual")

    @workflow.signal(name=Signal.MANUAL, description="Entries only with a person's approval")
    async def hear_manual(self, hand: Hand) -> None:
        await self._mode_by_hand(_named(hand), Mode.MANUAL, "manual")

    @workflow.update(name=Update.HALT, description="No new exposure at all; resting entries are withdrawn, stops stay")
    async def halt(self, hand: Hand) -> HandDone:
        return await self._mode_by_hand(hand, Mode.HALTED, "halt")

    @workflow.signal(
        name=Signal.HALT,
        description="No new exposure at all; resting entries are withdrawn, stops stay",
    )
    async def hear_halt(self, hand: Hand) -> None:
        await self._mode_by_hand(_named(hand), Mode.HALTED, "halt")

    @workflow.update(name=Update.FLATTEN, description="Sell all that is held, or one symbol, and withdraw its entries")
    async def flatten(self, hand: Hand) -> HandDone:
        return await self._leave_by_hand(hand)

    @workflow.signal(
        name=Signal.FLATTEN,
        description="Sell all that is held, or one symbol, and withdraw its entries",
    )
    async def hear_flatten(self, hand: Hand) -> None:
        await self._leave_by_hand(_named(hand))

    @workflow.update(name=Update.RESUME, description="Back to automatic")
    async def resume(self, hand: Hand) -> HandDone:
        return await self._mode_by_hand(hand, Mode.AUTO, "resume")

    @workflow.signal(name=Signal.RESUME, description="Back to automatic; not without who and why")
    async def hear_resume(self, hand: Hand) -> None:
        if _is_anonymous(hand):
            workflow.logger.warning("a resumption without who and why was not taken")
            return
        await self._mode_by_hand(hand, Mode.AUTO, "resume")

    @pause.validator
    def _check_pause(self, hand: Hand) -> None:
        _refuse_anonymous(hand)

    @manual.validator
    def _check_manual(self, hand: Hand) -> None:
        _refuse_anonymous(hand)

    @halt.validator
    def _check_halt(self, hand: Hand) -> None:
        _refuse_anonymous(hand)

    @flatten.validator
    def _check_flatten(self, hand: Hand) -> None:
        _refuse_anonymous(hand)

    @resume.validator
    def _check_resume(self, hand: Hand) -> None:
        _refuse_anonymous(hand)


def _is_anonymous(hand: Hand) -> bool:
    return not hand.who.strip() or not hand.reason.strip()


def _refuse_anonymous(hand: Hand) -> None:
    if _is_anonymous(hand):
        raise ApplicationError("a hand on an account names who and why: both must be given", type="ReasonMissing")


def _named(hand: Hand) -> Hand:
    """What stops the agent is taken from everybody: a signal that lacks a name or a reason gets these words."""
    return hand.model_copy(update={"who": hand.who.strip() or "unnamed", "reason": hand.reason.strip() or "not given"})
