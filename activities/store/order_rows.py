"""Rows of orders and fills as what they say: intents, reports and fills."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import RowMapping

from activities.exchange.port import PreparedOrder
from activities.store.ports.journal import Intent
from trading.money import ZERO
from trading.orders.models import Fill, Leg, OrderReport, OrderRequest, OrderStatus, OutcomeClass, Side

REQUEST_COLUMNS = tuple(OrderRequest.model_fields)
BESIDE = TypeAdapter(tuple[OrderRequest, ...])


def fill_of(row: RowMapping) -> Fill:
    return Fill(**{name: row[name] for name in Fill.model_fields})


def intent_of(row: RowMapping) -> Intent:
    beside = BESIDE.validate_json(row["beside"]) if row["beside"] else ()
    request = OrderRequest(**{name: row[name] for name in REQUEST_COLUMNS} | {"beside": beside})
    status = OrderStatus(row["status"])
    return Intent(
        request=request,
        prepared=PreparedOrder.model_validate_json(row["prepared"]),
        status=status,
        sends=row["sends"],
        report=None if status is OrderStatus.INTENDED and not row["sends"] else report_of(row),
        venue_order_id=row["venue_order_id"],
    )


def report_of(row: RowMapping | dict[str, Any]) -> OrderReport:
    return OrderReport(
        client_order_id=row["client_order_id"],
        status=OrderStatus(row["status"]),
        outcome=OutcomeClass(row["outcome"]),
        side=Side(row["side"]),
        leg=Leg(row["leg"]),
        executed_quantity=row["executed_quantity"],
        executed_quote=row["executed_quote"],
        commission_base=row["commission_base"],
        commission_quote=row["commission_quote"],
        missing_quantity=max(row["venue_executed_quantity"] - row["executed_quantity"], ZERO),
        code=row["code"],
        reason=row["reason"],
        observed_at=row["observed_at"],
    )
