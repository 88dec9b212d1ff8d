"""What a recorded path is, and the requests that several of them make."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fakes.sequence_house import SequenceHouse
from fakes.told_market import Told

from workflows.names import TASK_TIMEOUT, QueueRole
from workflows.periods import PeriodKind, PeriodRequest, period_workflow

HOUR = timedelta(hours=1)

Play = Callable[[SequenceHouse], Awaitable[str]]
"""Plays a path in a house and returns the id of the workflow whose history is kept."""


@dataclass(frozen=True, slots=True)
class RecordedPath:
    """One recorded path: its file's name, its house, and what happens in it."""

    name: str
    play: Play
    told: Told


def period_request(house: SequenceHouse, as_of: datetime, **differs: Any) -> PeriodRequest:
    """A period job of the house's accounts, its end at `as_of`."""
    return PeriodRequest(
        realm=house.realm,
        venue="simulated",
        ledger=house.ledger,
        accounts=house.told.accounts,
        as_of=as_of,
        **differs,
    )


async def run_job(house: SequenceHouse, job: Any, kind: PeriodKind, period: str, request: PeriodRequest) -> str:
    """Run a period job to its end; its workflow id."""
    workflow_id = period_workflow(house.realm, kind, period)
    await house.client.execute_workflow(
        job.run, request, id=workflow_id, task_queue=house.queue(QueueRole.DECISIONS), task_timeout=TASK_TIMEOUT
    )
    return workflow_id
