"""A foreign order taken over: looked up at the venue, held against ledger and balance, written down as ours."""

from __future__ import annotations

from typing import Protocol

from pydantic import Field
from temporalio import activity

from activities.exchange.port import Exchange, PreparedOrder, RealmRefused, VenueRefused
from activities.exchange.translation import INVALID_SYMBOL, venue_call
from activities.store.ports.accounts import AccountBook
from activities.store.ports.blobs import Blobs
from activities.store.ports.decisions import Decisions
from activities.store.ports.journal import Intent, OrderJournal
from activities.store.ports.ledger import LedgerReader, OpenItem
from activities.store.ports.playbooks import PlaybookRegistry
from trading.contract import Contract
from trading.decision.models import DecisionSummary
from trading.ledger.positions import assets_of
from trading.money import ZERO
from trading.orders.adopting import AdoptWish, Found, Levels
from trading.orders.models import Fill, OrderKey, OrderReport, OrderRequest, Side, VenueOrder
from trading.playbook import Playbook, from_json
from trading.risk.models import Permit


class AdoptRequest(Contract):
    """A person's wish, and where the order is looked for: every account and symbol is asked until one has it."""

    realm: str
    venue: str
    ledger: str
    accounts: tuple[str, ...] = Field(min_length=1)
    symbols: tuple[str, ...] = Field(min_length=1)
    wish: AdoptWish


class Adoption(Contract):
    """What came of it. A purchase comes with its permit and levels; a sale with its report; else the objection."""

    objection: str | None = None
    order: OrderRequest | None = None
    permit: Permit | None = None
    levels: Levels | None = None
    horizon_hours: int = 0
    sold: OrderReport | None = None


class AdoptingRecords(OrderJournal, Decisions, LedgerReader, AccountBook, PlaybookRegistry, Blobs, Protocol):
    """What adoption needs of the one store."""


