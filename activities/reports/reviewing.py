"""The review of a day as an activity: one call reads all accounts, judges in pure code and keeps the result once."""

from __future__ import annotations

from datetime import date
from typing import Protocol

from pydantic import Field
from temporalio import activity

from activities.reports.calls import KnowledgeCutOff, report_errors, zone_of
from activities.reports.port import ReviewSource
from activities.store.port import Blobs, KeptReview, PlaybookRegistry, Reviews
from trading.contract import Contract
from trading.ids import check_realm
from trading.playbook import from_json
from trading.review.day import DayRecords, review_the_day
from trading.review.period import ReportKind, period_of


class ReviewStore(Reviews, PlaybookRegistry, Blobs, Protocol):
    """Where reviews are kept, and the playbook in force."""


class DayOrder(Contract):
    """A day to be reviewed, local to `zone`. Without a playbook the realm's active version is meant."""

    realm: str
    accounts: tuple[str, ...] = Field(min_length=1)
    day: date
    zone: str = "UTC"
    playbook_hash: str | None = None


class DayReviewed(Contract):
    """What a workflow branches on after a day's review; the whole is under `content_hash`."""

    period: str
    content_hash: str
    was_kept_before: bool
    story: str
    playbook_version: str
    applied: tuple[tuple[str, str], ...] = Field(description="(threshold, new value) of what tightens by itself")
    why: str = Field(description="the sentences behind what tightens")


class ReviewCalls:
    """Reviews of days. It may be repeated with the same input: it changes nothing more.

    Error types: `ReportUnavailable` is retried; `ReportRefused` and `UnknownAccount` are final. `knowledge` is what the
    providers state about their models.
    """

    def __init__(
        self, source: ReviewSource, store: ReviewStore, *, knowledge: tuple[KnowledgeCutOff, ...] = ()
    ) -> None:
        self._source = source
        self._store = store
        self._knowledge = knowledge

    @activity.defn
    async def review_day(self, order: DayOrder) -> DayReviewed:
        """Label the day's trades, draw experiences and lessons, check habits and execution, say what changes (C10).

        The first review of a day is the one: a later call returns it, whatever the records say by then.
        """
        period = order.day.isoformat()
        with report_errors(f"review of {period} in {order.realm}"):
            check_realm(order.realm)
            kept = await self._store.find_day_review(order.realm, period)
            if kept is None:
                kept = await self._made(order)
        return _reviewed(kept)

    async def _made(self, order: DayOrder) -> KeptReview:
        name = order.playbook_hash
        if name is None:
            name = (await self._store.active_playbook(order.realm)).content_hash
        playbook = from_json(await self._store.get(name))
        period = period_of(ReportKind.DAILY, order.day, zone=zone_of(order.zone))
        records = self._completed(await self._source.day_records(order.realm, order.accounts, period))
        review = review_the_day(records, period, playbook.policy, playbook_version=playbook.version)
        return await self._store.keep_day_review(review)

    def _completed(self, records: DayRecords) -> DayRecords:
        """The records with what the providers state about the models that answered."""
        until = {each.model: each.knowledge_until for each in self._knowledge}
        models = tuple(each.model_copy(update={"knowledge_until": until.get(each.name)}) for each in records.models)
        return records.model_copy(update={"models": models})


def _reviewed(kept: KeptReview) -> DayReviewed:
    review = kept.review
    return DayReviewed(
        period=review.period,
        content_hash=kept.content_hash,
        was_kept_before=kept.was_kept_before,
        story=review.story,
        playbook_version=review.playbook_version,
        applied=tuple((change.field, change.new) for change in review.applied) if kept.is_newest else (),
        why="; ".join(change.reason for change in review.applied),
    )
