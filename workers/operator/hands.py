"""Hands that people lay on proposals, accounts and protections: each is asked for once and answered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workers.operator.deciding import waiting_proposals
from workers.operator.place import HandRefused, Place
from workflows.names import decision_workflow, desk_workflow

if TYPE_CHECKING:
    from temporalio.client import WorkflowHandle

    from activities.store.ports.audit import AuditEntry
    from trading.decision.approval import PersonAnswer
    from trading.orders.wishes import Resolution
    from workflows.protocol import Arm, Hand, HandDone, Lift

ANSWERS_WITHIN_S = 10.0

ALWAYS_TAKEN = frozenset({"pause", "manual", "halt", "flatten", "disarm"})
"""Hands that stop the agent: where no worker answers they are left at the service as signals."""


async def answer_proposal(place: Place, verb: str, answer: PersonAnswer) -> HandDone:
    """Put a person's answer to the decision that waits for it; one that was answered before says by whom.

    Raises `HandRefused` for a proposal that is unknown, and for an answer that cannot be taken.
    """
    from temporalio.service import RPCError, RPCStatusCode

    from trading.decision.approval import decision_of
    from workflows.protocol import HandDone

    decision = decision_of(answer.proposal)
    handle = place.client.get_workflow_handle(decision_workflow(place.realm, decision))
    try:
        return await updated(handle, verb, answer)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    earlier = await _earlier_answer(place, answer.proposal)
    if earlier is None:
        known = ", ".join(trade.id for trade in await waiting_proposals(place)) or "none"
        raise HandRefused(f"proposal {answer.proposal!r} is unknown: waiting are {known}")
    if answer.operation_id and answer.operation_id == earlier.operation_id:
        return HandDone(
            operation_id=earlier.operation_id,
            target=answer.proposal,
            accepted=True,
            reason=earlier.reason,
            state=earlier.what.partition(" ")[0],
        )
    return HandDone(
        operation_id=earlier.operation_id,
        target=answer.proposal,
        accepted=False,
        reason=f"answered before: {earlier.what} by {earlier.who}: {earlier.reason}",
        state=earlier.what.partition(" ")[0],
    )


async def _earlier_answer(place: Place, proposal: str) -> AuditEntry | None:
    entries = await place.store.audit(place.realm, subject=proposal)
    return entries[-1] if entries else None


async def lay_hand(place: Place, verb: str, account: str, hand: Hand) -> HandDone:
    """Lay a person's hand on an account: `pause`, `resume`, `manual`, `halt`, `flatten`, `disarm`.

    What stops the agent is always taken: where no worker answers in time it waits as a signal under the same operation
    id. Raises `HandRefused` for an unknown account or symbol.
    """
    import uuid

    from activities.store.listing import accounts_and_symbols
    from workflows.protocol import HandDone

    accounts, symbols = await accounts_and_symbols(place.store, place.realm)
    _check_account(place, account, accounts)
    if hand.symbol is not None and hand.symbol not in symbols:
        known = ", ".join(symbols) or "none"
        raise HandRefused(f"symbol {hand.symbol} was never ordered in {place.realm}: known are {known}")
    if not hand.operation_id:
        hand = hand.model_copy(update={"operation_id": f"{verb}-{uuid.uuid4().hex[:16]}"})
    desk = place.client.get_workflow_handle(desk_workflow(place.realm, account))
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            return await updated(desk, verb, hand)
    except TimeoutError:
        if verb not in ALWAYS_TAKEN:
            raise HandRefused(f"no worker answered within {ANSWERS_WITHIN_S:g} s: {verb} was not done") from None
    await desk.signal(verb, hand)
    return HandDone(
        operation_id=hand.operation_id,
        target=account if hand.symbol is None else f"{account} {hand.symbol}",
        accepted=True,
        reason=f"{hand.reason} (no worker answered: it is done as soon as one runs)",
        state="signalled",
    )


async def arm_account(place: Place, account: str, wish: Arm) -> HandDone:
    """Let an account open positions with real money up to a capital.

    Raises `HandRefused` for an unknown account, an incomplete wish, and where no worker answers: nothing is left
    behind that could arm it later.
    """
    import uuid

    _check_account(place, account, await place.store.accounts(place.realm))
    if not wish.operation_id:
        wish = wish.model_copy(update={"operation_id": f"arm-{uuid.uuid4().hex[:16]}"})
    desk = place.client.get_workflow_handle(desk_workflow(place.realm, account))
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            return await updated(desk, "arm", wish)
    except TimeoutError:
        raise HandRefused(
            f"no worker answered within {ANSWERS_WITHIN_S:g} s: look at `perennial live status` before arming again"
        ) from None


def _check_account(place: Place, account: str, known: Sequence[str]) -> None:
    if account not in known:
        raise HandRefused(f"account {account!r} is unknown in {place.realm}: known are {', '.join(known) or 'none'}")


async def lift_protection(place: Place, lift: Lift) -> HandDone:
    """End a protection at the desk of its account. Raises `HandRefused` for an unknown one, or where nobody answers."""
    import uuid

    kept = {one.protection.id: one for one in await place.store.protections(place.realm)}
    if lift.protection_id not in kept:
        standing = ", ".join(name for name, one in kept.items() if one.lifted_by is None) or "none"
        raise HandRefused(f"protection {lift.protection_id!r} is unknown in {place.realm}: standing are {standing}")
    if not lift.operation_id:
        lift = lift.model_copy(update={"operation_id": f"lift-{uuid.uuid4().hex[:16]}"})
    desk = place.client.get_workflow_handle(desk_workflow(place.realm, kept[lift.protection_id].account))
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            return await updated(desk, "lift", lift)
    except TimeoutError:
        raise HandRefused(f"no worker answered within {ANSWERS_WITHIN_S:g} s: nothing was lifted") from None


async def updated(
    handle: WorkflowHandle[Any, Any], verb: str, said: Hand | PersonAnswer | Resolution | Lift | Arm
) -> HandDone:
    """The entity's answer. Raises `HandRefused` where it refuses, `TimeoutError` where nobody answers in time."""
    from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError

    from workflows.protocol import HandDone

    try:
        done: HandDone = await handle.execute_update(verb, said, id=said.operation_id or None, result_type=HandDone)
    except WorkflowUpdateFailedError as failed:
        raise HandRefused(str(failed.cause)) from failed
    except WorkflowUpdateRPCTimeoutOrCancelledError as late:
        # Into this the SDK turns a cancellation, so the caller's `asyncio.timeout` does not know its own any more.
        raise TimeoutError(f"{verb} was not answered in time") from late
    return done
