"""Plans of days as tables that a trader can read: watch list, levels, ideas, windows, targets, limits, memory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.decision.models import MemoryItem, Recall
from trading.facts.models import Fact, MarketSnapshot, RiskRegime, TrendRegime
from trading.ids import canonical_json
from trading.planning.hours import MarketHours
from trading.planning.memory import check_memory
from trading.planning.models import (
    AccountNumbers,
    Course,
    DayNumbers,
    DayPlan,
    MemoryVerdict,
    Progress,
    Style,
    TradeIdea,
)
from trading.planning.plans import Morning, plan_the_day
from trading.planning.progress import progress_of
from trading.planning.styles import STYLES, adapted_target, limits_of, looser_than_policy, missed, style_of
from trading.planning.watch import NARROW, TOP, market_risk, market_trend, scope, watch_list
from trading.planning.windows import risk_windows, size_factor_at
from trading.playbook import first_playbook
from trading.policy.model import Policy
from trading.policy.table import changed

D = Decimal
SEVEN = datetime(2024, 1, 31, 7, tzinfo=UTC)
"""A Wednesday."""
HOURS = MarketHours()
YESTERDAY = date(2024, 1, 30)
ACCOUNTS = ("aggressive", "conservative", "composite")
LEVELS = {"support@4h": "98", "resistance@4h": "110", "value_area_low@1d": "95", "value_area_high@1d": "104"}


def a_snapshot(symbol: str = "BTC/USDT", **given: Any) -> MarketSnapshot:
    """A symbol at 100 with levels around it, ATR 1 %, a turnover of a million."""
    price, at = D(str(given.pop("price", 100))), given.pop("as_of", SEVEN)
    numbers: dict[str, object] = {"turnover_24h_usd": given.pop("turnover", 1_000_000), "change_24h": "0.01"}
    numbers |= given.pop("levels", LEVELS)
    facts = tuple(
        Fact(id=name, name=name.partition("@")[0], value=D(str(value)), unit="USD", as_of=at)
        for name, value in numbers.items()
        if value is not None
    )
    fields: dict[str, Any] = {
        "symbol": symbol,
        "as_of": at,
        "venue": "simulated",
        "facts": facts,
        "last_price": price,
        "atr_fraction": D("0.01"),
        "bars": 500,
        "base_timeframe": "1h",
    }
    return MarketSnapshot.model_validate(fields | given)


def named(*snapshots: MarketSnapshot) -> Mapping[str, MarketSnapshot]:
    return {f"hash-of-{one.symbol}": one for one in snapshots}


def a_morning(*snapshots: MarketSnapshot, **given: Any) -> Morning:
    fields: dict[str, Any] = {
        "as_of": SEVEN,
        "hours": HOURS,
        "playbook": first_playbook(),
        "accounts": ACCOUNTS,
        "yesterday": DayNumbers(day=YESTERDAY),
        "snapshots": named(*(snapshots or (a_snapshot(),))),
        "recalls": {},
        "held": {},
    }
    return Morning(**(fields | given))


def cases(worked: int, failed: int) -> Recall:
    kinds = [*["similar"] * worked, *["failure"] * failed]
    return Recall(items=tuple(MemoryItem(id=f"dec:{n}", kind=kind, text="") for n, kind in enumerate(kinds)))  # type: ignore[arg-type]


def of(plan: DayPlan, account: str) -> Any:
    return next(part for part in plan.plans if part.account == account)


# -- watch list ------------------------------------------------------------------------------------------------------


def test_the_most_active_come_first_and_ties_by_name() -> None:
    items, _ = watch_list(
        named(
            a_snapshot("BNB/USDT", turnover=5), a_snapshot("ADA/USDT", turnover=5), a_snapshot("BTC/USDT", turnover=9)
        ),
        held=(),
        previous=(),
        limit=TOP,
    )
    assert [(item.rank, item.symbol) for item in items] == [(1, "BTC/USDT"), (2, "ADA/USDT"), (3, "BNB/USDT")]


def test_only_the_top_twenty_are_watched_and_what_is_held() -> None:
    snapshots = named(*(a_snapshot(f"C{n:02}/USDT", turnover=100 - n) for n in range(30)))
    items, unwatched = watch_list(snapshots, held={"C29/USDT"}, previous=(), limit=TOP)
    assert [item.symbol for item in items] == [*(f"C{n:02}/USDT" for n in range(20)), "C29/USDT"]
    assert items[-1].reason == "held"
    assert unwatched == ()


def test_a_symbol_of_the_last_list_stays_until_it_is_clearly_overtaken() -> None:
    near, far = a_snapshot("NEW/USDT", turnover=105), a_snapshot("NEW/USDT", turnover=115)
    last = a_snapshot("OLD/USDT", turnover=100)
    assert _first(near, last) == "OLD/USDT"
    assert _first(far, last) == "NEW/USDT"


def _first(*snapshots: MarketSnapshot) -> str:
    items, _ = watch_list(named(*snapshots), held=(), previous={"OLD/USDT"}, limit=1)
    return items[0].symbol


def test_what_cannot_be_judged_is_named_with_its_reason() -> None:
    stale, silent = a_snapshot("A/USDT", insufficient="stale_data"), a_snapshot("B/USDT", turnover=None)
    items, unwatched = watch_list(named(stale, silent), held={"A/USDT"}, previous=(), limit=TOP)
    assert items == ()
    assert [(one.symbol, one.reason) for one in unwatched] == [("A/USDT", "stale_data"), ("B/USDT", "no_turnover")]


def test_what_is_only_remembered_is_watched_and_said_to_be() -> None:
    remembered, silent = a_snapshot("A/USDT", insufficient="remembered"), a_snapshot("B/USDT", insufficient="stranded")
    items, unwatched = watch_list(named(remembered, silent), held=(), previous=(), limit=TOP)
    assert [(item.symbol, item.reason) for item in items] == [("A/USDT", "remembered")]
    assert [one.symbol for one in unwatched] == ["B/USDT"]


@pytest.mark.parametrize(("end", "limit"), [("100", TOP), ("97.6", TOP), ("97.5", NARROW), (None, TOP)])
def test_a_bad_day_narrows_the_list(end: str | None, limit: int) -> None:
    row = AccountNumbers(account="composite", equity_start_usd=D(100), equity_end_usd=None if end is None else D(end))
    assert scope(DayNumbers(day=YESTERDAY, accounts=(row,)), Policy()) == limit


def test_a_third_of_the_turnover_decides_how_dangerous_the_market_is() -> None:
    calm, crash = a_snapshot("A/USDT", turnover=70), a_snapshot("B/USDT", turnover=30, risk_regime=RiskRegime.CRASH)
    items, _ = watch_list(named(calm, crash), held=(), previous=(), limit=TOP)
    assert market_risk(items) is RiskRegime.NORMAL
    bigger = a_snapshot("B/USDT", turnover=40, risk_regime=RiskRegime.CRASH)
    items, _ = watch_list(named(calm, bigger), held=(), previous=(), limit=TOP)
    assert market_risk(items) is RiskRegime.CRASH
    assert market_risk(()) is RiskRegime.NORMAL
    assert market_trend(()) is TrendRegime.NORMAL


# -- targets and limits ----------------------------------------------------------------------------------------------

TARGETS = [
    # trend, risk, missed yesterday: the composite's 0.6 % becomes
    (TrendRegime.NORMAL, RiskRegime.NORMAL, False, "0.006"),
    (TrendRegime.BULL_RUN, RiskRegime.LOW_VOLATILITY, False, "0.006"),
    (TrendRegime.BEAR_MARKET, RiskRegime.NORMAL, False, "0.003"),
    (TrendRegime.SIDEWAYS, RiskRegime.HIGH_VOLATILITY, False, "0.0027"),
    (TrendRegime.NORMAL, RiskRegime.CRASH, False, "0"),
    (TrendRegime.NORMAL, RiskRegime.NORMAL, True, "0.0042"),
]


@pytest.mark.parametrize(("trend", "risk", "missed_yesterday", "target"), TARGETS)
def test_targets_adapt_to_the_market(trend: TrendRegime, risk: RiskRegime, missed_yesterday: bool, target: str) -> None:
    adapted = adapted_target(STYLES[Style.COMPOSITE], trend=trend, risk=risk, careful="missed" * missed_yesterday)
    assert adapted.return_fraction == D(target)


@pytest.mark.parametrize(
    ("start", "end", "is_missed"),
    [("100", "101", False), ("100", "100.8", False), ("100", "100.6", True), ("100", "98", True), (None, None, False)],
)
def test_a_miss_is_more_than_thirty_percent_of_the_target(start: str | None, end: str | None, is_missed: bool) -> None:
    row = AccountNumbers(
        account="aggressive",
        equity_start_usd=None if start is None else D(start),
        equity_end_usd=None if end is None else D(end),
    )
    assert missed(D("0.01"), row, allowed=D("0.3")) is is_missed


@given(
    style=st.sampled_from(Style),
    risk=st.sampled_from(RiskRegime),
    missed_yesterday=st.booleans(),
    trade=st.decimals("0.001", "0.1", places=3),
    entries=st.integers(0, 50),
)
def test_no_plan_is_looser_than_the_policy(
    style: Style, risk: RiskRegime, missed_yesterday: bool, trade: Decimal, entries: int
) -> None:
    policy = changed(Policy(), max_trade_fraction=trade, max_entries_per_day=entries)
    limits = limits_of(STYLES[style], policy, risk=risk, is_careful=missed_yesterday)
    assert looser_than_policy(limits, policy, risk=risk) == ()
    assert limits.max_trade_fraction <= policy.max_trade_fraction * policy.size_factor(risk)


def test_a_looser_limit_is_named() -> None:
    limits = limits_of(STYLES[Style.AGGRESSIVE], Policy(), risk=RiskRegime.NORMAL, is_careful=False)
    wide = limits.model_copy(update={"max_trade_fraction": D("0.06"), "max_positions": 9})
    assert looser_than_policy(wide, Policy(), risk=RiskRegime.NORMAL) == ("max_trade_fraction", "max_positions")


def test_an_account_of_another_name_plans_as_composite() -> None:
    assert [style_of(name) for name in ("aggressive", "main")] == [Style.AGGRESSIVE, Style.COMPOSITE]


# -- windows ---------------------------------------------------------------------------------------------------------


def test_the_week_ahead_holds_its_weekend_and_an_expiry() -> None:
    windows = risk_windows(date(2024, 1, 24), hours=HOURS, risk=RiskRegime.NORMAL)  # a Wednesday; the 26th is a Friday
    assert [(w.code, f"{w.start:%d %H}", f"{w.end:%d %H}") for w in windows] == [
        ("options_expiry", "26 06", "26 10"),
        ("weekend", "27 00", "29 00"),
    ]


def test_a_weekend_that_began_yesterday_is_still_one() -> None:
    windows = risk_windows(date(2024, 1, 28), hours=HOURS, risk=RiskRegime.NORMAL)  # a Sunday
    assert windows[0].code == "weekend"
    assert size_factor_at(windows, datetime(2024, 1, 28, 8, tzinfo=UTC)) == D("0.75")
    assert size_factor_at(windows, datetime(2024, 1, 29, 8, tzinfo=UTC)) == 1


def test_a_crash_is_a_window_of_the_whole_day_in_its_zone() -> None:
    berlin = MarketHours(zone="Europe/Berlin")
    (window, *_) = risk_windows(date(2024, 1, 31), hours=berlin, risk=RiskRegime.CRASH)
    assert (window.code, window.size_factor) == ("regime_crash", 0)
    assert (window.start, window.end) == (
        datetime(2024, 1, 30, 23, tzinfo=UTC),
        datetime(2024, 1, 31, 23, tzinfo=UTC),
    )


def test_a_local_day_is_as_long_as_its_clocks_say() -> None:
    new_york = MarketHours(zone="America/New_York")
    start, end = new_york.bounds(date(2024, 3, 10))  # clocks go forward
    assert end - start == timedelta(hours=23)
    assert new_york.day_of(datetime(2024, 3, 11, 3, 59, tzinfo=UTC)) == date(2024, 3, 10)
    assert new_york.at(date(2024, 1, 31), new_york.plan_at) == datetime(2024, 1, 31, 12, tzinfo=UTC)


# -- memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("worked", "failed", "verdict"),
    [
        (0, 0, MemoryVerdict.UNKNOWN),
        (2, 1, MemoryVerdict.CLEAR),
        (1, 1, MemoryVerdict.CLEAR),
        (1, 2, MemoryVerdict.CAUTIOUS),
        (0, 2, MemoryVerdict.CAUTIOUS),
        (0, 3, MemoryVerdict.AVOID),
        (1, 5, MemoryVerdict.CAUTIOUS),
    ],
)
def test_memory_judges_by_what_worked(worked: int, failed: int, verdict: MemoryVerdict) -> None:
    assert check_memory("BTC/USDT", cases(worked, failed)).verdict is verdict


def test_repeated_failure_takes_the_ideas_and_a_doubt_halves_them() -> None:
    clear = plan_the_day(a_morning(recalls={"BTC/USDT": cases(1, 0)}))
    doubt = plan_the_day(a_morning(recalls={"BTC/USDT": cases(1, 2)}))
    never = plan_the_day(a_morning(recalls={"BTC/USDT": cases(0, 3)}))
    whole, half = of(clear, "aggressive").ideas[0], of(doubt, "aggressive").ideas[0]
    assert half.size_fraction == whole.size_fraction / 2
    assert {"dec:1", "dec:2"} <= set(half.cites)
    assert of(never, "aggressive").ideas == ()
    assert "avoid" in [task.code for task in of(never, "aggressive").tasks]


def test_without_a_precedent_the_conservative_plan_takes_half_and_so_can_come_to_one() -> None:
    deep = a_snapshot(levels={"support@4h": "98", "resistance@4h": "120"})
    with_one = of(plan_the_day(a_morning(deep, recalls={"BTC/USDT": cases(1, 0)})), "conservative")
    without = of(plan_the_day(a_morning(deep)), "conservative")
    assert [idea.trigger.kind.value for idea in with_one.ideas] == ["pullback"]
    assert [idea.size_fraction for idea in without.ideas] == [idea.size_fraction / 2 for idea in with_one.ideas]
    assert [check.verdict for check in without.memory] == [MemoryVerdict.CAUTIOUS]


# -- progress --------------------------------------------------------------------------------------------------------

COURSES = [
    # equity at noon of 100 in the morning; a quarter of the session has passed, the target is 1 %
    ("100", "on"),  # a quarter of a percent is expected; nothing made is 25 % of the target away
    ("99.96", "on"),
    ("99.94", "behind"),
    ("100.54", "on"),
    ("100.56", "ahead"),
]


@pytest.mark.parametrize(("equity", "course"), COURSES)
def test_a_day_is_off_its_course_by_more_than_thirty_percent_of_its_target(equity: str, course: str) -> None:
    plan = plan_the_day(a_morning(accounts=("aggressive",)))
    row = AccountNumbers(account="aggressive", equity_start_usd=D(100), equity_end_usd=D(equity))
    noon = SEVEN.replace(hour=12)
    (progress,) = progress_of(plan, [row], at=noon, hours=HOURS, policy=Policy())
    assert progress.course.value == course
    assert progress.expected_fraction == of(plan, "aggressive").target.return_fraction / 4


def test_an_account_that_is_behind_plans_the_rest_of_the_day_smaller() -> None:
    lost = [
        Progress(account="aggressive", return_fraction=D("-0.02"), expected_fraction=D("0.002"), course=Course.BEHIND)
    ]
    first, again = plan_the_day(a_morning()), plan_the_day(a_morning(revision=1, progress=lost))
    assert (again.revision, again.progress) == (1, tuple(lost))
    before, after = of(first, "aggressive"), of(again, "aggressive")
    assert after.limits.max_trade_fraction < before.limits.max_trade_fraction
    assert after.target.reasons == ("behind",)
    assert "replan" in [task.code for task in after.tasks]
    assert of(again, "composite").limits == of(first, "composite").limits


# -- ideas -----------------------------------------------------------------------------------------------------------

IDEAS = [
    # what is told of the symbol, what the aggressive plan makes of its pullback
    ({}, ("98", "96.53", "104")),  # support 98, stop 1.5 ATR below, next level above
    ({"levels": {"support@4h": "98", "resistance@4h": "98.5"}}, ("98", "96.53", "100.205")),  # nothing above the price
    ({"levels": {"support@4h": "98", "resistance@4h": "100.15"}}, "no_room_to_target"),
    ({"atr_fraction": D("0.04")}, "stop_too_wide"),
    ({"atr_fraction": None}, "no_atr"),
    ({"risk_regime": RiskRegime.CRASH}, "no_entries_in_this_regime"),
    ({"levels": {"resistance@4h": "110"}}, None),
    ({"levels": {"support@4h": "99.95"}}, None),  # already being touched
]


@pytest.mark.parametrize(("told", "expected"), IDEAS)
def test_a_pullback_to_a_level(told: dict[str, Any], expected: tuple[str, ...] | str | None) -> None:
    mine = of(plan_the_day(a_morning(a_snapshot(**told))), "aggressive")
    ideas = [idea for idea in mine.ideas if idea.trigger.kind.value == "pullback"]
    if isinstance(expected, tuple):
        (idea,) = ideas
        stop, target = idea.stop_price, idea.target_price
        assert idea.entry_price == D(expected[0])
        assert stop == D(expected[1])
        assert target >= D(expected[2]) - D("0.001")
    else:
        assert ideas == []
    if isinstance(expected, str):
        assert expected in [one.reason for one in mine.dropped]


def test_a_held_symbol_is_defended_before_anything_else() -> None:
    plan = plan_the_day(a_morning(held={"composite": frozenset({"BTC/USDT"})}))
    mine, other = of(plan, "composite"), of(plan, "aggressive")
    assert [trigger.kind.value for trigger in mine.triggers] == ["defend", "breakout"]
    assert mine.tasks[0].code == "protect"
    assert [trigger.kind.value for trigger in other.triggers] == ["pullback", "breakout"]


prices = st.decimals("1", "50000", places=2)


@given(
    price=prices,
    levels=st.dictionaries(
        st.sampled_from(["support@1h", "support@4h", "resistance@1h", "value_area_high@1d", "swing_low@4h"]), prices
    ),
    atr=st.decimals("0.0001", "0.2", places=4),
    risk=st.sampled_from(RiskRegime),
)
def test_every_idea_keeps_the_policy(
    price: Decimal, levels: dict[str, Decimal], atr: Decimal, risk: RiskRegime
) -> None:
    policy = first_playbook().policy
    plan = plan_the_day(a_morning(a_snapshot(price=price, levels=levels, atr_fraction=atr, risk_regime=risk)))
    ideas: list[TradeIdea] = [idea for part in plan.plans for idea in part.ideas]
    for idea in ideas:
        assert idea.stop_price < idea.entry_price < idea.target_price
        distance = 1 - idea.stop_price / idea.entry_price
        assert policy.stop_min_fraction * D("0.99") <= distance <= policy.stop_max_fraction * D("1.001")
        assert idea.size_fraction <= policy.max_trade_fraction * policy.size_factor(risk)
        assert idea.reward_risk >= policy.min_reward_risk - D("0.01")
    if risk is RiskRegime.CRASH:
        assert ideas == []


# -- the whole -------------------------------------------------------------------------------------------------------


def test_one_morning_gives_one_plan() -> None:
    first, second = (canonical_json(plan_the_day(a_morning())) for _ in range(2))
    assert first == second
    assert DayPlan.model_validate_json(first) == plan_the_day(a_morning())


def test_a_later_snapshot_is_refused() -> None:
    with pytest.raises(ValueError, match="BTC/USDT: observed after"):
        plan_the_day(a_morning(a_snapshot(as_of=SEVEN + timedelta(seconds=1))))


def test_without_a_market_the_plan_stands_aside() -> None:
    plan = plan_the_day(a_morning(a_snapshot(insufficient="stranded")))
    assert plan.watch == ()
    assert [task.code for task in of(plan, "composite").tasks] == ["stand_aside"]


def test_a_missed_target_makes_the_next_day_careful() -> None:
    before = plan_the_day(a_morning(a_snapshot(as_of=SEVEN - timedelta(days=1)), as_of=SEVEN - timedelta(days=1)))
    lost = AccountNumbers(account="composite", equity_start_usd=D(100), equity_end_usd=D(99))
    careful = plan_the_day(a_morning(previous=before, yesterday=DayNumbers(day=YESTERDAY, accounts=(lost,))))
    usual = plan_the_day(a_morning(previous=before))
    assert "replan" in [task.code for task in of(careful, "composite").tasks]
    assert of(careful, "composite").limits.max_trade_fraction < of(usual, "composite").limits.max_trade_fraction
    assert of(careful, "aggressive").target == of(usual, "aggressive").target
