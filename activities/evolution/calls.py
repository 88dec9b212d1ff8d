"""The weekly evolution as activities: the whole computing of a week is one, its records are others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from activities.beating import beating
from activities.evolution.port import (
    ComputeFailed,
    EvolutionOrder,
    EvolutionQuestion,
    EvolutionState,
    Evolver,
    GenePool,
    KeptEvolution,
)
from activities.market.port import MarketRefused, MarketUnavailable
from activities.store.calls import BLOB_MISSING, STORE_REFUSED, STORE_UNAVAILABLE
from activities.store.ports.blobs import Blobs
from activities.store.ports.faults import StoreRefused, StoreUnavailable
from activities.store.ports.playbooks import PlaybookRegistry, Revised, ReviseRequest
from activities.store.revising import playbook_errors
from trading.contract import Contract
from trading.evolution.report import EvolutionReport
from trading.playbook import from_json

MARKET_REFUSED = "MarketRefused"

_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(minutes=1),
    non_retryable_error_types=["PayloadsTooLarge", "PydanticSerializationError"],
)
REPLAYED_EVOLVE_CALL: workflow.ActivityConfig = {
    # In a campaign no wall-clock deadline decides: a lost worker is noticed by its missing beats.
    "start_to_close_timeout": timedelta(minutes=30),
    "heartbeat_timeout": timedelta(seconds=10),
    "retry_policy": _RETRY,
}
EVOLVE_CALL: workflow.ActivityConfig = {
    **REPLAYED_EVOLVE_CALL,
    # Where it has not been done by the next evening, the schedule's own catch-up is spent and a person should look.
    "schedule_to_close_timeout": timedelta(hours=24),
}


class EvolutionRecords(GenePool, PlaybookRegistry, Blobs, Protocol):
    """What these activities need of the one store."""


class SetRequest(Contract):
    """The set of strategies that a week's report left, to become the realm's; once for the week."""

    realm: str
    period: str
    report_hash: str


class EvolutionRecordsCalls:
    """Called locally, with `STORE_CALL`. Every call may be repeated with the same input: it changes nothing more."""

    def __init__(self, records: EvolutionRecords) -> None:
        self._records = records

    @activity.defn
    async def evolution_state(self, question: EvolutionQuestion) -> EvolutionState:
        """Whether the week was evolved before, and the playbook that it would be judged by."""
        with _evolution_errors():
            kept = await self._records.find_evolution(question.realm, question.period)
            name = question.playbook_hash
            if name is None:
                name = (await self._records.active_playbook(question.realm)).content_hash
            return EvolutionState(kept=kept, playbook_hash=name)

    @activity.defn
    async def revise_strategies(self, request: SetRequest) -> Revised:
        """Bring the active playbook's strategies and principles to what the week left (C50, C54).

        Idempotent by the week. In the live realm the version stays a candidate: a person promotes there.
        """
        with playbook_errors():
            report = EvolutionReport.model_validate_json(await self._records.get(request.report_hash))
            active = from_json(
                await self._records.get((await self._records.active_playbook(request.realm)).content_hash)
            )
            return await self._records.revise_playbook(
                ReviseRequest(
                    realm=request.realm,
                    operation_id=f"weekly-evolution/{request.period}",
                    created_from=f"weekly-evolution/{request.period}",
                    why=f"what the evolution of {request.period} left",
                    who="weekly-evolution",
                    principles=report.principles,
                    strategies=report.strategies_after(active.strategies),
                )
            )


class EvolutionCalls:
    """The computing of a week, on the compute queue. One evolution at a time in a process: the others wait."""

    def __init__(self, records: EvolutionRecords, evolver: Evolver) -> None:
        self._records = records
        self._evolver = evolver
        self._one_at_a_time = asyncio.Lock()

    @activity.defn
    async def evolve(self, order: EvolutionOrder) -> KeptEvolution:
        """Score the week, cull, breed, examine, promote, and keep all of it in one transaction (C11, C51, C54, C59).

        Idempotent by (realm, period). Beats while it computes; cancelled, it ends its processes. A process or a market
        that fails is retried; `MarketRefused` and the store's refusals are final.
        """
        with _evolution_errors():
            async with beating(), self._one_at_a_time:
                kept = await self._records.find_evolution(order.realm, order.period)
                if kept is not None:
                    return kept
                playbook = from_json(await self._records.get(order.playbook_hash))
                return await self._evolver.evolved(order, policy=playbook.policy)


@contextmanager
def _evolution_errors() -> Iterator[None]:
    """Give the ports' errors their stable types, and say which can never succeed."""
    try:
        yield
    except StoreUnavailable as silent:
        raise ApplicationError(str(silent), type=STORE_UNAVAILABLE) from silent
    except StoreRefused as refused:
        raise ApplicationError(str(refused), type=STORE_REFUSED, non_retryable=True) from refused
    except KeyError as missing:
        raise ApplicationError(str(missing), type=BLOB_MISSING, non_retryable=True) from missing
    except MarketUnavailable as silent:
        raise ApplicationError(str(silent), type="MarketUnavailable") from silent
    except MarketRefused as refused:
        raise ApplicationError(str(refused), type=MARKET_REFUSED, non_retryable=True) from refused
    except ComputeFailed as failed:
        raise ApplicationError(str(failed), type="ComputeFailed") from failed
