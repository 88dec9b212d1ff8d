"""What strategies did, week after week, as one record each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from activities.evolution.port import StrategyWeek
from trading.evolution.models import Record
from trading.evolution.trail import one_after_another


class Trails:
    """All that each strategy did, as one record. What was put together the last time is gone on from: the past of a
    strategy is not read through again every week. It remembers the strategies that it was last asked for."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[list[Record], Record]] = {}

    def of(self, weeks: Mapping[str, Sequence[StrategyWeek]]) -> dict[str, Record]:
        """By name, in the order of names."""
        found = {name: self._gone_on([row.record for row in rows], name) for name, rows in sorted(weeks.items())}
        self._known = found
        return {name: whole for name, (_, whole) in found.items()}

    def _gone_on(self, records: list[Record], name: str) -> tuple[list[Record], Record]:
        parts, whole = self._known.get(name, ([], None))
        is_same = len(parts) <= len(records) and all(one is other for one, other in zip(parts, records, strict=False))
        if whole is None or not is_same:
            return records, one_after_another(records)
        later = records[len(parts) :]
        return records, one_after_another([whole, *later]) if later else whole


def together(
    weeks: Mapping[str, Sequence[StrategyWeek]], later: Sequence[StrategyWeek]
) -> dict[str, Sequence[StrategyWeek]]:
    """The weeks by strategy, with the later ones behind them."""
    found = {name: list(rows) for name, rows in weeks.items()}
    for row in later:
        found.setdefault(row.record.strategy, []).append(row)
    return {**found}


def with_week(past: Mapping[str, Record], week: Sequence[StrategyWeek]) -> dict[str, Record]:
    """All that each strategy did, the week included, in the order of names."""
    found = dict(past)
    for row in week:
        name = row.record.strategy
        found[name] = one_after_another([found[name], row.record] if name in found else [row.record])
    return dict(sorted(found.items()))
