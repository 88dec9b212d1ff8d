"""The review of a day as an activity: one call reads all accounts, judges in pure code and keeps the result once."""

from __future__ import annotations

from datetime import date
from typing import Protocol

from pydantic import Field
from temporalio import activity

from activities.reports.calls import report_errors, zone_of
from activities.reports.port import ReviewSource
from activities.store.ports.blobs import Blobs
from activities.store.ports.playbooks import PlaybookRegistry
from activities.store.ports.reviews import KeptReview, PriceWish, Reviews
from trading.contract import Contract, Utc
from trading.ids import check_realm
from trading.playbook import from_json
from trading.review.day import review_the_day
from trading.review.period import Period, ReportKind, period_of


class ReviewStore(Reviews, PlaybookRegistry, Blobs, Protocol):
    """Where reviews are kept, and the playbook in force."""


class DayOrder(Contract):
    """A day to be reviewed, local to `zone`. Without a playbook the realm's active version is meant."""

    realm: str
    accounts: tuple[str, ...] = Field(min_length=1)
    day: date
    zone: str = "UTC"
    playbook_hash: str | None = None
    symbols: tuple[str, ...] = ()
    prices_hash: str | None = Field(default=None, description="closes that were loaded for the random baseline")


class DayReviewed(Contract):
    """What a workflow branches on after a day's review; the whole is under `content_hash`."""

    period: str
    content_hash: str
    was_kept_before: bool
    story: str
    playbook_version: str
    applied: tuple[tuple[str, str], ...] = Field(description="(threshold, new value) of what tightens by itself")
    why: str = Field(description="the sentences behind what tightens")


class DayState(Contract):
    """What there is to do for a day. `reviewed` is its first review, where there is one: then nothing is left."""

    reviewed: DayReviewed | None = None
    missing_prices: tuple[PriceWish, ...] = ()
    until: Utc = Field(description="the end of the day")


class ReviewCalls:
    """Reviews of days. It may be repeated with the same input: it changes nothing more.

    Error types: `ReportUnavailable` is retried; `ReportRefused` and `UnknownAccount` are final.
    """

    def __init__(self, source: ReviewSource, store: ReviewStore) -> None:
        self._source = source
        self._store = store

    @activity.defn
    async def day_state(self, order: DayOrder) -> DayState:
        """Whether the day was reviewed before, and which closes its review would want."""
        with report_errors(f"review of {order.day} in {order.realm}"):
            period = self._period(order)
            kept = await self._store.find_day_review(order.realm, period.name)
            if kept is not None:
                return DayState(reviewed=_reviewed(kept), until=period.end)
            missing = await self._store.missing_prices(order.realm, period, symbols=order.symbols)
            return DayState(missing_prices=missing, until=period.end)

    def _period(self, order: DayOrder) -> Period:
        check_realm(order.realm)
        return period_of(ReportKind.DAILY, order.day, zone=zone_of(order.zone))

    @activity.defn
    async def review_day(self, order: DayOrder) -> DayReviewed:
        """Label the day's trades, draw experiences and lessons, check habits and execution, say what changes (C10).

        The first review of a day is the one: a later call returns it, whatever the records say by then.
        """
        with report_errors(f"review of {order.day} in {order.realm}"):
            period = self._period(order)
            kept = await self._store.find_day_review(order.realm, period.name)
            if kept is None:
                kept = await self._made(order, period)
        return _reviewed(kept)

    async def _made(self, order: DayOrder, period: Period) -> KeptReview:
        if order.prices_hash is not None:
            await self._store.keep_prices(order.realm, period.name, as_of=period.end, prices_hash=order.prices_hash)
        name = order.playbook_hash
        if name is None:
            name = (await self._store.active_playbook(order.realm)).content_hash
        playbook = from_json(await self._store.get(name))
        records = await self._source.day_records(order.realm, order.accounts, period)
        review = review_the_day(records, period, playbook.policy, playbook_version=playbook.version)
        return await self._store.keep_day_review(order.realm, review)


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
