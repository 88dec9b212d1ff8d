"""What an operator's verb does to a running house: open accounts and desks, start one decision, read its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from temporalio.common import WorkflowIDConflictPolicy

from trading.decision.models import DecisionHead
from trading.ids import decision_id
from workflows.names import (
    TASK_TIMEOUT,
    QueueRole,
    adoption_workflow,
    decision_workflow,
    desk_workflow,
    guard_workflow,
    task_queue,
)
from workflows.options import labels

if TYPE_CHECKING:
    from temporalio.client import Client, WorkflowHandle

    from activities.store.open import Store
    from activities.store.ports.audit import AuditEntry
    from trading.decision.approval import PersonAnswer, ProposedTrade
    from trading.orders.adopting import AdoptWish
    from trading.orders.wishes import Resolution
    from workflows.protocol import Hand, HandDone, Lift

CAPITAL_USD = Decimal(1_000_000)
SETTLES_WITHIN = timedelta(seconds=5)
POLL_S = 0.1
ANSWERS_WITHIN_S = 10.0
THINKS_FOR_S = 3.0
"""A decision that takes longer may wait for a person: it is asked."""

ALWAYS_TAKEN = frozenset({"pause", "manual", "halt", "flatten"})
"""Hands that stop the agent: where no worker answers they are left at the service as signals."""


class HandRefused(Exception):
    """A person's hand that could not be taken: the sentence names what is known and allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an operator works: a realm at a venue, its Temporal service and its records."""

    realm: str
    venue: str
    venue_url: str
    client: Client
    store: Store

    @property
    def ledger(self) -> str:
        """The lasting realm's ledger has its name; ids derive from it."""
        return self.realm


async def open_simulated_accounts(place: Place, accounts: Sequence[str], *, playbook_hash: str) -> None:
    """Accounts at the simulated venue and in the ledger, and a desk for each; done once, however often called."""
    from activities.exchange.simulated_clock import SimulatedClock
    from workflows.account_desk import AccountDesk
    from workflows.protocol import DeskRequest

    clock = SimulatedClock(realm=place.realm, base_url=place.venue_url)
    try:
        now = await clock.now()
        for account in accounts:
            await clock.open_account(account, {"USDT": CAPITAL_USD})
            await place.store.open_account(
                place.realm,
                venue=place.venue,
                ledger=place.ledger,
                account=account,
                opening=(("USDT", CAPITAL_USD),),
                as_of=now,
            )
    finally:
        await clock.aclose()
    for account in accounts:
        await place.client.start_workflow(
            AccountDesk.run,
            DeskRequest(realm=place.realm, venue=place.venue, account=account, playbook_hash=playbook_hash),
            id=desk_workflow(place.realm, account),
            task_queue=task_queue(place.realm, QueueRole.DECISIONS),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_timeout=TASK_TIMEOUT,
            static_summary=f"desk of {account}",
            search_attributes=labels(realm=place.realm, accounts=(account,)),
        )


def head_of(place: Place, *, symbol: str, as_of: datetime, account: str, playbook_version: str) -> DecisionHead:
    """The head of a decision that a person asked for: asked twice for one time, it is one decision."""
    return DecisionHead(
        decision_id=decision_id(ledger=place.ledger, symbol=symbol, as_of=as_of, cause=f"person:{account}"),
        realm=place.realm,
        venue=place.venue,
        ledger=place.ledger,
        symbol=symbol,
        as_of=as_of,
        cause=f"person:{account}",
        accounts=(account,),
        playbook_version=playbook_version,
    )


async def decide(place: Place, head: DecisionHead, *, playbook_hash: str) -> tuple[str, ...]:
    """Take the decision, or find it taken; the client ids of the orders that it placed now."""
    from workflows.protocol import DecisionRequest
    from workflows.trade_decision import TradeDecision

    handle = await place.client.start_workflow(
        TradeDecision.run,
        DecisionRequest(head=head, playbook_hash=playbook_hash),
        id=decision_workflow(place.realm, head.decision_id),
        task_queue=task_queue(place.realm, QueueRole.DECISIONS),
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        task_timeout=TASK_TIMEOUT,
        static_summary=f"{head.symbol} at {head.as_of:%Y-%m-%d %H:%M}",
        search_attributes=labels(
            realm=head.realm,
            accounts=head.accounts,
            symbol=head.symbol,
            playbook=head.playbook_version,
            as_of=head.as_of,
        ),
    )
    result = await _end_or_question(handle)
    if result is None or result.already_decided:
        return ()
    return tuple(order for outcome in result.summary.outcomes for order in outcome.client_order_ids)


async def _end_or_question(handle: WorkflowHandle[Any, Any]) -> Any:
    """The decision's result; `None` once it waits for a person."""
    ending = asyncio.ensure_future(handle.result())
    try:
        while True:
            done, _ = await asyncio.wait({ending}, timeout=THINKS_FOR_S)
            if done:
                return ending.result()
            if await handle.query("proposals"):
                return None
    finally:
        ending.cancel()


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
        return await _updated(handle, verb, answer)
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


async def waiting_proposals(place: Place) -> tuple[ProposedTrade, ...]:
    """All proposals of the realm that wait for a person now."""
    from trading.decision.approval import WAITING, ProposedTrade

    found = f"PerennialRealm = '{place.realm}' AND PerennialOutcome = '{WAITING}' AND ExecutionStatus = 'Running'"
    waiting: list[ProposedTrade] = []
    async for one in place.client.list_workflows(found):
        for trade in await place.client.get_workflow_handle(one.id).query("proposals"):
            waiting.append(ProposedTrade.model_validate(trade))
    return tuple(waiting)


