"""What the ledger holds of one account and symbol, as any sequence reads it."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.store.calls import ENTITY_CALL, STORE_CALL, PositionRequest, StoreCalls
    from trading.decision.models import PositionView


async def position_in(realm: str, account: str, symbol: str, *, beside_updates: bool = False) -> PositionView:
    """The account's position in the symbol with its equity and cash, from the ledger and without the venue.

    `beside_updates`: somebody's answer may come meanwhile (see `ENTITY_CALL`).
    """
    asked = PositionRequest(realm=realm, account=account, symbol=symbol)
    if beside_updates:
        return await workflow.execute_activity_method(StoreCalls.position_view, asked, **ENTITY_CALL)
    return await workflow.execute_local_activity_method(StoreCalls.position_view, asked, **STORE_CALL)
