"""What a reflection makes of its reviews: what tightens, what it asks, and what a known or a late period leaves out."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from trading.playbook import first_playbook, revised
from trading.policy.table import changed
from trading.review.changes import Changes, PolicyChange, WantedChange, split_changes
from trading.review.period import ReportKind, next_end, period_of
from trading.review.reflecting import LATE, READ_BEFORE, Reflection, reflect_on, reflection_story
from trading.review.reflection import ProposedPrinciple
from trading.review.review import ModelUse, PeriodRecords, PeriodReview, review_period
from workers.trials.knowledge import knows_period

TIGHTENED = revised(first_playbook(), policy=changed(first_playbook().policy, max_trade_fraction="0.03"))
JANUARY = period_of(ReportKind.MONTHLY, datetime(2020, 1, 31, tzinfo=UTC).date())
TIGHTER, LOOSER = (
    WantedChange(field=field, value=Decimal(value), reason="the month says so")
    for field, value in (("stop_max_fraction", "0.03"), ("max_trade_fraction", "0.035"))
)
ENCOURAGES, CAUTIONS = (
    ProposedPrinciple(
        id=f"x{number}", text=text, cautions=cautions, samples=9, success_rate=Decimal(1),
        evidence=("d1",),
    )
    for number, (text, cautions) in enumerate((("Buy more of it.", False), ("Buy less of it.", True)))
)  # fmt: skip


def a_review() -> PeriodReview:
    """A month that wants a nearer stop, larger trades again, and has one sentence for and one against."""
    empty = review_period(PeriodRecords(realm="paper", account="composite"), JANUARY, TIGHTENED.policy)
    made: Changes = split_changes(TIGHTENED.policy, (TIGHTER, LOOSER))
    return empty.model_copy(update={"changes": made, "principles": (ENCOURAGES, CAUTIONS)})


def reflected(**given: bool) -> Reflection:
    return reflect_on([a_review()], TIGHTENED, job="monthly-reflection", period="2020-01", **given)


def fields(applied: tuple[PolicyChange, ...]) -> list[str]:
    return [change.field for change in applied]


def test_a_month_tightens_by_itself_and_asks_for_the_rest() -> None:
    seen = reflected()
    assert (fields(seen.applied), seen.principles) == (["stop_max_fraction"], ("Buy less of it.",))
    assert [(each.kind, each.new) for each in seen.proposals] == [
        ("threshold", "0.035"),
        ("principle", "Buy more of it."),
    ]


def test_a_month_that_a_model_had_read_about_tightens_and_asks_for_nothing() -> None:
    seen = reflected(model_knows_period=True)
    assert (fields(seen.applied), seen.principles) == (["stop_max_fraction"], ("Buy less of it.",))
    assert seen.proposals == ()
    assert seen.left_out == (READ_BEFORE,)
    assert READ_BEFORE in reflection_story(seen)


def test_a_late_month_changes_and_asks_nothing() -> None:
    seen = reflected(is_late=True)
    assert (seen.applied, seen.principles, seen.proposals, seen.left_out) == ((), (), (), (LATE,))
    assert LATE in reflection_story(seen)


@pytest.mark.parametrize(
    ("kind", "day", "end"),
    [
        (ReportKind.MONTHLY, "2020-01-31", "2020-03-01"),
        (ReportKind.MONTHLY, "2020-12-01", "2021-02-01"),
        (ReportKind.QUARTERLY, "2020-12-31", "2021-04-01"),
    ],
)
def test_the_next_period_ends(kind: ReportKind, day: str, end: str) -> None:
    day_of = datetime.fromisoformat(day).date()
    assert next_end(kind, day_of) == datetime.fromisoformat(f"{end}T00:00:00Z")


@pytest.mark.parametrize(
    ("name", "is_rule_based", "year", "knows"),
    [
        ("rules-momentum", True, 2020, False),
        ("gpt-4.1-mini", False, 2020, True),
        ("gpt-4.1-mini", False, 2025, False),
        ("qwen-plus", False, 2025, True),  # no cut-off is stated: it is taken to know all of a replay
    ],
)
def test_a_run_over_history_says_whether_a_model_may_have_read_it(
    name: str, is_rule_based: bool, year: int, knows: bool
) -> None:
    models = (ModelUse(name="rules-reversion", is_rule_based=True), ModelUse(name=name, is_rule_based=is_rule_based))
    assert knows_period(models, datetime(year, 1, 1, tzinfo=UTC), realm="replay-1") is knows
