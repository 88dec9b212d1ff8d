"""Reflections on a month and a quarter, and what people answer."""

from __future__ import annotations

from fakes.months import LAST_EVENING, TIGHTENED, a_bad_month, a_good_month
from fakes.sequence_house import SequenceHouse
from fakes.told_market import Told
from recordings.path import Play, RecordedPath, period_request, run_job

from trading.playbook import revised
from trading.policy.table import changed
from trading.review.proposals import ReflectionAnswer
from workflows.monthly_reflection import MonthlyReflection
from workflows.names import Update, proposals_workflow
from workflows.periods import PeriodKind
from workflows.quarterly_reflection import QuarterlyReflection


def _reflection(
    *, kind: PeriodKind = PeriodKind.MONTHLY_REFLECTION, asks: bool, waits: bool = False, answers: bool = True
) -> Play:
    """A month, or a quarter, that asks people something or tightens by itself; `waits` keeps the asking's history.

    Where nobody `answers`, the questions expire after a second.
    """
    begins = TIGHTENED if answers else revised(TIGHTENED, policy=changed(TIGHTENED.policy, reflection_expires_s=1))

    async def play(house: SequenceHouse) -> str:
        await house.store.active_playbook(house.realm, first=begins)
        quarter = kind is PeriodKind.QUARTERLY_REFLECTION
        evening = LAST_EVENING.replace(month=3) if quarter else LAST_EVENING
        await (a_good_month if asks else a_bad_month)(house.store, house.realm, until=evening)
        period = "2020-Q1" if quarter else "2020-01"
        job = QuarterlyReflection if quarter else MonthlyReflection
        request = period_request(house, evening, in_campaign=quarter)
        workflow_id = await run_job(house, job, kind, period, request)
        if not waits:
            return workflow_id
        asked = house.client.get_workflow_handle(proposals_workflow(house.realm, kind.value, period))
        verbs = {"threshold": Update.APPROVE, "principle": Update.REJECT}
        for kept in await house.store.proposals(house.realm) if answers else ():
            answer = ReflectionAnswer(proposal=kept.proposal.id, who="a person", reason="seen")
            await asked.execute_update(verbs[kept.proposal.kind], answer)
        await asked.result()
        return asked.id

    return play


PATHS = (
    RecordedPath("month-tightened", _reflection(asks=False), Told(coordinated=False)),
    RecordedPath("month-asking", _reflection(asks=True), Told(coordinated=False)),
    RecordedPath(
        "quarter-in-a-campaign",
        _reflection(kind=PeriodKind.QUARTERLY_REFLECTION, asks=True),
        Told(coordinated=False),
    ),
    RecordedPath("proposals-answered", _reflection(asks=True, waits=True), Told(coordinated=False)),
    RecordedPath("proposals-expired", _reflection(asks=True, waits=True, answers=False), Told(coordinated=False)),
)
