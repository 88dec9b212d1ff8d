"""What an order must satisfy to be taken, what it locks, and the order it becomes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal

from trading.matching.book import ask_at, bid_at
from trading.matching.draws import draw, order_id
from trading.matching.fills import LATENCY_MS, held_target
from trading.matching.filters import check_counts, check_notional_of_quote, check_order, down_to, up_to
from trading.matching.model import (
    PRICED,
    TRIGGERED,
    ZERO,
    Bar,
    Kind,
    Leg,
    Order,
    Phase,
    Refusal,
    Side,
    Status,
    Tif,
)
from trading.matching.path import first_touch, price_at
from workers.exchange_sim.market import Market
from workers.exchange_sim.state import State

_MARGIN = Decimal("1.01")
_EIGHT = Decimal("0.00000001")
NO_BALANCE = "Account has insufficient balance for requested action."


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An order as it arrived, shape already checked. A pending leg that is paid by another has no quantity yet."""

    side: Side
    kind: Kind
    quantity: Decimal | None
    quote_quantity: Decimal | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    tif: Tif | None = None
    client_id: str | None = None
    trailing_bips: int | None = None
    iceberg: Decimal = ZERO


class Placing:
    """The checks, locks and ids of new orders at the market's present instant. It takes none itself."""

    def __init__(self, state: State, seed: int) -> None:
        self._state = state
        self._seed = seed

    def client_id(self, account: str, market: Market, draft: Draft, *, number: int = 0) -> str:
        """The draft's own id, or one made for it; raises `Refusal` (-2010) for the id of an open order."""
        if draft.client_id is None:
            count = len(self._state.orders_of(account, market.symbol)) + number
            return f"sim{draw('client', self._seed, account, market.symbol, self._state.now_ms, count):016x}"
        held = self._state.by_client(account, market.symbol, draft.client_id)
        if held is not None and held.is_open:
            raise Refusal(-2010, "Duplicate order sent.")
        return draft.client_id

    def check(self, market: Market, draft: Draft, known: Decimal) -> None:
        """Raise `Refusal` where a filter or the market's price forbids the order."""
        if draft.quantity is None:
            assert draft.quote_quantity is not None
            check_notional_of_quote(market.venue.filters, draft.quote_quantity)
        else:
            check_order(
                market.venue.filters,
                side=draft.side,
                kind=draft.kind,
                quantity=draft.quantity,
                price=draft.price,
                stop_price=draft.stop_price,
                known_price=known,
                iceberg=draft.iceberg,
                trailing_bips=draft.trailing_bips,
            )
        self._check_against_price(market, draft, known)

    def check_counts(
        self, account: str, market: Market, draft: Draft, *, beside: int = 0, algo_beside: int = 0
    ) -> None:
        """Raise `Refusal` where the account has too many open orders; others of its list come `beside` this one."""
        state = self._state
        check_counts(
            market.venue.filters,
            kind=draft.kind,
            open_orders=len(state.open_of(account, market.symbol)) + beside,
            open_algo_orders=state.algo_count(account, market.symbol) + algo_beside,
            is_iceberg=bool(draft.iceberg),
            open_iceberg_orders=state.iceberg_count(account, market.symbol),
        )

    def traded_price(self, market: Market, known: Decimal) -> Decimal:
        """The price of the path now; the known one in a gap."""
        bar = market.bar_at(self._state.now_ms)
        return price_at(bar, self._state.now_ms) if bar is not None else known

    def _check_against_price(self, market: Market, draft: Draft, known: Decimal) -> None:
        """Refuse what the engine refuses on sight; a trigger, where the known and the traded price are beyond it."""
        tick = market.venue.filters.tick
        if draft.kind is Kind.LIMIT_MAKER:
            assert draft.price is not None
            takes = draft.price >= ask_at(known, tick) if draft.side is Side.BUY else draft.price <= bid_at(known, tick)
            if takes:
                raise Refusal(-2010, "Order would immediately match and take.")
        if draft.kind in TRIGGERED and draft.stop_price is not None and draft.trailing_bips is None:
            falling = triggers_falling(draft)
            prices = (known, self.traded_price(market, known))
            if all(draft.stop_price >= p if falling else draft.stop_price <= p for p in prices):
                raise Refusal(-2010, "Stop price would trigger immediately.")

    def lock(self, market: Market, draft: Draft, known: Decimal, free: Decimal) -> Decimal:
        """What the order holds until it is done; an order without a limit price holds a margin where there is one."""
        filters = market.venue.filters
        if draft.side is Side.SELL:
            if draft.quantity is not None:
                return draft.quantity
            assert draft.quote_quantity is not None
            needed = up_to(draft.quote_quantity / bid_at(known, filters.tick), filters.step)
            return _with_margin(needed, free)
        if draft.quantity is None:
            assert draft.quote_quantity is not None
            return draft.quote_quantity
        if draft.kind in PRICED:
            assert draft.price is not None
            return draft.quantity * draft.price
        reference = draft.stop_price if draft.stop_price is not None else ask_at(known, filters.tick)
        return _with_margin(draft.quantity * reference, free)

    def order(self, account: str, market: Market, draft: Draft, client_id: str, locked: Decimal) -> Order:
        """The order that the draft becomes; kept out of the candle of its entry where it is that entry's target."""
        state, now_ms = self._state, self._state.now_ms
        use = state.uses_of(account, market.symbol, client_id)
        number = order_id(
            seed=self._seed,
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
            trailing_bips=draft.trailing_bips,
            iceberg=draft.iceberg,
        )
        return self.held(order, market)

    def held(self, order: Order, market: Market) -> Order:
        """`order`, held out of the candle it comes into where its entry was filled there. Counts an unknowable one."""
        state = self._state
        bar = market.bar_at(order.effective_ms)
        entry = state.entries.get((order.account, market.symbol))
        if bar is None or entry is None or entry[0] != bar.open_ms or order.side is Side.BUY:
            return order
        held = held_target(order, bar, entry_price=entry[1])
        price = held.target_price
        if held.held_until_ms and price is not None and _reached(held, bar, price, market):
            state.put_ambiguous(order.account, market.symbol, bar.open_ms)
        return held

    def placed(self, leg: Order, market: Market, *, quantity: Decimal, locked: Decimal, algo_beside: int = 0) -> Order:
        """The pending leg as it goes into the engine now; raises `Refusal` where a filter or the price forbids it."""
        now_ms = self._state.now_ms
        draft = draft_of(leg, quantity)
        self.check(market, draft, self.traded_price(market, market.known(now_ms).price))
        self.check_counts(leg.account, market, draft, beside=-1, algo_beside=algo_beside)
        placed = replace(
            leg,
            quantity=quantity,
            locked=locked,
            status=Status.NEW,
            phase=Phase.PENDING,
            effective_ms=market.next_traded_ms(now_ms + 1),
            updated_ms=now_ms,
        )
        return self.held(placed, market)


