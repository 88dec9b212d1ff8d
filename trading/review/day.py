"""The review of one day for all accounts at once: what each trade was, what the day taught, what changes tomorrow.

It is made every day of a campaign, so it rests on the day's own records and on the lessons as they stood before, never
on all that was ever traded (C10, C18, C49).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from pydantic import Field

from trading.contract import Contract, Utc
from trading.money import ZERO
from trading.policy.model import Policy
from trading.policy.table import PolicyError, changed, loosens
from trading.review.baseline import PriceRun, baselines_of, measured
from trading.review.biases import BiasCheck, check_biases
from trading.review.calibration import Calibration, calibration, forecasts_of
from trading.review.changes import (
    ChangeProposal,
    Changes,
    Checkpoint,
    PolicyChange,
    checkpoints_for,
    split_changes,
    wanted_changes,
)
from trading.review.comparison import AccountPeriod, Comparison, compare
from trading.review.execution import ExecutionQuality, execution_quality
from trading.review.experiences import Experience, experiences, lessons_of_the_day
from trading.review.knowledge import model_knows_period
from trading.review.labels import Grade, Label, LabelledTrade, label_trades
from trading.review.lessons import Lesson, lesson_book
from trading.review.models import ClosedTrade, DecisionTally, ReviewedOrder
from trading.review.period import Period
from trading.review.review import ModelUse

DAILY_REVIEW = "daily-review"
"""The kind of the row that holds a day's review, and what its period job is called."""


class AccountRecords(Contract):
    """What the store knows of one account and day. `book` are its lessons and `trades_before` the count of its closed
    trades as they were before the day.
    """

    account: str
    opened_at: Utc
    opening_equity_usd: Decimal
    trades: tuple[ClosedTrade, ...] = ()
    orders: tuple[ReviewedOrder, ...] = ()
    tally: DecisionTally = DecisionTally()
    trades_before: int = 0
    book: tuple[Lesson, ...] = ()


class DayRecords(Contract):
    """One day of a realm. Nothing that happened at or after the day's end is in them."""

    realm: str
    accounts: tuple[AccountRecords, ...]
    periods: tuple[AccountPeriod, ...] = Field(description="equity and trades of every account, for the comparison")
    buy_and_hold_return: Decimal | None = None
    models: tuple[ModelUse, ...] = ()
    prices: tuple[PriceRun, ...] = ()


class TradeLabel(Contract):
    """A closed trade of the day in one line."""

    decision_id: str
    symbol: str
    closed_at: Utc
    exit_reason: str
    pnl_usd: Decimal
    return_fraction: Decimal
    expected_return: Decimal | None
    label: Label
    grade: Grade
    reasons: tuple[str, ...]


class AccountDay(Contract):
    """One account's day. `lessons` are the titles of the three lessons among the `experiences`."""

    account: str
    trades: tuple[TradeLabel, ...]
    pnl_usd: Decimal
    execution: ExecutionQuality
    biases: tuple[BiasCheck, ...]
    calibration: Calibration
    experiences: tuple[Experience, ...]
    lessons: tuple[str, ...]
    learned: tuple[Lesson, ...] = Field(description="lessons that the day's trades made or changed")


