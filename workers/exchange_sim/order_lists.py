"""Order lists at the exchange: taking one, following its legs, cancelling it as a whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from trading.matching.draws import draw, list_id
from trading.matching.fills import Step, cancel, closed
from trading.matching.filters import check_list_count, check_pair
from trading.matching.model import STOPS, TRIGGERED, ZERO, Fill, Leg, Order, Phase, Refusal, Side, Status
from trading.matching.order_lists import Contingency, ListStatus, OrderList, pending_quantity, received, stop_first
from workers.exchange_sim.market import Market
from workers.exchange_sim.placing import NO_BALANCE, Draft, Placing, in_list
from workers.exchange_sim.reports import Reports
from workers.exchange_sim.state import State

_REASONS = {
    NO_BALANCE: "INSUFFICIENT_BALANCES",
    "Stop price would trigger immediately.": "STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY",
    "Order would immediately match and take.": "WOULD_MATCH_IMMEDIATELY",
    "The relationship of the prices for the orders is not correct.": "OCO_BAD_PRICES",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDraft:
    """A list as it arrived, shape already checked: a working order and what it triggers, or only a pair."""

    pair: tuple[tuple[Leg, Draft], ...]
    working: Draft | None = None
    client_id: str | None = None
    pays_other: bool = False

    @property
    def size(self) -> int:
        return len(self.pair) + (self.working is not None)


SettleLeg = Callable[[Market, Order, Step], None]
"""Books one step of one leg: wallet, order, event; it comes back to `OrderLists.follow`."""


class OrderLists:
    """The lists of all accounts. The legs that exclude each other lock once, in the leg that comes first."""

    def __init__(self, state: State, placing: Placing, reports: Reports, seed: int) -> None:
        self._state = state
        self._placing = placing
        self._reports = reports
        self._seed = seed

    def place(self, account: str, market: Market, draft: ListDraft) -> OrderList:
        """Take a list at the present instant, or raise `Refusal` and change nothing.

        Filters and prices of pending legs are checked when they are placed: when the working order has filled.
        """
        state = self._state
        if market.has_ended(state.now_ms):
            raise Refusal(-1013, "Market is closed.")
        client_id = self._client_id(account, market, draft)
        check_list_count(market.venue.filters, open_lists=state.open_lists_of(account, market.symbol))
        drafts = [(Leg.WORKING, draft.working)] if draft.working is not None else []
        drafts += draft.pair
        ids = [self._placing.client_id(account, market, one, number=n) for n, (_, one) in enumerate(drafts)]
        if len(set(ids)) < len(ids):
            raise Refusal(-2010, "Duplicate order sent.")
        known = market.known(state.now_ms).price
        self._check(account, market, draft, known)
        locks = self._locks(account, market, draft, known)
        number = self._number(account, market, client_id)
        legs: list[Order] = []
        for (leg, one), own_id, locked in zip(drafts, ids, locks, strict=True):
            order = self._placing.order(account, market, one, own_id, locked)
            waits = draft.working is not None and leg is not Leg.WORKING
            legs.append(in_list(order, number, leg, waits=waits))
            state.put_order(legs[-1])
        state.touch_wallet(account)
        order_list = OrderList(
            account=account,
            symbol=market.symbol,
            list_id=number,
            client_id=client_id,
            contingency=Contingency.OCO if draft.working is None else Contingency.OTO,
            order_ids=tuple(order.order_id for order in legs),
            created_ms=state.now_ms,
            updated_ms=state.now_ms,
            pays_other=draft.pays_other,
            use=state.list_uses_of(account, client_id),
        )
        state.put_list(order_list)
        self._reports.order_list(market, order_list, legs, state.now_ms)
        for order in legs:
            self._reports.order(market, order, state.now_ms, execution="NEW")
        assets = (market.venue.base, market.venue.quote)
        self._reports.balances(account, state.wallets, assets, state.now_ms)
        return order_list

    def _client_id(self, account: str, market: Market, draft: ListDraft) -> str:
        if draft.client_id is None:
            count = len(self._state.lists_of(account))
            return f"sim{draw('list', self._seed, account, market.symbol, self._state.now_ms, count):016x}"
        held = self._state.list_by_client(account, draft.client_id)
        if held is not None and held.is_open:
            raise Refusal(-2010, "Duplicate order sent.")
        return draft.client_id

    def _number(self, account: str, market: Market, client_id: str) -> int:
        wanted = list_id(
            seed=self._seed,
            symbol=market.symbol,
            account=account,
            client_id=client_id,
            created_ms=self._state.now_ms,
            use=self._state.list_uses_of(account, client_id),
        )
        return self._state.free_list_id(wanted)

    def _check(self, account: str, market: Market, draft: ListDraft, known: Decimal) -> None:
        at_once = [draft.working] if draft.working is not None else [one for _, one in draft.pair]
        if draft.working is None:
            self._check_pair(market, [one for _, one in draft.pair], known)
        algo = 0
        for one in at_once:
            self._placing.check(market, one, known)
            self._placing.check_counts(account, market, one, beside=draft.size - 1, algo_beside=algo)
            algo += one.kind in TRIGGERED

    def _check_pair(self, market: Market, pair: list[Draft], known: Decimal) -> None:
        stop = next(one for one in pair if one.kind in STOPS)
        target = next(one for one in pair if one.kind not in STOPS)
        check_pair(
            side=stop.side,
            target_price=target.stop_price if target.kind in TRIGGERED else target.price,
            stop_price=None if stop.trailing_bips is not None else stop.stop_price,
            known_price=known,
            traded_price=self._placing.traded_price(market, known),
        )

    def _locks(self, account: str, market: Market, draft: ListDraft, known: Decimal) -> list[Decimal]:
        """What each leg locks: the working order for itself, the pair once; nothing where the working order pays."""
        wallet = self._state.wallets[account]
        venue = market.venue
        wanted: list[tuple[str, Decimal]] = []
        if draft.working is not None:
            wanted.append(self._lock(market, draft.working, known, account))
        locks = [amount for _, amount in wanted]
        if not draft.pays_other:
            shared = [self._lock(market, one, known, account) for _, one in draft.pair]
            wanted.append(max(shared, key=lambda one: one[1]))
        locks += [ZERO if draft.pays_other else wanted[-1][1], *(ZERO for _ in draft.pair[1:])]
        for asset in (venue.base, venue.quote):
            if wallet.free(asset) < sum(amount for named, amount in wanted if named == asset):
                raise Refusal(-2010, NO_BALANCE)
        for asset, amount in wanted:
            wallet.lock(asset, amount)
        return locks

    def _lock(self, market: Market, draft: Draft, known: Decimal, account: str) -> tuple[str, Decimal]:
        asset = market.venue.quote if draft.side is Side.BUY else market.venue.base
        return asset, self._placing.lock(market, draft, known, self._state.wallets[account].free(asset))

    def follow(self, market: Market, after: Order, fill: Fill | None, settle: SettleLeg) -> None:
        """Do what a booked step of one leg means for its list: pay, place or end the others, end the list."""
        order_list = self._state.lists[after.list_id]
        if after.leg is Leg.WORKING:
            if fill is not None and order_list.pays_other:
                self._hold_received(market, order_list, received(fill, market.venue))
            if after.status is Status.FILLED:
                self._place_pending(market, order_list, settle)
            elif not after.is_open:
                status = Status.CANCELED if after.status is Status.CANCELED else Status.EXPIRED
                self._end_waiting(market, order_list, status, settle)
        self._close_when_done(market, order_list)

    def cancel(self, order_list: OrderList, market: Market, settle: SettleLeg) -> None:
        """Cancel every open leg now, or raise `Refusal` (-2011) for a list that is done."""
        if not order_list.is_open:
            raise Refusal(-2011, "Unknown order sent.")
        for number in order_list.order_ids:
            leg = self._state.orders[order_list.symbol, number]
            if leg.is_open:
                settle(market, leg, Step(cancel(leg, self._state.now_ms), None, True))

    def _waiting(self, order_list: OrderList) -> list[Order]:
        return [leg for leg in self._state.legs_of(order_list) if leg.phase is Phase.WAITING and leg.is_open]

    def _hold_received(self, market: Market, order_list: OrderList, amount: Decimal) -> None:
        """Keep what the working order brought for the legs that it pays for."""
        first = self._waiting(order_list)[0]
        self._state.wallets[order_list.account].lock(market.venue.base, amount)
        self._state.put_order(replace(first, locked=first.locked + amount))

    def _place_pending(self, market: Market, order_list: OrderList, settle: SettleLeg) -> None:
        """Put the pending legs into the engine, together or not at all: refused ones end `REJECTED`."""
        waiting = self._waiting(order_list)
        held = sum((leg.locked for leg in waiting), ZERO)
        placed: list[Order] = []
        algo = 0
        try:
            for leg in waiting:
                quantity = pending_quantity(held, market.venue) if order_list.pays_other else leg.quantity
                locked = leg.locked if not order_list.pays_other else quantity if leg is waiting[0] else ZERO
                placed.append(self._placing.placed(leg, market, quantity=quantity, locked=locked, algo_beside=algo))
                algo += leg.kind in TRIGGERED
            if len(placed) > 1:
                self._check_placed_pair(market, placed)
        except Refusal as refusal:
            reason = _REASONS.get(refusal.message, refusal.message.removeprefix("Filter failure: "))
            for leg in waiting:
                gone = closed(leg, Status.REJECTED, self._state.now_ms, reason=reason)
                settle(market, leg, Step(gone, None, True))
            return
        for leg, order in zip(waiting, placed, strict=True):
            settle(market, leg, Step(order, None, True))

    def _check_placed_pair(self, market: Market, placed: list[Order]) -> None:
        stop, target = stop_first(placed)
        price = self._placing.traded_price(market, market.known(self._state.now_ms).price)
        check_pair(
            side=stop.side,
            target_price=target.target_price,
            stop_price=None if stop.trailing_bips is not None else stop.stop_price,
            known_price=price,
            traded_price=price,
        )

    def _end_waiting(self, market: Market, order_list: OrderList, status: Status, settle: SettleLeg) -> None:
        for leg in self._waiting(order_list):
            settle(market, leg, Step(closed(leg, status, self._state.now_ms), None, True))

    def _close_when_done(self, market: Market, order_list: OrderList) -> None:
        state = self._state
        now = state.lists[order_list.list_id]
        legs = state.legs_of(now)
        if now.is_open and not any(leg.is_open for leg in legs):
            done = replace(now, status=ListStatus.ALL_DONE, updated_ms=state.now_ms)
            state.put_list(done)
            self._reports.order_list(market, done, legs, state.now_ms)
