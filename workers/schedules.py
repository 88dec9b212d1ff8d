"""Schedules of a realm: one table of what runs when, and the few things that are done with them.

Only rows whose workflow is registered are applied. Applying again changes nothing that is right already, and never an
operator's pause or note. Overlap is SKIP everywhere; how late a missed start may still be made up is in the row.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleCalendarSpec,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from config.markets import DEFAULT_SYMBOLS, MARKETS, MarketProfile
from trading.planning.hours import MarketHours
from trading.playbook import from_json
from trading.policy.model import Policy
from workflows.names import TASK_TIMEOUT, QueueRole, task_queue, watch_workflow
from workflows.options import labels
from workflows.periods import ALL_ACCOUNTS, PeriodKind, PeriodRequest, schedule_id
from workflows.protocol import WatchRequest

if TYPE_CHECKING:
    from activities.store.open import Store
    from config.settings import Settings

USUAL_RECONCILIATION = timedelta(minutes=Policy().reconcile_every_minutes)

DAY_ENDS_AT = time(0)
"""Local to the market's zone, whose midnight need not be a full hour of UTC."""

SUNDAY = 0
"""Temporal counts the days of the week from Sunday."""


class UnknownScheduleError(LookupError):
    """No schedule of this name; the message names the known ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRow:
    """One schedule. `catch_up` is how late a missed start is still made; a run ends after `ends_within`, if given."""

    kind: PeriodKind
    workflow: str
    at: time
    catch_up: timedelta
    summary: str
    days_of_week: tuple[int, ...] = ()
    days_of_month: tuple[int, int] | None = None
    months: tuple[int, ...] = ()
    jitter: timedelta = timedelta(0)
    ends_within: timedelta | None = None
    every: timedelta | None = None
    """Again and again after so long, counted from midnight UTC, and beside it at `at`."""

    def calendar(self) -> ScheduleCalendarSpec:
        """When, in the zone of the market profile."""
        fields: dict[str, Any] = {
            "second": [ScheduleRange(self.at.second)],
            "minute": [ScheduleRange(self.at.minute)],
            "hour": [ScheduleRange(self.at.hour)],
            "comment": self.summary,
        }
        if self.days_of_week:
            fields["day_of_week"] = [ScheduleRange(day) for day in self.days_of_week]
        if self.days_of_month is not None:
            fields["day_of_month"] = [ScheduleRange(*self.days_of_month)]
        if self.months:
            fields["month"] = [ScheduleRange(month) for month in self.months]
        return ScheduleCalendarSpec(**fields)

    def spec(self, zone: str) -> ScheduleSpec:
        """When, as the service is told it."""
        jitter = self.jitter or None
        intervals = [] if self.every is None else [ScheduleIntervalSpec(every=self.every)]
        return ScheduleSpec(calendars=[self.calendar()], intervals=intervals, jitter=jitter, time_zone_name=zone)


def rows_of(market: MarketProfile, *, reconcile_every: timedelta = USUAL_RECONCILIATION) -> tuple[ScheduleRow, ...]:
    """Every schedule of a realm on this market, whether or not its workflow is there yet (architecture §3)."""
    session = timedelta(
        hours=market.session_start_at.hour - market.plan_at.hour,
        minutes=market.session_start_at.minute - market.plan_at.minute,
    )
    return (
        ScheduleRow(
            kind=PeriodKind.DAILY_PLANNING,
            workflow="DailyPlanning",
            at=market.plan_at,
            catch_up=session,
            ends_within=session,
            summary="the plan of the day, final before the session starts",
        ),
        ScheduleRow(
            kind=PeriodKind.DAILY_REVIEW,
            workflow="DailyReview",
            at=market.review_at,
            catch_up=timedelta(hours=12),
            jitter=timedelta(seconds=30),
            summary="the review of the day that just ended",
        ),
        ScheduleRow(
            kind=PeriodKind.WEEKLY_EVOLUTION,
            workflow="WeeklyEvolution",
            at=market.evolution_at,
            days_of_week=(SUNDAY,),
            catch_up=timedelta(days=3),
            jitter=timedelta(minutes=1),
            summary="the week's evolution, over the seven days to its time",
        ),
        ScheduleRow(
            kind=PeriodKind.MONTHLY_REFLECTION,
            workflow="MonthlyReflection",
            at=market.evolution_at,
            days_of_month=(28, 31),
            catch_up=timedelta(days=10),
            jitter=timedelta(minutes=1),
            summary="the month's reflection: it goes on only where the next day is the 1st",
        ),
        ScheduleRow(
            kind=PeriodKind.QUARTERLY_REFLECTION,
            workflow="QuarterlyReflection",
            at=market.evolution_at,
            days_of_month=(28, 31),
            months=(3, 6, 9, 12),
            catch_up=timedelta(days=10),
            jitter=timedelta(minutes=1),
            summary="the quarter's reflection: it goes on only where the next day is the 1st",
        ),
        ScheduleRow(
            kind=PeriodKind.MAINTENANCE,
            workflow="Maintenance",
            at=DAY_ENDS_AT,
            every=reconcile_every,
            catch_up=timedelta(minutes=30),
            jitter=timedelta(seconds=30),
            summary="equity, ledger against venue: as often as policy says, and when the day ends",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """Where schedules are applied: a realm at its service, with the market's hours and what its runs are told."""

    client: Client
    realm: str
    venue: str
    market: MarketProfile
    zone: str
    accounts: tuple[str, ...]
    usual: tuple[str, ...] = ()
    market_is_replayed: bool = False
    workflows: Collection[str] = field(default_factory=frozenset)
    reconcile_every: timedelta = USUAL_RECONCILIATION

    def rows(self) -> tuple[ScheduleRow, ...]:
        """The rows whose workflow is registered."""
        rows = rows_of(self.market, reconcile_every=self.reconcile_every)
        return tuple(row for row in rows if row.workflow in self.workflows)

    def row(self, name: str) -> ScheduleRow:
        """The row of a schedule's short or full id."""
        short = name.removeprefix(f"{self.realm}/")
        for row in self.rows():
            if row.kind.value == short:
                return row
        known = ", ".join(row.kind.value for row in self.rows())
        raise UnknownScheduleError(f"schedule {name!r} is unknown: allowed are {known}")

    def handle(self, name: str) -> ScheduleHandle:
        return self.client.get_schedule_handle(schedule_id(self.realm, self.row(name).kind))

    @property
    def hours(self) -> MarketHours:
        return self.market.hours(self.zone)


