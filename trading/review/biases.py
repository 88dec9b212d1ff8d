"""Five habits that cost money, measured; each check says what it measured, against what, and on which trades (C49)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Literal

from trading.contract import Contract
from trading.money import ZERO
from trading.policy.model import Policy
from trading.review.models import ClosedTrade, in_order

BiasName = Literal["over_trading", "anchoring", "confirmation", "loss_aversion", "chasing"]


class BiasCheck(Contract):
    """One check. `found` is `None` where there was too little to judge by, and `sentence` says what is missing."""

    name: BiasName
    found: bool | None
    measured: Decimal | None = None
    threshold: Decimal
    sample: int
    evidence: tuple[str, ...] = ()
    """Decisions that show the habit."""
    sentence: str


def check_biases(
    trades: Sequence[ClosedTrade],
    *,
    days: int,
    trades_before: int,
    days_before: int,
    policy: Policy,
) -> tuple[BiasCheck, ...]:
    """All five checks over one account's closed `trades` of a period of `days`.

    `trades_before` and `days_before` are the account's trades and days before the period: the ground of its mean.
    """
    ordered = in_order(tuple(trades))
    return (
        _over_trading(ordered, days=days, trades_before=trades_before, days_before=days_before, policy=policy),
        _anchoring(ordered, policy),
        _confirmation(ordered, policy),
        _loss_aversion(ordered, policy),
        _chasing(ordered, policy),
    )


def _over_trading(
    trades: Sequence[ClosedTrade], *, days: int, trades_before: int, days_before: int, policy: Policy
) -> BiasCheck:
    """S2-211: more than 1.5 times the historical mean."""
    limit = policy.overtrading_multiple
    if days_before < policy.overtrading_min_days or trades_before == 0 or days <= 0:
        return BiasCheck(
            name="over_trading",
            found=None,
            threshold=limit,
            sample=len(trades),
            sentence=f"not judged: {trades_before} trades in {days_before} days before are no mean to compare with",
        )
    usual, now = Decimal(trades_before) / days_before, Decimal(len(trades)) / days
    return BiasCheck(
        name="over_trading",
        found=now > usual * limit,
        measured=now / usual,
        threshold=limit,
        sample=len(trades),
        evidence=tuple(trade.decision_id for trade in trades) if now > usual * limit else (),
        sentence=f"{now:.2f} trades a day against a mean of {usual:.2f}",
    )


def _anchoring(trades: Sequence[ClosedTrade], policy: Policy) -> BiasCheck:
    """S2-212, its threshold chosen here: plans of one symbol cling to one price point while entries move on.

    A trade leans on a point when its planned stop or target lies within the tolerance of it; the point is the planned
    level that most of the symbol's trades lean on; entries that stayed near each other are no anchor.
    """
    worst: tuple[Decimal, int, Decimal, tuple[str, ...], str] | None = None
    for symbol in sorted({trade.symbol for trade in trades}):
        mine = [trade for trade in trades if trade.symbol == symbol and _levels(trade)]
        if len(mine) < policy.bias_min_trades:
            continue
        leaning, level = _most_leaned_on(mine, policy.anchoring_tolerance_fraction)
        entries = [trade.plan.entry_price for trade in leaning if trade.plan.entry_price is not None]
        moved = max(entries) / min(entries) - 1 if entries else ZERO
        share = Decimal(len(leaning)) / len(mine) if moved > policy.anchoring_move_fraction else ZERO
        if worst is None or share > worst[0]:
            worst = share, len(mine), level, tuple(trade.decision_id for trade in leaning), symbol
    if worst is None:
        return _too_few("anchoring", policy.anchoring_share, len(trades), f"{policy.bias_min_trades} in one symbol")
    share, sample, level, evidence, symbol = worst
    found = share > policy.anchoring_share
    return BiasCheck(
        name="anchoring",
        found=found,
        measured=share,
        threshold=policy.anchoring_share,
        sample=sample,
        evidence=evidence if found else (),
        sentence=f"{share:.0%} of {sample} plans in {symbol} lean on {level:.8g} while the entries moved",
    )


def _levels(trade: ClosedTrade) -> tuple[Decimal, ...]:
    return tuple(level for level in (trade.plan.stop_price, trade.plan.target_price) if level is not None)


def _most_leaned_on(trades: list[ClosedTrade], tolerance: Decimal) -> tuple[list[ClosedTrade], Decimal]:
    """The planned level that most trades lean on, the lowest of equals, and these trades; one pass over the levels."""
    levels = sorted((level, place) for place, trade in enumerate(trades) for level in _levels(trade))
    inside: Counter[int] = Counter()
    low = high = most = 0
    point = levels[0][0]
    for level, _ in levels:
        while high < len(levels) and levels[high][0] <= level * (1 + tolerance):
            inside[levels[high][1]] += 1
            high += 1
        while levels[low][0] < level * (1 - tolerance):
            inside[levels[low][1]] -= 1
            if not inside[levels[low][1]]:
                del inside[levels[low][1]]
            low += 1
        if len(inside) > most:
            most, point = len(inside), level
    near = [t for t in trades if any(abs(level - point) <= tolerance * point for level in _levels(t))]
    return near, point


def _confirmation(trades: Sequence[ClosedTrade], policy: Policy) -> BiasCheck:
    """S2-213, threshold chosen here: entries whose proposals cite no opposing fact though the snapshot had one."""
    asked = [trade for trade in trades if trade.plan.opposing_facts]
    limit = policy.confirmation_share
    if len(asked) < policy.bias_min_trades:
        return _too_few("confirmation", limit, len(asked), f"{policy.bias_min_trades} entries with opposing facts")
    blind = [trade for trade in asked if not trade.plan.opposing_cited]
    share = Decimal(len(blind)) / len(asked)
    return BiasCheck(
        name="confirmation",
        found=share > limit,
        measured=share,
        threshold=limit,
        sample=len(asked),
        evidence=tuple(trade.decision_id for trade in blind) if share > limit else (),
        sentence=f"{share:.0%} of {len(asked)} entries cite nothing that spoke against them",
    )


def _loss_aversion(trades: Sequence[ClosedTrade], policy: Policy) -> BiasCheck:
    """S2-214: losers held more than twice as long as winners."""
    limit = policy.loss_aversion_multiple
    winners = [trade.held for trade in trades if trade.won and trade.held is not None]
    losers = [trade for trade in trades if not trade.won and trade.held is not None]
    least = policy.loss_aversion_min_each
    if len(winners) < least or len(losers) < least:
        return _too_few("loss_aversion", limit, len(winners) + len(losers), f"{least} winners and {least} losers")
    won, lost = _mean_hours(winners), _mean_hours([t.held for t in losers if t.held is not None])
    ratio = lost / won if won else None
    found = lost > won * limit
    return BiasCheck(
        name="loss_aversion",
        found=found,
        measured=ratio,
        threshold=limit,
        sample=len(winners) + len(losers),
        evidence=tuple(trade.decision_id for trade in losers) if found else (),
        sentence=f"losers were held {lost:.1f} h on average, winners {won:.1f} h",
    )


def _mean_hours(spans: Sequence[timedelta]) -> Decimal:
    return sum((Decimal(span // timedelta(seconds=1)) for span in spans), ZERO) / len(spans) / 3600


def _chasing(trades: Sequence[ClosedTrade], policy: Policy) -> BiasCheck:
    """S2-87: buying after the price has run, threshold chosen here."""
    known = [trade for trade in trades if trade.plan.change_24h is not None]
    limit = policy.chasing_share
    if len(known) < policy.bias_min_trades:
        return _too_few("chasing", limit, len(known), f"{policy.bias_min_trades} entries with a known 24 h change")
    ran = [t for t in known if t.plan.change_24h is not None and t.plan.change_24h > policy.chasing_rise_fraction]
    share = Decimal(len(ran)) / len(known)
    return BiasCheck(
        name="chasing",
        found=share > limit,
        measured=share,
        threshold=limit,
        sample=len(known),
        evidence=tuple(trade.decision_id for trade in ran) if share > limit else (),
        sentence=f"{share:.0%} of {len(known)} entries followed a 24 h rise of over {policy.chasing_rise_fraction:.0%}",
    )


def _too_few(name: BiasName, limit: Decimal, sample: int, needed: str) -> BiasCheck:
    return BiasCheck(
        name=name, found=None, threshold=limit, sample=sample, sentence=f"not judged: {sample} there, {needed} needed"
    )
