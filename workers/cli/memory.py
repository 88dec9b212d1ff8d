"""`perennial memory`: the lessons and experiences that reviews left, as decisions quote them. Reads records only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.card import table
from workers.cli.command import group
from workers.cli.ending import Refusal, emit, run
from workers.cli.inputs import symbol_of
from workers.cli.place import records, settings_or_refusal

if TYPE_CHECKING:
    from activities.store.open import Store

Json = Annotated[bool, typer.Option("--json", help="one JSON object as the last line")]
Realm = Annotated[str, typer.Option(help="realm of the records; default: the profile's")]


def list_memory(
    account: Annotated[str, typer.Option(help="only this account")] = "",
    symbol: Annotated[str, typer.Option(help="only this symbol")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
    realm: Realm = "",
    json: Json = False,
) -> None:
    """Lessons and experiences, newest first.

    Example: perennial memory list --symbol BTC/USDT --json
    """
    from activities.store.memory_list import memory_list

    name = symbol_of(symbol) if symbol else None
    rows = _read(
        realm, lambda store, where: memory_list(store, where, account=account or None, symbol=name, limit=limit)
    )
    shown = [{**row, "symbol": row["symbol"] or "", "what": row["memory"], "text": _sentence(row)} for row in rows]
    columns = ("period", "id", "account", "what", "symbol", "text")
    emit({"memory": rows}, as_json=json, text=table(shown, columns, empty="nothing was reviewed yet"))


def show_memory(
    memory_id: Annotated[str, typer.Argument(help="as `perennial memory list` or a decision's recall shows it")],
    realm: Realm = "",
    json: Json = False,
) -> None:
    """One lesson or experience with its evidence.

    Example: perennial memory show L0123456789a
    """
    from activities.store.memory_list import memory_item

    item = _read(realm, lambda store, where: memory_item(store, where, memory_id))
    if item is None:
        raise Refusal(f"memory {memory_id!r} is unknown here: `perennial memory list` shows the known ones")
    lines = [
        f"{name}: {', '.join(value) if isinstance(value, list) else value}"
        for name, value in item.items()
        if value is not None
    ]
    emit(item, as_json=json, text="\n".join(lines))


def _sentence(row: dict[str, Any]) -> str:
    """A lesson's text says all; an experience's needs its title."""
    title = row.get("title")
    return f"{title}: {row['text']}" if title else str(row["text"])


def _read(realm: str, question: Callable[[Store, str], Awaitable[Any]]) -> Any:
    async def asked() -> Any:
        settings = settings_or_refusal()
        async with records(settings) as store:
            return await question(store, realm or settings.realm)

    return run(asked)


COMMANDS = {
    "memory": group(
        "memory", {"list": list_memory, "show": show_memory}, help_text="List lessons and experiences, or show one."
    )
}
