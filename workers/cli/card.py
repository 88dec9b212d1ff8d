"""A decision card as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any


def readable_card(card: Mapping[str, Any]) -> str:
    """The story of one decision: what was seen, who said what, what code found, what was done."""
    blocks = [
        f"{card['symbol']} as of {card['as_of']}  ({card['decision_id']}, playbook {card['playbook_version']})",
        f"plan of {card['plan']}" if card["plan"] else "no plan of the day: the policy alone applies",
        f"outcome: {card['outcome']}" + _because(card),
        f"market: trend {card['trend_regime']}, risk {card['risk_regime']}, {len(card['facts'])} facts",
    ]
    blocks += [_proposal(proposal) for proposal in card["proposals"]]
    blocks += [_finding(finding) for finding in card["findings"]]
    if card["fusion"]:
        blocks.append(_levels(card))
    blocks += [_gate(gate) for gate in card["risk"] or []]
    blocks += [_order(order) for order in card["orders"]]
    blocks.append(f"took {card['latency_ms']} ms, models cost {card['cost_usd']} USD")
    return "\n".join(blocks)


def _because(card: Mapping[str, Any]) -> str:
    reasons = [reason for account in card["accounts"] for reason in account.get("reasons", [])]
    return f" because {', '.join(dict.fromkeys(reasons))}" if reasons else ""


def _proposal(proposal: Mapping[str, Any]) -> str:
    said = proposal.get("action") or proposal.get("abstains_because") or "abstains"
    rules = " (rules, no language model)" if proposal.get("is_rule_based") else ""
    return (
        f"{proposal.get('role')}: {proposal.get('model')}{rules} says {said}, "
        f"confidence {number(proposal.get('confidence'))}, verdict {proposal.get('verdict')}"
    )


def _finding(finding: Mapping[str, Any]) -> str:
    return (
        f"  finding {finding['code']} ({finding['severity']}) at {finding['path']}: "
        f"expected {finding['expected']}, found {finding['found']}"
    )


def _levels(card: Mapping[str, Any]) -> str:
    entry = number(card["entry"]) if card["entry"] is not None else "at market"
    targets = ", ".join(number(target) for target in card["targets"]) or "none"
    return (
        f"fusion: {card['fusion']['outcome']}, size {number(card['size'])} of equity, entry {entry}, "
        f"stop {number(card['stop'])}, target {targets}, confidence {number(card['confidence'])}"
    )


def _gate(gate: Mapping[str, Any]) -> str:
    permit, who = gate.get("permit"), gate.get("account")
    if permit:
        return f"gate of {who}: permit for {number(permit['notional_usd'])} USD, bound by {gate['binding']}"
    return f"gate of {who}: refused, " + "; ".join(d["message"] for d in gate.get("denials", []))


def _order(order: Mapping[str, Any]) -> str:
    executed, quote = Decimal(str(order["executed_quantity"])), Decimal(str(order["executed_quote"]))
    price = f" at {number(quote / executed)}" if executed else ""
    trigger = f", triggers at {number(order['stop_price'])}" if order.get("stop_price") else ""
    return (
        f"order {order['leg']} {order['side']} {number(order['quantity'])}: {order['status']}, "
        f"filled {number(executed)}{price}{trigger}  ({order['client_order_id']})"
    )


def number(value: object) -> str:
    """A number as people read it: eight digits, no exponent."""
    if value is None:
        return "none"
    number = Decimal(str(value))
    text = f"{number:.8g}" if number else "0"
    return format(Decimal(text), "f")


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, empty: str) -> str:
    """Rows as aligned text; `empty` where there are none."""
    if not rows:
        return empty
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(column), *(len(line[i]) for line in cells)) for i, column in enumerate(columns)]
    lines = [[*columns], *cells]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, (list, tuple)):
        return ",".join(_cell(item) for item in value) or "-"
    return str(value)
