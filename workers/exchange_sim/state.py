"""The exchange's state in memory, loaded from and written through to the store."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from decimal import Decimal

from trading.matching.model import TRIGGERED, ZERO, Fill, Order, Phase
from trading.matching.order_lists import OrderList
from trading.matching.wallet import Wallet
from workers.exchange_sim.store import Store


class State:
    """Wallets, orders and trades of all accounts, and what changed since the last `commit`.

    A request changes memory, then commits once. Where it fails in between, `reload` puts memory back to the store.
    """

    def __init__(self, store: Store, *, now_ms: int) -> None:
        self._store = store
        self._begin_ms = now_ms
        self.reload()

    def reload(self) -> None:
        store = self._store
        self._clear_changes()
        self.now_ms = int(store.meta("now_ms") or self._begin_ms)
        self.wallets: dict[str, Wallet] = store.wallets()
        self.orders: dict[tuple[str, int], Order] = {}
        self.open_orders: dict[str, dict[int, Order]] = defaultdict(dict)
        self._order_ids: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._by_client: dict[tuple[str, str, str], list[int]] = defaultdict(list)
        self.trades: dict[tuple[str, str], list[Fill]] = defaultdict(list)
        self._trade_ids: set[tuple[str, int]] = set()
        self.taken = store.taken()
        self.lists: dict[int, OrderList] = {}
        self._lists_by_client: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._open_lists: dict[tuple[str, str], set[int]] = defaultdict(set)
        self.entries = store.entries()
        self.ambiguous = store.ambiguous()
        for order in store.orders():
            self._index(order)
        for fill in store.trades():
            self._index_trade(fill)
        for order_list in store.lists():
            self._index_list(order_list)

    def _clear_changes(self) -> None:
        self._changed_wallets: set[str] = set()
        self._changed_orders: dict[tuple[str, int], Order] = {}
        self._changed_lists: dict[int, OrderList] = {}
        self._new_trades: list[Fill] = []
        self._changed_taken: set[tuple[str, str]] = set()
        self._changed_entries: set[tuple[str, str]] = set()
        self._new_ambiguous: set[tuple[str, str, int]] = set()

    def _index(self, order: Order) -> None:
        key = (order.symbol, order.order_id)
        if key not in self.orders:
            insort(self._order_ids[order.account, order.symbol], order.order_id)
            self._by_client[order.account, order.symbol, order.client_id].append(order.order_id)
        self.orders[key] = order
        if order.is_open:
            self.open_orders[order.symbol][order.order_id] = order
        else:
            self.open_orders[order.symbol].pop(order.order_id, None)

    def _index_trade(self, fill: Fill) -> None:
        insort(self.trades[fill.account, fill.symbol], fill, key=lambda f: f.trade_id)
        self._trade_ids.add((fill.symbol, fill.trade_id))

    def _index_list(self, order_list: OrderList) -> None:
        if order_list.list_id not in self.lists:
            self._lists_by_client[order_list.account, order_list.client_id].append(order_list.list_id)
        self.lists[order_list.list_id] = order_list
        open_lists = self._open_lists[order_list.account, order_list.symbol]
        (open_lists.add if order_list.is_open else open_lists.discard)(order_list.list_id)

    def put_list(self, order_list: OrderList) -> None:
        self._index_list(order_list)
        self._changed_lists[order_list.list_id] = order_list

    def put_wallet(self, account: str, wallet: Wallet) -> None:
        self.wallets[account] = wallet
        self._changed_wallets.add(account)

    def touch_wallet(self, account: str) -> None:
        self._changed_wallets.add(account)

    def put_order(self, order: Order) -> None:
        self._index(order)
        self._changed_orders[order.symbol, order.order_id] = order

    def put_trade(self, fill: Fill) -> None:
        self._index_trade(fill)
        self._new_trades.append(fill)

    def put_taken(self, account: str, symbol: str, candle_ms: int, quantity: Decimal) -> None:
        self.taken[account, symbol] = (candle_ms, quantity)
        self._changed_taken.add((account, symbol))

    def put_entry(self, account: str, symbol: str, candle_ms: int, price: Decimal) -> None:
        self.entries[account, symbol] = (candle_ms, price)
        self._changed_entries.add((account, symbol))

    def put_ambiguous(self, account: str, symbol: str, candle_ms: int) -> None:
        self.ambiguous.add((account, symbol, candle_ms))
        self._new_ambiguous.add((account, symbol, candle_ms))

    def taken_of(self, symbol: str, candle_ms: int) -> dict[str, Decimal]:
        """What each account has taken of this candle."""
        return {
            account: quantity
            for (account, named), (candle, quantity) in self.taken.items()
            if named == symbol and candle == candle_ms and quantity > ZERO
        }

    def orders_of(self, account: str, symbol: str) -> list[Order]:
        """Every order of the account on the symbol, by id."""
        return [self.orders[symbol, number] for number in self._order_ids[account, symbol]]

    def open_of(self, account: str, symbol: str | None = None) -> list[Order]:
        symbols = [symbol] if symbol is not None else sorted(self.open_orders)
        found = [o for s in symbols for o in self.open_orders[s].values() if o.account == account]
        return sorted(found, key=lambda o: (o.symbol, o.order_id))

    def algo_count(self, account: str, symbol: str) -> int:
        """Triggered orders in the engine; legs that wait for their working order do not count yet."""
        found = self.open_orders[symbol].values()
        return sum(o.account == account and o.kind in TRIGGERED and o.phase is not Phase.WAITING for o in found)

    def iceberg_count(self, account: str, symbol: str) -> int:
        return sum(o.account == account and o.iceberg > ZERO for o in self.open_orders[symbol].values())

    def legs_of(self, order_list: OrderList) -> list[Order]:
        """The list's orders: the working one first, then stop and target."""
        return [self.orders[order_list.symbol, number] for number in order_list.order_ids]

    def lists_of(self, account: str) -> list[OrderList]:
        """Every list of the account, by id."""
        found = (one for one in self.lists.values() if one.account == account)
        return sorted(found, key=lambda one: one.list_id)

    def open_lists_of(self, account: str, symbol: str) -> int:
        return len(self._open_lists[account, symbol])

    def list_uses_of(self, account: str, client_id: str) -> int:
        return len(self._lists_by_client[account, client_id])

    def list_by_client(self, account: str, client_id: str) -> OrderList | None:
        """The open list under the id, else the latest closed one."""
        found = [self.lists[number] for number in self._lists_by_client[account, client_id]]
        return max(found, key=lambda one: (one.is_open, one.use), default=None)

    def free_list_id(self, wanted: int) -> int:
        """`wanted`, or the next number nobody has."""
        while wanted in self.lists:
            wanted += 1
        return wanted

    def uses_of(self, account: str, symbol: str, client_id: str) -> int:
        return len(self._by_client[account, symbol, client_id])

    def by_client(self, account: str, symbol: str, client_id: str) -> Order | None:
        """The open order under the id, else the latest closed one."""
        found = [self.orders[symbol, number] for number in self._by_client[account, symbol, client_id]]
        return max(found, key=lambda o: (o.is_open, o.use), default=None)

    def free_order_id(self, symbol: str, wanted: int) -> int:
        """`wanted`, or the next number nobody has: two hashes of one second can meet."""
        while (symbol, wanted) in self.orders:
            wanted += 1
        return wanted

    def has_trade(self, symbol: str, trade: int) -> bool:
        return (symbol, trade) in self._trade_ids

    @property
    def has_changes(self) -> bool:
        return bool(self._changed_wallets or self._changed_orders or self._new_trades or self._changed_lists)

    def answer(self, request_id: str) -> str | None:
        return self._store.answer(request_id)

    def meta(self, key: str) -> str | None:
        return self._store.meta(key)

    def commit(self, *, answer: tuple[str, str] | None = None, meta: dict[str, str] | None = None) -> None:
        """Write every change and the clock in one transaction."""
        self._store.write(
            meta={"now_ms": str(self.now_ms), **(meta or {})},
            wallets={account: self.wallets[account] for account in self._changed_wallets},
            orders=self._changed_orders.values(),
            lists=self._changed_lists.values(),
            trades=self._new_trades,
            taken={key: self.taken[key] for key in self._changed_taken},
            entries={key: self.entries[key] for key in self._changed_entries},
            ambiguous=self._new_ambiguous,
            answer=answer,
        )
        self._clear_changes()
