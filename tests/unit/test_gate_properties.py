"""What holds for every request, account and sequence: never more than any limit, never more for a worse world."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.facts.models import RiskRegime
from trading.policy.model import Policy
from trading.policy.regimes import BY_DANGER
from trading.policy.table import changed
from trading.risk.desk import release, reserve
from trading.risk.gate import gate
from trading.risk.models import Exposure, GateRequest, Holding, Mode

NOW = datetime(2020, 3, 12, 10, 0, tzinfo=UTC)
SYMBOLS = ("ADA/USDT", "BNB/USDT", "BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT")
PRICE = Decimal(100)

cents = st.integers(0, 2_000_000).map(lambda n: Decimal(n) / 100)
shares = st.integers(0, 1000).map(lambda n: Decimal(n) / 1000)
regimes = st.sampled_from(list(RiskRegime))
policies = st.builds(
    lambda trade, position, total, cash: changed(
        Policy(),
        max_trade_fraction=trade,
        max_position_fraction=max(position, trade, Decimal("0.02")),
        total_fraction_crash=total / 5,
        cash_floor_fraction=cash,
        drawdown_defence_fraction="0.5",
        drawdown_halt_fraction="0.9",
        daily_loss_alert_fraction="0.5",
    ),
    trade=st.sampled_from([Decimal("0.01"), Decimal("0.05"), Decimal("0.25")]),
    position=st.sampled_from([Decimal("0.05"), Decimal("0.10"), Decimal("0.30")]),
    total=shares,
    cash=st.sampled_from([Decimal(0), Decimal("0.1"), Decimal("0.5")]),
)


@st.composite
def holdings(draw: st.DrawFn) -> tuple[Holding, ...]:
    symbols = draw(st.lists(st.sampled_from(SYMBOLS), unique=True, max_size=4))
    return tuple(
        Holding(symbol=symbol, quantity=draw(cents) / 1000, average_price=PRICE, mark_price=PRICE)
        for symbol in sorted(symbols)
    )


@st.composite
def accounts(draw: st.DrawFn) -> Exposure:
    cash, held = draw(cents), draw(holdings())
    equity = cash + sum((one.notional_usd for one in held), Decimal(0))
    return Exposure(
        account="composite",
        mode=Mode.AUTO,
        epoch=1,
        cash_usd=cash,
        holdings=held,
        day_start_equity_usd=equity,
        peak_equity_usd=equity,
        closed_trades=60,
        day_started_at=NOW.replace(hour=0),
    )


@st.composite
def entries(draw: st.DrawFn) -> GateRequest:
    return GateRequest(
        request_id=f"r{draw(st.integers(0, 10**9))}",
        account="composite",
        decision_id="d1",
        symbol=draw(st.sampled_from(SYMBOLS)),
        opens=True,
        size_fraction=draw(shares),
        price=PRICE,
        stop_price=Decimal(97),
        target_price=Decimal(106),
        taker_fee=Decimal("0.001"),
        min_notional_usd=Decimal(5),
        risk_regime=draw(regimes),
        confidence=draw(shares),
        win_probability=draw(shares),
        low_certainty=draw(st.booleans()),
        event_day=draw(st.booleans()),
        observed_at=NOW,
        now=NOW,
    )


def granted(request: GateRequest, exposure: Exposure, policy: Policy) -> Decimal:
    permit = gate(request, exposure, policy).permit
    return Decimal(0) if permit is None else permit.notional_usd


@given(request=entries(), exposure=accounts(), policy=policies)
def test_granted_is_within_every_cap_and_within_the_proposal(
    request: GateRequest, exposure: Exposure, policy: Policy
) -> None:
    answer = gate(request, exposure, policy)
    assert (answer.permit is None) == bool(answer.denials)
    if answer.permit is None:
        return
    assert all(answer.permit.notional_usd <= cap.leaves_usd for cap in answer.caps)
    assert answer.permit.notional_usd <= request.size_fraction * exposure.equity_usd
    assert answer.permit.quantity * request.price <= answer.permit.notional_usd
    assert answer.permit.notional_usd >= request.min_notional_usd
    assert answer.binding in {cap.code for cap in answer.caps}


def bought(exposure: Exposure, symbol: str, quantity: Decimal) -> Exposure:
    """The ledger after a purchase at `PRICE`: as the desk reads it anew."""
    held = exposure.holding(symbol)
    total = quantity + (held.quantity if held is not None else 0)
    others = tuple(one for one in exposure.holdings if one.symbol != symbol)
    holding = Holding(symbol=symbol, quantity=total, average_price=PRICE, mark_price=PRICE)
    cash = exposure.cash_usd - quantity * PRICE
    return exposure.model_copy(update={"cash_usd": cash, "holdings": (*others, holding)})


@settings(max_examples=60)
@given(
    exposure=accounts(),
    policy=policies,
    requests=st.lists(entries(), min_size=1, max_size=12, unique_by=lambda request: request.request_id),
    fates=st.lists(st.sampled_from(["rests", "fills", "dies"]), min_size=12, max_size=12),
)
def test_no_sequence_of_permits_passes_a_limit(
    exposure: Exposure, policy: Policy, requests: list[GateRequest], fates: list[str]
) -> None:
    for request, fate in zip(requests, fates, strict=False):
        before = exposure
        permit = gate(request, exposure, policy).permit
        if permit is None:
            continue
        exposure = reserve(exposure, permit, at=NOW)
        equity = exposure.equity_usd
        assert equity == before.equity_usd, "a promise is not a loss"
        assert exposure.symbol_usd(request.symbol) <= policy.max_position_fraction * equity
        assert exposure.symbol_usd(request.symbol) <= policy.max_symbol_fraction * equity
        assert exposure.total_usd <= policy.total_fraction(request.risk_regime) * equity
        assert exposure.total_usd <= equity
        assert exposure.cash_usd - exposure.reserved_usd >= policy.cash_floor_fraction * equity
        symbols = {one.symbol for one in exposure.reservations} | {
            one.symbol for one in exposure.holdings if one.notional_usd >= request.min_notional_usd
        }
        assert len(symbols - {request.symbol}) < policy.max_positions(request.risk_regime)
        if fate == "fills":
            exposure = bought(release(exposure, permit.id), request.symbol, permit.quantity)
        elif fate == "dies":
            exposure = release(exposure, permit.id)


@given(request=entries(), exposure=accounts(), policy=policies, less=cents)
def test_less_cash_never_gets_more(request: GateRequest, exposure: Exposure, policy: Policy, less: Decimal) -> None:
    poorer = exposure.model_copy(update={"cash_usd": max(exposure.cash_usd - less, Decimal(0))})
    assert granted(request, poorer, policy) <= granted(request, exposure, policy)


@given(request=entries(), exposure=accounts(), policy=policies)
def test_a_worse_regime_never_gets_more(request: GateRequest, exposure: Exposure, policy: Policy) -> None:
    sizes = [granted(request.model_copy(update={"risk_regime": one}), exposure, policy) for one in BY_DANGER]
    assert sizes == sorted(sizes, reverse=True)


@given(request=entries(), exposure=accounts(), policy=policies, other=entries())
def test_a_promise_to_another_never_gets_more(
    request: GateRequest, exposure: Exposure, policy: Policy, other: GateRequest
) -> None:
    permit = gate(other, exposure, policy).permit
    if permit is not None:
        assert granted(request, reserve(exposure, permit, at=NOW), policy) <= granted(request, exposure, policy)


@given(request=entries(), exposure=accounts(), mode=st.sampled_from([Mode.DEFENSIVE, Mode.HALTED, Mode.MANUAL]))
def test_only_auto_lets_an_entry_pass_by_itself(request: GateRequest, exposure: Exposure, mode: Mode) -> None:
    assert granted(request, exposure.model_copy(update={"mode": mode}), Policy()) == 0


@given(request=entries(), exposure=accounts(), age_s=st.integers(121, 10**7))
def test_the_past_is_never_traded(request: GateRequest, exposure: Exposure, age_s: int) -> None:
    old = request.model_copy(update={"observed_at": NOW - timedelta(seconds=age_s)})
    assert granted(old, exposure, Policy()) == 0


@given(exposure=accounts(), symbol=st.sampled_from(SYMBOLS), size=shares, mode=st.sampled_from(list(Mode)))
def test_a_reduction_is_never_more_than_the_position(
    exposure: Exposure, symbol: str, size: Decimal, mode: Mode
) -> None:
    request = GateRequest(
        request_id="r1",
        account="composite",
        decision_id="d1",
        symbol=symbol,
        opens=False,
        size_fraction=size,
        price=PRICE,
        taker_fee=Decimal("0.001"),
        min_notional_usd=Decimal(5),
        risk_regime=RiskRegime.CRASH,
        confidence=Decimal(0),
        win_probability=Decimal(0),
        observed_at=NOW,
        now=NOW,
    )
    holding = exposure.holding(symbol)
    quantity = Decimal(0) if holding is None else holding.quantity
    permit = gate(request, exposure.model_copy(update={"mode": mode}), Policy()).permit
    if permit is None:
        assert quantity * size * PRICE < 5
    else:
        assert permit.quantity == quantity * size
        assert permit.quantity <= quantity
