"""The matching engine: takes and cancels orders at the market's present instant and runs the market forward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from trading.matching.candle_run import instant_of, steps_at
from trading.matching.draws import draw
from trading.matching.fills import FillModel, Step, cancel, expire, next_instant
from trading.matching.model import ZERO, Bar, Fill, Order, Phase, Refusal, Side, Status
from trading.matching.order_lists import OrderList
from trading.matching.path import first_touch
from workers.exchange_sim.market import Market
from workers.exchange_sim.order_lists import ListDraft, OrderLists
from workers.exchange_sim.placing import NO_BALANCE, Draft, Placing
from workers.exchange_sim.reports import Reports, execution_of
from workers.exchange_sim.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A price somebody waits for; it counts from `not_before_ms` on, and fires while the path is at or beyond it.

    With a `fall_fraction` the price is each candle's own: so much under the close of the one before.
    """

    id: str
    symbol: str
    above: bool
    price: Decimal
    not_before_ms: int = 0
    fall_fraction: Decimal | None = None

    def within(self, market: Market, bar: Bar) -> Level:
        """This level as it stands in `bar`."""
        if self.fall_fraction is None:
            return self
        before = market.index_at(bar.open_ms) - 1
        close = market.bars[before].close if before >= 0 else ZERO
        return replace(self, price=close * (1 - self.fall_fraction))


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A change of an order (with its list where it has one), a level, or the end of a symbol's data."""

    kind: str
    symbol: str
    account: str | None = None
    client_order_id: str | None = None
    list_client_order_id: str | None = None
    level_id: str | None = None
    price: Decimal | None = None


