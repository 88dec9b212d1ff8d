"""The market's breakers and their undoing, as a desk hears them: one signal in, one person's hand out (C20)."""

from __future__ import annotations

from abc import ABC, abstractmethod

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from workflows.names import Signal, Update
    from workflows.protocol import Defend, HandDone, Lift


class DefendsItself(ABC):
    """The handlers; what they do is the desk's."""

    @abstractmethod
    async def _defend_market(self, news: Defend) -> None:
        """Protect the account; once for an operation id."""

    @abstractmethod
    async def _lift_by_hand(self, lift: Lift) -> HandDone:
        """End a protection; once for an operation id."""

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
