"""The HTTP face: Binance's REST paths and `/sim`, one request after the other, one transaction each."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trading.matching.model import Refusal
from workers.exchange_sim import administration, parameters
from workers.exchange_sim.administration import BadRequest
from workers.exchange_sim.config import SimConfig
from workers.exchange_sim.endpoints import Call, Endpoint
from workers.exchange_sim.exchange import Exchange, compact, open_exchange, wall_ms
from workers.exchange_sim.limits import LimitReached
from workers.exchange_sim.list_endpoints import LISTS, Halves
from workers.exchange_sim.market import iso
from workers.exchange_sim.private import PRIVATE
from workers.exchange_sim.public import PUBLIC
from workers.exchange_sim.quoted import follow_quotes
from workers.exchange_sim.signatures import SIGNED_PARAMETERS, account_of_key, check_signature

_log = logging.getLogger(__name__)
_JSON = "application/json"


def create_app(config: SimConfig) -> Starlette:
    """The exchange as an ASGI application. Opens its database at once and closes it with the application's lifespan.

    Raises `ValueError` for unusable candles or a database of another market.
    """
    exchange = open_exchange(config)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        quotes = None if config.quotes_url is None else asyncio.create_task(follow_quotes(exchange, config.quotes_url))
        yield
        if quotes is not None:
            quotes.cancel()
        exchange.close()

    routes = [
        Route("/sim/health", _simulated(exchange, _health), methods=["GET"]),
        Route("/sim/clock", _simulated(exchange, _read_clock), methods=["GET"]),
        Route("/sim/clock", _simulated(exchange, administration.advance), methods=["POST"]),
        Route("/sim/accounts", _simulated(exchange, administration.open_account), methods=["POST"]),
    ]
    routes += [Route(e.path, _binance(exchange, e), methods=[e.method]) for e in (*PUBLIC, *PRIVATE, *LISTS)]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.exchange = exchange
    return app


def _health(exchange: Exchange, request: dict[str, Any]) -> str:
    return compact({"status": "ok", **administration.clock(exchange), "symbols": list(exchange.markets)})


def _read_clock(exchange: Exchange, request: dict[str, Any]) -> str:
    return compact(administration.clock(exchange))


def _clock_shows(exchange: Exchange) -> dict[str, str]:
    """What the market's clock shows with an answer, so that nobody needs to ask for it beside."""
    return {"x-sim-now": iso(exchange.now_ms), "x-sim-mode": str(exchange.clock.mode)}


def _simulated(exchange: Exchange, handle: Callable[[Exchange, dict[str, Any]], str]) -> Any:
    async def endpoint(request: Request) -> Response:
        body = await request.body()
        try:
            asked = json.loads(body) if body else {}
        except json.JSONDecodeError as error:
            return _problem(400, f"the body is not JSON: {error}")
        if not isinstance(asked, dict):
            return _problem(400, "the body must be a JSON object")
        try:
            exchange.catch_up()
            return Response(handle(exchange, asked), media_type=_JSON, headers=_clock_shows(exchange))
        except BadRequest as refused:
            return _problem(refused.http_status, str(refused))
        except BaseException:
            exchange.abandon_changes()
            raise

    return endpoint


def _problem(status: int, message: str) -> Response:
    return Response(compact({"error": message}), status_code=status, media_type=_JSON)


def _binance(exchange: Exchange, endpoint: Endpoint) -> Any:
    async def serve(request: Request) -> Response:
        body = (await request.body()).decode("utf-8", "replace") if request.method != "GET" else ""
        key = request.headers.get("x-mbx-apikey")
        headers: dict[str, str] = {}
        try:
            exchange.catch_up()
            content = _answer(exchange, endpoint, request.scope["query_string"].decode("latin-1"), body, key, headers)
            headers |= _clock_shows(exchange)
            return Response(content, headers=headers, media_type=_JSON)
        except Halves as halves:
            exchange.commit()
            content = compact({"code": halves.code, "msg": halves.message, "data": halves.data})
            return Response(content, status_code=halves.http_status, headers=headers, media_type=_JSON)
        except Refusal as refusal:
            if isinstance(refusal, LimitReached) and refusal.retry_after_s is not None:
                headers["retry-after"] = str(refusal.retry_after_s)
            content = compact({"code": refusal.code, "msg": refusal.message})
            return Response(content, status_code=refusal.http_status, headers=headers, media_type=_JSON)
        except BaseException:
            exchange.abandon_changes()
            raise

    return serve


def _answer(
    exchange: Exchange, endpoint: Endpoint, query: str, body: str, key: str | None, headers: dict[str, str]
) -> str:
    now_ms = wall_ms()
    values = parameters.parse(query, body)
    used = exchange.limits.spend(endpoint.weight(values), market_ms=exchange.now_ms, wall_ms=now_ms)
    headers["x-mbx-used-weight"] = headers["x-mbx-used-weight-1m"] = str(used)
    account = ""
    if endpoint.signed:
        account = account_of_key(key, exchange.state.wallets)
        check_signature(account=account, query=query, body=body, values=values, wall_ms=now_ms)
        parameters.only(values, endpoint.parameters | SIGNED_PARAMETERS)
        values = {name: value for name, value in values.items() if name not in SIGNED_PARAMETERS}
    else:
        parameters.only(values, endpoint.parameters)
    call = Call(values=values, account=account, wall_ms=now_ms, headers=headers)
    content = endpoint.handle(exchange, call)
    if endpoint.changes:
        exchange.commit()
    return content
