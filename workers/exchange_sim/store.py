"""The exchange's state in SQLite (WAL), one transaction a request: a kill -9 loses nothing that was committed.

`wall_ms` is when a row was first written, by the wall clock: chaos runs measure with it, nothing else reads it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import fields
from decimal import Decimal
from typing import Any

from trading.matching.model import Fill, Kind, Leg, Order, Phase, Side, Status, Tif
from trading.matching.order_lists import Contingency, ListStatus, OrderList
from trading.matching.wallet import Holding, Wallet

_SCHEMA = """
create table if not exists meta (key text primary key, value text not null) without rowid;
create table if not exists balances (account text, asset text, free text not null, locked text not null,
    primary key (account, asset)) without rowid;
create table if not exists orders (symbol text, order_id integer, account text not null, body text not null,
    wall_ms integer not null default (cast((julianday('now') - 2440587.5) * 86400000 as integer)),
    primary key (symbol, order_id)) without rowid;
create table if not exists trades (symbol text, trade_id integer, account text not null, body text not null,
    wall_ms integer not null default (cast((julianday('now') - 2440587.5) * 86400000 as integer)),
    primary key (symbol, trade_id)) without rowid;
create table if not exists order_lists (list_id integer primary key, account text not null, body text not null);
create table if not exists taken (account text, symbol text, candle_ms integer, quantity text not null,
    primary key (account, symbol)) without rowid;
create table if not exists entries (account text, symbol text, candle_ms integer, price text not null,
    primary key (account, symbol)) without rowid;
create table if not exists ambiguous (account text, symbol text, candle_ms integer,
    primary key (account, symbol, candle_ms)) without rowid;
create table if not exists answers (position integer primary key, request_id text, body text not null);
"""
_KEPT_ANSWERS = 256
_ENUMS: dict[str, type] = {"side": Side, "kind": Kind, "tif": Tif, "status": Status, "phase": Phase, "leg": Leg}
_LIST_ENUMS: dict[str, type] = {"contingency": Contingency, "status": ListStatus}


def _plain(value: Any) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else value


_DEFAULTS = {kind: tuple((f.name, f.default) for f in fields(kind)) for kind in (Order, Fill, OrderList)}
_encode = json.JSONEncoder(separators=(",", ":")).encode


def _dump(record: Order | Fill | OrderList) -> str:
    """What differs from the defaults: they come back when the record is read."""
    named = ((name, getattr(record, name), default) for name, default in _DEFAULTS[type(record)])
    return _encode({name: _plain(value) for name, value, default in named if value is not default})


_DECIMALS = {
    f.name for record in (Order, Fill) for f in fields(record) if isinstance(f.type, str) and "Decimal" in f.type
}


def _values(body: str) -> dict[str, Any]:
    raw: dict[str, Any] = json.loads(body)
    for name, value in raw.items():
        if value is None:
            continue
        if name in _DECIMALS:
            raw[name] = Decimal(value)
        elif name in _ENUMS:
            raw[name] = _ENUMS[name](value)
    return raw


class Store:
    """The database of one exchange process. Use from one thread; `write` is a transaction, all or nothing."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=normal")
        self._db.execute("pragma locking_mode=exclusive")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def meta(self, key: str) -> str | None:
        row = self._db.execute("select value from meta where key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def wallets(self) -> dict[str, Wallet]:
        found: dict[str, Wallet] = {}
        for account, asset, free, locked in self._db.execute("select account, asset, free, locked from balances"):
            found.setdefault(account, Wallet()).holdings[asset] = Holding(Decimal(free), Decimal(locked))
        return found

    def orders(self) -> Iterator[Order]:
        for (body,) in self._db.execute("select body from orders order by symbol, order_id"):
            yield Order(**_values(body))

    def trades(self) -> Iterator[Fill]:
        for (body,) in self._db.execute("select body from trades order by symbol, trade_id"):
            yield Fill(**_values(body))

    def lists(self) -> Iterator[OrderList]:
        for (body,) in self._db.execute("select body from order_lists order by list_id"):
            raw = json.loads(body)
            raw |= {name: kind(raw[name]) for name, kind in _LIST_ENUMS.items() if name in raw}
            yield OrderList(**raw | {"order_ids": tuple(raw["order_ids"])})

    def taken(self) -> dict[tuple[str, str], tuple[int, Decimal]]:
        rows = self._db.execute("select account, symbol, candle_ms, quantity from taken")
        return {(account, symbol): (candle, Decimal(quantity)) for account, symbol, candle, quantity in rows}

    def entries(self) -> dict[tuple[str, str], tuple[int, Decimal]]:
        rows = self._db.execute("select account, symbol, candle_ms, price from entries")
        return {(account, symbol): (candle, Decimal(price)) for account, symbol, candle, price in rows}

    def ambiguous(self) -> set[tuple[str, str, int]]:
        return {(a, s, c) for a, s, c in self._db.execute("select account, symbol, candle_ms from ambiguous")}

    def answer(self, request_id: str) -> str | None:
        row = self._db.execute(
            "select body from answers where request_id = ? order by position desc limit 1", (request_id,)
        ).fetchone()
        return None if row is None else str(row[0])

    def write(
        self,
        *,
        meta: dict[str, str],
        wallets: dict[str, Wallet],
        orders: Iterable[Order],
        lists: Iterable[OrderList],
        trades: Iterable[Fill],
        taken: dict[tuple[str, str], tuple[int, Decimal]],
        entries: dict[tuple[str, str], tuple[int, Decimal]],
        ambiguous: Iterable[tuple[str, str, int]],
        answer: tuple[str, str] | None,
    ) -> None:
        db = self._db
        db.execute("begin immediate")
        try:
            db.executemany("insert or replace into meta values (?, ?)", meta.items())
            db.executemany(
                "insert or replace into balances values (?, ?, ?, ?)",
                [
                    (account, asset, format(held.free, "f"), format(held.locked, "f"))
                    for account, wallet in wallets.items()
                    for asset, held in wallet.holdings.items()
                ],
            )
            db.executemany(
                "insert into orders (symbol, order_id, account, body) values (?, ?, ?, ?)"
                " on conflict do update set body = excluded.body",
                [(o.symbol, o.order_id, o.account, _dump(o)) for o in orders],
            )
            db.executemany(
                "insert or replace into order_lists values (?, ?, ?)",
                [(one.list_id, one.account, _dump(one)) for one in lists],
            )
            db.executemany(
                "insert into trades (symbol, trade_id, account, body) values (?, ?, ?, ?)",
                [(t.symbol, t.trade_id, t.account, _dump(t)) for t in trades],
            )
            for table, marks in (("taken", taken), ("entries", entries)):
                db.executemany(
                    f"insert or replace into {table} values (?, ?, ?, ?)",
                    [
                        (account, symbol, candle, format(value, "f"))
                        for (account, symbol), (candle, value) in marks.items()
                    ],
                )
            db.executemany("insert or ignore into ambiguous values (?, ?, ?)", ambiguous)
            if answer is not None:
                db.execute("insert into answers (request_id, body) values (?, ?)", answer)
                db.execute("delete from answers where position <= last_insert_rowid() - ?", (_KEPT_ANSWERS,))
            db.execute("commit")
        except BaseException:
            if db.in_transaction:
                db.execute("rollback")
            raise
