"""Planning as activities: what was planned, what a plan is made from, and keeping it once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import Field
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.models.texts import StoredTexts
from activities.store.calls import BLOB_MISSING, STORE_REFUSED, STORE_UNAVAILABLE
from activities.store.ports.blobs import Blobs
from activities.store.ports.decisions import Decisions
from activities.store.ports.faults import StoreRefused, StoreUnavailable
from activities.store.ports.plans import DayPlans, KeptPlan, PlanInForce
from activities.store.ports.playbooks import PlaybookRegistry
from trading.contract import Contract, Utc
from trading.decision.models import DecisionHead, Recall
from trading.ids import decision_id
from trading.planning.hours import MarketHours, period_of_day
from trading.planning.models import Progress, Unwatched
from trading.planning.plans import Morning, plan_the_day
from trading.planning.progress import progress_of
from trading.playbook import Playbook, from_json
from trading.policy.watching import WatchPolicy


class PlanRecords(DayPlans, PlaybookRegistry, Decisions, Blobs, Protocol):
    """What these activities need of the one store."""


class PeriodQuestion(Contract):
    """Which day of a realm is meant, and which playbook; without one the realm's active version."""

    realm: str
    period: str
    playbook_hash: str | None = None


class PeriodState(Contract):
    """`kept` is the first plan of the period, where there is one: then nothing is left to do."""

    kept: KeptPlan | None = None
    playbook_hash: str


class PlanOrder(Contract):
    """A plan to be made from what was observed; big texts are named by their content hash."""

    realm: str
    venue: str
    ledger: str
    as_of: Utc
    hours: MarketHours
    accounts: tuple[str, ...] = Field(min_length=1)
    playbook_hash: str
    snapshots: tuple[str, ...] = ()
    unobserved: tuple[Unwatched, ...] = ()
    revision: int = 0


class PlanMade(Contract):
    """The plan as it is kept, and the few lines that the Web UI shows."""

    kept: KeptPlan
    story: str


class PlanningCalls:
    """Plans of days. Every activity may be repeated with the same input: it changes nothing more.

    Errors as of `StoreCalls`: `StoreUnavailable` is retried, the others are final.
    """

    def __init__(self, records: PlanRecords) -> None:
        self._records = records
        self._texts = StoredTexts(records)

    @activity.defn
    async def period_state(self, question: PeriodQuestion) -> PeriodState:
        """Whether the period was planned before, and the playbook that a plan would be made by."""
        with record_errors():
            kept = await self._records.find_day_plan(question.realm, question.period)
            name = question.playbook_hash
            if name is None:
                name = (await self._records.active_playbook(question.realm)).content_hash
            return PeriodState(kept=kept, playbook_hash=name)

    @activity.defn
    async def make_plan(self, order: PlanOrder) -> PlanMade:
        """Make the day's plan from snapshots, yesterday's numbers, holdings and memory, and keep the first one."""
        with record_errors():
            playbook = from_json(await self._records.get(order.playbook_hash))
            plan = plan_the_day(await self._morning(order, playbook))
            kept = await self._records.keep_day_plan(order.realm, plan)
        ideas = ", ".join(f"{part.account} {len(part.ideas)}" for part in plan.plans)
        watched = ", ".join(item.symbol for item in plan.watch[:5]) or "nothing"
        return PlanMade(
            kept=kept,
            story=f"**{plan.day}** {plan.trend_regime.value}, {plan.risk_regime.value}; "
            f"watching {len(plan.watch)} ({watched}); ideas: {ideas}",
        )

    async def _morning(self, order: PlanOrder, playbook: Playbook) -> Morning:
        hours = order.hours
        day = hours.day_of(order.as_of)
        revised = await self._revised(order, playbook) if order.revision else ()
        snapshots = {name: await self._texts.snapshot(name) for name in order.snapshots}
        symbols = sorted(snapshot.symbol for snapshot in snapshots.values())
        return Morning(
            as_of=order.as_of,
            hours=hours,
            playbook=playbook,
            accounts=order.accounts,
            yesterday=await self._records.day_numbers(
                order.realm, order.accounts, day=day - timedelta(days=1), hours=hours
            ),
            snapshots=snapshots,
            recalls={symbol: await self._recall(order, symbol, playbook.version) for symbol in symbols},
            held={
                account: await self._records.held_symbols(order.realm, account, as_of=order.as_of)
                for account in order.accounts
            },
            unobserved=order.unobserved,
            previous=await self._records.day_plan_before(order.realm, period_of_day(day)),
            revision=order.revision,
            progress=revised,
        )

    async def _revised(self, order: PlanOrder, playbook: Playbook) -> tuple[Progress, ...]:
        """How far the accounts are on the course of the plan that is in force."""
        found = await self._records.day_plan_in_force(order.realm, as_of=order.as_of)
        return await progress_now(
            self._records, order.realm, found, as_of=order.as_of, hours=order.hours, policy=playbook.policy
        )

    async def _recall(self, order: PlanOrder, symbol: str, version: str) -> Recall:
        """What a decision on `symbol` would remember at the time of the plan; no decision is opened by asking."""
        head = DecisionHead(
            decision_id=decision_id(ledger=order.ledger, symbol=symbol, as_of=order.as_of, cause="daily-planning"),
            realm=order.realm,
            venue=order.venue,
            ledger=order.ledger,
            symbol=symbol,
            as_of=order.as_of,
            cause="daily-planning",
            accounts=order.accounts,
            playbook_version=version,
        )
        return await self._records.remembered(head)


async def progress_now(
    records: DayPlans,
    realm: str,
    found: PlanInForce | None,
    *,
    as_of: datetime,
    hours: MarketHours,
    policy: WatchPolicy,
) -> tuple[Progress, ...]:
    """The accounts of a plan against its targets at `as_of`; nothing where no plan of that day is in force."""
    if found is None or found.plan.day != hours.day_of(as_of):
        return ()
    plan = found.plan
    accounts = [part.account for part in plan.plans]
    numbers = await records.account_numbers(realm, accounts, start=plan.as_of, end=as_of)
    return progress_of(plan, numbers, at=as_of, hours=hours, policy=policy)


@contextmanager
def record_errors() -> Iterator[None]:
    """Give the port's errors their stable types, and say which can never succeed."""
    try:
        yield
    except StoreUnavailable as silent:
        raise ApplicationError(str(silent), type=STORE_UNAVAILABLE) from silent
    except StoreRefused as refused:
        raise ApplicationError(str(refused), type=STORE_REFUSED, non_retryable=True) from refused
    except KeyError as missing:
        raise ApplicationError(str(missing), type=BLOB_MISSING, non_retryable=True) from missing
    except ValueError as wrong:
        raise ApplicationError(str(wrong), type="PlanRefused", non_retryable=True) from wrong
