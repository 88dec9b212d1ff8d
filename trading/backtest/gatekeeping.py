"""The live gate before a back-tested entry (C16): the same limits and denials, over an account of its own."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

from trading.backtest.holdings import Held
from trading.backtest.position import ACCOUNT, EntryPlan
from trading.facts.models import RiskRegime
from trading.matching.book import ask_at, bid_at
from trading.matching.fills import FillModel, Venue
from trading.matching.filters import down_to
from trading.policy.model import Policy
from trading.risk.gate import entry_verdict
from trading.risk.models import Exposure, GateRequest, Holding, Mode
from trading.strategies.models import Signal

DAY_S = 86_400


class Gatekeeper:
    """Keeps what the gate needs to know of the account (peak, day, entries) and asks it; days are those of UTC."""

    def __init__(self, policy: Policy, *, venue: Venue, model: FillModel, capital_usd: Decimal) -> None:
        self._policy = policy
        self._venue = venue
        self._model = model
        self._peak = capital_usd
        self._latest = capital_usd
        self._day = -1
        self._day_start = capital_usd
        self._entries_on: Counter[int] = Counter()
        self.closed_trades = 0
        self.denials: Counter[str] = Counter()

    def saw(self, equity_usd: Decimal, *, closes_at_s: int) -> None:
        """Equity at a close; called in order, and at least once on each day on which it moved."""
        day = (closes_at_s - 1) // DAY_S
        if day != self._day:
            self._day, self._day_start = day, self._latest
        self._latest = equity_usd
        self._peak = max(self._peak, equity_usd)

    def admit(
        self,
        signal: Signal,
        held: Held,
        *,
        name: str,
        price: Decimal,
        atr_fraction: Decimal | None,
        risk_regime: str | None,
        closes_at_s: int,
    ) -> EntryPlan | None:
        """What the gate permits of a buy signal at a close, floored to the venue's step; `None` where it refuses."""
        filters = self._venue.filters
        now = datetime.fromtimestamp(closes_at_s, UTC)
        ask, bid = ask_at(price, filters.tick), bid_at(price, filters.tick)
        day = closes_at_s // DAY_S
        if day != self._day:
            self._day, self._day_start = day, self._latest
        request = GateRequest(
            request_id=f"{name}|{closes_at_s}",
            account=ACCOUNT,
            decision_id=f"{name}|{closes_at_s}",
            symbol=self._venue.symbol,
            opens=True,
            size_fraction=signal.size_fraction,
            price=ask,
            stop_price=signal.stop,
            target_price=signal.target,
            spread_fraction=(ask - bid) / price,
            atr_fraction=atr_fraction,
            taker_fee=self._model.taker_fee,
            min_notional_usd=filters.min_notional,
            risk_regime=RiskRegime(risk_regime or RiskRegime.NORMAL),
            confidence=signal.confidence,
            win_probability=signal.win_probability,
            observed_at=now,
            now=now,
        )
        verdict = entry_verdict(request, self._exposure(held, price, day), self._policy)
        self.denials.update(refusal.code for refusal in verdict.denials)
        if verdict.denials or signal.stop is None:
            return None
        self._entries_on[day] += 1
        return EntryPlan(
            name=name,
            setup=signal.setup or "",
            decided_ms=closes_at_s * 1000,
            quantity=down_to(verdict.quantity, filters.step),
            stop_price=signal.stop,
            target_price=signal.target,
            horizon_hours=signal.horizon_hours,
        )

    def _exposure(self, held: Held, price: Decimal, day: int) -> Exposure:
        holdings: tuple[Holding, ...] = ()
        if held.quantity:
            holdings = (
                Holding(
                    symbol=self._venue.symbol,
                    quantity=held.quantity,
                    average_price=held.cost_usd / held.quantity,
                    mark_price=price,
                ),
            )
        return Exposure(
            account=ACCOUNT,
            mode=Mode.AUTO,
            epoch=0,
            cash_usd=held.cash_usd,
            holdings=holdings,
            day_start_equity_usd=self._day_start,
            peak_equity_usd=self._peak,
            closed_trades=self.closed_trades,
            entries_today=self._entries_on[day],
        )
