"""`perennial plan`: the day's plan as it was kept. Reads records only."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.card import table
from workers.cli.command import group
from workers.cli.ending import Refusal, emit, run
from workers.cli.place import records, settings_or_refusal

if TYPE_CHECKING:
    from trading.planning.models import AccountPlan, DayPlan


def show(
    day: Annotated[str, typer.Option("--date", help="the planned day, 2024-01-31; default: the newest plan")] = "",
    account: Annotated[str, typer.Option(help="only this account's plan")] = "",
    realm: Annotated[str, typer.Option(help="realm of the records; default: the profile's")] = "",
    json: Annotated[bool, typer.Option("--json", help="one JSON object as the last line")] = False,
) -> None:
    """A day's plan: yesterday, watch list, and for each account tasks, triggers, ideas, risk windows and limits.

    A day that was planned anew has both plans: the first one, and under `revisions` what replaced it, and why.

    Example: perennial plan show --date 2024-01-31 --account composite
    """
    first, *later = (_only(plan, account) for plan in run(lambda: _read(_day(day), realm)))
    shown = first.model_dump(mode="json") | {"revisions": [plan.model_dump(mode="json") for plan in later]}
    emit(shown, as_json=json, text="\n\n".join(_readable(plan) for plan in (first, *later)))


def _only(plan: DayPlan, account: str) -> DayPlan:
    parts = tuple(part for part in plan.plans if account in {"", part.account})
    if not parts:
        known = ", ".join(part.account for part in plan.plans)
        raise Refusal(f"account {account!r} has no plan of {plan.day}: allowed are {known}")
    return plan.model_copy(update={"plans": parts})


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Refusal(f"--date {text!r} is no day: write 2024-01-31") from None


async def _read(day: date | None, realm: str) -> tuple[DayPlan, ...]:
    """The plans of a day, the first one first."""
    settings = settings_or_refusal()
    where = realm or settings.realm
    async with records(settings) as store:
        if day is None:
            newest = await store.day_plan_before(where, "9999-12-31")
            if newest is None:
                raise Refusal(f"no plan yet in {where}: `perennial schedules trigger daily-planning` makes one")
            day = newest.day
        plans = await store.day_plans(where, day)
        if not plans:
            raise Refusal(f"no plan of {day} in {where}")
        return plans


def _readable(plan: DayPlan) -> str:
    watch = [item.model_dump(mode="json") for item in plan.watch]
    columns = ("rank", "symbol", "reason", "last_price", "turnover_24h_usd", "trend_regime", "risk_regime")
    yesterday = plan.yesterday
    lines = [
        f"plan of {plan.day} as of {plan.as_of:%Y-%m-%d %H:%MZ}, playbook {plan.playbook_version}",
        *(
            f"planned anew: {one.account} is {one.course.value}, at {one.return_fraction * 100:.2f} % "
            f"where {one.expected_fraction * 100:.2f} % were expected"
            for one in plan.progress
        ),
        f"the market: {plan.trend_regime.value}, {plan.risk_regime.value}",
        f"yesterday: {yesterday.decisions} decisions, {yesterday.entries} entries, "
        f"{sum(row.closed_trades for row in yesterday.accounts)} trades closed",
        table(watch, columns, empty="nothing to watch"),
        *(f"not watched: {row.symbol} ({row.reason})" for row in plan.unwatched),
        *(line for part in plan.plans for line in _account(part)),
    ]
    return "\n".join(lines)


def _account(plan: AccountPlan) -> list[str]:
    limits, reasons = plan.limits, ", ".join(plan.target.reasons)
    ideas = [_idea(idea) for idea in plan.ideas]
    columns = ("symbol", "kind", "entry", "stop", "target", "reward_risk", "size", "because")
    return [
        "",
        f"{plan.account} ({plan.style.value}): target {plan.target.return_fraction * 100:.2f} %"
        + (f" ({reasons})" if reasons else ""),
        f"at most {limits.max_entries} entries of {limits.max_trade_fraction * 100:.2f} % each, "
        f"{limits.max_positions} positions, {limits.total_fraction * 100:.1f} % in all",
        *(f"{task.priority}. {task.code} {task.symbol or ''}: {task.text}" for task in plan.tasks),
        table(ideas, columns, empty="no ideas"),
        *(
            f"risk window {window.code}: {window.start:%Y-%m-%d %H:%MZ} to {window.end:%Y-%m-%d %H:%MZ}, "
            f"sizes at most {window.size_factor * 100:.0f} %"
            for window in plan.windows
        ),
    ]


def _idea(idea: Any) -> dict[str, str]:
    return {
        "symbol": idea.trigger.symbol,
        "kind": idea.trigger.kind.value,
        "entry": str(idea.entry_price),
        "stop": str(idea.stop_price),
        "target": str(idea.target_price),
        "reward_risk": str(idea.reward_risk),
        "size": f"{idea.size_fraction * 100:.2f} %",
        "because": ", ".join(idea.cites),
    }


COMMANDS = {"plan": group("plan", {"show": show}, help_text="Show a day's plan.")}
