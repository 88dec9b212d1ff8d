"""An order that another client placed, made ours: which may be, and as what. Venue and ledger come in as facts."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from trading.contract import Contract
from trading.decision.models import AccountOutcome, DecisionHead, DecisionSummary, Fusion, FusionOutcome
from trading.ids import decision_id
from trading.money import ZERO, plain
from trading.orders.models import TERMINAL, Fill, Leg, OrderRequest, Side, VenueOrder
from trading.orders.symbols import BookTop
from trading.policy.execution import ExecutionPolicy
from trading.policy.model import Policy
from trading.risk.models import GateAnswer, Permit


class AdoptWish(Contract):
    """A person wants a foreign order to be the agent's. What is left open follows the trade it joins, else policy."""

    operation_id: str = ""
    client_order_id: str
    who: str
    reason: str
    stop_price: Decimal | None = None
    target_price: Decimal | None = None


class Levels(Contract):
    """Where an adopted purchase is left."""

    stop_price: Decimal
    target_price: Decimal | None = None


class Found(Contract):
    """A foreign order with all that decides whether it can be ours: its fills, the market, ledger and balance."""

    realm: str
    venue: str
    ledger: str
    account: str
    order: VenueOrder
    fills: tuple[Fill, ...] = ()
    book: BookTop
    epoch: int
    held: Decimal = ZERO
    balance: Decimal = ZERO
    trade: str | None = None
    trade_levels: Levels | None = None

    @property
    def net_base(self) -> Decimal:
        """Base units that its fills moved, net of commission charged in the base asset."""
        base = self.order.symbol.partition("/")[0]
        sign = 1 if self.order.side is Side.BUY else -1
        charged = (fill.commission for fill in self.fills if fill.commission_asset == base)
        return sum((sign * fill.quantity for fill in self.fills), ZERO) - sum(charged, ZERO)

    @property
    def reference_price(self) -> Decimal:
        """What it paid, else what it offers, else the market."""
        order = self.order
        if order.executed_quantity:
            return order.executed_quote / order.executed_quantity
        return order.price or self.book.bid

    def levels(self, wish: AdoptWish, policy: Policy) -> Levels:
        """The person's levels, else those of the open trade, else a stop as far away as policy allows any."""
        trade = self.trade_levels
        widest = self.reference_price * (1 - policy.stop_max_fraction)
        target = trade.target_price if trade is not None else None
        return Levels(
            stop_price=wish.stop_price or (trade.stop_price if trade is not None else widest),
            target_price=wish.target_price or target,
        )

    def objection(self, wish: AdoptWish, policy: Policy) -> str | None:
        """Why it cannot be ours; `None` where it can."""
        order, name = self.order, f"order {self.order.client_order_id}"
        if order.status not in TERMINAL and order.order_list_id is not None:
            return f"{name} is one of an order list that is open: adopt it once it is done, or cancel the list"
        if order.side is Side.SELL:
            return self._objection_to_sale()
        if order.status in TERMINAL and not order.executed_quantity:
            return f"{name} is {order.status.value} and filled nothing: there is nothing to adopt"
        if self.held + self.net_base > self.balance:
            return (
                f"{name} bought {plain(self.net_base)} beside {plain(self.held)} held, and the account has "
                f"{plain(self.balance)}: what it bought is gone again"
            )
        stop = self.levels(wish, policy).stop_price
        if stop >= self.book.bid:
            return f"a stop at {plain(stop)} is not below the bid {plain(self.book.bid)}: it would sell at once"
        return None

    def _objection_to_sale(self) -> str | None:
        order, name = self.order, f"order {self.order.client_order_id}"
        if order.status in TERMINAL and not order.executed_quantity:
            return f"{name} is {order.status.value} and sold nothing: there is nothing to adopt"
        sells = order.executed_quantity if order.status in TERMINAL else order.quantity
        if self.trade is None or sells > self.held:
            return f"{name} sells {plain(sells)}, we hold {plain(self.held)}: it sells what is not ours"
        return None

    @property
    def decision_id(self) -> str:
        """A purchase is a decision of its own, that a person took; a sale belongs to the open trade."""
        order = self.order
        if order.side is Side.SELL and self.trade is not None:
            return self.trade
        return decision_id(ledger=self.ledger, symbol=order.symbol, as_of=order.created_at, cause=self._cause)

    @property
    def _cause(self) -> str:
        return f"adopted:{self.account}:{self.order.client_order_id}"

    def request(self, policy: Policy) -> OrderRequest:
        """The order as if we had meant it. Its validity lies behind it: adopted is never sent."""
        order = self.order
        buys = order.side is Side.BUY
        return OrderRequest(
            realm=self.realm,
            venue=self.venue,
            ledger=self.ledger,
            account=self.account,
            symbol=order.symbol,
            decision_id=self.decision_id,
            leg=Leg.ENTRY if buys else Leg.EXIT,
            client_order_id=order.client_order_id,
            side=order.side,
            type=order.type,
            quantity=order.quantity,
            time_in_force=order.time_in_force,
            price=order.price,
            stop_price=order.stop_price,
            as_of=self.book.as_of,
            epoch=self.epoch,
            permit_id=self.permit(policy).id if buys else None,
            expected_price=self.reference_price,
            valid_until=order.created_at - timedelta(seconds=1) if buys else None,
        )

    def permit(self, policy: Policy) -> Permit:
        """The person's leave in the form of the gate's: it reserves nothing, its fills count as they come."""
        order, price = self.order, self.reference_price
        return Permit(
            id=f"adopted:{order.client_order_id}",
            account=self.account,
            decision_id=self.decision_id,
            symbol=order.symbol,
            opens=True,
            notional_usd=order.quantity * price,
            quantity=order.quantity,
            collar_low=price,
            collar_high=price,
            valid_until=order.created_at,
            epoch=self.epoch,
            terms=ExecutionPolicy.model_validate(
                {name: getattr(policy, name) for name in ExecutionPolicy.model_fields}
            ),
        )

    def answer(self, policy: Policy) -> GateAnswer:
        return GateAnswer(request_id=self._cause, permit=self.permit(policy))

    def head(self, playbook_version: str) -> DecisionHead:
        """The card's head of an adopted purchase."""
        order = self.order
        return DecisionHead(
            decision_id=self.decision_id,
            realm=self.realm,
            venue=self.venue,
            ledger=self.ledger,
            symbol=order.symbol,
            as_of=order.created_at,
            cause=self._cause,
            accounts=(self.account,),
            playbook_version=playbook_version,
        )

    def summary(self, wish: AdoptWish, policy: Policy, *, playbook_version: str, execution: str) -> DecisionSummary:
        """The card of an adopted purchase: no models spoke, a person did."""
        levels, permit = self.levels(wish, policy), self.permit(policy)
        outcome = AccountOutcome(
            account=self.account,
            outcome="opened",
            reasons=(f"adopted by {wish.who}: {wish.reason}",),
            permit_id=permit.id,
            notional_usd=permit.notional_usd,
            client_order_ids=(self.order.client_order_id,),
            execution_ids=(execution,),
        )
        fusion = Fusion(
            outcome=FusionOutcome.OPEN,
            entry_price=self.order.price,
            stop_price=levels.stop_price,
            target_price=levels.target_price,
            horizon_hours=policy.adopted_horizon_hours,
        )
        return DecisionSummary(head=self.head(playbook_version), fusion=fusion, outcomes=(outcome,))
