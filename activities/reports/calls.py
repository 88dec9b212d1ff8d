"""Reports as activities: load the records, review and build in pure code, keep the Markdown, write the files."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta, tzinfo
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field
from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from activities.reports.port import Renderer, ReviewSource
from activities.store.ports.blobs import Blobs
from activities.store.ports.faults import StoreRefused, StoreUnavailable
from activities.store.ports.plans import Periods
from trading.contract import Contract, Fraction, Utc
from trading.ids import check_realm
from trading.playbook import Playbook
from trading.policy.model import Policy
from trading.reports.build import ReportExtras, build_report, with_evolutions
from trading.reports.models import Report
from trading.review.period import Period, ReportKind, period_of
from trading.review.review import PeriodRecords, PeriodReview, review_period

REPORT_CALL: workflow.ActivityConfig = {
    # Drawing takes seconds where matplotlib is loaded for the first time; reading takes a fraction of one.
    "start_to_close_timeout": timedelta(seconds=120),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=10),
        non_retryable_error_types=["PayloadsTooLarge", "PydanticSerializationError"],
    ),
}

REPORT_REFUSED = "ReportRefused"
REPORT_UNAVAILABLE = "ReportUnavailable"
UNKNOWN_ACCOUNT = "UnknownAccount"


class ReportStore(Blobs, Periods, Protocol):
    """Where reports are kept."""


class KnowledgeCutOff(Contract):
    """Until when a model has read; its provider states it."""

    model: str
    knowledge_until: Utc


class BaselineResult(Contract):
    """The share of the random baseline's runs that an account beat in the period (C58)."""

    account: str
    percentile: Fraction


class ReportRequest(Contract):
    """Which report. `day` is any day of the period; `zone` is the market profile's.

    `keep_files` asks for files below the worker's report folder, where it has one.
    """

    realm: str
    account: str
    kind: ReportKind
    day: date
    zone: str = "UTC"
    knowledge: tuple[KnowledgeCutOff, ...] = ()
    baseline: tuple[BaselineResult, ...] = ()
    extras: ReportExtras = ReportExtras()
    keep_files: bool = True


class KeptReport(Contract):
    """Where the report is. `content_hash` is the one kept for the period: an earlier run's, where there was one."""

    kind: ReportKind
    account: str
    period: str
    content_hash: str
    is_complete: bool
    model_knows_period: bool
    was_kept_before: bool = False
    markdown_path: str | None = None
    html_path: str | None = None


class BuiltReport(Contract):
    """A report with the review, the records and the extras it rests on."""

    report: Report
    review: PeriodReview
    records: PeriodRecords
    extras: ReportExtras


class ReviewBrief(Contract):
    """What a workflow branches on after a review; the whole is in the report."""

    period: str
    trades: int
    pnl_usd: str
    biases: tuple[str, ...]
    lessons: tuple[str, ...] = Field(description="titles of the lessons of the period")
    applied: tuple[tuple[str, str], ...] = Field(description="(threshold, new value) of what tightens by itself")
    proposals: tuple[str, ...] = Field(description="ids of what waits for a person")
    principles: tuple[str, ...] = ()


async def build(
    source: ReviewSource, request: ReportRequest, *, period: Period | None = None, playbook: Playbook | None = None
) -> BuiltReport:
    """Load, review and build; reads only. `KeyError` for an unknown account, `ValueError` for an unknown zone.

    Without a period it is the whole one of the request's day; without a playbook the last one that decided in it.
    """
    check_realm(request.realm)
    period = period or period_of(request.kind, request.day, zone=zone_of(request.zone))
    records = await source.period_records(request.realm, request.account, start=period.start, end=period.end)
    return await _built(source, request, period, _completed(records, request), playbook)


async def _built(
    source: ReviewSource,
    request: ReportRequest,
    period: Period,
    records: PeriodRecords,
    playbook: Playbook | None,
) -> BuiltReport:
    if playbook is None and records.playbook_versions:
        playbook = await source.playbook(records.playbook_versions[-1])
    review = review_period(
        records,
        period,
        Policy() if playbook is None else playbook.policy,
        known_principles=() if playbook is None else tuple(each.text for each in playbook.principles),
    )
    extras = await _extras(source, request, period)
    report = build_report(review, records, extras=extras)
    return BuiltReport(report=report, review=review, records=records, extras=extras)


async def _extras(source: ReviewSource, request: ReportRequest, period: Period) -> ReportExtras:
    """What the house kept of the period beside its records: the day's review, evolutions, what was asked of people."""
    extras = request.extras
    if period.kind is ReportKind.DAILY:
        kept = await source.day_review(request.realm, period.name)
        return extras if kept is None else extras.model_copy(update={"reviewed": kept[0], "reviewed_into": kept[1]})
    extras = with_evolutions(extras, await source.evolutions(request.realm, until=period.end), period)
    if period.kind is ReportKind.WEEKLY or extras.proposals:
        return extras
    asked = await source.asked(request.realm, kind=period.kind, period=period.name)
    return extras.model_copy(
        update={
            "proposals": tuple(proposal for proposal, _ in asked),
            "answers": {proposal.id: stands for proposal, stands in asked},
        }
    )


