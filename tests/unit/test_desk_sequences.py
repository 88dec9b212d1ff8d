"""Whole lives of an account: proposals, fills, cancels, restarts, breakers, people and price paths. No limit breaks.

The model venue fills what was permitted at the price of the time, alone or as a list with its exits, which sell when
the price meets them; the desk's pure steps and the ledger's position are led beside it and must agree with it after
each step.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from trading.facts.models import RiskRegime
from trading.ledger.positions import Position, extended
from trading.orders.models import Fill, Side
from trading.policy.model import Policy
from trading.policy.table import changed
from trading.risk import desk
from trading.risk.breakers import protection_of, safe_sales
from trading.risk.gate import gate
from trading.risk.models import Exposure, GateRequest, Holding, Mode, Permit

START = datetime(2020, 3, 12, tzinfo=UTC)
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
FEE = Decimal("0.001")
STEP = Decimal("0.00000001")
POLICY = changed(Policy(), max_entries_per_day=1000, bootstrap_trades=0)
CAPITAL = Decimal(10_000)


@dataclass(frozen=True)
class Exits:
    """Stop and target that came with an entry: one of them sells the quantity, and ends the other."""

    symbol: str
    quantity: Decimal
    stop_price: Decimal
    target_price: Decimal


class AccountLife(RuleBasedStateMachine):
    """One account, its desk and a venue that keeps its own books."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.prices = {symbol: Decimal(100) for symbol in SYMBOLS}
        self.cash = CAPITAL
        self.venue: dict[str, Decimal] = dict.fromkeys(SYMBOLS, Decimal(0))
        self.ledger = {symbol: Position(account="composite", symbol=symbol) for symbol in SYMBOLS}
        self.resting: list[Permit] = []
        self.exits: list[Exits] = []
        self.asked = 0
        self.trades = 0
        self.exposure = Exposure(
            account="composite",
            mode=Mode.AUTO,
            epoch=0,
            cash_usd=CAPITAL,
            day_start_equity_usd=CAPITAL,
            peak_equity_usd=CAPITAL,
            day_started_at=START,
        )

    @rule(symbol=st.sampled_from(SYMBOLS), size=st.integers(1, 100), regime=st.sampled_from(list(RiskRegime)))
    def propose(self, symbol: str, size: int, regime: RiskRegime) -> None:
        self.asked += 1
        price = self.prices[symbol]
        self._read_the_ledger()
        self.exposure = desk.defended(self.exposure, POLICY)
        request = GateRequest(
            request_id=f"r{self.asked}",
            account="composite",
            decision_id=f"d{self.asked}",
            symbol=symbol,
            opens=True,
            size_fraction=Decimal(size) / 100,
            price=price,
            stop_price=price * Decimal("0.98"),
            target_price=price * Decimal("1.04"),
            taker_fee=FEE,
            min_notional_usd=Decimal(5),
            risk_regime=regime,
            confidence=Decimal("0.8"),
            win_probability=Decimal("0.6"),
            observed_at=self.now,
            now=self.now,
        )
        permit = gate(request, self.exposure, POLICY).permit
        if permit is None:
            return
        assert self.exposure.mode is Mode.AUTO
        assert not any(one.symbol == symbol and one.holds(self.now) for one in self.exposure.protections)
        self.exposure = desk.reserve(self.exposure, permit, at=self.now)
        self.resting.append(permit)
        equity = self.exposure.equity_usd
        assert permit.notional_usd <= POLICY.max_trade_fraction * equity
        assert self.exposure.symbol_usd(symbol) <= POLICY.max_position_fraction * equity
        assert self.exposure.total_usd <= POLICY.total_fraction(regime) * equity
        assert self.exposure.cash_usd - self.exposure.reserved_usd >= POLICY.cash_floor_fraction * equity
        assert permit.notional_usd * Decimal("0.02") <= POLICY.trade_risk_fraction * equity * Decimal("1.0001")

    @rule(share=st.integers(0, 100), place=st.integers(0, 50))
    def end_an_order(self, share: int, place: int) -> None:
        """It filled in part or whole, or not at all; then its permit is settled, and settled again."""
        if not self.resting:
            return
        permit = self.resting.pop(place % len(self.resting))
        epoch_is_old = permit.epoch < self.exposure.epoch or self.exposure.mode is Mode.HALTED
        if share and not epoch_is_old:
            self._trade(permit.symbol, Side.BUY, permit.quantity * share / 100)
        self._read_the_ledger()
        self.exposure = desk.release(desk.release(self.exposure, permit.id), permit.id)

    @rule(fills=st.booleans(), place=st.integers(0, 50))
    def end_a_list(self, fills: bool, place: int) -> None:
        """It filled whole and its exits rest, or it did not fill at all; they need no permit and outlive a halt."""
        if not self.resting:
            return
        permit = self.resting.pop(place % len(self.resting))
        if fills and permit.epoch >= self.exposure.epoch and self.exposure.mode is not Mode.HALTED:
            before = self.venue[permit.symbol]
            self._trade(permit.symbol, Side.BUY, permit.quantity)
            brought = (self.venue[permit.symbol] - before).quantize(STEP, rounding="ROUND_DOWN")
            price = self.prices[permit.symbol]
            self.exits.append(Exits(permit.symbol, brought, price * Decimal("0.98"), price * Decimal("1.04")))
        self._read_the_ledger()
        self.exposure = desk.release(self.exposure, permit.id)

    @rule(symbol=st.sampled_from(SYMBOLS), share=st.integers(1, 100))
    def sell(self, symbol: str, share: int) -> None:
        """A decision sells: what the exits of lists lock is freed first, as the guard does it."""
        if self.venue[symbol] > 0:
            self.exits = [one for one in self.exits if one.symbol != symbol]
            self._trade(symbol, Side.SELL, self.venue[symbol] * share / 100)
            self._read_the_ledger()

    @rule(symbol=st.sampled_from(SYMBOLS), move=st.integers(-60, 60), minutes=st.integers(1, 600))
    def market_moves(self, symbol: str, move: int, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.prices[symbol] *= 1 + Decimal(move) / 100
        met = [one for one in self.exits if one.symbol == symbol and self._meets(one)]
        self.exits = [one for one in self.exits if one not in met]
        for one in met:
            self._trade(symbol, Side.SELL, one.quantity)
        if met:
            self._read_the_ledger()

    def _meets(self, exits: Exits) -> bool:
        return not exits.stop_price < self.prices[exits.symbol] < exits.target_price

    @rule(symbol=st.sampled_from([None, *SYMBOLS]), number=st.integers(1, 4))
    def breaker(self, symbol: str | None, number: int) -> None:
        before = self.exposure
        protection = protection_of(
            account="composite",
            operation_id=f"b{number}",
            reason="flash_crash: all fell",
            symbol=symbol,
            as_of=self.now,
            who="watch",
            policy=POLICY,
        )
        self.exposure = desk.protected(desk.still_protected(before, now=self.now), protection)
        assert desk.protected(self.exposure, protection) is self.exposure
        assert not desk.is_stricter(before.mode, than=self.exposure.mode)

    @rule(mode=st.sampled_from([Mode.MANUAL, Mode.HALTED, Mode.AUTO]))
    def person(self, mode: Mode) -> None:
        self._read_the_ledger()
        wanted = desk.resume(self.exposure) if mode is Mode.AUTO else desk.change_mode(self.exposure, mode)
        assert wanted.epoch >= self.exposure.epoch
        self.exposure = wanted

    @rule()
    def desk_starts_again(self) -> None:
        """State is carried over as JSON: nothing is lost on the way."""
        again = Exposure.model_validate_json(self.exposure.model_dump_json())
        assert again == self.exposure
        self.exposure = again

    @rule()
    def safe_level(self) -> None:
        self._read_the_ledger()
        sold = dict(safe_sales(self.exposure, POLICY))
        left = sum(
            ((h.quantity - sold.get(h.symbol, Decimal(0))) * h.mark_price for h in self.exposure.holdings), Decimal(0)
        )
        assert left <= max(POLICY.systemic_safe_fraction * self.exposure.equity_usd, Decimal(0)) or not sold
        assert all(quantity <= self.venue[symbol] for symbol, quantity in sold.items())

    @invariant()
    def ledger_is_venue(self) -> None:
        for symbol in SYMBOLS:
            assert self.ledger[symbol].quantity == self.venue[symbol]

    @invariant()
    def exits_sell_what_is_held(self) -> None:
        for symbol in SYMBOLS:
            locked = sum((one.quantity for one in self.exits if one.symbol == symbol), Decimal(0))
            assert locked <= self.venue[symbol]

    @invariant()
    def promises_are_of_orders_that_live(self) -> None:
        assert {one.permit_id for one in self.exposure.reservations} == {permit.id for permit in self.resting}

    def _trade(self, symbol: str, side: Side, quantity: Decimal) -> None:
        quantity = quantity.quantize(Decimal("0.00000001"), rounding="ROUND_DOWN")
        if quantity <= 0:
            return
        self.trades += 1
        price = self.prices[symbol].quantize(Decimal("0.00000001"))
        bought = side is Side.BUY
        commission = quantity * FEE if bought else quantity * price * FEE
        self.venue[symbol] += quantity - commission if bought else -quantity
        self.cash += -quantity * price if bought else quantity * price - commission
        fill = Fill(
            symbol=symbol,
            venue_order_id=str(self.trades),
            trade_id=str(self.trades),
            client_order_id=f"c{self.trades}",
            side=side,
            price=price,
            quantity=quantity,
            commission=commission,
            commission_asset=symbol.partition("/")[0] if bought else "USDT",
            is_maker=False,
            filled_at=self.now + timedelta(microseconds=self.trades),
        )
        self.ledger[symbol] = extended(self.ledger[symbol], [fill])

    def _read_the_ledger(self) -> None:
        held = tuple(
            Holding(
                symbol=symbol,
                quantity=position.quantity,
                average_price=position.average_price or self.prices[symbol],
                mark_price=self.prices[symbol],
            )
            for symbol, position in self.ledger.items()
            if position.quantity > 0
        )
        ledger = self.exposure.model_copy(update={"cash_usd": self.cash, "holdings": held})
        self.exposure = desk.refreshed(self.exposure, ledger)


TestAccountLife = AccountLife.TestCase
TestAccountLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
