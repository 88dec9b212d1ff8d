"""`/sim`: what a campaign needs and Binance does not have: the market clock, accounts, health. JSON in, JSON out."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from trading.matching.wallet import Wallet
from workers.exchange_sim.config import api_key, api_secret
from workers.exchange_sim.engine import Event, Level
from workers.exchange_sim.exchange import Exchange, compact
from workers.exchange_sim.market import iso, to_ms


class BadRequest(Exception):
    """The caller's request cannot be carried out; the message says what was wrong and what is allowed."""

    def __init__(self, message: str, *, http_status: int = 400) -> None:
        super().__init__(message)
        self.http_status = http_status


def clock(exchange: Exchange) -> dict[str, Any]:
    """Where the market stands: times, mode, and how many closed candles held prices in an unknowable order."""
    return {
        "now": iso(exchange.now_ms),
        "mode": str(exchange.clock.mode),
        "started_at": iso(exchange.started_ms),
        "ends_at": iso(exchange.ends_ms),
        "ambiguous_candles": exchange.engine.ambiguous_candles(),
    }


def advance(exchange: Exchange, request: dict[str, Any]) -> str:
    """Run the market to `to` or to the first instant with an event, and answer `{"now", "events"}`.

    Never back: a `to` that is not later than now changes nothing. Safe to repeat after a lost answer or a kill: the
    same `request_id` gets the same answer; without one, the same `to` as the last request gets its answer where the
    market has reached `to`; and with `from` (the caller's last known now) the last answer, where it began there.
    """
    to_at = _time(request, "to")
    levels = [_level(exchange, entry) for entry in request.get("levels") or ()]
    request_id = request.get("request_id")
    if request_id is not None and (not isinstance(request_id, str) or not 0 < len(request_id) <= 200):
        raise BadRequest("request_id must be a text of 1 to 200 characters")
    if request_id is not None and (kept := exchange.state.answer(f"id:{request_id}")) is not None:
        return kept
    begin_ms = exchange.now_ms
    last = exchange.state.meta("last_advance")
    if "from" in request:
        from_ms = to_ms(_time(request, "from"))
        if from_ms != begin_ms:
            return _last_answer_from(last, from_ms, begin_ms)
    elif request_id is None and to_ms(to_at) <= begin_ms and last is not None:
        _, to_text, answer = last.split("|", 2)
        if to_text == str(to_ms(to_at)):
            return answer
    events = exchange.clock.advance(to_ms(to_at), levels) if to_ms(to_at) > begin_ms else []
    answer = compact({"now": iso(exchange.now_ms), "events": [_shown(event) for event in events]})
    exchange.commit(
        answer=None if request_id is None else (f"id:{request_id}", answer),
        meta={"last_advance": f"{begin_ms}|{to_ms(to_at)}|{answer}"},
    )
    return answer


def _last_answer_from(last: str | None, from_ms: int, now_ms: int) -> str:
    if last is not None:
        began, _, answer = last.split("|", 2)
        if began == str(from_ms):
            return answer
    raise BadRequest(
        f"the market is at {iso(now_ms)}, not at {iso(from_ms)}, and its last run did not begin there: read the clock",
        http_status=409,
    )


def _shown(event: Event) -> dict[str, Any]:
    """An event as JSON; `list_client_order_id` is there where the order is a leg of a list."""
    shown = {
        "kind": event.kind,
        "symbol": event.symbol,
        "account": event.account,
        "client_order_id": event.client_order_id,
        "level_id": event.level_id,
        "price": None if event.price is None else format(event.price.normalize(), "f"),
    }
    if event.list_client_order_id is not None:
        shown["list_client_order_id"] = event.list_client_order_id
    return shown


def _level(exchange: Exchange, entry: Any) -> Level:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise BadRequest('a level looks like {"id", "symbol", "direction": "above" or "below", "price"}')
    if entry.get("symbol") not in exchange.markets:
        raise BadRequest(
            f"level {entry['id']}: symbol {entry.get('symbol')!r} is none of {', '.join(exchange.markets)}"
        )
    if entry.get("direction") not in ("above", "below"):
        raise BadRequest(f"level {entry['id']}: direction {entry.get('direction')!r} must be above or below")
    fall = entry.get("fall_fraction")
    return Level(
        id=entry["id"],
        symbol=entry["symbol"],
        above=entry["direction"] == "above",
        price=_amount(entry.get("price"), f"level {entry['id']}: price"),
        fall_fraction=None if fall is None else _amount(fall, f"level {entry['id']}: fall_fraction"),
        not_before_ms=_candle_end_ms(exchange, entry),
    )


def _candle_end_ms(exchange: Exchange, entry: dict[str, Any]) -> int:
    """The close of the candle that `after_candle_of` lies in: a target is not reached in the candle of its entry."""
    if not entry.get("after_candle_of"):
        return 0
    step_ms = exchange.markets[entry["symbol"]].step_ms
    return (to_ms(_time(entry, "after_candle_of")) // step_ms + 1) * step_ms


def open_account(exchange: Exchange, request: dict[str, Any]) -> str:
    """Create an account with balances, or answer what it has where it exists: the second call changes nothing."""
    name = request.get("account")
    if not isinstance(name, str) or not re.match(r"^[A-Za-z0-9_-]{1,64}$", name):
        raise BadRequest(f"account {name!r} must be 1 to 64 letters, digits, dashes or underscores")
    balances = request.get("balances") or {}
    if not isinstance(balances, dict):
        raise BadRequest('balances looks like {"USDT": "1000000"}')
    opening = {str(asset): _amount(amount, f"balance of {asset}") for asset, amount in balances.items()}
    if name not in exchange.state.wallets:
        if not opening:
            raise BadRequest(f"account {name} does not exist yet: give it balances")
        exchange.state.put_wallet(name, Wallet.opened(opening))
        exchange.commit()
    wallet = exchange.state.wallets[name]
    return compact(
        {
            "account": name,
            "api_key": api_key(name),
            "api_secret": api_secret(name),
            "balances": {
                asset: {"free": format(held.free, "f"), "locked": format(held.locked, "f")}
                for asset, held in sorted(wallet.holdings.items())
            },
        }
    )


def _time(request: dict[str, Any], name: str) -> datetime:
    value = request.get(name)
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise BadRequest(f"{name} {value!r} must be an ISO 8601 time with a zone, like 2020-03-12T10:00:00Z")
    return found


def _amount(value: Any, what: str) -> Decimal:
    try:
        amount = Decimal(value) if isinstance(value, (str, int)) else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or amount < 0:
        raise BadRequest(f"{what} {value!r} must be a decimal text that is not negative")
    return amount
