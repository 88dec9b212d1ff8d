"""A test venue is wiped about once a month: how that is recognised, and where it closes a ledger (venue.md)."""

from __future__ import annotations

from typing import Final

from trading.contract import Contract, Utc
from trading.ledger.differences import LedgerOrder, LedgerView, VenueView, unexplained

VENUE_RESET: Final = "venue_reset"
"""As what such a ledger is closed, and the code with which an order of it is refused."""

WIPED_REALMS: Final = frozenset({"testnet", "demo"})
"""Realms whose venue is wiped by its owner. Anywhere else the same finding is an alarm for people, never a reset."""


class LedgerClosing(Contract):
    """An account's books at a venue that does not know the account's orders any more.

    With one look they are in doubt, and nothing is sent; a second one closed them (`closed_at`), and `symbols` and
    `executions` (ids of the entries' first orders) are those whose workflows guard and follow what is not there.
    """

    account: str
    seen_at: Utc
    closed_at: Utc | None = None
    symbols: tuple[str, ...] = ()
    executions: tuple[str, ...] = ()


def may_be_wiped(realm: str) -> bool:
    return realm in WIPED_REALMS


def vanished(ours: LedgerView, venue: VenueView) -> tuple[LedgerOrder, ...]:
    """Orders that the venue had accepted and does not list, oldest first; none where that does not look like a wipe.

    It does where the venue has none of them at all. Where it has some, they must all be newer than every one that is
    gone (sent after the wipe), and what is gone must be two orders at least, one of them filled, with none of their
    trades told and balances that the trades do not explain: an order that is lost alone is a difference.
    """
    accepted = [order for order in ours.orders if order.venue_order_id is not None or order.executed_quantity]
    listed = {order.client_order_id for order in venue.orders}
    gone = tuple(order for order in accepted if order.client_order_id not in listed)
    lost = {order.client_order_id for order in gone}
    if not gone or any(fill.client_order_id in lost for fill in venue.fills):
        return ()
    there = [order for order in accepted if order.client_order_id in listed]
    if not there:
        return gone
    newest = max(order.intended_for for order in gone)
    is_whole = len(gone) > 1 and any(order.executed_quantity for order in gone)
    is_before = all(order.intended_for > newest for order in there)
    return gone if is_whole and is_before and unexplained(ours, venue) else ()
