"""What an order will meet: the book's top, the venue's terms for the account, and the market's time."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy

from activities.beating import HEARTBEAT
from activities.exchange.port import Exchange
from activities.exchange.translation import venue_call
from trading.contract import Contract
from trading.orders.models import OrderType
from trading.orders.symbols import Lot
from trading.orders.symbols import Quote as Quote

QUOTE_CALL: workflow.ActivityConfig = {
    # Three small questions of at most 5 s each.
    "start_to_close_timeout": timedelta(seconds=20),
    "heartbeat_timeout": HEARTBEAT,
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=2),
        non_retryable_error_types=["PayloadsTooLarge", "PydanticSerializationError"],
    ),
}


class QuoteRequest(Contract):
    realm: str
    venue: str
    account: str
    symbol: str


class QuoteCalls:
    """Questions that change nothing. A venue that does not answer is asked again; a wrong symbol is final.

    A refused key is asked again too, slowly: a guard asks for the lot of what has just been bought, and must not end.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    @activity.defn
    async def quote(self, request: QuoteRequest) -> Quote:
        """The quote as of the market's time. Errors: `VenueRefused`, final for a wrong symbol; `VenueUnavailable`."""
        async with venue_call(about_an_order=True):
            rules = await self._exchange.rules(request.symbol)
            account = await self._exchange.account(request.account)
            book = await self._exchange.book_top(request.symbol)
        return Quote(
            symbol=request.symbol,
            market_time=book.as_of,
            bid=book.bid,
            ask=book.ask,
            spread_fraction=book.spread_fraction,
            taker_fee=account.fees.taker,
            min_notional_usd=rules.min_notional_usd,
            lot=Lot(
                step_size=max(rules.step_size, rules.market_step_size),
                min_quantity=rules.min_quantity,
                min_notional_usd=rules.min_notional_usd,
                has_stop_loss=OrderType.STOP_LOSS in rules.order_types,
                tick_size=rules.tick_size,
                max_market_quantity=min(rules.max_quantity, rules.max_market_quantity or rules.max_quantity),
            ),
            tick_size=rules.tick_size,
            max_quantity=min(rules.max_quantity, rules.max_market_quantity or rules.max_quantity),
            opo_allowed=rules.opo_allowed,
            oco_allowed=rules.oco_allowed,
        )
