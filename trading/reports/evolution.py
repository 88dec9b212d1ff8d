"""The sections about a week of evolution: culls, variants, what-if, principles, growth (C11)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from trading.evolution.counterfactual import Alternative
from trading.evolution.growth import GrowthMetric
from trading.evolution.pool import Status
from trading.evolution.report import EvolutionReport
from trading.reports.figures import PoolPoint
from trading.reports.models import Items, Section, Text
from trading.reports.sections import table
from trading.reports.wording import number, percent, yes_no

OTHERS_SHOWN = 9


def pool_points(reports: Sequence[EvolutionReport]) -> tuple[PoolPoint, ...]:
    """The pool after each week, for the figure."""
    return tuple(
        PoolPoint(
            at=report.as_of,
            active=_count(report, Status.ACTIVE, Status.WARNED),
            culled=_count(report, Status.SHADOW, Status.RETIRED),
            on_trial=_count(report, Status.TRIAL),
        )
        for report in reports
    )


def evolution_sections(report: EvolutionReport) -> tuple[Section, ...]:
    """What became of the pool in the week, with the numbers and the reasons behind it."""
    return (_culls(report), _variants(report), _counterfactual(report), _principles(report), _growth(report))


def _count(report: EvolutionReport, *wanted: Status) -> int:
    return sum(member.status in wanted for member in report.members)


def _culls(report: EvolutionReport) -> Section:
    rows = [
        (event.kind, event.strategy, "; ".join(each.message for each in event.reasons) or "none given")
        for event in report.events
        if event.kind in {"cull", "warn", "clear", "promote", "retire", "held_back"}
    ]
    return Section(
        heading="Culls, warnings and promotions",
        blocks=(table(("what", "strategy", "why"), rows, empty="Nothing changed in the pool."),),
    )


def _variants(report: EvolutionReport) -> Section:
    rows = [
        (
            row.strategy,
            row.lineage.origin,
            "; ".join(row.lineage.changes) or ", ".join(row.lineage.parents) or "drawn by chance",
            str(row.windows) if row.windows else "history too short",
            str(row.unseen_trades),
            percent(row.unseen_expectancy, signed=True),
            percent(row.baseline_percentile, places=0),
            yes_no(row.taken_in),
            "" if row.verdict is None else ", ".join(each.code for each in row.verdict.against),
        )
        for row in report.candidates
    ]
    titles = (
        "variant", "origin", "changed", "#windows", "#unseen trades", "#mean trade", "#beats random runs",
        "on trial", "against promotion",
    )  # fmt: skip
    counted = Text(text=f"{report.trials} strategies have been tested so far; every Sharpe ratio is deflated by that.")
    return Section(heading="Variants and walk-forward", blocks=(table(titles, rows, empty="None was bred."), counted))


def _counterfactual(report: EvolutionReport) -> Section:
    told = report.counterfactual
    if told is None:
        text = "No strategy led before this week, so there is nothing to compare with."
        return Section(heading="What if another strategy had been followed", blocks=(Text(text=text),))
    rows = [_alternative(row) for row in (told.used, *told.others[:OTHERS_SHOWN])]
    titles = ("strategy", "#return", "#difference", "#trades", "#win rate")
    text = f"{told.used.strategy} led before the week. Reported, not learned from: a week is a week."
    return Section(heading="What if another strategy had been followed", blocks=(Text(text=text), table(titles, rows)))


def _alternative(row: Alternative) -> tuple[str, ...]:
    return (
        row.strategy,
        percent(row.return_fraction, signed=True),
        percent(row.difference, signed=True),
        str(row.trades),
        percent(row.win_rate, places=1),
    )


def _principles(report: EvolutionReport) -> Section:
    empty = Text(text="No kind of strategy has enough trades to say anything for sure.")
    blocks = (Items(items=report.principles),) if report.principles else (empty,)
    return Section(heading="Principles of the pool", blocks=blocks)


def _growth(report: EvolutionReport) -> Section:
    rows = [_metric(row) for row in report.growth]
    curve = report.learning
    slope = (
        "Learning curve: fewer than three weeks with scores, no slope."
        if curve.slope is None
        else f"Learning curve: the mean score changes by {number(curve.slope)} points a week over {curve.weeks} weeks"
        + ("; it stagnates." if curve.stagnates else ".")
    )
    return Section(
        heading="Growth of the pool",
        blocks=(table(("measure", "#value", "#target", "reached"), rows), Text(text=slope)),
    )


def _metric(row: GrowthMetric) -> tuple[str, ...]:
    return (
        row.name.replace("_", " "),
        _grown(row, row.value),
        "" if row.target is None else _grown(row, row.target),
        yes_no(row.met),
    )


def _grown(row: GrowthMetric, value: Decimal | None) -> str:
    if row.unit == "fraction":
        return percent(value, places=1)
    return number(value, places=0 if row.unit == "count" else 2)
