"""The rows of the gene pool and what they mean: values for the tables, and contracts out of them."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from activities.evolution.port import Examination, StrategyWeek
from trading.evolution.models import Reason, Record, TradeReturn
from trading.evolution.pool import PoolEntry, PoolEvent, Status
from trading.evolution.vary import Lineage
from trading.ids import canonical_json
from trading.money import ONE, plain
from trading.strategies.models import Strategy

MOST_READ = 2048
"""Texts of each sort whose meaning is remembered: the rows of a year, read again every week, never change."""


def changing_values(place: int, entry: PoolEntry) -> dict[str, Any]:
    return {
        "place": place,
        "status": entry.status.value,
        "budget_factor": entry.budget_factor,
        "weekly_scores": canonical_json([plain(score) for score in entry.weekly_scores]),
    }


def lasting_values(realm: str, entry: PoolEntry) -> dict[str, Any]:
    """What a strategy is born with: its name stands for its genes."""
    return {
        "realm": realm,
        "strategy": entry.strategy.name,
        "born_at": entry.born_at,
        "lineage": canonical_json(entry.lineage),
        "genes": canonical_json(entry.strategy),
    }


def entry_of(row: Any) -> PoolEntry:
    return PoolEntry(
        strategy=_strategy_of(row.genes),
        lineage=_lineage_of(row.lineage),
        status=Status(row.status),
        born_at=row.born_at,
        budget_factor=row.budget_factor,
        weekly_scores=tuple(Decimal(score) for score in json.loads(row.weekly_scores)),
    )


def event_values(realm: str, period: str, number: int, event: PoolEvent) -> dict[str, Any]:
    return {
        "realm": realm,
        "number": number,
        "period": period,
        "at": event.at,
        "kind": event.kind,
        "strategy": event.strategy,
        "lineage": None if event.lineage is None else canonical_json(event.lineage),
        "reasons": canonical_json(event.reasons),
    }


def event_of(row: Any) -> PoolEvent:
    return PoolEvent(
        at=row.at,
        kind=row.kind,
        strategy=row.strategy,
        lineage=None if row.lineage is None else _lineage_of(row.lineage),
        reasons=reasons_of(row.reasons),
    )


@lru_cache(maxsize=MOST_READ)
def _strategy_of(text: str) -> Strategy:
    return Strategy.model_validate_json(text)


@lru_cache(maxsize=MOST_READ)
def _lineage_of(text: str) -> Lineage:
    return Lineage.model_validate_json(text)


@lru_cache(maxsize=MOST_READ)
def reasons_of(text: str) -> tuple[Reason, ...]:
    return tuple(Reason.model_validate(each) for each in json.loads(text))


def week_values(realm: str, week: StrategyWeek) -> dict[str, Any]:
    record = week.record
    return {
        "realm": realm,
        "strategy": record.strategy,
        "period": week.period,
        "starts_at": record.start,
        "ends_at": record.end,
        "trades": len(record.trades),
        "wins": record.wins,
        "return_fraction": record.equity[-1] - ONE,
        "score": week.score,
        "record": canonical_json(
            {
                "trades": [
                    [_seconds(trade.entry_at), _seconds(trade.exit_at), plain(trade.return_fraction)]
                    for trade in record.trades
                ],
                "days": [[_seconds(day), plain(value)] for day, value in record.daily_returns],
            }
        ),
        "pending": canonical_json({symbol: at.isoformat() for symbol, at in sorted(week.pending.items())}),
    }


@lru_cache(maxsize=MOST_READ)
def record_of(strategy: str, start: datetime, end: datetime, text: str) -> Record:
    """The record as `week_values` stored it, which is not checked again: a year has thousands."""
    stored = json.loads(text)
    return Record.model_construct(
        strategy=strategy,
        start=start,
        end=end,
        trades=tuple(
            TradeReturn.model_construct(entry_at=_time(entry), exit_at=_time(left), return_fraction=Decimal(value))
            for entry, left, value in stored["trades"]
        ),
        daily_returns=tuple((_time(day), Decimal(value)) for day, value in stored["days"]),
    )


def exam_values(realm: str, period: str, exam: Examination) -> dict[str, Any]:
    return {
        "realm": realm,
        "strategy": exam.strategy,
        "period": period,
        "trials": exam.trials,
        "windows": exam.windows,
        "unseen_trades": exam.unseen_trades,
        "unseen_expectancy": exam.unseen_expectancy,
        "baseline_percentile": exam.baseline_percentile,
        "holdout_shown": exam.holdout_shown,
        "taken_in": exam.taken_in,
        "promoted": exam.promotion.promoted,
        "against": canonical_json(exam.promotion.against),
        "figures": canonical_json(exam.promotion.figures),
    }


def _seconds(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
