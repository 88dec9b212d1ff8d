"""The first gene pool (C50): ten named strategies as data, for hourly candles and four-hour ones resampled from them.

They are plain ideas of the trade, chosen to differ, not tuned on any history: what they earn is found out, not
promised. Entry rules, filters, exits and sizing are the genes that evolution changes.
"""

from __future__ import annotations

from decimal import Decimal

from trading.strategies.conditions import label, number, other_fact
from trading.strategies.models import Op, Score, Setup, StopRule, Strategy, Term

NOT_CRASHING = label("market is not crashing", "risk_regime", Op.IS_NOT, "crash")


def _confidence(start: str, *terms: Term) -> Score:
    return Score(start=Decimal(start), terms=terms, at_least=Decimal("0.30"), at_most=Decimal("0.80"))


def _odds(start: str, *terms: Term) -> Score:
    return Score(start=Decimal(start), terms=terms, at_least=Decimal("0.30"), at_most=Decimal("0.65"))


def _term(fact: str, weight: str, zero_at: str, full_at: str) -> Term:
    return Term(fact=fact, weight=Decimal(weight), zero_at=Decimal(zero_at), full_at=Decimal(full_at))


def _atr_stop(multiple: str, *, at_least: str = "0.008", at_most: str = "0.045") -> StopRule:
    return StopRule(kind="atr", value=Decimal(multiple), at_least=Decimal(at_least), at_most=Decimal(at_most))


TREND_FOLLOWING = Strategy(
    name="trend-following",
    version="1",
    kind="trend",
    thesis="A strong trend on four hours, confirmed on one, goes on longer than most expect.",
    filters=(NOT_CRASHING,),
    entries=(
        Setup(
            id="both timeframes rise",
            all_of=(
                label("higher timeframe rises", "ema_trend@4h", Op.IS, "up"),
                label("lower timeframe rises", "ema_trend@1h", Op.IS, "up"),
                number("trend has strength", "adx_14@4h", Op.ABOVE, "25"),
                other_fact("buyers lead", "plus_di_14@4h", Op.ABOVE, "minus_di_14@4h"),
                number("not overheated", "rsi_14@1h", Op.BELOW, "72"),
            ),
        ),
    ),
    exits=(Setup(id="higher timeframe falls", all_of=(label("trend is down", "ema_trend@4h", Op.IS, "down"),)),),
    stop=_atr_stop("3.0"),
    reward_risk=Decimal("3.0"),
    time_exit_hours=240,
    size_fraction=Decimal("0.04"),
    confidence=_confidence("0.50", _term("adx_14@4h", "0.20", "20", "45")),
    win_probability=_odds("0.38", _term("adx_14@4h", "0.06", "20", "45")),
)

BREAKOUT = Strategy(
    name="breakout",
    version="1",
    kind="breakout",
    thesis="A close above the last swing on unusual volume finds more buyers than sellers.",
    filters=(NOT_CRASHING,),
    entries=(
        Setup(
            id="swing broken on volume",
            all_of=(
                number("volume is unusual", "volume_ratio@1h", Op.ABOVE, "1.8"),
                number("close is at the top of its range", "bollinger_place@1h", Op.ABOVE, "0.85"),
                label("structure breaks upwards", "structure_break@1h", Op.IS, "bullish"),
            ),
        ),
    ),
    exits=(
        Setup(
            id="break failed",
            all_of=(
                other_fact("price under the middle band", "last_price", Op.BELOW, "bollinger_middle@1h"),
                number("momentum is down", "macd_histogram@1h", Op.BELOW, "0"),
            ),
        ),
    ),
    stop=_atr_stop("2.0"),
    reward_risk=Decimal("2.5"),
    time_exit_hours=96,
    size_fraction=Decimal("0.04"),
    confidence=_confidence("0.50", _term("volume_ratio@1h", "0.15", "1.5", "4")),
    win_probability=_odds("0.40", _term("volume_ratio@1h", "0.05", "1.5", "4")),
)

MEAN_REVERSION = Strategy(
    name="mean-reversion",
    version="1",
    kind="reversion",
    thesis="Without a strong trend a price far below its mean comes back to it.",
    filters=(
        NOT_CRASHING,
        number("no strong trend", "adx_14@4h", Op.BELOW, "30"),
    ),
    entries=(
        Setup(
            id="under the band",
            all_of=(
                number("close below the lower band", "bollinger_place@1h", Op.BELOW, "0.02"),
                number("oversold", "rsi_14@1h", Op.BELOW, "32"),
            ),
        ),
    ),
    exits=(
        Setup(
            id="mean reached",
            all_of=(other_fact("price at the middle band", "last_price", Op.AT_LEAST, "bollinger_middle@1h"),),
        ),
    ),
    stop=_atr_stop("2.5"),
    reward_risk=Decimal("1.5"),
    time_exit_hours=36,
    size_fraction=Decimal("0.03"),
    confidence=_confidence("0.50", _term("rsi_14@1h", "0.20", "32", "18")),
    win_probability=_odds("0.50", _term("rsi_14@1h", "0.08", "32", "18")),
)

