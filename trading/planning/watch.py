"""The watch list: the most active symbols, those that are held, and how far the list reaches (C63)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from trading.facts.models import REMEMBERED, MarketSnapshot, RiskRegime, TrendRegime
from trading.money import ONE, ZERO
from trading.planning.models import DayNumbers, Unwatched, WatchItem
from trading.policy.gate import GatePolicy
from trading.policy.regimes import BY_DANGER

TOP = 20
NARROW = 10
"""S2-09 and S2-20: twenty symbols; ten after a day that lost half of what raises the alarm."""

STAYS = Decimal("1.1")
"""A symbol of the last list counts for a tenth more: two symbols of equal activity do not swap places every day."""

DANGER_SHARE = ONE / 3
"""The market is as dangerous as the calmest regime that a third of the turnover is at least in."""


def scope(yesterday: DayNumbers, policy: GatePolicy) -> int:
    """How many symbols to watch: fewer after a bad day of any account."""
    mark = -policy.daily_loss_alert_fraction / 2
    returns = [row.return_fraction for row in yesterday.accounts]
    return NARROW if any(value is not None and value <= mark for value in returns) else TOP


def watch_list(
    snapshots: Mapping[str, MarketSnapshot],
    *,
    held: Collection[str],
    previous: Collection[str],
    limit: int,
) -> tuple[tuple[WatchItem, ...], tuple[Unwatched, ...]]:
    """The `limit` most active symbols by turnover of 24 hours, and every held one however quiet it is.

    `snapshots` are by the hash they are stored under. What cannot be decided on is left out with its reason, and so is
    what has no turnover fact. What is only remembered is watched all the same, and said to be. Ties are in the order of
    names. A held symbol that cannot be judged is reported too.
    """
    known: list[tuple[Decimal, str, MarketSnapshot, str]] = []
    unwatched: list[Unwatched] = []
    for name, snapshot in snapshots.items():
        turnover = number(snapshot, "turnover_24h_usd")
        unusable = None if snapshot.insufficient == REMEMBERED else snapshot.insufficient
        reason = unusable or ("no_turnover" if turnover is None else None)
        if reason is not None or turnover is None:
            unwatched.append(Unwatched(symbol=snapshot.symbol, reason=reason or "no_turnover"))
            continue
        known.append((turnover * (STAYS if snapshot.symbol in previous else ONE), snapshot.symbol, snapshot, name))
    known.sort(key=lambda row: (-row[0], row[1]))
    chosen = [*known[:limit], *(row for row in known[limit:] if row[1] in held)]
    items = tuple(
        _item(snapshot, name, rank=place, held=place > limit) for place, (_, _, snapshot, name) in enumerate(chosen, 1)
    )
    return items, tuple(sorted(unwatched, key=lambda row: row.symbol))


def _item(snapshot: MarketSnapshot, name: str, *, rank: int, held: bool) -> WatchItem:
    turnover = number(snapshot, "turnover_24h_usd")
    assert turnover is not None, "the list has no symbol without a turnover"
    return WatchItem(
        rank=rank,
        symbol=snapshot.symbol,
        reason=REMEMBERED if snapshot.insufficient == REMEMBERED else "held" if held else "active",
        last_price=snapshot.last_price,
        turnover_24h_usd=turnover,
        change_24h=number(snapshot, "change_24h"),
        atr_fraction=snapshot.atr_fraction,
        trend_regime=snapshot.trend_regime,
        risk_regime=snapshot.risk_regime,
        snapshot_hash=name,
    )


def number(snapshot: MarketSnapshot, fact: str) -> Decimal | None:
    """The number of a fact by its id, or `None` where it is absent or a label."""
    found = next((each.value for each in snapshot.facts if each.id == fact), None)
    return found if isinstance(found, Decimal) else None


def market_risk(items: Sequence[WatchItem]) -> RiskRegime:
    """The market's danger: the worst regime such that a third of the turnover is in it or in a worse one."""
    whole = sum((item.turnover_24h_usd for item in items), ZERO)
    seen = ZERO
    for regime in reversed(BY_DANGER):
        seen += sum((item.turnover_24h_usd for item in items if item.risk_regime is regime), ZERO)
        if whole > 0 and seen / whole >= DANGER_SHARE:
            return regime
    return RiskRegime.NORMAL


def market_trend(items: Sequence[WatchItem]) -> TrendRegime:
    """The direction that most of the turnover is in; of equal ones the more careful, bear before bull."""
    by_care = (TrendRegime.BEAR_MARKET, TrendRegime.SIDEWAYS, TrendRegime.NORMAL, TrendRegime.BULL_RUN)
    shares = {
        trend: sum((item.turnover_24h_usd for item in items if item.trend_regime is trend), ZERO) for trend in by_care
    }
    if not any(shares.values()):
        return TrendRegime.NORMAL
    return max(by_care, key=lambda trend: shares[trend])
