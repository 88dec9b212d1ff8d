"""The review of a day for all accounts: what it says of each, and what tightens for all of them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from review_builders import DAY, D, a_day, a_trade, an_account, an_order, some_records

from trading.policy.model import Policy
from trading.review.day import AccountRecords, DayRecords, DayReview, review_the_day
from trading.review.lessons import lesson_book
from trading.review.review import ModelUse, review_period

POLICY = Policy()


def a_records(**changes: object) -> DayRecords:
    """The small day of `some_records`, as the store tells it day by day."""
    records = some_records()
    facts = {
        "realm": records.realm,
        "accounts": (
            AccountRecords(
                account="composite",
                opened_at=DAY - timedelta(days=10),
                opening_equity_usd=D(10000),
                trades=records.trades,
                orders=records.orders,
                tally=records.tally,
                trades_before=2,
                book=lesson_book(records.trades_before),
            ),
            AccountRecords(account="conservative", opened_at=DAY - timedelta(days=10), opening_equity_usd=D(10000)),
        ),
        "periods": records.accounts,
        "buy_and_hold_return": records.buy_and_hold_return,
        "models": records.models,
    }
    return DayRecords.model_validate(facts | changes)


def reviewed(records: DayRecords, policy: Policy = POLICY) -> DayReview:
    return review_the_day(records, a_day(), policy, playbook_version="abc123abc123")


def test_a_day_says_the_same_as_the_daily_report_of_an_account() -> None:
    mine, other = reviewed(a_records()).accounts
    whole = review_period(some_records(), a_day(), POLICY)
    assert [(t.decision_id, t.label, t.grade) for t in mine.trades] == [
        (t.trade.decision_id, t.label, t.grade) for t in whole.trades
    ]
    assert mine.experiences == whole.experiences
    assert 5 <= len(mine.experiences) <= 10
    assert mine.lessons == tuple(lesson.title for lesson in whole.lessons)
    assert len(mine.lessons) == 3
    assert mine.biases == whole.biases
    assert mine.execution == whole.execution
    assert {lesson.title for lesson in mine.learned} <= {lesson.title for lesson in whole.book}
    assert (other.trades, other.experiences, other.learned) == ((), (), ())
    assert reviewed(a_records()).comparison == whole.comparison


def test_lessons_day_by_day_come_to_the_book_of_all_trades() -> None:
    trades = [a_trade(n, pnl=pnl) for n, pnl in enumerate(("18", "-4", "7", "-2", "9", "11", "-5"), start=1)]
    book = lesson_book(trades[:2])
    for trade in trades[2:]:
        book = lesson_book([trade], known=book)
    assert book == lesson_book(trades)


@given(pnls=st.lists(st.integers(-50, 50).filter(bool), min_size=1, max_size=12), cut=st.integers(0, 12))
def test_wherever_the_days_are_cut_the_book_is_the_same(pnls: list[int], cut: int) -> None:
    trades = [a_trade(n, pnl=str(pnl)) for n, pnl in enumerate(pnls, start=1)]
    assert lesson_book(trades[cut:], known=lesson_book(trades[:cut])) == lesson_book(trades)


def test_what_one_accounts_day_tightens_binds_all_and_only_once() -> None:
    slipped = tuple(an_order(n, executed_quote=D(1010)) for n in range(1, 4))
    first, second = a_records().accounts
    both = tuple(each.model_copy(update={"orders": slipped}) for each in (first, second))
    review = reviewed(a_records(accounts=both))
    assert [change.field for change in review.applied] == ["target_cost_multiple"]
    assert Decimal(review.applied[0].new) > POLICY.target_cost_multiple
    assert "tightened: target_cost_multiple" in review.story


def test_a_quiet_day_changes_nothing() -> None:
    review = reviewed(a_records())
    assert (review.applied, review.proposals, review.left_out) == ((), (), ())


def test_a_model_that_may_have_read_the_day_marks_it() -> None:
    rules = ModelUse(name="rules-momentum", is_rule_based=True)
    told = ModelUse(name="told-1", is_rule_based=False, knowledge_until=DAY + timedelta(days=1))
    fresh = ModelUse(name="fresh-1", is_rule_based=False, knowledge_until=DAY - timedelta(days=1))
    assert not reviewed(a_records(models=(rules, fresh))).model_knows_period
    marked = reviewed(a_records(models=(rules, told)))
    assert marked.model_knows_period
    assert "told-1" in marked.knowledge


def test_an_account_without_equity_is_still_compared() -> None:
    review = reviewed(a_records(periods=(an_account("composite"), an_account("conservative"))))
    assert [row.return_fraction for row in review.comparison.standings] == [None, None]
