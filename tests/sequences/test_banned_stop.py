"""A venue that bans us between an entry and its stop is left alone for its time; then the stop is there, once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest
from eventually import eventually
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, SYMBOL
from temporalio.api.sdk.v1 import WorkflowMetadata

from trading.orders.models import OrderType

pytestmark = pytest.mark.temporal

OpenHouse = Callable[..., Awaitable[SequenceHouse]]

RETRY_AFTER_S = 2


class Ban:
    """Answers the first sale with `status`; remembers when it did, and when anything left after that."""

    def __init__(self, house: SequenceHouse, status: int) -> None:
        self._http = house.exchange._session._http
        self._request = self._http.request
        self._status = status
        self.banned_at: float | None = None
        self.left_at: list[float] = []
        self._http.request = self._answer  # type: ignore[method-assign]

    async def _answer(self, method: str, url: str, **options: Any) -> httpx.Response:
        if self.banned_at is not None:
            self.left_at.append(time.monotonic())
        elif method == "POST" and "side=SELL" in (options.get("content") or ""):
            self.banned_at = time.monotonic()
            return httpx.Response(
                self._status,
                headers={"Retry-After": str(RETRY_AFTER_S)},
                json={"code": -1003, "msg": "Way too many requests."},
                request=httpx.Request(method, url),
            )
        return await self._request(method, url, **options)


async def shows(house: SequenceHouse, text: str) -> bool:
    """Whether the Web UI has it on the guard's card."""
    shown = await house.guard().query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return text in str(shown.current_details)


async def is_protected(house: SequenceHouse) -> bool:
    return (await house.guard_state()).is_protected


@pytest.mark.parametrize("status", [418, 429])
async def test_a_ban_between_entry_and_stop_delays_the_stop_and_sells_nothing(
    open_house: OpenHouse, status: int
) -> None:
    house = await open_house()
    ban = Ban(house, status)
    buying = asyncio.create_task(house.bought(stop="6800"))
    await eventually(lambda: ban.banned_at is not None, what="the ban")
    await eventually(lambda: shows(house, "**No stop at the venue.**"), what="the card tells it meanwhile")
    await buying
    await eventually(lambda: is_protected(house), what="the stop once the ban is over")
    await eventually(lambda: shows(house, "stop at the venue: 6800"), what="the card tells that too")
    assert ban.banned_at is not None
    assert min(ban.left_at) >= ban.banned_at + RETRY_AFTER_S, "to ask during a ban lengthens it"
    (stop,) = await house.exchange.open_orders(ACCOUNT, SYMBOL)
    assert (stop.type, stop.stop_price) == (OrderType.STOP_LOSS, Decimal(6800))
    sales = [order for order in await house.exchange.orders(ACCOUNT, SYMBOL) if order.side.value == "SELL"]
    assert [sale.client_order_id for sale in sales] == [stop.client_order_id]
    state = await house.guard_state()
    assert (state.refused_sales, state.frozen) == (0, None)