def draft_of(leg: Order, quantity: Decimal) -> Draft:
    return Draft(
        side=leg.side,
        kind=leg.kind,
        quantity=quantity,
        price=leg.price,
        stop_price=leg.stop_price,
        tif=leg.tif,
        client_id=leg.client_id,
        trailing_bips=leg.trailing_bips,
        iceberg=leg.iceberg,
    )


def triggers_falling(draft: Draft) -> bool:
    """Whether a falling price reaches the draft's stop price."""
    return (draft.side is Side.SELL) is (draft.kind in (Kind.STOP_LOSS, Kind.STOP_LOSS_LIMIT))


def in_list(order: Order, list_id: int, leg: Leg, *, waits: bool) -> Order:
    """`order` as a leg; one that `waits` for the working order is not in the engine yet."""
    leg_of = replace(order, list_id=list_id, leg=leg)
    return replace(leg_of, status=Status.PENDING_NEW, phase=Phase.WAITING) if waits else leg_of


def _with_margin(needed: Decimal, free: Decimal) -> Decimal:
    wide = (needed * _MARGIN).quantize(_EIGHT, rounding=ROUND_CEILING)
    return max(needed, min(wide, down_to(free, _EIGHT)))


def _reached(order: Order, bar: Bar, price: Decimal, market: Market) -> bool:
    through = price + market.venue.filters.tick
    return first_touch(bar, from_ms=order.effective_ms, price=through, falling=False) is not None
