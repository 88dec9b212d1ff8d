"""A person's word on a single order: what became of a frozen one, and taking in another client's."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from temporalio.common import WorkflowIDConflictPolicy

from workers.operator.hands import ANSWERS_WITHIN_S, updated
from workers.operator.place import HandRefused, Place
from workflows.names import TASK_TIMEOUT, QueueRole, adoption_workflow, guard_workflow, task_queue
from workflows.options import labels

if TYPE_CHECKING:
    from trading.orders.adopting import AdoptWish
    from trading.orders.wishes import Resolution
    from workflows.protocol import HandDone

POLL_S = 0.1


async def resolve_order(place: Place, word: Resolution) -> HandDone:
    """Put a person's word on a frozen order to its guard, and wait a moment for what the venue says to it.

    Where no guard runs, what the database holds open gets its workflows back first. Raises `HandRefused` for an order
    that is unknown or not frozen.
    """
    from temporalio.service import RPCError, RPCStatusCode

    from activities.store.reading import order_list
    from trading.orders.models import is_tried_on
    from trading.orders.wishes import Verdict
    from workers.runtime.recovery import recover
    from workflows.protocol import HandDone

    async def row_of_order() -> dict[str, Any] | None:
        rows = await order_list(place.store, place.realm)
        return next((row for row in rows if row["client_order_id"] == word.client_order_id), None)

    row = await row_of_order()
    if row is None:
        raise HandRefused(f"order {word.client_order_id!r} is unknown in {place.realm}: `perennial orders` lists them")
    if is_tried_on(row["status"], row["reason"]):
        raise HandRefused(f"order {word.client_order_id} is tried until the venue answers: it needs no word")
    guard = place.client.get_workflow_handle(guard_workflow(place.realm, row["account"], row["symbol"]))
    untold = False
    try:
        done = await updated(guard, "resolve", word)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        if row["status"] != "FROZEN":
            raise HandRefused(f"order {word.client_order_id} is {row['status']}: nothing to say of it") from error
        await recover(place.client, place.store, realm=place.realm, venue=place.venue)
        done = HandDone(
            operation_id=word.operation_id or f"resolve-{word.client_order_id}-{word.verdict.value}",
            target=word.client_order_id,
            accepted=True,
            reason=word.reason,
            state="FROZEN",
        )
        untold = True
    deadline = asyncio.get_running_loop().time() + ANSWERS_WITHIN_S
    while asyncio.get_running_loop().time() < deadline:
        row = await row_of_order()
        if row is not None and row["status"] != "FROZEN":
            if untold:  # asked anew, the venue has settled it by itself
                await _record_word(place, done, word)
            agrees = (row["status"] == "REFUSED") == (word.verdict is Verdict.ABSENT)
            return done.model_copy(update={"state": row["status"], "accepted": agrees})
        if untold:
            with contextlib.suppress(HandRefused, RPCError):  # its execution has yet to tell the new guard of it
                done, untold = await updated(guard, "resolve", word), False
        await asyncio.sleep(POLL_S)
    contradicted = f"{done.reason} (the venue did not confirm it)"
    return done.model_copy(update={"accepted": False, "state": "FROZEN", "reason": contradicted})


async def _record_word(place: Place, done: HandDone, word: Resolution) -> None:
    await place.store.record_hand(
        place.realm,
        operation_id=done.operation_id,
        subject=word.client_order_id,
        what=f"resolve {word.verdict.value}",
        who=word.who,
        reason=word.reason,
    )


async def adopt_order(place: Place, wish: AdoptWish, *, account: str | None, symbol: str | None) -> HandDone:
    """Adopt a foreign order through its own sequence, and wait for its end.

    Raises `HandRefused` for an account that is unknown, where the venue refuses to answer, and where no worker does.
    """
    from temporalio.client import WorkflowFailureError

    from activities.exchange.adopting import AdoptRequest
    from activities.store.listing import accounts_and_symbols
    from config.markets import DEFAULT_SYMBOLS
    from workflows.order_adoption import OrderAdoption

    accounts, symbols = await accounts_and_symbols(place.store, place.realm)
    known = ", ".join(accounts) or "none"
    if not accounts or (account is not None and account not in accounts):
        raise HandRefused(f"account {account or 'any'!r} is unknown in {place.realm}: known are {known}")
    request = AdoptRequest(
        realm=place.realm,
        venue=place.venue,
        ledger=place.ledger,
        accounts=(account,) if account is not None else accounts,
        symbols=(symbol,) if symbol is not None else tuple(dict.fromkeys((*symbols, *DEFAULT_SYMBOLS))),
        wish=wish,
    )
    handle = await place.client.start_workflow(
        OrderAdoption.run,
        request,
        id=adoption_workflow(place.realm, wish.client_order_id),
        task_queue=task_queue(place.realm, QueueRole.DECISIONS),
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        task_timeout=TASK_TIMEOUT,
        static_summary=f"adopt {wish.client_order_id}",
        search_attributes=labels(realm=place.realm, accounts=request.accounts),
    )
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            done: HandDone = await handle.result()
    except WorkflowFailureError as failed:
        raise HandRefused(f"not adopted: {failed.cause}") from failed
    except TimeoutError:
        raise HandRefused(
            f"no end within {ANSWERS_WITHIN_S:g} s: it goes on as {handle.id}, and stands in the audit when it is done"
        ) from None
    return done