async def waiting_in(place: Place, decision: str) -> tuple[ProposedTrade, ...]:
    """The proposals of one decision that wait for a person; none where it has ended."""
    from temporalio.service import RPCError

    from trading.decision.approval import ProposedTrade

    handle = place.client.get_workflow_handle(decision_workflow(place.realm, decision))
    try:
        if (await handle.describe()).close_time is not None:
            return ()
        return tuple(ProposedTrade.model_validate(one) for one in await handle.query("proposals"))
    except RPCError:
        return ()  # an old decision that the service has forgotten waits for nobody


async def lay_hand(place: Place, verb: str, account: str, hand: Hand) -> HandDone:
    """Lay a person's hand on an account: `pause`, `resume`, `manual`, `halt`, `flatten`.

    What stops the agent is always taken: where no worker answers in time it waits as a signal under the same operation
    id. Raises `HandRefused` for an unknown account or symbol.
    """
    import uuid

    from activities.store.listing import accounts_and_symbols
    from workflows.protocol import HandDone

    accounts, symbols = await accounts_and_symbols(place.store, place.realm)
    if account not in accounts:
        raise HandRefused(f"account {account!r} is unknown in {place.realm}: known are {', '.join(accounts) or 'none'}")
    if hand.symbol is not None and hand.symbol not in symbols:
        known = ", ".join(symbols) or "none"
        raise HandRefused(f"symbol {hand.symbol} was never ordered in {place.realm}: known are {known}")
    if not hand.operation_id:
        hand = hand.model_copy(update={"operation_id": f"{verb}-{uuid.uuid4().hex[:16]}"})
    desk = place.client.get_workflow_handle(desk_workflow(place.realm, account))
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            return await _updated(desk, verb, hand)
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


async def resolve_order(place: Place, word: Resolution) -> HandDone:
    """Put a person's word on a frozen order to its guard, and wait a moment for what the venue says to it.

    Where no guard runs, what the database holds open gets its workflows back first. Raises `HandRefused` for an order
    that is unknown or not frozen.
    """
    from temporalio.service import RPCError, RPCStatusCode

    from activities.store.reading import order_list
    from trading.orders.wishes import Verdict
    from workers.runtime.recovery import recover
    from workflows.protocol import HandDone

    async def row_of_order() -> dict[str, Any] | None:
        rows = await order_list(place.store, place.realm)
        return next((row for row in rows if row["client_order_id"] == word.client_order_id), None)

    row = await row_of_order()
    if row is None:
        raise HandRefused(f"order {word.client_order_id!r} is unknown in {place.realm}: `perennial orders` lists them")
    guard = place.client.get_workflow_handle(guard_workflow(place.realm, row["account"], row["symbol"]))
    untold = False
    try:
        done = await _updated(guard, "resolve", word)
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
                done, untold = await _updated(guard, "resolve", word), False
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
            return await _updated(desk, "lift", lift)
    except TimeoutError:
        raise HandRefused(f"no worker answered within {ANSWERS_WITHIN_S:g} s: nothing was lifted") from None


async def _updated(
    handle: WorkflowHandle[Any, Any], verb: str, said: Hand | PersonAnswer | Resolution | Lift
) -> HandDone:
    from temporalio.client import WorkflowUpdateFailedError

    from workflows.protocol import HandDone

    try:
        done: HandDone = await handle.execute_update(verb, said, id=said.operation_id or None, result_type=HandDone)
    except WorkflowUpdateFailedError as failed:
        raise HandRefused(str(failed.cause)) from failed
    return done


async def card_of(place: Place, decision: str) -> dict[str, Any] | None:
    """The decision's card, with what happened since; `None` where it was never taken."""
    from activities.store.reading import decision_card

    return await decision_card(place.store, place.realm, decision)


async def protected(place: Place, orders: Sequence[str], *, within_s: float) -> bool:
    """Wait until each entry is final and what it filled has a stop at the venue; whether it came to that in time."""
    from activities.store.reading import order_list

    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        rows = await order_list(place.store, place.realm)
        mine = [row for row in rows if row["client_order_id"] in orders]
        stops = [row for row in rows if row["leg"] == "stop" and row["status"] == "NEW"]
        final = all(row["status"] not in {"INTENDED", "NEW", "PARTIALLY_FILLED"} for row in mine)
        filled = any(Decimal(str(row["executed_quantity"])) > 0 for row in mine)
        if mine and final and (stops or not filled):
            return True
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(POLL_S)


async def market_time(place: Place) -> datetime:
    """The simulated market's time."""
    from activities.exchange.simulated_clock import SimulatedClock

    clock = SimulatedClock(realm=place.realm, base_url=place.venue_url)
    try:
        return await clock.now()
    finally:
        await clock.aclose()


async def advance_simulated(place: Place, to: datetime, *, request_id: str) -> datetime:
    """Run a simulated market forward to `to`, through every event on the way; never back. Market time afterwards."""
    from activities.exchange.simulated_clock import SimulatedClock

    clock = SimulatedClock(realm=place.realm, base_url=place.venue_url)
    try:
        now, number = await clock.now(), 0
        while now < to:
            stop = await clock.advance(to, (), request_id=f"{request_id}-{number}")
            now, number = stop.now, number + 1
        return now
    finally:
        await clock.aclose()
