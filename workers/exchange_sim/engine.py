"""The matching engine: takes and cancels orders at the market's present instant and runs the market forward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal

from trading.matching.book import ask_at, bid_at
from trading.matching.candle_run import steps_at
from trading.matching.draws import draw, order_id
from trading.matching.fills import LATENCY_MS, FillModel, Step, cancel, expire, held_target, next_instant
from trading.matching.filters import check_counts, check_notional_of_quote, check_order, down_to, up_to
from trading.matching.model import PRICED, STOPS, ZERO, Bar, Kind, Order, Refusal, Side, Tif
from trading.matching.path import first_touch, price_at
from workers.exchange_sim.market import Market
from workers.exchange_sim.state import State

_MARGIN = Decimal("1.01")
_EIGHT = Decimal("0.00000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An order as it arrived, shape already checked."""

    side: Side
    kind: Kind
    quantity: Decimal | None
    quote_quantity: Decimal | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    tif: Tif | None = None
    client_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A price somebody waits for; it counts from `not_before_ms` on, and fires while the path is at or beyond it."""

    id: str
    symbol: str
    above: bool
    price: Decimal
    not_before_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    kind: str
    symbol: str
    account: str | None = None
    client_order_id: str | None = None
    level_id: str | None = None
    price: Decimal | None = None


class Engine:
    """All symbols and accounts of one exchange. Time is `state.now_ms` and moves only through `advance`."""

    def __init__(self, markets: Mapping[str, Market], state: State, model: FillModel) -> None:
        self.markets = dict(markets)
        self.state = state
        self.model = model

    def place(self, account: str, market: Market, draft: Draft, *, only_test: bool = False) -> Order | None:
        """Accept an order at the present instant, or raise `Refusal`; it meets prices after its latency."""
        state, now_ms = self.state, self.state.now_ms
        if market.has_ended(now_ms):
            raise Refusal(-1013, "Market is closed.")
        client_id = draft.client_id or self._own_client_id(account, market)
        held = state.by_client(account, market.symbol, client_id)
        if held is not None and held.is_open:
            raise Refusal(-2010, "Duplicate order sent.")
        known = market.known(now_ms).price
        filters = market.venue.filters
        if draft.quantity is None:
            assert draft.quote_quantity is not None
            check_notional_of_quote(filters, draft.quote_quantity)
        else:
            check_order(
                filters,
                side=draft.side,
                kind=draft.kind,
                quantity=draft.quantity,
                price=draft.price,
                stop_price=draft.stop_price,
                known_price=known,
            )
        self._check_against_price(market, draft, known)
        check_counts(
            filters,
            kind=draft.kind,
            open_orders=len(state.open_of(account, market.symbol)),
            open_algo_orders=state.algo_count(account, market.symbol),
        )
        wallet = state.wallets[account]
        pays = market.venue.quote if draft.side is Side.BUY else market.venue.base
        amount = self._lock(market, draft, known, wallet.free(pays))
        if only_test:
            if wallet.free(pays) < amount:
                raise Refusal(-2010, "Account has insufficient balance for requested action.")
            return None
        wallet.lock(pays, amount)
        order = self._accepted(account, market, draft, client_id, amount)
        state.touch_wallet(account)
        state.put_order(order)
        return order

    def cancel(self, order: Order) -> Order:
        """Cancel an open order now, or raise `Refusal` (-2011)."""
        if not order.is_open:
            raise Refusal(-2011, "Unknown order sent.")
        market = self.markets[order.symbol]
        after = cancel(order, self.state.now_ms)
        self._settle(market, order, Step(after, None, True), None)
        return after

    def advance(self, to_ms: int, levels: Sequence[Level] = ()) -> list[Event]:
        """Run to `to_ms`, or to the first instant with an event, and return all events of that instant."""
        while self.state.now_ms < to_ms:
            at_ms = self._next_instant(to_ms, levels)
            self.state.now_ms = to_ms if at_ms is None else at_ms
            if at_ms is not None and (events := self._act_at(at_ms, levels)):
                return events
        return []

    def ambiguous_candles(self) -> int:
        """How many candles, already closed, held two of an account's prices in an order nobody can know."""
        now_ms = self.state.now_ms
        return sum(
            candle + self.markets[symbol].step_ms <= now_ms
            for _, symbol, candle in self.state.ambiguous
            if symbol in self.markets
        )

    def _own_client_id(self, account: str, market: Market) -> str:
        count = len(self.state.orders_of(account, market.symbol))
        return f"sim{draw('client', self.model.seed, account, market.symbol, self.state.now_ms, count):016x}"

    def _check_against_price(self, market: Market, draft: Draft, known: Decimal) -> None:
        """Refuse what the engine refuses on sight; a stop, where it is beyond both the known and the traded price."""
        tick = market.venue.filters.tick
        if draft.kind is Kind.LIMIT_MAKER:
            assert draft.price is not None
            takes = draft.price >= ask_at(known, tick) if draft.side is Side.BUY else draft.price <= bid_at(known, tick)
            if takes:
                raise Refusal(-2010, "Order would immediately match and take.")
        if draft.kind in STOPS:
            assert draft.stop_price is not None
            bar = market.bar_at(self.state.now_ms)
            traded = price_at(bar, self.state.now_ms) if bar is not None else known
            selling = draft.side is Side.SELL
            if all(draft.stop_price >= p if selling else draft.stop_price <= p for p in (known, traded)):
                raise Refusal(-2010, "Stop price would trigger immediately.")

    def _lock(self, market: Market, draft: Draft, known: Decimal, free: Decimal) -> Decimal:
        """What the order holds until it is done; an order without a limit price holds a margin where there is one."""
        filters = market.venue.filters
        if draft.side is Side.SELL:
            if draft.quantity is not None:
                return draft.quantity
            assert draft.quote_quantity is not None
            needed = up_to(draft.quote_quantity / bid_at(known, filters.tick), filters.step)
            return self._with_margin(needed, free)
        if draft.quantity is None:
            assert draft.quote_quantity is not None
            return draft.quote_quantity
        if draft.kind in PRICED:
            assert draft.price is not None
            return draft.quantity * draft.price
        reference = draft.stop_price if draft.stop_price is not None else ask_at(known, filters.tick)
        return self._with_margin(draft.quantity * reference, free)

    @staticmethod
    def _with_margin(needed: Decimal, free: Decimal) -> Decimal:
        wide = (needed * _MARGIN).quantize(_EIGHT, rounding=ROUND_CEILING)
        return max(needed, min(wide, down_to(free, _EIGHT)))

    def _accepted(self, account: str, market: Market, draft: Draft, client_id: str, locked: Decimal) -> Order:
        state, now_ms = self.state, self.state.now_ms
        use = state.uses_of(account, market.symbol, client_id)
        number = order_id(
            seed=self.model.seed,
            symbol=market.symbol,
            account=account,
            client_id=client_id,
            created_ms=now_ms,
            use=use,
        )
        order = Order(
            account=account,
            symbol=market.symbol,
            order_id=state.free_order_id(market.symbol, number),
            client_id=client_id,
            side=draft.side,
            kind=draft.kind,
            quantity=draft.quantity if draft.quantity is not None else ZERO,
            quote_quantity=draft.quote_quantity,
            price=draft.price,
            stop_price=draft.stop_price,
            tif=draft.tif,
            created_ms=now_ms,
            effective_ms=market.next_traded_ms(now_ms + LATENCY_MS),
            updated_ms=now_ms,
            locked=locked,
            use=use,
        )
        bar = market.bar_at(order.effective_ms)
        entry = state.entries.get((account, market.symbol))
        if bar is None or entry is None or entry[0] != bar.open_ms or order.side is Side.BUY:
            return order
        held = held_target(order, bar, entry_price=entry[1])
        if held.held_until_ms and held.price is not None and self._reached(held, bar, held.price, market):
            state.put_ambiguous(account, market.symbol, bar.open_ms)
        return held

    @staticmethod
    def _reached(order: Order, bar: Bar, price: Decimal, market: Market) -> bool:
        through = price + market.venue.filters.tick
        return first_touch(bar, from_ms=order.effective_ms, price=through, falling=False) is not None

    def _next_instant(self, to_ms: int, levels: Sequence[Level]) -> int | None:
        now_ms, best = self.state.now_ms, to_ms + 1
        for market in self.markets.values():
            orders = list(self.state.open_orders[market.symbol].values())
            watched = [level for level in levels if level.symbol == market.symbol]
            if now_ms < market.end_ms < best:
                best = market.end_ms
            if orders or watched:
                best = min(best, self._first_of(market, orders, watched, best))
        return best if best <= to_ms else None

    def _first_of(self, market: Market, orders: list[Order], levels: list[Level], before_ms: int) -> int:
        """The first instant after now and before `before_ms` at which an order or level of `market` acts."""
        now_ms, tick = self.state.now_ms, market.venue.filters.tick
        best = before_ms
        for order in orders:
            if market.end_ms <= order.effective_ms < best and now_ms < order.effective_ms:
                best = order.effective_ms
        for index in range(max(market.index_at(now_ms), 0), len(market.bars)):
            bar = market.bars[index]
            if bar.open_ms >= best:
                return best
            found = best
            for order in orders:
                at = next_instant(order, bar, after_ms=now_ms, tick=tick)
                if at is not None and at < found:
                    found = at
            for level in levels:
                at = _touch(level, bar, now_ms)
                if at is not None and at < found:
                    found = at
            if found < best:
                return found
        return best

    def _act_at(self, at_ms: int, levels: Sequence[Level]) -> list[Event]:
        events: list[Event] = []
        for market in self.markets.values():
            bar = market.bar_at(at_ms)
            orders = list(self.state.open_orders[market.symbol].values())
            if bar is None:
                for order in orders:
                    if order.effective_ms == at_ms and market.has_ended(at_ms):
                        self._settle(market, order, expire(order, at_ms), None, events)
            else:
                self._run_bar(market, bar, at_ms, orders, events)
                for level in levels:
                    if level.symbol == market.symbol and _touch(level, bar, at_ms - 1) == at_ms:
                        price = bar.open if at_ms == bar.open_ms else level.price
                        events.append(Event(kind="level", symbol=market.symbol, level_id=level.id, price=price))
            if at_ms == market.end_ms:
                events.append(Event(kind="end_of_data", symbol=market.symbol))
        return sorted(events, key=_event_order)

    def _run_bar(self, market: Market, bar: Bar, at_ms: int, orders: list[Order], events: list[Event]) -> None:
        state, venue = self.state, market.venue
        used = state.taken_of(market.symbol, bar.open_ms)
        stopped: list[Order] = []

        def spendable(order: Order) -> Decimal:
            asset = venue.quote if order.side is Side.BUY else venue.base
            return state.wallets[order.account].spendable(asset, order)

        def settle(before: Order, step: Step) -> None:
            self._settle(market, before, step, bar, events)
            if step.stop_hit:
                stopped.append(before)
            if step.fill is not None:
                taken = used.get(before.account, ZERO)
                state.put_taken(before.account, market.symbol, bar.open_ms, taken)

        ambiguous = steps_at(
            orders, bar, at_ms, model=self.model, venue=venue, used=used, spendable=spendable, settle=settle
        )
        for order in stopped:
            entry = state.entries.get((order.account, order.symbol))
            entered_here = order.side is Side.SELL and entry is not None and entry[0] == bar.open_ms
            if ambiguous or entered_here:
                state.put_ambiguous(order.account, order.symbol, bar.open_ms)

    def _settle(
        self, market: Market, before: Order, step: Step, bar: Bar | None, events: list[Event] | None = None
    ) -> None:
        """Book one step: wallet, order, trade and, for what can be seen outside, an event."""
        state, fill = self.state, step.fill
        if fill is not None:
            while state.has_trade(market.symbol, fill.trade_id):
                fill = replace(fill, trade_id=fill.trade_id + 1)
        state.wallets[before.account].settle(before, step.order, fill, base=market.venue.base, quote=market.venue.quote)
        state.touch_wallet(before.account)
        state.put_order(step.order)
        if fill is not None:
            state.put_trade(fill)
            if fill.side is Side.BUY and bar is not None:
                state.put_entry(before.account, market.symbol, bar.open_ms, fill.price)
        if step.is_event and events is not None:
            events.append(
                Event(
                    kind="order",
                    symbol=market.symbol,
                    account=before.account,
                    client_order_id=before.client_id,
                    price=fill.price if fill is not None else None,
                )
            )


def _touch(level: Level, bar: Bar, after_ms: int) -> int | None:
    start_ms = max(after_ms + 1, level.not_before_ms, bar.open_ms)
    return first_touch(bar, from_ms=start_ms, price=level.price, falling=not level.above)


def _event_order(event: Event) -> tuple[str, str, str, str, str]:
    rank = {"order": "0", "level": "1", "end_of_data": "2"}[event.kind]
    return (rank, event.symbol, event.account or "", event.client_order_id or "", event.level_id or "")
