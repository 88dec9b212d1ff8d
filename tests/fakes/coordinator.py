"""Stands where a campaign or a decision would: hears what entities answer, and lets a test wait for it."""

from __future__ import annotations

from temporalio import workflow

from workflows.protocol import Placed, Ready, Settled


@workflow.defn(name="TestCoordinator", sandboxed=False)
class TestCoordinator:
    """Keeps every `Settled`, `Placed` and `Ready` it is told; `close` ends it."""

    __test__ = False

    def __init__(self) -> None:
        self._settled: dict[int, Settled] = {}
        self._placed: list[Placed] = []
        self._ready: list[str] = []
        self._closing = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self._closing)

    @workflow.signal
    def settled(self, answer: Settled) -> None:
        self._settled[answer.number] = answer

    @workflow.signal
    def placed(self, news: Placed) -> None:
        self._placed.append(news)

    @workflow.signal
    def ready(self, wish: Ready) -> None:
        self._ready.append(wish.workflow_id)

    @workflow.signal
    def close(self) -> None:
        self._closing = True

    @workflow.update
    async def answer_to(self, number: int) -> Settled:
        """The answer to one tick, once it is there."""
        await workflow.wait_condition(lambda: number in self._settled)
        return self._settled[number]

    @workflow.update
    async def placed_orders(self, count: int) -> list[Placed]:
        """What executions told, once at least `count` did."""
        await workflow.wait_condition(lambda: len(self._placed) >= count)
        return list(self._placed)

    @workflow.query
    def ready_for_the_gate(self) -> list[str]:
        return list(self._ready)
