"""What a watch knows and lives by: its state, the plan of the day, and whether the day keeps its course."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.planning.watching import ProgressQuestion, WatchCalls, WatchQuestion
    from activities.store.calls import STORE_CALL
    from trading.watching.due import judged_at
    from trading.watching.models import Watchlist
    from workflows.clock import MarketTime
    from workflows.daily_planning import DailyPlanning
    from workflows.names import TASK_TIMEOUT
    from workflows.options import labels
    from workflows.periods import PeriodKind, PeriodRequest, period_workflow
    from workflows.protocol import WatchRequest, WatchState


class WatchedDay:
    """The state that a watch carries through continue-as-new, and the plan in it."""

    def __init__(self, request: WatchRequest, time: MarketTime) -> None:
        self._request = request
        self._time = time
        self.state = request.state or WatchState()
        self.asks_for_plan = self.state.plan is None

    def keep(self, **changes: object) -> None:
        self.state = self.state.model_copy(update=changes)

    @property
    def plan(self) -> Watchlist:
        assert self.state.plan is not None  # taken before anything is decided
        return self.state.plan

    @property
    def symbols(self) -> tuple[str, ...]:
        return self._request.symbols or self.plan.symbols or self._request.usual

    def is_in_force(self, now: datetime) -> bool:
        return self.plan.valid_until is not None and now < self.plan.valid_until

    def judged_next(self, now: datetime) -> datetime | None:
        """When this day is judged, while that lies ahead."""
        due = judged_at(self.plan, self._request.hours)
        if due is None or due <= now or self.state.judged == self.plan.day:
            return None
        return due

    async def take_plan(self) -> None:
        """The triggers of the newest plan: news of it may come before the tick that tells its time.

        What fired before on the same day stays fired when it is planned anew.
        """
        self.asks_for_plan = False
        news = self.state.playbook
        plan = await workflow.execute_local_activity_method(
            WatchCalls.watchlist,
            WatchQuestion(
                realm=self._request.realm,
                playbook_hash=news.playbook_hash if news else self._request.playbook_hash,
            ),
            **STORE_CALL,
        )
        before = self.state.plan
        is_same_day = before is not None and before.day == plan.day
        self.keep(plan=plan, fired=self.state.fired if is_same_day else ())

    async def judge(self) -> None:
        """Once a day: accounts that are too far from their course have the day planned anew (C61)."""
        now, due = self._time.known, judged_at(self.plan, self._request.hours)
        day = self.plan.day
        if now is None or due is None or now < due or self.state.judged == day or not self.is_in_force(now):
            return
        self.keep(judged=day)
        if self._request.hours.day_of(now).isoformat() != day:
            return
        as_of = now.replace(microsecond=0)
        astray = await workflow.execute_local_activity_method(
            WatchCalls.off_course,
            ProgressQuestion(
                realm=self._request.realm,
                period=day,
                as_of=as_of,
                hours=self._request.hours,
                playbook_hash=self.plan.playbook_hash,
            ),
            **STORE_CALL,
        )
        if astray:
            await self._plan_anew(day, as_of)

    async def _plan_anew(self, day: str, as_of: datetime) -> None:
        """Have the rest of the day planned. Who ticks waits for the plan; else the planning says when it is made."""
        request, period = self._request, f"{day}.1"
        again = PeriodRequest(
            realm=request.realm,
            venue=request.venue,
            ledger=request.ledger,
            accounts=request.accounts,
            hours=request.hours,
            as_of=as_of,
            symbols=self.symbols,
            usual=request.usual,
            market_is_replayed=request.market_is_replayed,
            in_campaign=self._time.is_ticked,
            playbook_hash=self.plan.playbook_hash,
            revision=1,
            approvals=request.approvals,
        )
        try:
            planning = await workflow.start_child_workflow(
                DailyPlanning.run,
                again,
                id=period_workflow(request.realm, PeriodKind.DAILY_PLANNING, period),
                parent_close_policy=ParentClosePolicy.ABANDON,
                task_timeout=TASK_TIMEOUT,
                static_summary=f"{PeriodKind.DAILY_PLANNING.value} {period}",
                search_attributes=labels(realm=request.realm, accounts=request.accounts, as_of=as_of),
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.info("%s was planned anew already", day)
            return
        if self._time.is_ticked:
            await planning
            await self.take_plan()
