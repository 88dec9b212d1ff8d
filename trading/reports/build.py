"""One report of one account's period: which sections each kind has, and what marks the whole."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from pydantic import Field

from trading.contract import Contract
from trading.evolution.report import EvolutionReport
from trading.reports import learning, sections
from trading.reports.evolution import evolution_sections, pool_points
from trading.reports.figures import PoolPoint, drawdown_figure, equity_figure, pool_figure, reliability_figure
from trading.reports.models import Figure, Report, Section, Text
from trading.reports.wording import moment, number, percent
from trading.review.day import DayReview
from trading.review.knowledge import model_knows_period
from trading.review.period import Period, ReportKind
from trading.review.proposals import ReflectionProposal
from trading.review.review import PeriodRecords, PeriodReview


class StrategyRow(Contract):
    """One strategy as an evolution left it."""

    name: str
    state: str
    score: Decimal | None = None
    trades: int = 0
    win_rate: Decimal | None = None
    sharpe: Decimal | None = None
    note: str = ""


class ReportExtras(Contract):
    """What the caller knows and the records do not: the gene pool, its strategies, the week's evolution, remarks.

    `reviewed` is the day's first review and `reviewed_into` the playbook version that it made active, if it made one.
    `answers` says of each proposal that somebody answered how it ended.
    """

    strategies: tuple[StrategyRow, ...] = ()
    pool: tuple[PoolPoint, ...] = ()
    evolution: EvolutionReport | None = None
    remarks: tuple[str, ...] = ()
    proposals: tuple[ReflectionProposal, ...] = ()
    answers: dict[str, str] = Field(default_factory=dict)
    reviewed: DayReview | None = None
    reviewed_into: str | None = None


def with_evolutions(extras: ReportExtras, reports: Sequence[EvolutionReport], period: Period) -> ReportExtras:
    """The extras with what evolutions up to the period's end left, oldest first; the caller's own strategies stay."""
    if not reports or extras.strategies:
        return extras
    newest = reports[-1]
    scored = {row.strategy: row for row in newest.ranking}
    rows = tuple(
        StrategyRow(
            name=member.strategy,
            state=member.status.value,
            score=member.score,
            trades=scored[member.strategy].trades if member.strategy in scored else 0,
            win_rate=scored[member.strategy].win_rate if member.strategy in scored else None,
            sharpe=scored[member.strategy].sharpe if member.strategy in scored else None,
            note=member.origin,
        )
        for member in newest.members
    )
    is_of_period = period.start <= newest.as_of <= period.end
    return extras.model_copy(
        update={"strategies": rows, "pool": pool_points(reports), "evolution": newest if is_of_period else None}
    )


def build_report(review: PeriodReview, records: PeriodRecords, *, extras: ReportExtras | None = None) -> Report:
    """The report of the review's kind; the same input gives the same report."""
    period, given = review.period, extras or ReportExtras()
    knowledge = model_knows_period(records.models, period, realm=records.realm)
    known_until = records.last_record_at
    is_complete = known_until is not None and known_until >= period.end
    as_of = period.end if known_until is None else min(max(known_until, period.start), period.end)
    marks = [
        *([Text(text=knowledge.sentence, is_warning=True)] if knowledge.knows else []),
        *([] if is_complete else [Text(text=_incomplete(records), is_warning=True)]),
        *(Text(text=remark) for remark in given.remarks),
    ]
    body = _SECTIONS[period.kind](review, records, given)
    return Report(
        title=f"{period.kind.value.capitalize()} report {period.name}",
        realm=records.realm,
        profile=profile_of(records.realm),
        account=records.account,
        period=period,
        playbook_version=records.playbook_versions[-1] if records.playbook_versions else "none",
        is_complete=is_complete,
        model_knows_period=knowledge.knows,
        sections=(*([Section(heading="Read this first", blocks=tuple(marks))] if marks else []), *body),
        as_of=as_of,
    )


def profile_of(realm: str) -> str:
    """The profile of a realm; a trial's is simulated."""
    return realm if realm in {"live", "testnet", "demo", "paper", "simulated"} else "simulated"


