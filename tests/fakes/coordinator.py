"""Stands where a campaign or a decision would: hears what entities answer, and lets a test wait for it."""

from __future__ import annotations

from temporalio import workflow

from workflows.names import Signal
from workflows.protocol import Decided, Placed, Ready, Settled


@workflow.defn(name="TestCoordinator", sandboxed=False)
class TestCoordinator:
    """Keeps every `Settled`, `Placed`, `Decided` and `Ready` it is told; `close` ends it."""

    __test__ = False

    def __init__(self) -> None:
        self._settled: dict[int, Settled] = {}
        self._placed: list[Placed] = []
        self._ready: list[str] = []
        self._decided: dict[str, Decided] = {}
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
    def decided(self, news: Decided) -> None:
        self._decided[news.workflow_id] = news

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

    @workflow.update
    async def end_of(self, decision: str) -> Decided:
        """What a decision told at its end, once it did; its turn at the gate is granted when it asks for one."""
        await workflow.wait_condition(lambda: decision in self._ready or decision in self._decided)
        if decision not in self._decided:
            await workflow.get_external_workflow_handle(decision).signal(Signal.TURN)
        await workflow.wait_condition(lambda: decision in self._decided)
        return self._decided[decision]

    @workflow.query
    def ready_for_the_gate(self) -> list[str]:
        return list(self._ready)
