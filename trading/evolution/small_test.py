"""The end of a strategy's small test: promoted on paper, or retired with every reason (C51, C55)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from trading.evolution.models import Reason, Record, reason
from trading.evolution.pool import Pool, PoolEntry, Status, with_promotion, with_retired
from trading.evolution.promotion import Promotion
from trading.policy.model import Policy


def after_small_tests(
    pool: Pool, verdicts: Mapping[str, Promotion], ever: Mapping[str, Record], *, at: datetime, policy: Policy
) -> Pool:
    """The pool with every trial decided that has run for the policy's days.

    Promoted is who passed the examination it was born by and did not lose since; the others are retired and
    stay in the statistics. A trial without an examination on record was never tested and is not promoted.
    """
    for row in pool.entries:
        name = row.strategy.name
        if not _is_due(row, at=at, policy=policy):
            continue
        against = (*_unexamined(verdicts.get(name)), *_lost(ever.get(name)))
        promotion = verdicts.get(name)
        if promotion is not None and promotion.promoted and not against:
            pool = with_promotion(pool, promotion, at=at)
        else:
            pool = with_retired(pool, name, at=at, reasons=against)
    return pool


def _is_due(row: PoolEntry, *, at: datetime, policy: Policy) -> bool:
    return row.status is Status.TRIAL and at - row.born_at >= timedelta(days=policy.trial_days)


def _unexamined(promotion: Promotion | None) -> tuple[Reason, ...]:
    if promotion is None:
        return (reason("not_examined", "no examination is on record"),)
    return promotion.against


def _lost(record: Record | None) -> tuple[Reason, ...]:
    if record is None or record.expectancy is None or record.expectancy >= 0:
        return ()
    return (
        reason(
            "small_test_lost",
            "a trade of the small test lost after costs",
            expectancy=record.expectancy,
            trades=len(record.trades),
        ),
    )