def _incomplete(records: PeriodRecords) -> str:
    if records.last_record_at is None:
        return "No equity is on record: the account was never marked."
    return f"The records end at {moment(records.last_record_at)}, before the period does: this report is not final."


def _figures(*figures: Figure) -> Section:
    drawn = tuple(figure for figure in figures if any(len(each.points) > 1 for each in figure.series))
    return Section(heading="Curves", blocks=drawn or (Text(text="Too few points for a curve."),))


def _curves(records: PeriodRecords) -> Section:
    return _figures(equity_figure(records.accounts), drawdown_figure(records.accounts))


def _daily(review: PeriodReview, records: PeriodRecords, extras: ReportExtras) -> Sequence[Section]:
    return (
        sections.overview(review, records),
        _curves(records),
        sections.key_findings(review),
        sections.accounts(review),
        sections.trades(review),
        sections.learning_cases(review),
        sections.execution(review),
        learning.lessons(review),
        learning.biases(review),
        _reliability(review),
        sections.decisions(review, records),
        sections.positions(review),
        learning.changes(review)
        if extras.reviewed is None
        else learning.reviewed_changes(extras.reviewed, into=extras.reviewed_into),
        *_pool(extras),
    )


def _weekly(review: PeriodReview, records: PeriodRecords, extras: ReportExtras) -> Sequence[Section]:
    return (
        sections.overview(review, records),
        _curves(records),
        sections.key_findings(review),
        sections.accounts(review),
        sections.by_symbol(review),
        *_pool(extras),
        *(() if extras.evolution is None else evolution_sections(extras.evolution)),
        sections.extremes(review),
        sections.execution(review),
        learning.lesson_book(review),
        learning.principles(review),
        learning.biases(review),
        _reliability(review),
        sections.decisions(review, records),
        sections.positions(review),
        learning.changes(review),
        learning.metrics(review),
    )


def _monthly(review: PeriodReview, records: PeriodRecords, extras: ReportExtras) -> Sequence[Section]:
    return (
        sections.overview(review, records),
        _curves(records),
        sections.key_findings(review),
        sections.accounts(review),
        sections.extremes(review),
        sections.by_symbol(review),
        learning.biases(review),
        _reliability(review),
        learning.principles(review),
        learning.changes(review),
        learning.proposals(extras.proposals, answers=extras.answers),
        learning.lesson_book(review),
        *_pool(extras),
        sections.execution(review),
        sections.decisions(review, records),
        learning.metrics(review),
    )


def _quarterly(review: PeriodReview, records: PeriodRecords, extras: ReportExtras) -> Sequence[Section]:
    used = ", ".join(records.playbook_versions) or "none"
    versions = Section(heading="Playbooks", blocks=(Text(text=f"In the order of use: {used}."),))
    return (*_monthly(review, records, extras), versions)


_SECTIONS = {
    ReportKind.DAILY: _daily,
    ReportKind.WEEKLY: _weekly,
    ReportKind.MONTHLY: _monthly,
    ReportKind.QUARTERLY: _quarterly,
}


def _reliability(review: PeriodReview) -> Section:
    """The calibration of all trades up to the period's end: one period alone is rarely enough to speak."""
    section = learning.calibration(review.calibration_so_far, heading="Calibration of all trades so far")
    if not review.calibration_so_far.bins:
        return section
    return section.model_copy(update={"blocks": (*section.blocks, reliability_figure(review.calibration_so_far))})


def _pool(extras: ReportExtras) -> tuple[Section, ...]:
    if not extras.strategies and not extras.pool:
        return ()
    rows = [
        (
            each.name,
            each.state,
            number(each.score, places=1),
            str(each.trades),
            percent(each.win_rate, places=1),
            number(each.sharpe),
            each.note,
        )
        for each in extras.strategies
    ]
    titles = ("strategy", "state", "#score", "#trades", "#win rate", "#Sharpe", "note")
    pool = (pool_figure(extras.pool),) if len(extras.pool) > 1 else ()
    said = Text(
        text="The score is of the last week with trades; trades, win rate and Sharpe are of the newest evolution."
    )
    return (Section(heading="Strategies", blocks=(sections.table(titles, rows), said, *pool)),)