class DayReview(Contract):
    """A day of all accounts, judged. `applied` tightens by itself, `proposals` would wait for a person (X52).

    `model_knows_period` marks history that a model may have read: it feeds no promotion and no trust weight.
    """

    period: str
    as_of: Utc
    playbook_version: str
    accounts: tuple[AccountDay, ...]
    comparison: Comparison
    applied: tuple[PolicyChange, ...] = ()
    proposals: tuple[ChangeProposal, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    left_out: tuple[str, ...] = ()
    model_knows_period: bool = False
    knowledge: str = ""

    @property
    def story(self) -> str:
        """One line a person can read."""
        trades = sum(len(each.trades) for each in self.accounts)
        pnl = sum((each.pnl_usd for each in self.accounts), ZERO)
        found = sorted({bias.name.replace("_", " ") for each in self.accounts for bias in each.biases if bias.found})
        best = self.comparison.best
        return (
            f"**{self.period}** {trades} closed trades, {pnl:+.2f} USD"
            f"{'' if best is None else f'; first {best.account}'}"
            f"{'; biases: ' + ', '.join(found) if found else ''}"
            f"{'; tightened: ' + ', '.join(each.field for each in self.applied) if self.applied else ''}"
        )


def review_the_day(records: DayRecords, period: Period, policy: Policy, *, playbook_version: str) -> DayReview:
    """Judge the day: the same records give the same review. `policy` is what was in force at its end.

    A playbook serves all accounts, so what one account's day tightens binds the others from tomorrow on.
    """
    baselines = baselines_of(records.periods, records.prices, period, policy)
    comparison = compare(
        measured(records.periods, baselines), buy_and_hold_return=records.buy_and_hold_return, policy=policy
    )
    days = tuple(_account_day(each, period, policy, comparison) for each in records.accounts)
    tomorrow = Tomorrow(policy)
    for each, day in zip(records.accounts, days, strict=True):
        wanted = wanted_changes(
            policy,
            biases=day.biases,
            execution=day.execution,
            calibration=day.calibration,
            standing=next((row for row in comparison.standings if row.account == each.account), None),
            trades=len(each.trades),
            usual_trades_a_day=_usual(each, period),
        )
        tomorrow.take(split_changes(policy, wanted), account=each.account)
    knowledge = model_knows_period(records.models, period, realm=records.realm)
    asked = {check.question: check for day in days for check in checkpoints_for(day.biases)}
    return DayReview(
        period=period.name,
        as_of=period.end,
        playbook_version=playbook_version,
        accounts=days,
        comparison=comparison,
        applied=tuple(tomorrow.applied.values()),
        proposals=tuple(tomorrow.proposals.values()),
        checkpoints=tuple(asked.values()),
        left_out=tuple(tomorrow.left_out),
        model_knows_period=knowledge.knows,
        knowledge=knowledge.sentence,
    )


class Tomorrow:
    """The strictest of what the accounts' days ask for, one threshold once."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.applied: dict[str, PolicyChange] = {}
        self.proposals: dict[str, ChangeProposal] = {}
        self.left_out: list[str] = []

    def take(self, made: Changes, *, account: str) -> None:
        """Take in what one account's day asks for; where it contradicts another limit by now, it is left out."""
        self.left_out += [f"{account}: {sentence}" for sentence in made.left_out]
        self.proposals |= {proposal.id: proposal for proposal in made.proposals}
        for change in made.applied:
            try:
                after = changed(self._policy, **{change.field: change.new})
            except PolicyError as contradiction:
                self.left_out.append(f"{account}: {change.field}: {contradiction}")
                continue
            if after != self._policy and not loosens(self._policy, after):
                self._policy = after
                self.applied[change.field] = change


def _account_day(records: AccountRecords, period: Period, policy: Policy, comparison: Comparison) -> AccountDay:
    labelled = label_trades(records.trades, policy)
    execution = execution_quality(records.orders, policy)
    biases = check_biases(
        records.trades,
        days=period.days,
        trades_before=records.trades_before,
        days_before=_days_before(records, period),
        policy=policy,
    )
    standing = next((row for row in comparison.standings if row.account == records.account), None)
    day = experiences(
        labelled,
        tally=records.tally,
        execution=execution,
        biases=biases,
        equity_usd=records.opening_equity_usd if standing is None else standing.start_usd,
    )
    book = lesson_book(records.trades, known=records.book)
    return AccountDay(
        account=records.account,
        trades=tuple(_label(each) for each in labelled),
        pnl_usd=sum((each.pnl_usd for each in records.trades), ZERO),
        execution=execution,
        biases=biases,
        calibration=calibration(forecasts_of(records.trades)),
        experiences=day,
        lessons=tuple(each.title for each in lessons_of_the_day(day, book)),
        learned=_new_in(book, records.book),
    )


def _new_in(book: Sequence[Lesson], before: Iterable[Lesson]) -> tuple[Lesson, ...]:
    known = {lesson.title: lesson for lesson in before}
    return tuple(lesson for lesson in book if known.get(lesson.title) != lesson)


def _days_before(records: AccountRecords, period: Period) -> int:
    return max((period.start - records.opened_at).days, 0)


def _usual(records: AccountRecords, period: Period) -> Decimal | None:
    days = _days_before(records, period)
    return Decimal(records.trades_before) / days if days else None


def _label(each: LabelledTrade) -> TradeLabel:
    trade = each.trade
    return TradeLabel(
        decision_id=trade.decision_id,
        symbol=trade.symbol,
        closed_at=trade.closed_at,
        exit_reason=trade.exit_reason,
        pnl_usd=trade.pnl_usd,
        return_fraction=trade.return_fraction,
        expected_return=each.expected_return,
        label=each.label,
        grade=each.grade,
        reasons=each.reasons,
    )