def plant_of(settings: Settings, client: Client, *, realm: str) -> Plant:
    """The realm of these settings at a service that runs."""
    row = settings.venue_row
    return Plant(
        client=client,
        realm=realm,
        venue=row.venue,
        market=MARKETS[settings.market],
        zone=settings.zone_name,
        accounts=settings.accounts(),
        usual=DEFAULT_SYMBOLS,
        market_is_replayed=row.market_is_replayed,
        workflows=registered_workflows(),
    )


def registered_workflows() -> frozenset[str]:
    """The names of the workflows that workers of this version serve."""
    from workflows.registry import WORKFLOWS

    return frozenset(cls.__name__ for cls in WORKFLOWS)


def schedule_of(plant: Plant, row: ScheduleRow) -> Schedule:
    """The schedule as it should be; its state (paused, note) belongs to the operator."""
    request = PeriodRequest(
        realm=plant.realm,
        venue=plant.venue,
        ledger=plant.realm,
        accounts=plant.accounts,
        hours=plant.hours,
        usual=plant.usual,
        market_is_replayed=plant.market_is_replayed,
    )
    return Schedule(
        action=ScheduleActionStartWorkflow(
            row.workflow,
            request,
            id=f"{plant.realm}/{row.kind.value}/{ALL_ACCOUNTS}",
            task_queue=task_queue(plant.realm, QueueRole.DECISIONS),
            execution_timeout=row.ends_within,
            task_timeout=TASK_TIMEOUT,
            static_summary=row.summary,
            typed_search_attributes=labels(realm=plant.realm, accounts=plant.accounts),
        ),
        spec=row.spec(plant.zone),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=row.catch_up),
    )