MOMENTUM_PULLBACK = Strategy(
    name="momentum-pullback",
    version="1",
    kind="momentum",
    thesis="In an uptrend a short dip is where those who missed it buy.",
    filters=(NOT_CRASHING,),
    entries=(
        Setup(
            id="dip in an uptrend",
            all_of=(
                label("higher timeframe rises", "ema_trend@4h", Op.IS, "up"),
                number("higher timeframe is firm", "rsi_14@4h", Op.ABOVE, "50"),
                number("lower timeframe has cooled", "rsi_14@1h", Op.BELOW, "42"),
                other_fact("price holds the slow average", "last_price", Op.ABOVE, "ema_slow@4h", "0.985"),
            ),
        ),
    ),
    exits=(
        Setup(id="momentum is spent", all_of=(number("overbought", "rsi_14@1h", Op.ABOVE, "74"),)),
        Setup(id="uptrend ended", all_of=(label("trend is down", "ema_trend@4h", Op.IS, "down"),)),
    ),
    stop=_atr_stop("2.2"),
    reward_risk=Decimal("2.0"),
    time_exit_hours=72,
    size_fraction=Decimal("0.04"),
    confidence=_confidence("0.52", _term("rsi_14@4h", "0.12", "50", "62")),
    win_probability=_odds("0.44", _term("rsi_14@4h", "0.05", "50", "62")),
)

VOLATILITY_BREAKOUT = Strategy(
    name="volatility-breakout",
    version="1",
    kind="volatility",
    thesis="When volatility rises out of calm with the price, the move has just begun.",
    filters=(NOT_CRASHING,),
    entries=(
        Setup(
            id="range expands upwards",
            all_of=(
                number("close above the upper band", "bollinger_place@1h", Op.ABOVE, "1"),
                number("volume confirms", "volume_ratio@1h", Op.ABOVE, "1.5"),
                number("momentum is up", "macd_histogram@1h", Op.ABOVE, "0"),
                number("day is not yet wild", "daily_volatility", Op.BELOW, "0.05"),
            ),
        ),
    ),
    exits=(
        Setup(
            id="expansion faded",
            all_of=(
                number("close in the lower half", "bollinger_place@1h", Op.BELOW, "0.4"),
                number("momentum is down", "macd_histogram@1h", Op.BELOW, "0"),
            ),
        ),
    ),
    stop=_atr_stop("1.8"),
    reward_risk=Decimal("2.2"),
    time_exit_hours=48,
    size_fraction=Decimal("0.03"),
    confidence=_confidence("0.48", _term("volume_ratio@1h", "0.15", "1.5", "4")),
    win_probability=_odds("0.40", _term("bollinger_width@1h", "0.04", "0.05", "0.01")),
)

LEVEL_BOUNCE = Strategy(
    name="level-bounce",
    version="1",
    kind="reversion",
    thesis="A level that held twice is defended a third time more often than it breaks.",
    filters=(
        NOT_CRASHING,
        number("no strong trend", "adx_14@1h", Op.BELOW, "35"),
    ),
    entries=(
        Setup(
            id="at a tested support",
            all_of=(
                number("lower timeframe has cooled", "rsi_14@1h", Op.BELOW, "40"),
                number("close in the lower third", "bollinger_place@1h", Op.BELOW, "0.33"),
                number("support was tested", "support_touches@1h", Op.AT_LEAST, "2"),
                other_fact("price is at support", "last_price", Op.AT_MOST, "support@1h", "1.008"),
            ),
        ),
    ),
    exits=(Setup(id="overbought", all_of=(number("overbought", "rsi_14@1h", Op.ABOVE, "66"),)),),
    stop=_atr_stop("1.5"),
    reward_risk=Decimal("2.0"),
    time_exit_hours=48,
    size_fraction=Decimal("0.03"),
    confidence=_confidence("0.50", _term("support_touches@1h", "0.15", "1", "4")),
    win_probability=_odds("0.45", _term("support_touches@1h", "0.06", "1", "4")),
)

