"""The rows that ship with the agent: two rule analysts that often disagree and agree on a dip, and the gene pool."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from trading.strategies.conditions import label as _label
from trading.strategies.conditions import number as _number
from trading.strategies.conditions import other_fact as _fact
from trading.strategies.gene_pool import GENE_POOL
from trading.strategies.models import Op, Score, Setup, StopRule, Strategy, Term

RULES_MOMENTUM = Strategy(
    name="rules-momentum",
    version="1",
    kind="momentum",
    thesis="A trend on the higher timeframe goes on more often than it turns; it is bought on a dip or a push.",
    filters=(_label("market is not crashing", "risk_regime", Op.IS_NOT, "crash"),),
    entries=(
        Setup(
            id="pullback",
            all_of=(
                _fact("higher timeframe rises", "ema_fast@4h", Op.ABOVE, "ema_slow@4h"),
                _number("lower timeframe has cooled", "rsi_14@1h", Op.BELOW, "44"),
                _fact("dip stays near the slow average", "last_price", Op.ABOVE, "ema_slow@4h", "0.97"),
            ),
        ),
        Setup(
            id="push",
            all_of=(
                _fact("higher timeframe rises", "ema_fast@4h", Op.ABOVE, "ema_slow@4h"),
                _number("trend has strength", "adx_14@4h", Op.ABOVE, "20"),
                _fact("price above the fast average", "last_price", Op.ABOVE, "ema_fast@4h"),
                _number("momentum turns up", "macd_histogram@1h", Op.ABOVE, "0"),
                _number("momentum has room", "rsi_14@1h", Op.BELOW, "70"),
                _number("momentum is there", "rsi_14@1h", Op.ABOVE, "54"),
            ),
        ),
    ),
    exits=(
        Setup(
            id="trend broke",
            all_of=(
                _fact("higher timeframe falls", "ema_fast@4h", Op.BELOW, "ema_slow@4h"),
                _number("momentum is down", "macd_histogram@1h", Op.BELOW, "0"),
            ),
        ),
        Setup(
            id="support lost",
            all_of=(
                _fact("price under the slow average", "last_price", Op.BELOW, "ema_slow@4h", "0.97"),
                _number("lower timeframe is weak", "rsi_14@1h", Op.BELOW, "40"),
            ),
        ),
    ),
    stop=StopRule(kind="atr", value=Decimal("2.0"), at_least=Decimal("0.008"), at_most=Decimal("0.04")),
    reward_risk=Decimal("2.0"),
    time_exit_hours=72,
    size_fraction=Decimal("0.04"),
    confidence=Score(
        start=Decimal("0.50"),
        terms=(
            Term(fact="adx_14@4h", weight=Decimal("0.20"), zero_at=Decimal("15"), full_at=Decimal("40")),
            Term(fact="trend_regime", weight=Decimal("0.10"), label="bull_run"),
            Term(fact="risk_regime", weight=Decimal("-0.10"), label="high_volatility"),
            Term(fact="rsi_14@4h", weight=Decimal("0.08"), zero_at=Decimal("45"), full_at=Decimal("60")),
        ),
        at_least=Decimal("0.30"),
        at_most=Decimal("0.85"),
    ),
    win_probability=Score(
        start=Decimal("0.42"),
        terms=(
            Term(fact="adx_14@4h", weight=Decimal("0.06"), zero_at=Decimal("15"), full_at=Decimal("40")),
            Term(fact="trend_regime", weight=Decimal("0.03"), label="bull_run"),
        ),
        at_least=Decimal("0.36"),
        at_most=Decimal("0.55"),
    ),
)

RULES_REVERSION = Strategy(
    name="rules-reversion",
    version="1",
    kind="reversion",
    thesis="A price stretched below its mean returns to it more often than not, unless the whole market falls.",
    filters=(
        _label("market is not a bear", "trend_regime", Op.IS_NOT, "bear_market"),
        _label("market is not crashing", "risk_regime", Op.IS_NOT, "crash"),
    ),
    entries=(
        Setup(
            id="stretched",
            all_of=(_number("lower timeframe is oversold", "rsi_14@1h", Op.BELOW, "40"),),
            any_of=(
                _fact("price at the lower band", "last_price", Op.AT_MOST, "bollinger_lower@1h", "1.004"),
                _number("deeply oversold", "rsi_14@1h", Op.BELOW, "30"),
                _fact("price at support", "last_price", Op.AT_MOST, "support@1h", "1.01"),
            ),
            at_least=1,
        ),
    ),
    exits=(
        Setup(
            id="stretched above",
            all_of=(_number("lower timeframe is overbought", "rsi_14@1h", Op.ABOVE, "68"),),
        ),
        Setup(
            id="market turned",
            all_of=(
                _label("market is a bear", "trend_regime", Op.IS, "bear_market"),
                _number("momentum is down", "macd_histogram@1h", Op.BELOW, "0"),
            ),
        ),
        Setup(
            id="crash",
            all_of=(_label("market is crashing", "risk_regime", Op.IS, "crash"),),
        ),
    ),
    stop=StopRule(kind="atr", value=Decimal("1.8"), at_least=Decimal("0.007"), at_most=Decimal("0.035")),
    reward_risk=Decimal("1.5"),
    time_exit_hours=36,
    size_fraction=Decimal("0.03"),
    confidence=Score(
        start=Decimal("0.52"),
        terms=(
            Term(fact="rsi_14@1h", weight=Decimal("0.20"), zero_at=Decimal("42"), full_at=Decimal("20")),
            Term(fact="adx_14@4h", weight=Decimal("-0.08"), zero_at=Decimal("20"), full_at=Decimal("40")),
            Term(fact="trend_regime", weight=Decimal("0.06"), label="sideways"),
            Term(fact="risk_regime", weight=Decimal("-0.08"), label="high_volatility"),
        ),
        at_least=Decimal("0.30"),
        at_most=Decimal("0.80"),
    ),
    win_probability=Score(
        start=Decimal("0.48"),
        terms=(
            Term(fact="rsi_14@1h", weight=Decimal("0.08"), zero_at=Decimal("42"), full_at=Decimal("20")),
            Term(fact="trend_regime", weight=Decimal("0.03"), label="sideways"),
        ),
        at_least=Decimal("0.42"),
        at_most=Decimal("0.62"),
    ),
)

LIBRARY: Mapping[str, Strategy] = MappingProxyType({row.name: row for row in (RULES_MOMENTUM, RULES_REVERSION)})
"""The rule analysts by name."""

STRATEGIES: Mapping[str, Strategy] = MappingProxyType({**LIBRARY, **{row.name: row for row in GENE_POOL}})
"""Every built-in strategy by name: what the first playbook holds and a back-test can name."""


def strategy(name: str) -> Strategy:
    """The built-in strategy `name`, or `LookupError` that names the known ones."""
    try:
        return STRATEGIES[name]
    except KeyError:
        raise LookupError(f"strategy {name!r} is unknown: allowed are {', '.join(sorted(STRATEGIES))}") from None
