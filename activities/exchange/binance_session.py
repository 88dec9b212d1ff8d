"""Requests to a Binance Spot REST interface: signature, venue clock, time limits, throttle. It knows no orders."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import httpx

from activities.exchange.port import VenueRefused, VenueUnavailable
from activities.exchange.throttle import Throttle
from trading.orders.answers import Answered, Transport, classify
from trading.orders.models import OutcomeClass

CONNECT_TIMEOUT_S = 2.0
TOTAL_TIMEOUT_S = 5.0
"""An order request expires after 3 s: an answer that takes longer than 5 says nothing that asking would not."""
MARKET_TIME_HEADER = "x-sim-now"
CLOCK_TTL_S = 60.0
"""A quartz clock drifts a few milliseconds a minute: far inside a window of 3 s."""

Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Credential:
    """An account's key at the venue; the secret never leaves this process and is not shown."""

    api_key: str
    secret: str = field(repr=False)


CredentialSource = Mapping[str, Credential] | Callable[[str], Credential]


def simulated_credential(account: str) -> Credential:
    """The key that the simulated exchange gives every account: derived from its name, worth nothing elsewhere."""
    return Credential(api_key=f"sim-{account}", secret=hashlib.sha256(f"perennial-sim|{account}".encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, or the way in which there was none; `held_s` is set where nothing was sent at all."""

    answered: Answered
    payload: Any = None
    retry_after_s: Decimal | None = None
    held_s: Decimal | None = None


class BinanceSession:
    """One connection pool, one venue clock and one throttle for all accounts of a venue.

    `act` never raises for what the network or the venue does; `ask` raises `VenueUnavailable` or `VenueRefused`.
    `heard_market_time` is what a simulated venue's market clock showed with its newest answer, `None` elsewhere.
    """

    def __init__(
        self,
        *,
        base_url: str,
        credentials: CredentialSource,
        transport: httpx.AsyncBaseTransport | None = None,
        total_timeout_s: float = TOTAL_TIMEOUT_S,
    ) -> None:
        self._credentials = credentials
        self._total_timeout_s = total_timeout_s
        self._http = httpx.AsyncClient(
            base_url=base_url,
            timeout=httpx.Timeout(total_timeout_s, connect=min(CONNECT_TIMEOUT_S, total_timeout_s)),
            limits=httpx.Limits(max_connections=20, max_keepalive_connections=10, keepalive_expiry=30.0),
            trust_env=False,
            follow_redirects=False,
            transport=transport,
        )
        self._venue_minus_monotonic_s: float | None = None
        self._measured_at_s = 0.0
        self.heard_market_time: datetime | None = None
        self.throttle = Throttle(clock_s=self._throttle_clock_s)

    async def aclose(self) -> None:
        await self._http.aclose()

    # -- the venue's clock -------------------------------------------------------------------------------------------

    async def measured_time(self) -> datetime:
        """Ask the venue for its time; the middle of the round trip is taken as the moment of the answer."""
        before_s = time.monotonic()
        payload = await self.ask("GET", "/api/v3/time", (), weight=1, protective=True)
        after_s = time.monotonic()
        venue_s = int(payload["serverTime"]) / 1000
        self._venue_minus_monotonic_s = venue_s - (before_s + after_s) / 2
        self._measured_at_s = after_s
        return _utc(venue_s)

    async def venue_now(self) -> datetime:
        """The venue's time by our monotonic clock, measured anew each minute and after a -1021."""
        if self._venue_minus_monotonic_s is None or time.monotonic() - self._measured_at_s > CLOCK_TTL_S:
            await self.measured_time()
        return self.estimated_now()

    def estimated_now(self) -> datetime:
        """The venue's time without asking; our own where it was never measured."""
        if self._venue_minus_monotonic_s is None:
            return datetime.now(UTC)
        return _utc(time.monotonic() + self._venue_minus_monotonic_s)

    # -- requests ----------------------------------------------------------------------------------------------------

    async def act(self, method: str, path: str, fields: Fields, *, account: str, protective: bool) -> Reply:
        """Send an order request exactly as `fields` say, signed. Held back where the throttle leaves it no room."""
        order_of = account if method == "POST" else None
        wait_s = self.throttle.wait_s(weight=1, protective=protective, order_of=order_of)
        if wait_s is not None:
            return Reply(answered=Answered(message=f"held back for {wait_s} s by the rate limit"), held_s=wait_s)
        try:
            return await self._exchange(method, path, fields, account=account)
        except VenueRefused as missing:  # no key to sign with: nothing left this process
            return Reply(answered=Answered(transport=Transport.NEVER_CONNECTED, message=str(missing)))

    async def ask(
        self,
        method: str,
        path: str,
        fields: Fields,
        *,
        weight: int,
        account: str | None = None,
        protective: bool = False,
    ) -> Any:
        """The payload of a question. Raises `VenueUnavailable` where asking again may help, else `VenueRefused`."""
        wait_s = self.throttle.wait_s(weight=weight, protective=protective)
        if wait_s is not None:
            raise VenueUnavailable(f"{path}: held back for {wait_s} s by the rate limit", retry_after_s=wait_s)
        if account is not None:
            stamped_at = await self.venue_now()
            fields = (*fields, ("recvWindow", "5000"), ("timestamp", str(milliseconds(stamped_at))))
        reply = await self._exchange(method, path, fields, account=account)
        answered = reply.answered
        if answered.http_status == 200 and answered.code is None and reply.payload is not None:
            return reply.payload
        what = f"{path}: {describe(answered)}"
        meaning = classify(answered)
        if meaning.outcome is OutcomeClass.REFUSED or _is_plain_refusal(answered):
            raise VenueRefused(what, code=answered.code)
        raise VenueUnavailable(what, retry_after_s=reply.retry_after_s)

    async def _exchange(self, method: str, path: str, fields: Fields, *, account: str | None) -> Reply:
        query = urlencode(fields)
        headers = {}
        if account is not None:
            credential = self._credential(account)
            signature = hmac.new(credential.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
            query = f"{query}&signature={signature}"
            headers["X-MBX-APIKEY"] = credential.api_key
        in_body = method == "POST"
        if in_body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        url = path if in_body or not query else f"{path}?{query}"
        try:
            async with asyncio.timeout(self._total_timeout_s):
                response = await self._http.request(method, url, content=query if in_body else None, headers=headers)
        except (TimeoutError, httpx.RequestError) as error:
            return Reply(answered=Answered(transport=_transport(error), message=f"{type(error).__name__}: {error}"))
        return self._read(response, account)

    def _read(self, response: httpx.Response, account: str | None) -> Reply:
        self.throttle.saw(response.headers, account=account)
        shown = response.headers.get(MARKET_TIME_HEADER)
        self.heard_market_time = None if shown is None else datetime.fromisoformat(shown)
        payload = _json(response)
        error = payload if isinstance(payload, dict) and "msg" in payload and "code" in payload else {}
        code = error.get("code")
        answered = Answered(
            http_status=response.status_code,
            code=code if isinstance(code, int) and code < 0 else None,
            message=str(error.get("msg", "")) if error else ("" if payload is not None else response.text[:200]),
            is_order=isinstance(payload, dict) and ("orderId" in payload or "orderReports" in payload),
        )
        retry_after_s = _seconds(response.headers.get("Retry-After"))
        if response.status_code in (418, 429):
            retry_after_s = self.throttle.must_pause(retry_after_s)
        if answered.code == -1021:
            self._venue_minus_monotonic_s = None
        return Reply(answered=answered, payload=payload, retry_after_s=retry_after_s)

    def _credential(self, account: str) -> Credential:
        if callable(self._credentials):
            try:
                return self._credentials(account)
            except ValueError as missing:
                raise VenueRefused(str(missing)) from None
        try:
            return self._credentials[account]
        except KeyError:
            known = ", ".join(sorted(self._credentials)) or "none"
            raise VenueRefused(f"account {account!r} has no key for this venue; accounts with one: {known}") from None

    def _throttle_clock_s(self) -> float:
        return self.estimated_now().timestamp()


def milliseconds(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def describe(answered: Answered) -> str:
    """One line about an answer, for messages: status, code and text, or how the request was lost."""
    if answered.transport is not None:
        return f"{answered.transport} ({answered.message})"
    parts = [f"HTTP {answered.http_status}" if answered.http_status is not None else "not sent"]
    if answered.code is not None:
        parts.append(str(answered.code))
    return " ".join([*parts, answered.message]).strip()


def _is_plain_refusal(answered: Answered) -> bool:
    """A question that a client error names for good: asking it again brings the same answer."""
    if answered.http_status is None or not 400 <= answered.http_status < 500 or answered.http_status in (408, 418, 429):
        return False
    return answered.code is not None and answered.code not in (-1000, -1001, -1003, -1006, -1007, -1008, -1015, -1021)


def _transport(error: BaseException) -> Transport:
    if isinstance(error, httpx.ConnectError):
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, socket.gaierror):
                return Transport.NAME_UNRESOLVED
            if isinstance(cause, ConnectionRefusedError):
                return Transport.CONNECT_REFUSED
            cause = cause.__cause__ or cause.__context__
        return Transport.NEVER_CONNECTED
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return Transport.NEVER_CONNECTED
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return Transport.TIMED_OUT
    return Transport.RESET


def _json(response: httpx.Response) -> Any:
    try:
        return json.loads(response.content)
    except ValueError:
        return None


def _seconds(text: str | None) -> Decimal | None:
    """A Retry-After in seconds; a date or nonsense is `None`, and the throttle's default applies."""
    return Decimal(text) if text is not None and text.strip().isdigit() else None


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