async def start_watch(plant: Plant) -> None:
    """The watch of a lasting realm: always on, so that started again is the one that runs (C09).

    A person who wants no entries pauses the desks; the watch goes on watching.
    """
    await plant.client.start_workflow(
        "MarketWatch",
        WatchRequest(
            realm=plant.realm,
            venue=plant.venue,
            ledger=plant.realm,
            accounts=plant.accounts,
            usual=plant.usual,
            hours=plant.hours,
            market_is_replayed=plant.market_is_replayed,
        ),
        id=watch_workflow(plant.realm),
        task_queue=task_queue(plant.realm, QueueRole.DECISIONS),
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        task_timeout=TASK_TIMEOUT,
        static_summary="watch of the market",
        search_attributes=labels(realm=plant.realm, accounts=plant.accounts),
    )


async def under_policy(plant: Plant, store: Store) -> Plant:
    """The plant with the intervals of the realm's active playbook."""
    active = await store.active_playbook(plant.realm)
    policy = from_json(await store.get(active.content_hash)).policy
    return replace(plant, reconcile_every=timedelta(minutes=policy.reconcile_every_minutes))


async def apply(plant: Plant) -> list[dict[str, str]]:
    """Create what is missing and bring the rest to its row; an operator's pause and note stay. Safe to repeat."""
    return [{"id": schedule_id(plant.realm, row.kind), "done": await _applied(plant, row)} for row in plant.rows()]


async def _applied(plant: Plant, row: ScheduleRow) -> str:
    identity, wanted = schedule_id(plant.realm, row.kind), schedule_of(plant, row)
    try:
        await plant.client.create_schedule(identity, wanted)
        return "created"
    except ScheduleAlreadyRunningError:
        pass
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise

    def converge(current: ScheduleUpdateInput) -> ScheduleUpdate:
        wanted.state = current.description.schedule.state
        return ScheduleUpdate(schedule=wanted)

    await plant.client.get_schedule_handle(identity).update(converge)
    return "kept"


async def listed(client: Client, realm: str) -> list[dict[str, Any]]:
    """The schedules of the realm at the service, by id: next time, last runs, pause and note."""
    rows: list[dict[str, Any]] = []
    async for found in await client.list_schedules():
        if not found.id.startswith(f"{realm}/"):
            continue
        info, state = found.info, found.schedule.state if found.schedule else None
        times = info.next_action_times if info else []
        recent = info.recent_actions if info else []
        rows.append(
            {
                "id": found.id,
                "next": _text(times[0]) if times else None,
                "last": _text(recent[-1].scheduled_at) if recent else None,
                "paused": bool(state and state.paused),
                "note": (state.note or "") if state else "",
            }
        )
    return sorted(rows, key=lambda row: str(row["id"]))


def missing(rows: Sequence[dict[str, Any]], plant: Plant) -> tuple[str, ...]:
    """Schedules that the table has and the service has not."""
    known = {str(row["id"]) for row in rows}
    return tuple(name for row in plant.rows() if (name := schedule_id(plant.realm, row.kind)) not in known)


async def backfill(plant: Plant, name: str, *, first: date, last: date) -> int:
    """Start the runs of the local days from `first` to `last`, both included, one after the other; how many days.

    Each run has its own nominal time; a period that was run before reports its first result.
    """
    start, _ = plant.hours.bounds(first)
    _, end = plant.hours.bounds(last)
    # One after the other, in order: today's plan looks at yesterday's. SKIP would drop all but the first.
    order = ScheduleBackfill(
        start_at=start - timedelta(seconds=1),
        end_at=end - timedelta(seconds=1),
        overlap=ScheduleOverlapPolicy.BUFFER_ALL,
    )
    await plant.handle(name).backfill(order)
    return (last - first).days + 1


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
