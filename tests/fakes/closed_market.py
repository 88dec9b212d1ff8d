"""A symbol in BREAK, at the real simulated exchange: who asks hears it, and who orders is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakes.sequence_house import SequenceHouse

from activities.exchange.binance_session import Reply
from trading.orders.answers import Answered


async def waits_for_the_market(house: SequenceHouse) -> bool:
    """Whether the guard keeps its exits because the symbol does not trade."""
    return (await house.guard_state()).closed_until is not None


def close_the_market(house: SequenceHouse, *, told_late: int = 0) -> Callable[[], None]:
    """The symbol is in BREAK: the venue takes cancels and no order. So many questions still hear that it trades."""
    asked = 0
    session = house.exchange._session
    act, ask = session.act, session.ask

    async def closed(method: str, path: str, fields: Any, **options: Any) -> Reply:
        if method == "POST":
            return Reply(answered=Answered(http_status=400, code=-1013, message="Market is closed."))
        return await act(method, path, fields, **options)

    async def says(method: str, path: str, fields: Any, **options: Any) -> Any:
        nonlocal asked
        payload = await ask(method, path, fields, **options)
        if not path.endswith("exchangeInfo"):
            return payload
        asked += 1
        if asked > told_late:
            payload["symbols"] = [row | {"status": "BREAK"} for row in payload["symbols"]]
        return payload

    session.act, session.ask = closed, says

    def open_it() -> None:
        session.act, session.ask = act, ask

    return open_it
