"""Reading Binance parameters: each failure with the code and message Binance gives it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar
from urllib.parse import parse_qsl

from trading.matching.model import PRICED, TIMED, TRIGGERED, ZERO, Kind, Refusal, Side, Tif
from workers.exchange_sim.placing import Draft

_DECIMAL = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_INTEGER = r"^[0-9]{1,20}$"
_CLIENT_ID = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
_PLACES = 8
Choice = TypeVar("Choice", bound=StrEnum)

ORDER_PARAMETERS = frozenset(
    {
        *(
            "symbol",
            "side",
            "type",
            "timeInForce",
            "quantity",
            "quoteOrderQty",
            "price",
            "newClientOrderId",
            "stopPrice",
        ),
        *("icebergQty", "trailingDelta", "strategyId", "strategyType", "newOrderRespType", "selfTradePreventionMode"),
        "computeCommissionRates",
    }
)


def parse(query: str, body: str) -> dict[str, str]:
    """Both sources as one mapping; the query string wins. Raises `Refusal` (-1101) for a name twice in one source."""
    found: dict[str, str] = {}
    for source in (body, query):
        pairs = parse_qsl(source, keep_blank_values=True)
        if len({name for name, _ in pairs}) < len(pairs):
            raise Refusal(-1101, "Duplicate values for a parameter detected.")
        found.update(pairs)
    return found


def only(values: Mapping[str, str], known: frozenset[str]) -> None:
    """Raise `Refusal` (-1104) where a parameter was sent that the endpoint does not read."""
    read = sum(name in known for name in values)
    if read < len(values):
        raise Refusal(
            -1104, f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{len(values)}'."
        )


def text(values: Mapping[str, str], name: str) -> str | None:
    value = values.get(name)
    if value == "":
        raise Refusal(-1105, f"Parameter '{name}' was empty.")
    return value


def required(values: Mapping[str, str], name: str) -> str:
    value = values.get(name)
    if not value:
        raise missing(name)
    return value


def missing(name: str) -> Refusal:
    return Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def integer(values: Mapping[str, str], name: str) -> int | None:
    value = text(values, name)
    if value is None:
        return None
    _legal(name, value, _INTEGER)
    return int(value)


def limit(values: Mapping[str, str], *, default: int = 500, most: int = 1000) -> int:
    """A page size: 1 to `most`."""
    value = integer(values, "limit")
    if value is None:
        return default
    if value < 1:
        raise Refusal(-1130, "Data sent for parameter 'limit' is not valid.")
    return min(value, most)


def decimal(values: Mapping[str, str], name: str) -> Decimal | None:
    value = text(values, name)
    if value is None:
        return None
    _legal(name, value, _DECIMAL)
    if len(value.partition(".")[2].rstrip("0")) > _PLACES:
        raise Refusal(-1111, f"Parameter '{name}' has too much precision.")
    return Decimal(value)


def client_id(values: Mapping[str, str], name: str) -> str | None:
    value = text(values, name)
    if value is not None:
        _legal(name, value, _CLIENT_ID)
    return value


def _legal(name: str, value: str, pattern: str) -> None:
    if not re.match(pattern, value):
        raise Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{pattern}'.")


def choice(kind: type[Choice], value: str, code: int, message: str) -> Choice:
    try:
        return kind(value)
    except ValueError:
        raise Refusal(code, message) from None


def draft(values: Mapping[str, str]) -> Draft:
    """The order that the parameters describe, or the refusal for what is missing, superfluous or malformed."""
    side = choice(Side, required(values, "side"), -1117, "Invalid side.")
    kind = choice(Kind, required(values, "type"), -1116, "Invalid orderType.")
    quantity, quote_quantity = decimal(values, "quantity"), decimal(values, "quoteOrderQty")
    if kind is Kind.MARKET and quantity is None and quote_quantity is None:
        raise Refusal(-1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!")
    if kind is Kind.MARKET and quantity is not None and quote_quantity is not None:
        raise Refusal(-1128, "Combination of optional parameters invalid.")
    if kind is not Kind.MARKET and quantity is None:
        raise missing("quantity")
    if quote_quantity is not None and kind is not Kind.MARKET:
        raise Refusal(-1106, "Parameter 'quoteOrderQty' sent when not required.")
    if quote_quantity is not None and quote_quantity <= 0:
        raise Refusal(-1013, "Invalid quote order qty.")
    own_id = client_id(values, "newClientOrderId")
    shaped = shape(values, side=side, kind=kind, quantity=quantity, own_id=own_id)
    return replace(shaped, quote_quantity=quote_quantity)


def shape(
    values: Mapping[str, str],
    *,
    side: Side,
    kind: Kind,
    quantity: Decimal | None,
    own_id: str | None,
    prefix: str = "",
) -> Draft:
    """The prices, times and sizes of an order of this type; in a list their names begin with the leg's `prefix`."""

    def named(name: str) -> str:
        return prefix + name[0].upper() + name[1:] if prefix else name

    price, stop_price = decimal(values, named("price")), decimal(values, named("stopPrice"))
    tif_text, bips = text(values, named("timeInForce")), integer(values, named("trailingDelta"))
    tif = None if tif_text is None else choice(Tif, tif_text, -1115, "Invalid timeInForce.")
    iceberg = decimal(values, named("icebergQty"))
    if kind in TRIGGERED and stop_price is None and bips is None:
        both = f"Param '{named('stopPrice')}' or '{named('trailingDelta')}' must be sent, but both were empty/null!"
        raise Refusal(-1102, both)
    rows = (
        ("price", price, kind in PRICED, kind in PRICED),
        ("stopPrice", stop_price, kind in TRIGGERED, False),
        ("trailingDelta", bips, kind in TRIGGERED, False),
        ("timeInForce", tif, kind in TIMED, kind in TIMED),
        ("icebergQty", iceberg, kind in PRICED, False),
    )
    for name, value, is_allowed, is_needed in rows:
        if is_needed and value is None:
            raise missing(named(name))
        if not is_allowed and value is not None:
            raise Refusal(-1106, f"Parameter '{named(name)}' sent when not required.")
    for name, amount in (("quantity", quantity), ("price", price), ("stopPrice", stop_price)):
        if amount is not None and amount <= 0:
            raise Refusal(-1013, f"Invalid {name}.")
    if iceberg:
        if tif not in (None, Tif.GTC):
            raise Refusal(
                -1160, f"Parameter '{named('icebergQty')}' is only supported if '{named('timeInForce')}' is GTC."
            )
        if quantity is not None and iceberg > quantity:
            raise Refusal(-2010, "IcebergQty exceeds QTY.")
    return Draft(
        side=side,
        kind=kind,
        quantity=quantity,
        price=price,
        stop_price=stop_price,
        tif=tif,
        client_id=own_id,
        trailing_bips=bips,
        iceberg=iceberg or ZERO,
    )
