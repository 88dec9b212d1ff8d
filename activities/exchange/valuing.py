"""What accounts are worth at the best bids: in a campaign at the times it says, elsewhere every hour (C61, X26)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

from activities.beating import HEARTBEAT
from activities.exchange.port import AccountEquity, Exchange, MarkedAccounts, MarkRequest, RealmRefused, VenueRefused
from activities.exchange.translation import INVALID_SYMBOL, venue_call
from activities.store.ports.accounts import AccountBook
from trading.ledger.valuing import valued_at
from trading.money import ZERO

VALUE_CALL: workflow.ActivityConfig = {
    # A book of each symbol at up to 5 s where the venue is slow; usually some milliseconds.
    "start_to_close_timeout": timedelta(minutes=2),
    "heartbeat_timeout": HEARTBEAT,
    # The next hour values again: a venue that is silent for so long must not keep the comparison waiting.
    "schedule_to_close_timeout": timedelta(minutes=5),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=5),
        non_retryable_error_types=["PayloadsTooLarge", "PydanticSerializationError"],
    ),
    "cancellation_type": ActivityCancellationType.TRY_CANCEL,
}


class ValuingCalls:
    """Values the accounts of a realm that no campaign owns. Reads the venue, writes equity rows only."""

    def __init__(self, exchange: Exchange, accounts: AccountBook) -> None:
        self._exchange = exchange
        self._accounts = accounts

    @activity.defn
    async def value_accounts(self, request: MarkRequest) -> MarkedAccounts:
        """Mark each opened account at the best bids of `symbols` and of all it holds; one equity row an account.

        The row's time is `as_of` where the market is just past it, else the market's own minute: a run that is late or
        filled in tells nothing about the past. Repeated within a minute it replaces the row. Accounts that the ledger
        does not know are left out. Errors as of `ExchangeCalls`.
        """
        async with venue_call():
            check_realm_of(self._exchange, request.realm, request.venue)
            exposures = [
                exposure
                for account in request.accounts
                if (exposure := await self._accounts.exposure(request.realm, account)) is not None
            ]
            held = {holding.symbol for exposure in exposures for holding in exposure.holdings}
            market = await self._exchange.market_time()
            bids = [(symbol, await self._bid(symbol)) for symbol in dict.fromkeys((*request.symbols, *sorted(held)))]
            return await record(
                self._accounts,
                request.realm,
                [exposure.account for exposure in exposures],
                as_of=valued_at(request.as_of, market=market),
                marks=[(symbol, bid) for symbol, bid in bids if bid > 0],
            )

    async def _bid(self, symbol: str) -> Decimal:
        """Zero where the venue lists no such symbol or nobody bids: its last mark stays, for nothing is worth zero."""
        try:
            return (await self._exchange.book_top(symbol)).bid
        except VenueRefused as refused:
            if refused.code != INVALID_SYMBOL:
                raise
            return ZERO


async def mark(exchange: Exchange, accounts: AccountBook, request: MarkRequest) -> MarkedAccounts:
    """Mark each account at the best bids and store one equity row for (account, as_of).

    A time that is over keeps the worth it had: the row was stored before the market's clock moved on, and a repeat
    after that would put later prices into it. Then there is nothing to store, and the answer names no account.
    """
    check_realm_of(exchange, request.realm, request.venue)
    books = await exchange.book_tops(request.symbols)
    if any(book.as_of > request.as_of for book in books):
        return MarkedAccounts(as_of=request.as_of, equities=(), marks=())
    marks = [(book.symbol, book.bid) for book in books]
    return await record(accounts, request.realm, request.accounts, as_of=request.as_of, marks=marks)


async def record(
    accounts: AccountBook,
    realm: str,
    names: Sequence[str],
    *,
    as_of: datetime,
    marks: Sequence[tuple[str, Decimal]],
) -> MarkedAccounts:
    """One equity row for each of the accounts at these marks."""
    equities = [
        AccountEquity(account=name, equity_usd=await accounts.record_equity(realm, name, as_of=as_of, marks=marks))
        for name in names
    ]
    return MarkedAccounts(as_of=as_of, equities=tuple(equities), marks=tuple(marks))


def check_realm_of(exchange: Exchange, realm: str, venue: str | None = None) -> None:
    """Raises `RealmRefused` where the adapter serves another realm or venue."""
    if realm != exchange.realm or venue not in (None, exchange.venue):
        raise RealmRefused(
            f"this worker serves venue {exchange.venue} of realm {exchange.realm}, not {venue or 'any'} of {realm}"
        )
