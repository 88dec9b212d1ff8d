"""The gene pool: lineage, mutation, crossing, wild ones, culling into shadow, holdouts used once, windows, growth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.backtest.models import BacktestPlan
from trading.backtest.run import backtest
from trading.evolution.counterfactual import counterfactual
from trading.evolution.cull import CullVerdict, Fate
from trading.evolution.growth import growth, learning_curve
from trading.evolution.models import Record, TradeReturn, reason, record_of
from trading.evolution.pool import (
    HoldoutUsed,
    Pool,
    Status,
    first_pool,
    with_holdout_used,
    with_newborns,
    with_promotion,
    with_rejected_trials,
    with_rollback,
    with_scores,
    with_verdicts,
)
from trading.evolution.promotion import Evidence, Promotion
from trading.evolution.score import ranked, scored
from trading.evolution.trials import ab_test, double_validation, weak_periods
from trading.evolution.vary import Newborn, crossing, crossings, mutants, nudged, wild
from trading.evolution.week import Week, judged_week, taken_in
from trading.evolution.wild import FARTHEST_SHARE, likeness
from trading.evolution.windows import walk_forward
from trading.generator import generate_market
from trading.policy.model import Policy
from trading.policy.table import changed
from trading.strategies.gene_pool import GENE_POOL
from trading.strategies.library import STRATEGIES
from trading.strategies.models import Condition, Strategy

AT = datetime(2024, 3, 3, 20, tzinfo=UTC)
POLICY = Policy()


def record(name: str, *returns: str, days: int = 10) -> Record:
    """One trade a day in turn, each with a tenth of the account."""
    start = AT - timedelta(days=days)
    trades = tuple(
        TradeReturn(
            entry_at=start + timedelta(days=place, hours=1),
            exit_at=start + timedelta(days=place, hours=5),
            return_fraction=Decimal(text),
        )
        for place, text in enumerate(returns)
    )
    daily = tuple(
        (start + timedelta(days=day), Decimal(returns[day]) / 10 if day < len(returns) else Decimal(0))
        for day in range(days)
    )
    return Record(strategy=name, start=start, end=AT, trades=trades, daily_returns=daily)


def conditions(strategy: Strategy) -> list[Condition]:
    return [c for setup in (*strategy.entries, *strategy.exits) for c in (*setup.all_of, *setup.any_of)]


@settings(max_examples=40, deadline=None)
@given(seed=st.text("abc0123456789", min_size=1, max_size=8))
def test_mutants_are_three_new_ones_within_bounds(seed: str) -> None:
    born = mutants(GENE_POOL, seed=seed, policy=POLICY)
    assert len(born) == 3
    assert len({child.strategy.name for child in born}) == 3
    assert born == mutants(GENE_POOL, seed=seed, policy=POLICY), "the same seed breeds the same"
    for child in born:
        parent = STRATEGIES[child.lineage.parents[0]]
        row = child.strategy
        assert row.name.startswith(f"{parent.name}-m-")
        assert child.lineage.origin == "mutation"
        assert 1 <= len(child.lineage.changes) <= 2
        assert row.model_dump(exclude={"name"}) != parent.model_dump(exclude={"name"})
        assert row.size_fraction <= POLICY.max_trade_fraction
        assert 4 <= row.time_exit_hours <= 480
        assert Decimal("1.2") <= row.reward_risk <= 6
        assert row.facts() == parent.facts(), "a mutation turns dials, it does not look elsewhere"
        for condition in conditions(row):
            if condition.number is not None and condition.fact.startswith("rsi"):
                assert 1 <= condition.number <= 99


def test_names_do_not_grow_over_generations() -> None:
    row = GENE_POOL[0]
    for generation in range(5):
        row = mutants([row], seed=str(generation), policy=POLICY)[0].strategy
    assert len(row.name) == len("trend-following-m-12345678")


def test_a_crossing_takes_the_entry_of_one_and_the_exits_of_the_other() -> None:
    one, other = STRATEGIES["breakout"], STRATEGIES["mean-reversion"]
    child = crossing(one, other, seed="s")
    row, parents = child.strategy, {one.name: one, other.name: other}
    entry = next(p for p in parents.values() if p.entries == row.entries)
    exit_ = next(p for p in parents.values() if p.exits == row.exits)
    assert entry.name != exit_.name
    assert child.lineage.parents == (one.name, other.name)
    assert row.stop in (one.stop, other.stop)
    with pytest.raises(ValueError, match="both reversion"):
        crossing(other, STRATEGIES["level-bounce"], seed="s")


def test_as_many_crossings_as_the_policy_says_never_of_one_kind() -> None:
    many = changed(POLICY, crossings_per_month=4)
    for child in crossings(GENE_POOL, seed="s", policy=many):
        first, second = (STRATEGIES[name] for name in child.lineage.parents)
        assert first.kind != second.kind
    assert len(crossings(GENE_POOL, seed="s", policy=many)) == 4
    assert crossings([STRATEGIES["mean-reversion"], STRATEGIES["level-bounce"]], seed="s", policy=many) == ()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_wild_ones_lie_far_from_the_whole_pool_and_from_each_other(seed: int) -> None:
    born = wild(GENE_POOL, seed=str(seed), policy=POLICY)
    assert len(born) == 2
    for child in born:
        assert child.lineage.origin == "wild"
        assert all(likeness(child.strategy, row) < FARTHEST_SHARE for row in GENE_POOL)
    assert likeness(born[0].strategy, born[1].strategy) < FARTHEST_SHARE


def test_everything_bred_can_be_tested() -> None:
    series = generate_market(seed=2, symbols=["BTC/USDT"], start=datetime(2024, 1, 1, tzinfo=UTC), days=40)["BTC/USDT"]
    policy = changed(POLICY, min_history_bars=100)
    born = (
        *mutants(GENE_POOL, seed="s", policy=POLICY),
        *crossings(GENE_POOL, seed="s", policy=POLICY),
        *wild(GENE_POOL, seed="s", policy=POLICY),
    )
    for child in born:
        assert backtest(BacktestPlan(strategy=child.strategy, series=series, policy=policy)).bars == len(series.candles)


def test_a_nudge_moves_every_number_by_little() -> None:
    row = STRATEGIES["momentum-pullback"]
    copy = nudged(row, seed="1")
    assert copy != row
    assert copy == nudged(row, seed="1")
    for before, after in zip(conditions(row), conditions(copy), strict=True):
        if before.number:
            assert after.number is not None
            assert abs(after.number / before.number - 1) <= Decimal("0.051")
        else:
            assert abs(after.factor - before.factor) <= Decimal("0.01")


def test_the_pool_remembers_who_came_from_whom_and_counts_every_trial() -> None:
    pool = first_pool(GENE_POOL, at=AT)
    assert (len(pool.entries), pool.trials) == (10, 10)
    born = mutants(GENE_POOL, seed="w1", policy=POLICY)
    grown = with_newborns(pool, born[:1], at=AT, policy=POLICY)
    grown = with_rejected_trials(grown, born[1:], at=AT)
    assert (len(grown.entries), grown.trials) == (11, 13)
    assert with_newborns(grown, born[:1], at=AT, policy=POLICY) == grown, "twice is once"
    assert with_rejected_trials(grown, born[1:], at=AT) == grown
    child = grown.entry(born[0].strategy.name)
    assert (child.status, child.budget_factor) == (Status.TRIAL, POLICY.trial_budget_factor)
    assert grown.history[-3].lineage == born[0].lineage
    assert pool.trials == 10, "the earlier state is untouched"
    assert grown.version != pool.version
    assert Pool.model_validate_json(grown.model_dump_json()) == grown


def verdict(name: str, fate: Fate) -> CullVerdict:
    budget = {Fate.CULLED: "0", Fate.WARNED: "0.5", Fate.KEPT: "1"}[fate]
    return CullVerdict(strategy=name, fate=fate, reasons=(reason("why", "because"),), budget_factor=Decimal(budget))


def test_culled_ones_run_on_in_shadow_and_never_come_back_by_judgement() -> None:
    pool = first_pool(GENE_POOL, at=AT)
    pool = with_verdicts(pool, [verdict("breakout", Fate.CULLED), verdict("macd-cross", Fate.WARNED)], at=AT)
    assert (pool.entry("breakout").status, pool.entry("breakout").budget_factor) == (Status.SHADOW, Decimal(0))
    assert (pool.entry("macd-cross").status, pool.entry("macd-cross").budget_factor) == (Status.WARNED, Decimal("0.5"))
    assert len(pool.entries) == 10
    assert len(pool.trading) == 9
    assert [event.kind for event in pool.history[-2:]] == ["cull", "warn"]
    pool = with_verdicts(pool, [verdict("breakout", Fate.KEPT), verdict("macd-cross", Fate.KEPT)], at=AT)
    assert pool.entry("breakout").status is Status.SHADOW
    assert pool.entry("macd-cross").status is Status.ACTIVE
    assert pool.entry("macd-cross").budget_factor == 1
    with pytest.raises(LookupError, match="not in the pool: allowed are trend-following"):
        pool.entry("nobody")


def test_promotion_gives_full_size_and_rollback_takes_it_with_its_cause() -> None:
    born = mutants(GENE_POOL, seed="w1", policy=POLICY)
    name = born[0].strategy.name
    pool = with_newborns(first_pool(GENE_POOL, at=AT), born, at=AT, policy=POLICY)
    against = (reason("luck_of_many", "may be luck"),)
    held = with_promotion(pool, Promotion(strategy=name, promoted=False, against=against, figures={}), at=AT)
    assert held.entry(name).status is Status.TRIAL
    assert held.history[-1].reasons == against
    up = with_promotion(held, Promotion(strategy=name, promoted=True, against=(), figures={}), at=AT)
    assert (up.entry(name).status, up.entry(name).budget_factor) == (Status.ACTIVE, Decimal(1))
    down = with_rollback(up, name, at=AT, reasons=(reason("not_better", "no"),), policy=POLICY)
    assert down.entry(name).status is Status.TRIAL
    assert (down.history[-1].kind, down.history[-1].reasons[0].code) == ("rollback", "not_better")


def test_a_holdout_is_used_once_in_a_line() -> None:
    first, second, third = (AT + timedelta(days=days) for days in (0, 30, 60))
    pool = with_holdout_used(first_pool(GENE_POOL, at=AT), "breakout", start=first, end=second, at=AT)
    child = mutants([STRATEGIES["breakout"]], seed="s", policy=POLICY)[0]
    pool = with_newborns(pool, [child], at=AT, policy=POLICY)
    for name in ("breakout", child.strategy.name):
        with pytest.raises(HoldoutUsed, match="was used by breakout"):
            with_holdout_used(pool, name, start=first + timedelta(days=29), end=third, at=AT)
    later = with_holdout_used(pool, child.strategy.name, start=second, end=third, at=AT)
    assert len(later.holdouts) == 2
    with_holdout_used(pool, "macd-cross", start=first, end=second, at=AT)


@settings(max_examples=60)
@given(
    days=st.integers(30, 900),
    train=st.integers(1, 200),
    test=st.integers(1, 90),
    holdout=st.integers(1, 90),
    purge_h=st.integers(0, 240),
)
def test_windows_never_overlap_what_they_must_not(days: int, train: int, test: int, holdout: int, purge_h: int) -> None:
    purge, end = timedelta(hours=purge_h), AT + timedelta(days=days)
    spans = {"train": timedelta(days=train), "test": timedelta(days=test), "holdout": timedelta(days=holdout)}
    if spans["train"] + spans["test"] + spans["holdout"] + 2 * purge > timedelta(days=days):
        with pytest.raises(ValueError, match="too short for one window"):
            walk_forward(AT, end, purge=purge, **spans)
        return
    plan = walk_forward(AT, end, purge=purge, **spans)
    assert plan.holdout_to == end
    for window in plan.windows:
        assert AT <= window.train_from < window.train_to <= window.test_from - purge
        assert window.test_to <= plan.holdout_from - purge
    for earlier, later in zip(plan.windows, plan.windows[1:], strict=False):
        assert earlier.test_to == later.test_from


def test_scores_rank_and_are_kept_week_by_week() -> None:
    good, bad = record("breakout", "0.02", "0.03", "-0.01", "0.02"), record("macd-cross", "-0.02", "-0.03", "0.01")
    rows = ranked([bad, good], policy=POLICY)
    assert [row.strategy for row in rows] == ["breakout", "macd-cross"]
    assert rows[0].win_rate == Decimal("0.75")
    assert all(0 <= row.score <= 100 for row in rows)
    pool = with_scores(first_pool(GENE_POOL, at=AT), {row.strategy: row.score for row in rows})
    assert pool.entry("breakout").weekly_scores == (rows[0].score,)
    assert pool.entry("level-bounce").weekly_scores == ()
    idle = scored(record("idle"), policy=POLICY)
    assert (idle.win_rate, idle.sharpe, idle.expectancy) == (None, None, None)


def test_counterfactual_names_what_the_best_would_have_earned() -> None:
    used, better, worse = record("a", "0.01", "-0.02"), record("b", "0.03", "0.02"), record("c", "-0.05")
    answer = counterfactual(used, [better, worse, used], start=used.start, end=used.end)
    assert [row.strategy for row in answer.others] == ["b", "c"]
    assert answer.best.strategy == "b"
    assert answer.missed == answer.others[0].return_fraction - answer.used.return_fraction > 0
    assert answer.used.difference == 0


def test_growth_counts_and_measures_without_inventing() -> None:
    pool = with_newborns(
        first_pool(GENE_POOL, at=AT), mutants(GENE_POOL, seed="w", policy=POLICY), at=AT, policy=POLICY
    )
    child = pool.entries[-1].strategy.name
    records = {"breakout": record("breakout", "0.03", "-0.01"), child: record(child, "0.01")}
    rows = {row.name: row for row in growth(pool, records)}
    assert rows["pool_size"].value == 13
    assert rows["new_strategies_share"].value == Decimal("0.25")
    assert rows["new_strategies_share"].met is False
    assert rows["win_rate"].value == Decimal(2) / 3
    assert {row.name: row.value for row in growth(pool, {})}["mean_sharpe"] is None


def test_learning_curve_has_a_slope_with_its_error() -> None:
    rising = learning_curve([Decimal(50 + 2 * week + week % 2) for week in range(12)])
    assert rising.slope == pytest.approx(Decimal(2), abs=Decimal("0.1"))
    assert not rising.stagnates
    assert learning_curve([Decimal(60 + week % 2) for week in range(12)]).stagnates
    assert learning_curve([Decimal(60)] * 2).slope is None


def test_ab_test_deploys_only_what_is_clearly_better_and_says_why_not() -> None:
    old = record("old", *(["0.01", "-0.01"] * 20), days=60)
    better = record("new", *(["0.02", "0.001"] * 20), days=60)
    assert ab_test(old, better, policy=POLICY).deploy
    same = ab_test(old, old, policy=POLICY)
    assert (same.deploy, same.probability) == (False, Decimal("0.5"))
    assert [why.code for why in same.reasons] == ["not_better"]
    few = ab_test(old, record("new", "0.5"), policy=POLICY)
    assert (few.deploy, [why.code for why in few.reasons]) == (False, ["too_few_trades"])


@pytest.mark.parametrize(("year_ago", "overfitted"), [("0.025", False), ("0.026", True), ("0.01", False)])
def test_double_validation_flags_what_looks_better_than_live(year_ago: str, overfitted: bool) -> None:
    answer = double_validation(
        live_return=Decimal("0.019"),
        live_win_rate=Decimal("0.8"),
        live_drawdown=Decimal("0.006"),
        year_ago_return=Decimal(year_ago),
        year_ago_win_rate=Decimal("0.75"),
        year_ago_drawdown=Decimal("0.012"),
        policy=POLICY,
    )
    assert answer.overfitted is overfitted
    assert answer.win_rate_gap == Decimal("-0.05")


def test_weak_periods_are_named_worst_first() -> None:
    seen = {"2021": Decimal("0.59"), "2022": Decimal("0.6"), "2023": Decimal("0.3")}
    assert weak_periods(seen, policy=POLICY) == ("2023", "2021")


def test_the_record_of_a_backtest_is_its_trades_and_its_days() -> None:
    series = generate_market(seed=2, symbols=["BTC/USDT"], start=datetime(2024, 1, 1, tzinfo=UTC), days=40)["BTC/USDT"]
    plan = BacktestPlan(strategy=GENE_POOL[6], series=series, policy=changed(POLICY, min_history_bars=100))
    result = backtest(plan)
    seen = record_of(result)
    assert len(seen.trades) == result.metrics.trades > 0
    assert len(seen.daily_returns) == result.metrics.days
    assert seen.equity[-1] == pytest.approx(result.equity[-1] / result.capital_usd, abs=Decimal("1e-15"))
    assert seen.expectancy == result.metrics.expectancy


def a_week(*, monthly: bool) -> Week:
    names = [row.name for row in GENE_POOL]
    week = {name: record(name, "0.01", "-0.02", days=7) for name in names[:3]}
    ever = {name: record(name, *(["-0.02", "-0.01"] * 40), days=100) for name in names[:2]}
    ever |= {name: record(name, *(["0.02", "-0.01"] * 40), days=100) for name in names[2:]}
    pool = first_pool(GENE_POOL, at=AT - timedelta(days=100))
    return judged_week(pool, week=week, ever=ever, used=names[0], seed="s", at=AT, monthly=monthly, policy=POLICY)


def test_a_week_culls_the_losers_and_breeds_from_the_rest() -> None:
    week = a_week(monthly=False)
    assert {verdict.strategy for verdict in week.culled} == {GENE_POOL[0].name, GENE_POOL[1].name}
    assert len(week.pool.entries) == 10
    assert len(week.ranking) == 3, "who did not trade has no score this week"
    assert len(week.candidates) == 3
    assert all(child.lineage.parents[0] not in {v.strategy for v in week.culled} for child in week.candidates)
    assert week.counterfactual is not None
    assert week.counterfactual.used.strategy == GENE_POOL[0].name
    assert week == a_week(monthly=False)
    assert {child.lineage.origin for child in a_week(monthly=True).candidates} == {"mutation", "crossover", "wild"}


def evidence(child: Newborn, *returns: str) -> Evidence:
    seen = record(child.strategy.name, *returns)
    return Evidence(
        strategy=child.strategy.name, windows=(), unseen=seen, trials=13, baseline_percentile=None, perturbed_share=None
    )


def test_only_candidates_that_earn_unseen_go_on_trial_and_all_tested_ones_count() -> None:
    week = a_week(monthly=False)
    first, second, untested = week.candidates
    seen = {first.strategy.name: evidence(first, "0.01"), second.strategy.name: evidence(second, "-0.01")}
    pool = taken_in(week, seen, at=AT, policy=POLICY)
    assert pool.entry(first.strategy.name).status is Status.TRIAL
    assert [event.kind for event in pool.history[-2:]] == ["mutation", "rejected"]
    assert pool.trials == 12
    assert untested.strategy.name not in {event.strategy for event in pool.history}
    assert taken_in(week.model_copy(update={"pool": pool}), seen, at=AT, policy=POLICY) == pool, "twice is once"
