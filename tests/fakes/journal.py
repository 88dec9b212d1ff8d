"""An order journal in memory: the store's rules for intents, without a database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from activities.exchange.port import PreparedOrder, VenueAnswer
from activities.store.ports.journal import Intent, IntentRefused
from trading.orders.models import (
    TERMINAL,
    Fill,
    OrderKey,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OutcomeClass,
    VenueOrder,
)


class FakeJournal:
    """`gate_code` refuses what raises exposure, as a halted account's gate row does."""

    def __init__(self) -> None:
        self.intents: dict[str, Intent] = {}
        self.answers: list[VenueAnswer] = []
        self.fills: dict[str, Fill] = {}
        self.gate_code: str | None = None
        self.given_back: list[str] = []
        self.waits_s: dict[str, Decimal] = {}
        self.unanswered_since: datetime | None = None

    async def find_intent(self, key: OrderKey) -> Intent | None:
        return self.intents.get(key.client_order_id)

    async def record_intent(self, request: OrderRequest, prepared: PreparedOrder) -> Intent:
        kept = self.intents.get(request.client_order_id)
        if kept is not None:
            return kept
        self._check_gate(request)
        for leg, sent in zip(request.beside, prepared.beside, strict=True):
            alone = prepared.model_copy(update={"key": leg.key, "fields": (), "beside": ()} | sent.model_dump())
            self._keep(Intent(request=leg, prepared=alone, status=OrderStatus.INTENDED, sends=0))
        return self._keep(Intent(request=request, prepared=prepared, status=OrderStatus.INTENDED, sends=0))

    async def record_adopted(self, request: OrderRequest, prepared: PreparedOrder) -> Intent:
        intent = Intent(request=request, prepared=prepared, status=OrderStatus.INTENDED, sends=0)
        return self.intents.setdefault(request.client_order_id, intent)

    async def give_back(self, realm: str, account: str, permit_id: str) -> None:
        self.given_back.append(permit_id)

    async def record_resend(self, key: OrderKey, prepared: PreparedOrder) -> Intent:
        intent = self.intents[key.client_order_id]
        self._check_gate(intent.request)
        return self._keep(intent.model_copy(update={"prepared": prepared}))

    async def record_sent(self, key: OrderKey) -> None:
        intent = self.intents[key.client_order_id]
        self._keep(intent.model_copy(update={"sends": intent.sends + 1}))

    async def record_answer(self, key: OrderKey, answer: VenueAnswer) -> None:
        self.answers.append(answer)
        intent = self.intents[key.client_order_id]
        if answer.outcome is OutcomeClass.REFUSED and intent.status is OrderStatus.INTENDED:
            await self.record_status(key, OrderStatus.REFUSED, reason=answer.message)

    async def record_order(self, key: OrderKey, order: VenueOrder, fills: Sequence[Fill]) -> OrderReport:
        for fill in fills:
            self.fills.setdefault(fill.trade_id, fill)
        report = OrderReport(
            client_order_id=key.client_order_id,
            status=order.status,
            outcome=OutcomeClass.ACCEPTED,
            side=order.side,
            leg=self.intents[key.client_order_id].request.leg,
            executed_quantity=sum((fill.quantity for fill in fills), Decimal(0)),
            executed_quote=sum((fill.quantity * fill.price for fill in fills), Decimal(0)),
            observed_at=order.updated_at,
        )
        self._report(key, report)
        return report

    async def unprotected_s(self, key: OrderKey) -> Decimal | None:
        return self.waits_s.get(key.client_order_id)

    async def unprotected_since(self, key: OrderKey) -> datetime | None:
        return self.unanswered_since

    async def record_status(self, key: OrderKey, status: OrderStatus, *, reason: str) -> OrderReport:
        intent = self.intents[key.client_order_id]
        if intent.status in TERMINAL and intent.report is not None:
            return intent.report
        report = OrderReport(
            client_order_id=key.client_order_id,
            status=status,
            outcome=OutcomeClass.UNKNOWN,
            side=intent.request.side,
            leg=intent.request.leg,
            reason=reason,
            observed_at=intent.request.as_of,
        )
        self._report(key, report)
        for leg in intent.request.beside if status in {OrderStatus.REFUSED, OrderStatus.EXPIRED} else ():
            if self.intents[leg.client_order_id].status is OrderStatus.INTENDED:
                await self.record_status(leg.key, status, reason=reason)
        return report

    def _check_gate(self, request: OrderRequest) -> None:
        if self.gate_code is not None and request.raises_exposure:
            raise IntentRefused(self.gate_code, "the gate row forbids it")

    def _report(self, key: OrderKey, report: OrderReport) -> None:
        intent = self.intents[key.client_order_id]
        self._keep(intent.model_copy(update={"status": report.status, "report": report}))

    def _keep(self, intent: Intent) -> Intent:
        self.intents[intent.request.client_order_id] = intent
        return intent