def _completed(records: PeriodRecords, request: ReportRequest) -> PeriodRecords:
    """The records with what the caller knows beside them: cut-offs of models, percentiles of a random baseline."""
    until = {each.model: each.knowledge_until for each in request.knowledge}
    beaten = {each.account: each.percentile for each in request.baseline}
    return records.model_copy(
        update={
            "models": tuple(
                model.model_copy(update={"knowledge_until": until.get(model.name, model.knowledge_until)})
                for model in records.models
            ),
            "accounts": tuple(
                account.model_copy(update={"random_percentile": beaten.get(account.account)})
                for account in records.accounts
            ),
        }
    )


def zone_of(name: str) -> tzinfo:
    """The zone of that name; `ValueError` that says what is allowed."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"time zone {name!r} is unknown: allowed are names like UTC or Asia/Shanghai") from None


class WrittenFiles(Contract):
    markdown_path: str
    html_path: str


def write_files(folder: Path, report: Report, *, markdown: str, html: str) -> WrittenFiles:
    """Both formats below `folder`, by realm and account; a second write of the same report replaces the first."""
    place = folder / report.realm / _file_name(report.account)
    place.mkdir(parents=True, exist_ok=True)
    stem = f"{report.period.kind.value}-{report.period.name}"
    paths = place / f"{stem}.md", place / f"{stem}.html"
    for path, text in zip(paths, (markdown, html), strict=True):
        whole = path.with_name(path.name + ".part")
        whole.write_text(text, encoding="utf-8", newline="\n")
        whole.replace(path)
    return WrittenFiles(markdown_path=str(paths[0]), html_path=str(paths[1]))


def _file_name(account: str) -> str:
    """An account's name as one folder: what could lead elsewhere becomes a dash."""
    safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in account).strip(".")
    return safe or "account"


class ReportCalls:
    """Period reports. Every activity may be repeated: the first report of a period is the one that is kept.

    Error types: `ReportUnavailable` is retried; `ReportRefused` and `UnknownAccount` are final. `folder` is where files
    go; without one none are written.
    """

    def __init__(
        self, source: ReviewSource, store: ReportStore, renderer: Renderer, *, folder: Path | None = None
    ) -> None:
        self._source = source
        self._store = store
        self._renderer = renderer
        self._folder = folder

    @activity.defn
    async def review_period(self, request: ReportRequest) -> ReviewBrief:
        """Judge the period and say what follows from it; stores nothing."""
        with report_errors(_where(request)):
            review = (await build(self._source, request)).review
        return ReviewBrief(
            period=review.period.name,
            trades=review.summary.trades,
            pnl_usd=format(review.summary.pnl_usd, "f"),
            biases=tuple(bias.name for bias in review.biases if bias.found),
            lessons=tuple(lesson.title for lesson in review.lessons),
            applied=tuple((change.field, change.new) for change in review.changes.applied),
            proposals=tuple(proposal.id for proposal in review.changes.proposals),
            principles=tuple(principle.text for principle in review.principles),
        )

    @activity.defn
    async def make_report(self, request: ReportRequest) -> KeptReport:
        """Build the report, keep its Markdown under (kind, account, period), write both files.

        Where another report of the period is kept already, that one stays, its hash is returned, and its files are left
        alone.
        """
        with report_errors(_where(request)):
            return await self.kept_report(request, (await build(self._source, request)).report)

    async def kept_report(self, request: ReportRequest, report: Report) -> KeptReport:
        """Keep a report that is built; as `make_report`, with the port's own errors."""
        markdown = await asyncio.to_thread(self._renderer.markdown, report)
        name = await self._store.put(markdown, media_type="text/markdown")
        kept = await self._store.keep_report(
            request.realm,
            kind=request.kind.value,
            account=request.account,
            period=report.period.name,
            as_of=report.as_of,
            content_hash=name,
        )
        files = await self._files(request, report, markdown, is_kept=kept == name)
        return KeptReport(
            kind=request.kind,
            account=request.account,
            period=report.period.name,
            content_hash=kept,
            is_complete=report.is_complete,
            model_knows_period=report.model_knows_period,
            was_kept_before=kept != name,
            markdown_path=None if files is None else files.markdown_path,
            html_path=None if files is None else files.html_path,
        )

    async def _files(
        self, request: ReportRequest, report: Report, markdown: str, *, is_kept: bool
    ) -> WrittenFiles | None:
        """The files belong to the kept report: a later one of the same period leaves them alone."""
        if self._folder is None or not request.keep_files or not is_kept:
            return None
        return await asyncio.to_thread(self._write, self._folder, report, markdown)

    def _write(self, folder: Path, report: Report, markdown: str) -> WrittenFiles:
        return write_files(folder, report, markdown=markdown, html=self._renderer.html(report))


def _where(request: ReportRequest) -> str:
    return f"{request.kind.value} report of {request.account} in {request.realm}"


@contextmanager
def report_errors(where: str) -> Iterator[None]:
    """Give the ports' errors their stable types, and say which can never succeed. `where` begins their messages."""
    try:
        yield
    except StoreUnavailable as silent:
        raise ApplicationError(f"{where}: {silent}", type=REPORT_UNAVAILABLE) from silent
    except KeyError as unknown:
        raise ApplicationError(f"{where}: {unknown.args[0]}", type=UNKNOWN_ACCOUNT, non_retryable=True) from unknown
    except (StoreRefused, ValueError) as refused:
        raise ApplicationError(f"{where}: {refused}", type=REPORT_REFUSED, non_retryable=True) from refused
