"""Arming and disarming as activities of the desk: small, idempotent by the operation's id (venue.md, "Profiles")."""

from __future__ import annotations

from decimal import Decimal

from temporalio import activity

from activities.store.calls import at_the_store
from activities.store.ports.accounts import Armings
from activities.store.ports.faults import StoreRefused
from trading.contract import Contract


class ArmRecord(Contract):
    """A person arms an account with a capital, or disarms it where `capital_usd` is `None`."""

    realm: str
    account: str
    operation_id: str
    capital_usd: Decimal | None = None
    who: str
    reason: str


class ArmAnswer(Contract):
    """Why it was not done; empty where it was."""

    refused: str = ""


class ArmingCalls:
    """What the store refuses is an answer, not an error: a signal's handler has nobody to fail to."""

    def __init__(self, armings: Armings) -> None:
        self._armings = armings

    @activity.defn
    async def arm_account(self, record: ArmRecord) -> ArmAnswer:
        """Durable when it returns: from then on entries are let through, or no longer."""
        told = {"operation_id": record.operation_id, "who": record.who, "reason": record.reason}
        async with at_the_store():
            try:
                if record.capital_usd is None:
                    await self._armings.disarm(record.realm, record.account, **told)
                else:
                    await self._armings.arm(record.realm, record.account, capital_usd=record.capital_usd, **told)
            except StoreRefused as refused:
                return ArmAnswer(refused=str(refused))
        return ArmAnswer()
