"""The ports to decision cards and to what models answered for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from trading.contract import Contract
from trading.decision.models import (
    DecisionHead,
    DecisionSummary,
    Finding,
    Recall,
    Role,
    Stance,
    TrackRecord,
)
from trading.risk.models import GateAnswer


class StoredAnswer(Contract):
    """A model's finished answer, found again by (decision, step, model, prompt hash)."""

    decision_id: str
    step: str
    role: Role
    provider: str
    model: str
    is_rule_based: bool
    prompt_hash: str
    answer_hash: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: Decimal
    latency_ms: int
    attempt: int = 1


class Answers(Protocol):
    async def find_answer(
        self, realm: str, *, decision_id: str, step: str, model: str, prompt_hash: str
    ) -> StoredAnswer | None: ...

    async def keep_answer(self, realm: str, answer: StoredAnswer) -> StoredAnswer:
        """Store it, or return the one already there: two attempts that both finish leave one row."""
        ...


class Decisions(Protocol):
    """Decision cards, from their opening to their end."""

    async def open_decision(self, head: DecisionHead, *, plan_period: str | None = None) -> DecisionSummary | None:
        """Insert the head, or return the summary where this decision is already finished."""
        ...

    async def recall(self, head: DecisionHead) -> tuple[str, int]:
        """Gather what is remembered, store it as a blob; its hash and the number of items."""
        ...

    async def remembered(self, head: DecisionHead) -> Recall:
        """What `recall` would gather; nothing is stored."""
        ...

    async def load_recall(self, recall_hash: str) -> Recall: ...

    async def record_findings(
        self, head: DecisionHead, stance: Stance, findings: Sequence[Finding], *, step: str
    ) -> None: ...

    async def record_gate(self, head: DecisionHead, answer: GateAnswer, *, account: str) -> None: ...

    async def finish_decision(self, summary: DecisionSummary) -> None: ...

    async def track_records(
        self, realm: str, *, regime: str | None, before: datetime
    ) -> tuple[TrackRecord, TrackRecord]:
        """Primary and secondary, over finished decisions earlier than `before` in this trend regime (`None`: in any).

        `grounding_failures` counts decisions in which a finding was fatal or repairable; `brier` is over the newest
        500 closed trades before that time in decisions where the role said buy.
        """
        ...
