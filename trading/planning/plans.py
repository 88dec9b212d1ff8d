"""From what is known in the morning to the three plans of the day (C09, C61, C62)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trading.decision.models import Recall
from trading.facts.models import MarketSnapshot, RiskRegime
from trading.planning.hours import MarketHours
from trading.planning.ideas import idea_at, triggers_of
from trading.planning.memory import check_memory
from trading.planning.models import (
    AccountPlan,
    Course,
    DayNumbers,
    DayPlan,
    MemoryCheck,
    MemoryVerdict,
    PriceTrigger,
    Progress,
    RiskWindow,
    Task,
    TradeIdea,
    Unwatched,
)
from trading.planning.styles import STYLES, adapted_target, limits_of, looser_than_policy, missed, style_of
from trading.planning.watch import market_risk, market_trend, scope, watch_list
from trading.planning.windows import risk_windows, size_factor_at
from trading.playbook import Playbook
from trading.policy.regimes import BY_DANGER

MISSED_YESTERDAY, BEHIND = "missed_yesterday", "behind"
_REPLANNED = {
    MISSED_YESTERDAY: "yesterday missed its target by more than is allowed: smaller target and sizes today",
    BEHIND: "behind the day's course by more than is allowed: smaller target and sizes for the rest of the day",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Morning:
    """All that a plan is made from: known at `as_of`, and nothing later.

    `snapshots` are by the hash they are stored under, `recalls` by symbol, `held` by account.
    """

    as_of: datetime
    hours: MarketHours
    playbook: Playbook
    accounts: Sequence[str]
    yesterday: DayNumbers
    snapshots: Mapping[str, MarketSnapshot]
    recalls: Mapping[str, Recall]
    held: Mapping[str, frozenset[str]]
    unobserved: Sequence[Unwatched] = ()
    previous: DayPlan | None = None
    revision: int = 0
    progress: Sequence[Progress] = ()


def plan_the_day(morning: Morning) -> DayPlan:
    """The day's plan. Pure: one morning gives one plan. Raises `ValueError` for a snapshot later than `as_of`."""
    later = sorted(one.symbol for one in morning.snapshots.values() if one.as_of > morning.as_of)
    if later:
        raise ValueError(f"{', '.join(later)}: observed after {morning.as_of.isoformat()}, the time of the plan")
    hours, day = morning.hours, morning.hours.day_of(morning.as_of)
    watch, unwatched = watch_list(
        morning.snapshots,
        held=frozenset().union(*morning.held.values()),
        previous={item.symbol for item in morning.previous.watch} if morning.previous else (),
        limit=scope(morning.yesterday, morning.playbook.policy),
    )
    trend, risk = market_trend(watch), market_risk(watch)
    windows = risk_windows(day, hours=hours, risk=risk)
    draft = DayPlan(
        day=day,
        revision=morning.revision,
        progress=tuple(morning.progress),
        as_of=morning.as_of,
        final_at=hours.at(day, hours.plan_final_at),
        session_start=hours.at(day, hours.session_start_at),
        valid_until=morning.as_of + timedelta(seconds=morning.playbook.policy.plan_valid_s),
        playbook_version=morning.playbook.version,
        trend_regime=trend,
        risk_regime=risk,
        yesterday=morning.yesterday,
        watch=watch,
        unwatched=tuple(sorted((*unwatched, *morning.unobserved), key=lambda row: row.symbol)),
        plans=(),
    )
    plans = tuple(_account_plan(account, draft, windows, morning) for account in morning.accounts)
    return draft.model_copy(update={"plans": plans})