class Engine:
    """All symbols and accounts of one exchange. Time is `state.now_ms` and moves only through `advance`."""

    def __init__(self, markets: Mapping[str, Market], state: State, model: FillModel) -> None:
        self.markets = dict(markets)
        self.state = state
        self.model = model
        self.reports = Reports()
        self._placing = Placing(state, model.seed)
        self._lists = OrderLists(state, self._placing, self.reports, model.seed)

    def place(self, account: str, market: Market, draft: Draft, *, only_test: bool = False) -> Order | None:
        """Accept an order at the present instant, or raise `Refusal`; it meets prices after its latency."""
        state, now_ms, placing = self.state, self.state.now_ms, self._placing
        if market.has_ended(now_ms):
            raise Refusal(-1013, "Market is closed.")
        client_id = placing.client_id(account, market, draft)
        known = market.known(now_ms).price
        placing.check(market, draft, known)
        placing.check_counts(account, market, draft)
        wallet = state.wallets[account]
        pays = market.venue.quote if draft.side is Side.BUY else market.venue.base
        amount = placing.lock(market, draft, known, wallet.free(pays))
        if only_test:
            if wallet.free(pays) < amount:
                raise Refusal(-2010, NO_BALANCE)
            return None
        wallet.lock(pays, amount)
        order = placing.order(account, market, draft, client_id, amount)
        state.touch_wallet(account)
        state.put_order(order)
        self.reports.order(market, order, now_ms, execution="NEW")
        self.reports.balances(account, state.wallets, (market.venue.base, market.venue.quote), now_ms)
        return order

    def place_list(self, account: str, market: Market, draft: ListDraft) -> OrderList:
        """Accept an order list at the present instant, or raise `Refusal`."""
        return self._lists.place(account, market, draft)

    def cancel(self, order: Order, *, cancel_id: str | None = None) -> Order:
        """Cancel an open order now, with the list it is a leg of; raises `Refusal` (-2011)."""
        if not order.is_open:
            raise Refusal(-2011, "Unknown order sent.")
        market = self.markets[order.symbol]
        if order.list_id >= 0:
            self.cancel_list(self.state.lists[order.list_id], cancel_id=cancel_id)
        else:
            self._settle(market, order, Step(cancel(order, self.state.now_ms), None, True), None, cancel_id=cancel_id)
        return self.state.orders[order.symbol, order.order_id]

    def cancel_list(self, order_list: OrderList, *, cancel_id: str | None = None) -> OrderList:
        """Cancel every open leg of a list now, or raise `Refusal` (-2011)."""

        def settle(market: Market, before: Order, step: Step) -> None:
            self._settle(market, before, step, None, cancel_id=cancel_id)

        self._lists.cancel(order_list, self.markets[order_list.symbol], settle)
        return self.state.lists[order_list.list_id]

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

    def _in_engine(self, market: Market) -> list[Order]:
        """The open orders of `market` that can act; legs that wait for their working order cannot."""
        return [o for o in self.state.open_orders[market.symbol].values() if o.phase is not Phase.WAITING]

    def _next_instant(self, to_ms: int, levels: Sequence[Level]) -> int | None:
        now_ms, best = self.state.now_ms, to_ms + 1
        for market in self.markets.values():
            orders = self._in_engine(market)
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
        alone = [order for order in orders if order.list_id < 0]
        legs = [order for order in orders if order.list_id >= 0]
        for index in range(max(market.index_at(now_ms), 0), len(market.bars)):
            bar = market.bars[index]
            if bar.open_ms >= best:
                return best
            found = best
            for order in alone:
                at = next_instant(order, bar, after_ms=now_ms, tick=tick)
                if at is not None and at < found:
                    found = at
            for leg in legs:
                at = instant_of(leg, orders, bar, after_ms=now_ms, tick=tick)
                if at is not None and at < found:
                    found = at
            for level in levels:
                at = _touch(level.within(market, bar), bar, now_ms)
                if at is not None and at < found:
                    found = at
            if found < best:
                return found
        return best

    def _act_at(self, at_ms: int, levels: Sequence[Level]) -> list[Event]:
        events: list[Event] = []
        for market in self.markets.values():
            bar = market.bar_at(at_ms)
            orders = self._in_engine(market)
            if bar is None:
                for order in orders:
                    if order.phase is Phase.PENDING and order.effective_ms == at_ms and market.has_ended(at_ms):
                        self._settle(market, order, expire(order, at_ms), None, events)
            else:
                self._run_bar(market, bar, at_ms, orders, events)
                for level in (one.within(market, bar) for one in levels if one.symbol == market.symbol):
                    if _touch(level, bar, at_ms - 1) == at_ms:
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
        self,
        market: Market,
        before: Order,
        step: Step,
        bar: Bar | None,
        events: list[Event] | None = None,
        *,
        cancel_id: str | None = None,
    ) -> None:
        """Book one step: wallet, order, trade and, for what can be seen outside, an event; then follow its list."""
        state, fill, venue = self.state, step.fill, market.venue
        if fill is not None:
            while state.has_trade(market.symbol, fill.trade_id):
                fill = replace(fill, trade_id=fill.trade_id + 1)
        state.wallets[before.account].settle(before, step.order, fill, base=venue.base, quote=venue.quote)
        state.touch_wallet(before.account)
        state.put_order(step.order)
        if fill is not None:
            state.put_trade(fill)
            if fill.side is Side.BUY and bar is not None:
                state.put_entry(before.account, market.symbol, bar.open_ms, fill.price)
        if step.is_event:
            self._report(market, before, step.order, fill, cancel_id)
        if step.is_event and events is not None:
            events.append(self._event(before, fill))
        if before.list_id >= 0:

            def settle(of: Market, leg: Order, leg_step: Step) -> None:
                self._settle(of, leg, leg_step, bar, events, cancel_id=cancel_id)

            self._lists.follow(market, step.order, fill, settle)
        if step.is_event:
            self.reports.balances(before.account, state.wallets, (venue.base, venue.quote), state.now_ms)

    def _event(self, order: Order, fill: Fill | None) -> Event:
        return Event(
            kind="order",
            symbol=order.symbol,
            account=order.account,
            client_order_id=order.client_id,
            list_client_order_id=self.state.lists[order.list_id].client_id if order.list_id >= 0 else None,
            price=fill.price if fill is not None else None,
        )

    def _report(self, market: Market, before: Order, after: Order, fill: Fill | None, cancel_id: str | None) -> None:
        at_ms = self.state.now_ms
        if after.account not in self.reports.watched:
            return
        if after.status is Status.CANCELED:
            self.reports.cancelled(market, after, at_ms, cancel_id=cancel_id or cancel_id_of(after))
            return
        self.reports.order(market, after, at_ms, execution=execution_of(after, fill), fill=fill)
        if fill is not None and after.status is Status.EXPIRED:
            self.reports.order(market, after, at_ms, execution="EXPIRED")


def cancel_id_of(order: Order) -> str:
    """The client id of a cancel that brought none."""
    return f"cancel{draw('cancel', order.symbol, order.order_id):016x}"


def _touch(level: Level, bar: Bar, after_ms: int) -> int | None:
    start_ms = max(after_ms + 1, level.not_before_ms, bar.open_ms)
    return first_touch(bar, from_ms=start_ms, price=level.price, falling=not level.above)


def _event_order(event: Event) -> tuple[str, str, str, str, str]:
    rank = {"order": "0", "level": "1", "end_of_data": "2"}[event.kind]
    return (rank, event.symbol, event.account or "", event.client_order_id or "", event.level_id or "")
