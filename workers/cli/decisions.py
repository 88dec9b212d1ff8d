"""`perennial decisions`, `orders`, `positions`: what the records say. They start nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.card import number, readable_card, table
from workers.cli.command import command, group
from workers.cli.ending import Refusal, emit, run
from workers.cli.inputs import symbol_of
from workers.cli.place import records, settings_or_refusal

if TYPE_CHECKING:
    from activities.store.open import Store

Json = Annotated[bool, typer.Option("--json", help="one JSON object as the last line")]
Realm = Annotated[str, typer.Option(help="realm of the records; default: the profile's")]


def list_decisions(
    symbol: Annotated[str, typer.Option(help="only this symbol")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
    realm: Realm = "",
    json: Json = False,
) -> None:
    """Decisions, newest first.

    Example: perennial decisions list --symbol BTC/USDT
    """
    from activities.store.reading import decision_list

    name = symbol_of(symbol) if symbol else None
    rows = _read(realm, lambda store, where: decision_list(store, where, symbol=name, limit=limit))
    shown = [{**row, "outcome": _outcomes(row)} for row in rows]
    columns = ("as_of", "symbol", "cause", "outcome", "decision_id")
    emit({"decisions": rows}, as_json=json, text=table(shown, columns, empty="no decisions yet"))


def _outcomes(row: dict[str, Any]) -> str:
    accounts = row.get("accounts") or row.get("outcomes") or []
    if isinstance(accounts, dict):
        return ", ".join(f"{name}: {outcome}" for name, outcome in accounts.items())
    return str(row.get("outcome", "open"))


def show_decision(
    decision_id: Annotated[str, typer.Argument(help="as `perennial decisions list` shows it")],
    realm: Realm = "",
    json: Json = False,
) -> None:
    """One card: facts, proposals, findings, fusion, risk, orders.

    Example: perennial decisions show d0123456789abcdef0123456 --json
    """
    from activities.store.reading import decision_card

    card = _read(realm, lambda store, where: decision_card(store, where, decision_id))
    if card is None:
        raise Refusal(f"decision {decision_id!r} is unknown here: `perennial decisions list` shows the known ones")
    emit(card, as_json=json, text=readable_card(card))


def orders(
    account: Annotated[str, typer.Option(help="only this account")] = "", realm: Realm = "", json: Json = False
) -> None:
    """Orders with what the venue said of them, oldest first.

    Example: perennial orders --account composite --json
    """
    from activities.store.reading import order_list

    rows = _read(realm, lambda store, where: order_list(store, where, account=account or None))
    columns = ("as_of", "account", "symbol", "leg", "side", "type", "quantity", "executed_quantity", "status", "reason")
    shown = [{**row, "quantity": number(row["quantity"])} for row in rows]  # the intended one, before the venue's grid
    emit({"orders": rows}, as_json=json, text=table(shown, columns, empty="no orders yet"))


def positions(
    account: Annotated[str, typer.Option(help="only this account")] = "", realm: Realm = "", json: Json = False
) -> None:
    """Held positions, dust included.

    Example: perennial positions --json
    """
    from activities.store.reading import position_list

    rows = _read(realm, lambda store, where: position_list(store, where, account=account or None))
    columns = ("account", "symbol", "quantity", "average_price", "realised_pnl_usd", "mark_price")
    shown = [{**row, "average_price": number(row["average_price"])} for row in rows]
    emit({"positions": rows}, as_json=json, text=table(shown, columns, empty="nothing is held"))


def _read(realm: str, question: Callable[[Store, str], Awaitable[Any]]) -> Any:
    async def asked() -> Any:
        settings = settings_or_refusal()
        async with records(settings) as store:
            return await question(store, realm or settings.realm)

    return run(asked)


COMMANDS = {
    "decisions": group(
        "decisions", {"list": list_decisions, "show": show_decision}, help_text="List decisions, or show one card."
    ),
    "orders": command("orders", orders),
    "positions": command("positions", positions),
}
