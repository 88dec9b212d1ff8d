"""Reading the parameters of order lists: the legs, and which types may stand beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from trading.matching.model import STOPS, Kind, Leg, Refusal, Side
from workers.exchange_sim import parameters
from workers.exchange_sim.order_lists import ListDraft
from workers.exchange_sim.placing import Draft

_LEG = (
    *("Type", "Side", "Price", "Quantity", "StopPrice", "TrailingDelta", "IcebergQty", "TimeInForce"),
    *("ClientOrderId", "StrategyId", "StrategyType"),
)
_ONE = {"working": {"Type", "Side", "Price", "Quantity", "IcebergQty", "TimeInForce"}, "pending": set(_LEG)}
_OWN = {"ClientOrderId", "StrategyId", "StrategyType"}
_LIST = frozenset({"symbol", "listClientOrderId", "newOrderRespType", "selfTradePreventionMode"})


def _names(prefix: str, without: frozenset[str] = frozenset()) -> frozenset[str]:
    kept = (_ONE.get(prefix, set(_LEG) - {"Side", "Quantity"}) | _OWN) - without
    return frozenset(prefix + name for name in kept)


_QUANTITY = frozenset({"Quantity"})
OCO_PARAMETERS = _LIST | {"side", "quantity"} | _names("above") | _names("below")
OTO_PARAMETERS = _LIST | _names("working") | _names("pending")
OTOCO_PARAMETERS = (
    _LIST | _names("working") | {"pendingSide", "pendingQuantity"} | _names("pendingAbove") | _names("pendingBelow")
)
OPO_PARAMETERS = _LIST | _names("working") | _names("pending", _QUANTITY)
OPOCO_PARAMETERS = OTOCO_PARAMETERS - {"pendingQuantity"}


def oco(values: Mapping[str, str]) -> ListDraft:
    side = _side(values, "side")
    quantity = _quantity(values, "quantity")
    return ListDraft(pair=_pair(values, "above", "below", side, quantity), client_id=_list_id(values))


def oto(values: Mapping[str, str]) -> ListDraft:
    return _triggered(values, (_pending(values, _quantity(values, "pendingQuantity")),), pays_other=False)


def opo(values: Mapping[str, str]) -> ListDraft:
    return _triggered(values, (_pending(values, None),), pays_other=True)


def otoco(values: Mapping[str, str]) -> ListDraft:
    quantity = _quantity(values, "pendingQuantity")
    pair = _pair(values, "pendingAbove", "pendingBelow", _side(values, "pendingSide"), quantity)
    return _triggered(values, pair, pays_other=False)


def opoco(values: Mapping[str, str]) -> ListDraft:
    pair = _pair(values, "pendingAbove", "pendingBelow", _side(values, "pendingSide"), None)
    return _triggered(values, pair, pays_other=True)


def _list_id(values: Mapping[str, str]) -> str | None:
    return parameters.client_id(values, "listClientOrderId")


def _side(values: Mapping[str, str], name: str) -> Side:
    return parameters.choice(Side, parameters.required(values, name), -1117, "Invalid side.")


def _kind(values: Mapping[str, str], name: str) -> Kind:
    return parameters.choice(Kind, parameters.required(values, name), -1116, "Invalid orderType.")


def _quantity(values: Mapping[str, str], name: str) -> Decimal:
    parameters.required(values, name)
    quantity = parameters.decimal(values, name)
    assert quantity is not None
    return quantity


def _leg(values: Mapping[str, str], prefix: str, side: Side, kind: Kind, quantity: Decimal | None) -> Draft:
    own_id = parameters.client_id(values, f"{prefix}ClientOrderId")
    return parameters.shape(values, side=side, kind=kind, quantity=quantity, own_id=own_id, prefix=prefix)


def _pair(
    values: Mapping[str, str], above: str, below: str, side: Side, quantity: Decimal | None
) -> tuple[tuple[Leg, Draft], ...]:
    """Stop and target, the stop first; raises `Refusal` for types that make no pair."""
    above_kind, below_kind = _kind(values, f"{above}Type"), _kind(values, f"{below}Type")
    kinds = (above_kind, below_kind)
    if any(kind in (Kind.LIMIT, Kind.MARKET) for kind in kinds):
        raise Refusal(-1158, "Order type not supported in OCO.")
    if all(kind is Kind.LIMIT_MAKER for kind in kinds):
        raise Refusal(-1168, "At least one OCO order must be contingent.")
    if side is Side.BUY and above_kind is Kind.LIMIT_MAKER:
        raise Refusal(-1165, "A limit order in a buy OCO must be below.")
    if side is Side.SELL and below_kind is Kind.LIMIT_MAKER:
        raise Refusal(-1166, "A limit order in a sell OCO must be above.")
    if sum(kind in STOPS for kind in kinds) != 1:
        raise Refusal(-1158, "Order type not supported in OCO.")
    legs = [
        (Leg.ABOVE, _leg(values, above, side, above_kind, quantity)),
        (Leg.BELOW, _leg(values, below, side, below_kind, quantity)),
    ]
    return tuple(sorted(legs, key=lambda leg: leg[1].kind not in STOPS))


def _pending(values: Mapping[str, str], quantity: Decimal | None) -> tuple[Leg, Draft]:
    side, kind = _side(values, "pendingSide"), _kind(values, "pendingType")
    return Leg.PENDING, _leg(values, "pending", side, kind, quantity)


def _triggered(values: Mapping[str, str], pair: tuple[tuple[Leg, Draft], ...], *, pays_other: bool) -> ListDraft:
    side, kind = _side(values, "workingSide"), _kind(values, "workingType")
    if kind not in (Kind.LIMIT, Kind.LIMIT_MAKER):
        raise Refusal(-1116, "Invalid orderType.")
    if pays_other and (side is not Side.BUY or pair[0][1].side is not Side.SELL):
        raise Refusal(-1117, "Invalid side.")
    working = _leg(values, "working", side, kind, _quantity(values, "workingQuantity"))
    return ListDraft(pair=pair, working=working, client_id=_list_id(values), pays_other=pays_other)
