"""What a look at a test venue that is wiped now and then makes of the ledger: doubt, or new books (venue.md)."""

from __future__ import annotations

from temporalio import activity

from activities.exchange.port import Exchange
from activities.exchange.translation import venue_call
from activities.exchange.valuing import check_realm_of
from activities.store.ports.ledger import LedgerClosings
from trading.contract import Contract, Utc
from trading.ledger.venue_reset import LedgerClosing


class ResetRequest(Contract):
    """`wiped` are those of `accounts` of which the venue knew no order any more when it was asked at `look`."""

    realm: str
    venue: str
    accounts: tuple[str, ...]
    wiped: tuple[str, ...]
    look: Utc


class LedgerClosingsFound(Contract):
    """Books that are in doubt since a look, or were closed by this one."""

    closings: tuple[LedgerClosing, ...] = ()


class ResettingCalls:
    """Reads balances at the venue and writes the ledger; nothing is ordered."""

    def __init__(self, exchange: Exchange, closings: LedgerClosings) -> None:
        self._exchange = exchange
        self._closings = closings

    @activity.defn
    async def heed_wipe(self, request: ResetRequest) -> LedgerClosingsFound:
        """Put the books of a wiped account in doubt, close doubted ones; the same `look` again answers the same.

        Errors as of `ExchangeCalls`; `StoreRefused` for a realm whose venue nobody wipes.
        """
        async with venue_call():
            check_realm_of(self._exchange, request.realm, request.venue)
            at = await self._exchange.market_time()
            found = []
            for account in request.accounts:
                is_gone = account in request.wiped
                told = (await self._exchange.account(account)).balances if is_gone else ()
                closing = await self._closings.heed_wipe(
                    request.realm,
                    account,
                    look=request.look,
                    at=at,
                    is_gone=is_gone,
                    balances=tuple((one.asset, one.total) for one in told if one.total > 0),
                )
                found += [] if closing is None else [closing]
            return LedgerClosingsFound(closings=tuple(found))