MACD_CROSS = Strategy(
    name="macd-cross",
    version="1",
    kind="momentum",
    thesis="When momentum turns from below while the higher timeframe does not fall, the turn is early and cheap.",
    filters=(
        NOT_CRASHING,
        label("higher timeframe does not fall", "ema_trend@4h", Op.IS_NOT, "down"),
    ),
    entries=(
        Setup(
            id="bullish cross",
            all_of=(
                label("histogram crosses upwards", "macd_cross@1h", Op.IS, "bullish"),
                number("cross has room", "rsi_14@1h", Op.BELOW, "60"),
            ),
        ),
    ),
    exits=(
        Setup(id="bearish cross", all_of=(label("histogram crosses downwards", "macd_cross@1h", Op.IS, "bearish"),)),
    ),
    stop=_atr_stop("2.0"),
    reward_risk=Decimal("2.0"),
    time_exit_hours=72,
    size_fraction=Decimal("0.03"),
    confidence=_confidence("0.50", _term("adx_14@4h", "0.10", "15", "35")),
    win_probability=_odds("0.42", _term("adx_14@4h", "0.04", "15", "35")),
)

BOLLINGER_SQUEEZE = Strategy(
    name="bollinger-squeeze",
    version="1",
    kind="volatility",
    thesis="A market that has gone quiet stores its next move; its first push out of narrow bands shows the way.",
    filters=(
        NOT_CRASHING,
        number("bands are narrow", "bollinger_width@1h", Op.BELOW, "0.025"),
    ),
    entries=(
        Setup(
            id="push out of the squeeze",
            all_of=(
                number("close near the upper band", "bollinger_place@1h", Op.ABOVE, "0.9"),
                number("momentum is up", "macd_histogram@1h", Op.ABOVE, "0"),
                label("higher timeframe does not fall", "ema_trend@4h", Op.IS_NOT, "down"),
            ),
        ),
    ),
    exits=(
        Setup(id="pushed back", all_of=(number("close under the lower band", "bollinger_place@1h", Op.BELOW, "0.05"),)),
    ),
    stop=_atr_stop("2.0"),
    reward_risk=Decimal("3.0"),
    time_exit_hours=96,
    size_fraction=Decimal("0.03"),
    confidence=_confidence("0.48", _term("bollinger_width@1h", "0.15", "0.03", "0.01")),
    win_probability=_odds("0.38", _term("bollinger_width@1h", "0.05", "0.03", "0.01")),
)

LIQUIDITY_SWEEP_REVERSAL = Strategy(
    name="liquidity-sweep-reversal",
    version="1",
    kind="reversion",
    thesis="A dip below equal lows that closes back above them has sold the last weak hands.",
    filters=(NOT_CRASHING,),
    entries=(
        Setup(
            id="lows swept and regained",
            all_of=(
                number("lower timeframe is weak", "rsi_14@1h", Op.BELOW, "50"),
                number("volume is there", "volume_ratio@1h", Op.ABOVE, "1"),
                label("lows were swept", "liquidity_sweep@1h", Op.IS, "swept_lows"),
            ),
        ),
    ),
    exits=(Setup(id="overbought", all_of=(number("overbought", "rsi_14@1h", Op.ABOVE, "68"),)),),
    stop=_atr_stop("1.8"),
    reward_risk=Decimal("2.0"),
    time_exit_hours=48,
    size_fraction=Decimal("0.03"),
    confidence=_confidence("0.50", _term("volume_ratio@1h", "0.15", "1", "3")),
    win_probability=_odds("0.44", _term("rsi_14@1h", "0.06", "50", "30")),
)

HIGH_VOLATILITY_DEFENCE = Strategy(
    name="high-volatility-defence",
    version="1",
    kind="reversion",
    thesis="When fear is greatest, what is sold at any price bounces: small, short, and only when deeply oversold.",
    filters=(label("volatility is high", "risk_regime", Op.IS, "high_volatility", "crash"),),
    entries=(
        Setup(
            id="capitulation",
            all_of=(
                number("deeply oversold", "rsi_14@1h", Op.BELOW, "27"),
                number("close below the lower band", "bollinger_place@1h", Op.BELOW, "0.05"),
            ),
        ),
    ),
    exits=(Setup(id="bounce is done", all_of=(number("back to neutral", "rsi_14@1h", Op.ABOVE, "52"),)),),
    stop=_atr_stop("2.0", at_least="0.012"),
    reward_risk=Decimal("1.5"),
    time_exit_hours=24,
    size_fraction=Decimal("0.015"),
    confidence=_confidence("0.45", _term("rsi_14@1h", "0.20", "27", "12")),
    win_probability=_odds("0.48", _term("rsi_14@1h", "0.06", "27", "12")),
)

GENE_POOL: tuple[Strategy, ...] = (
    TREND_FOLLOWING,
    BREAKOUT,
    MEAN_REVERSION,
    MOMENTUM_PULLBACK,
    VOLATILITY_BREAKOUT,
    LEVEL_BOUNCE,
    MACD_CROSS,
    BOLLINGER_SQUEEZE,
    LIQUIDITY_SWEEP_REVERSAL,
    HIGH_VOLATILITY_DEFENCE,
)
"""The ten that a fresh account starts with, after the two rule analysts (S2-236)."""
