"""One worker's model calls over a store in memory, with models that say what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from temporalio.testing import ActivityEnvironment

from activities.models.calls import AnswerRef, ModelCalls, ProposeRequest
from activities.models.fusing import FusionCalls
from activities.models.port import ChatAnswer, ChatModel, ChatRequest, ModelFailure
from activities.models.verification import VerificationCalls, VerifyRequest
from activities.store.ports.decisions import StoredAnswer
from trading.decision.models import DecisionHead, Finding, Recall, Role, Stance, TrackRecord
from trading.facts.models import Fact, MarketSnapshot
from trading.ids import content_hash
from trading.playbook import first_playbook, to_json
from trading.risk.models import Exposure, Mode

AS_OF = datetime(2026, 3, 12, 10, 0, tzinfo=UTC)
HEAD = DecisionHead(
    decision_id="d1",
    realm="test-models",
    venue="sim",
    ledger="l1",
    symbol="BTC/USDT",
    as_of=AS_OF,
    cause="test",
    accounts=("a1",),
    playbook_version="v1",
)


class MemoryBlobs:
    """Texts by hash, in memory."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    async def put(self, text: str, *, media_type: str) -> str:
        self.texts[content_hash(text)] = text
        return content_hash(text)

    async def get(self, content_hash: str) -> str:
        return self.texts[content_hash]


class MemoryAnswers:
    """Answers by (realm, decision, step, model, prompt); `down` breaks that many writes first."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, ...], StoredAnswer] = {}
        self.down = 0

    async def find_answer(
        self, realm: str, *, decision_id: str, step: str, model: str, prompt_hash: str
    ) -> StoredAnswer | None:
        return self.rows.get((realm, decision_id, step, model, prompt_hash))

    async def keep_answer(self, realm: str, answer: StoredAnswer) -> StoredAnswer:
        if self.down:
            self.down -= 1
            raise ConnectionError("the database is away")
        key = (realm, answer.decision_id, answer.step, answer.model, answer.prompt_hash)
        return self.rows.setdefault(key, answer)


class KeptRecord:
    """The part of the store that verification and fusion use."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, Role, str, tuple[str, ...]]] = []
        self.records = (TrackRecord(role=Role.PRIMARY), TrackRecord(role=Role.SECONDARY))
        self.asked: list[tuple[str, str | None, datetime]] = []
        self.closed_trades = 0

    async def track_records(
        self, realm: str, *, regime: str | None, before: datetime
    ) -> tuple[TrackRecord, TrackRecord]:
        self.asked.append((realm, regime, before))
        return self.records

    async def exposure(self, realm: str, account: str) -> Exposure | None:
        if account != "a1":
            return None
        return Exposure(
            account=account,
            mode=Mode.AUTO,
            epoch=1,
            cash_usd=Decimal(10_000),
            day_start_equity_usd=Decimal(10_000),
            peak_equity_usd=Decimal(10_000),
            closed_trades=self.closed_trades,
        )

    async def record_findings(
        self, head: DecisionHead, stance: Stance, findings: Sequence[Finding], *, step: str
    ) -> None:
        self.rows.append((head.decision_id, stance.role, step, tuple(found.code for found in findings)))


class SaidModel:
    """A model that says what it is told, one text a call; an exception in the list is raised."""

    is_rule_based = False
    provider = "said"

    def __init__(self, *says: str | ModelFailure, name: str = "said-1", delay_s: float = 0.0) -> None:
        self.name = name
        self.asked: list[ChatRequest] = []
        self._says = list(says)
        self._delay_s = delay_s

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        self.asked.append(request)
        said = self._says.pop(0)
        await asyncio.sleep(self._delay_s)
        if isinstance(said, ModelFailure):
            raise said
        return ChatAnswer(
            text=said, model=self.name, prompt_tokens=100, completion_tokens=10, cost_usd=Decimal("0.001")
        )

    async def aclose(self) -> None: ...


def fact(id_: str, value: str | Decimal, unit: str) -> Fact:
    return Fact(id=id_, name=id_, value=value, unit=unit, as_of=AS_OF)


SNAPSHOT = MarketSnapshot(
    symbol="BTC/USDT",
    as_of=AS_OF,
    venue="sim",
    facts=(
        fact("price", Decimal("8000"), "USD"),
        fact("last_price", Decimal("8000"), "USD"),
        fact("rsi_14@1h", Decimal("28.5"), "index"),
        fact("atr_14@1h", Decimal("80"), "USD"),
        fact("trend_regime", "sideways", "label"),
        fact("risk_regime", "normal", "label"),
    ),
    last_price=Decimal("8000"),
    atr_fraction=Decimal("0.01"),
    bars=500,
    base_timeframe="1h",
)


class Room:
    """One worker's calls over one store."""

    def __init__(self, primary: ChatModel, secondary: ChatModel | None = None) -> None:
        self.blobs = MemoryBlobs()
        self.answers = MemoryAnswers()
        self.record = KeptRecord()
        self.models = {Role.PRIMARY: primary, Role.SECONDARY: secondary or SaidModel(name="other")}
        self.calls = ModelCalls(self.models, self.blobs, self.answers)
        self.verification = VerificationCalls(self.blobs, self.record)  # type: ignore[arg-type]
        self.fusing = FusionCalls(self.blobs, self.record, self.record)  # type: ignore[arg-type]
        self.snapshot_hash = self._put(SNAPSHOT.model_dump_json())
        self.recall_hash = self._put(Recall().model_dump_json())
        self.playbook_hash = self._put(to_json(first_playbook()))

    def _put(self, text: str) -> str:
        self.blobs.texts[content_hash(text)] = text
        return content_hash(text)

    def request(self, **changes: object) -> ProposeRequest:
        given: dict[str, object] = {
            "head": HEAD,
            "role": Role.PRIMARY,
            "snapshot_hash": self.snapshot_hash,
            "recall_hash": self.recall_hash,
            "playbook_hash": self.playbook_hash,
        }
        return ProposeRequest.model_validate(given | changes)

    async def propose(self, **changes: object) -> AnswerRef:
        return await ActivityEnvironment().run(self.calls.propose, self.request(**changes))

    async def verify(self, answer: AnswerRef, **changes: object) -> Stance:
        given: dict[str, object] = {
            "head": HEAD,
            "role": Role.PRIMARY,
            "answer": answer,
            "snapshot_hash": self.snapshot_hash,
            "recall_hash": self.recall_hash,
            "playbook_hash": self.playbook_hash,
        }
        return await ActivityEnvironment().run(self.verification.verify, VerifyRequest.model_validate(given | changes))
