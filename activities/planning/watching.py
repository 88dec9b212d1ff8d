"""What the watch asks the database: the plan in force with its triggers, and the playbook of its decisions."""

from __future__ import annotations

from typing import Protocol

from temporalio import activity

from activities.planning.calls import progress_now, record_errors
from activities.store.ports.blobs import Blobs
from activities.store.ports.plans import DayPlans
from activities.store.ports.playbooks import PlaybookRegistry
from trading.contract import Contract, Utc
from trading.planning.hours import MarketHours
from trading.planning.models import Course, Progress
from trading.playbook import from_json
from trading.watching.anomalies import limits_of
from trading.watching.models import Watchlist
from trading.watching.triggers import watched_triggers


class WatchRecords(DayPlans, PlaybookRegistry, Blobs, Protocol):
    """What these activities need of the one store."""


class WatchQuestion(Contract):
    """What is to be watched by the newest plan; without a playbook the active version counts."""

    realm: str
    playbook_hash: str | None = None


class ProgressQuestion(Contract):
    """The plan of which period is judged, at what time, and by which playbook."""

    realm: str
    period: str
    as_of: Utc
    hours: MarketHours
    playbook_hash: str


class WatchCalls:
    """Read only; errors as of `StoreCalls`."""

    def __init__(self, records: WatchRecords) -> None:
        self._records = records

    @activity.defn
    async def watchlist(self, question: WatchQuestion) -> Watchlist:
        """The triggers of the newest plan, until when they count, and the policy's caps on them (C09)."""
        with record_errors():
            name = question.playbook_hash
            if name is None:
                name = (await self._records.active_playbook(question.realm)).content_hash
            playbook = from_json(await self._records.get(name))
            policy = playbook.policy
            found = await self._records.day_plan_in_force(question.realm, as_of=None)
        plain = Watchlist(playbook_hash=name, playbook_version=playbook.version, limits=limits_of(policy))
        if found is None:
            return plain
        plan = found.plan
        return plain.model_copy(
            update={
                "period": found.period,
                "replan_after_s": policy.replan_after_s,
                "plan_hash": found.plan_hash,
                "valid_until": plan.valid_until,
                "symbols": tuple(item.symbol for item in plan.watch),
                "triggers": watched_triggers(plan),
                "triggers_per_symbol": policy.triggers_per_symbol,
                "triggers_per_day": policy.triggers_per_day,
                "trigger_quiet_s": policy.trigger_quiet_s,
            }
        )

    @activity.defn
    async def off_course(self, question: ProgressQuestion) -> tuple[Progress, ...]:
        """The accounts that are farther from the day's course than the policy allows (C61); none of another plan."""
        with record_errors():
            policy = from_json(await self._records.get(question.playbook_hash)).policy
            found = await self._records.day_plan_in_force(question.realm, as_of=question.as_of)
            if found is None or found.period != question.period:
                return ()
            progress = await progress_now(
                self._records, question.realm, found, as_of=question.as_of, hours=question.hours, policy=policy
            )
        return tuple(one for one in progress if one.course is not Course.ON)