class AdoptCalls:
    """Takes foreign orders over. It sends and cancels nothing.

    Errors as an activity: `RealmRefused` and `StoreRefused` are final, the venue's and the store's silence is retried.
    """

    def __init__(self, exchange: Exchange, records: AdoptingRecords) -> None:
        self._exchange = exchange
        self._records = records

    @activity.defn
    async def adopt_order(self, request: AdoptRequest) -> Adoption:
        """Make the order ours, or say why it cannot be. Asked twice it is adopted once.

        A purchase gets its intent, a card and a permit; its fills are taken in by the execution that follows it, after
        its guard runs. A sale is taken into the ledger with its fills; one that rests is its guard's.
        """
        async with venue_call(about_an_order=True):
            if (request.realm, request.venue) != (self._exchange.realm, self._exchange.venue):
                served = f"venue {self._exchange.venue} of realm {self._exchange.realm}"
                raise RealmRefused(f"this worker serves {served}, not {request.venue} of {request.realm}")
            for account in request.accounts:
                for symbol in request.symbols:
                    key = OrderKey(
                        realm=request.realm,
                        venue=request.venue,
                        account=account,
                        symbol=symbol,
                        client_order_id=request.wish.client_order_id,
                    )
                    order = await self._found(key)
                    if order is not None:
                        return await self._adopted(request, key, order)
            looked = f"accounts {', '.join(request.accounts)} and symbols {', '.join(request.symbols)}"
            return Adoption(objection=f"the venue has no order {request.wish.client_order_id} in {looked}")

    async def _found(self, key: OrderKey) -> VenueOrder | None:
        try:
            return await self._exchange.find(key)
        except VenueRefused as refused:
            if refused.code == INVALID_SYMBOL:
                return None  # a symbol of the profile that this venue does not list
            raise

    async def _adopted(self, request: AdoptRequest, key: OrderKey, order: VenueOrder) -> Adoption:
        active = await self._records.active_playbook(request.realm)
        playbook = from_json(await self._records.get(active.content_hash))
        found = await self._seen(request, key, order)
        intent = await self._records.find_intent(key)
        if intent is not None and not self._is_adopted(intent, found):
            return Adoption(objection=f"order {key.client_order_id} is ours already: {intent.status.value}")
        if intent is None:
            objection = found.objection(request.wish, playbook.policy)
            if objection is not None:
                return Adoption(objection=objection)
        if order.side is Side.SELL:
            return await self._sale(found, playbook)
        return await self._purchase(request.wish, found, playbook)

    @staticmethod
    def _is_adopted(intent: Intent, found: Found) -> bool:
        asked = intent.request
        if asked.side is Side.SELL:
            return intent.sends == 0 and asked.decision_id == found.decision_id
        return asked.decision_id == found.decision_id

    async def _sale(self, found: Found, playbook: Playbook) -> Adoption:
        intent = await self._records.record_adopted(found.request(playbook.policy), _as_found(found))
        report = await self._records.record_order(intent.request.key, found.order, found.fills)
        return Adoption(order=intent.request, sold=report)

    async def _purchase(self, wish: AdoptWish, found: Found, playbook: Playbook) -> Adoption:
        policy = playbook.policy
        head = found.head(playbook.version)
        await self._records.open_decision(head)
        await self._records.record_gate(head, found.answer(policy), account=found.account)
        intent = await self._records.record_adopted(found.request(policy), _as_found(found))
        name = f"{found.realm}/order/{found.order.client_order_id}"
        summary = found.summary(wish, policy, playbook_version=playbook.version, execution=name)
        await self._records.finish_decision(summary)
        kept: DecisionSummary = await self._records.open_decision(head) or summary
        assert kept.fusion is not None  # written with levels, above
        assert kept.fusion.stop_price is not None
        return Adoption(
            order=intent.request,
            permit=found.permit(policy),
            levels=Levels(stop_price=kept.fusion.stop_price, target_price=kept.fusion.target_price),
            horizon_hours=kept.fusion.horizon_hours,
        )

    async def _seen(self, request: AdoptRequest, key: OrderKey, order: VenueOrder) -> Found:
        fills: tuple[Fill, ...] = ()
        if order.executed_quantity:
            fills = await self._exchange.fills(key.account, key.symbol, venue_order_id=order.venue_order_id)
        exposure = await self._records.exposure(request.realm, key.account)
        positions = await self._records.positions(request.realm, key.account)
        told = await self._exchange.account(key.account)
        trade = await self._trade(request.realm, key)
        levels = None
        if trade is not None and trade.stop_price is not None:
            levels = Levels(stop_price=trade.stop_price, target_price=trade.target_price)
        return Found(
            realm=request.realm,
            venue=request.venue,
            ledger=request.ledger,
            account=key.account,
            order=order,
            fills=fills,
            book=await self._exchange.book_top(key.symbol),
            epoch=exposure.epoch if exposure is not None else 0,
            held=next((one.quantity for one in positions if one.symbol == key.symbol), ZERO),
            balance=told.balance(assets_of(key.symbol)[0]).total,
            trade=trade.decision_id if trade is not None else None,
            trade_levels=levels,
        )

    async def _trade(self, realm: str, key: OrderKey) -> OpenItem | None:
        items = await self._records.open_items(realm)
        return next((i for i in items if (i.kind, i.account, i.symbol) == ("position", key.account, key.symbol)), None)


def _as_found(found: Found) -> PreparedOrder:
    """Nothing of ours was sent: what was prepared is what is there, and no answer is awaited."""
    order, request = found.order, found.order.created_at
    return PreparedOrder(
        key=OrderKey(
            realm=found.realm,
            venue=found.venue,
            account=found.account,
            symbol=order.symbol,
            client_order_id=order.client_order_id,
        ),
        fields=(),
        signed_at=request,
        receive_window_s=ZERO,
        expires_at=request,
        horizon_at=request,
        quantity=order.quantity,
        price=order.price,
        stop_price=order.stop_price,
    )