def _account_plan(account: str, day: DayPlan, windows: tuple[RiskWindow, ...], morning: Morning) -> AccountPlan:
    policy, row = morning.playbook.policy, STYLES[style_of(account)]
    careful = _careful(account, morning)
    limits = limits_of(row, policy, risk=day.risk_regime, is_careful=bool(careful))
    too_loose = looser_than_policy(limits, policy, risk=day.risk_regime)
    if too_loose:
        raise ValueError(f"the plan of {account} would loosen {', '.join(too_loose)}")
    held = morning.held.get(account, frozenset())
    triggers: list[PriceTrigger] = []
    memory: list[MemoryCheck] = []
    tried: list[TradeIdea | Unwatched] = []
    for item in day.watch:
        snapshot = morning.snapshots[item.snapshot_hash]
        check = check_memory(
            item.symbol, morning.recalls.get(item.symbol, Recall()), needs_precedent=row.needs_precedent
        )
        own = triggers_of(snapshot, held=item.symbol in held)
        memory.append(check)
        triggers.extend(own)
        own_limits = limits_of(
            row, policy, risk=max((day.risk_regime, item.risk_regime), key=_danger), is_careful=bool(careful)
        )
        tried += [idea_at(one, snapshot, row=row, limits=own_limits, policy=policy, memory=check) for one in own]
        if not own:
            tried.append(Unwatched(symbol=item.symbol, reason="no_level"))
    found = [idea for idea in tried if isinstance(idea, TradeIdea)]
    factor = size_factor_at(windows, day.session_start)
    ideas = tuple(_smaller(idea, factor) for idea in found[: row.max_ideas] if factor > 0)
    target = adapted_target(row, trend=day.trend_regime, risk=day.risk_regime, careful=careful)
    return AccountPlan(
        account=account,
        style=row.style,
        limits=limits,
        target=target,
        tasks=tuple(_tasks(day, windows, held=held, ideas=ideas, memory=memory, careful=careful)),
        triggers=tuple(triggers),
        ideas=ideas,
        windows=windows,
        memory=tuple(memory),
        dropped=tuple(idea for idea in tried if isinstance(idea, Unwatched)),
    )


def _danger(regime: RiskRegime) -> int:
    return BY_DANGER.index(regime)


def _smaller(idea: TradeIdea, factor: Decimal) -> TradeIdea:
    return idea.model_copy(update={"size_fraction": idea.size_fraction * factor})


def _careful(account: str, morning: Morning) -> str:
    """Why the account's day is a careful one, or nothing: it is behind today, or fell short of yesterday's plan.

    A plan of an older day says nothing about yesterday.
    """
    if any(one.account == account and one.course is Course.BEHIND for one in morning.progress):
        return BEHIND
    before = morning.previous
    if before is None or before.day != morning.yesterday.day:
        return ""
    planned = next((plan.target.return_fraction for plan in before.plans if plan.account == account), None)
    allowed = morning.playbook.policy.replan_deviation_fraction
    is_missed = planned is not None and missed(planned, morning.yesterday.of(account), allowed=allowed)
    return MISSED_YESTERDAY if is_missed else ""


def _tasks(
    day: DayPlan,
    windows: Sequence[RiskWindow],
    *,
    held: frozenset[str],
    ideas: Sequence[TradeIdea],
    memory: Sequence[MemoryCheck],
    careful: str,
) -> Iterator[Task]:
    """What to do, most urgent first: protect, heed the day's risk, learn, then look for entries."""
    rows = [*_urgent(day, windows, held=held, careful=careful)]
    rows += [
        ("avoid", f"no entry: {check.failures} similar trades failed, none worked", check.symbol)
        for check in memory
        if check.verdict is MemoryVerdict.AVOID
    ]
    rows += [
        (
            f"watch_{idea.trigger.kind.value}",
            f"decide when the price crosses {idea.trigger.crosses.removesuffix('_to')} to {idea.entry_price}",
            idea.trigger.symbol,
        )
        for idea in ideas
    ]
    if not ideas:
        rows.append(("stand_aside", "no idea passes limits, levels and memory: no trade is a decision", None))
    for priority, (code, text, symbol) in enumerate(rows, 1):
        yield Task(priority=priority, code=code, text=text, symbol=symbol)


def _urgent(
    day: DayPlan, windows: Sequence[RiskWindow], *, held: frozenset[str], careful: str
) -> Iterator[tuple[str, str, str | None]]:
    for symbol in sorted(held):
        yield "protect", "check that the stop is at the venue and still where the idea is wrong", symbol
    tomorrow = day.session_start + timedelta(days=1)
    for window in windows:
        if window.start < tomorrow and window.end > day.as_of:
            yield "risk_window", f"{window.code} until {window.end:%Y-%m-%d %H:%MZ}: {window.contingency}", None
    if careful:
        yield "replan", _REPLANNED[careful], None
