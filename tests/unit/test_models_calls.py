"""Asking a model once: kept answers, concurrent attempts, failures in Temporal's words, corrections, budgets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.models.calls import (
    BUDGET_EXCEEDED,
    CAMPAIGN_MODEL_CALL,
    MODEL_CALL,
    NEVER_RETRIED,
    AnswerRef,
    ModelCalls,
    ProposeRequest,
    model_call,
)
from activities.models.failures import FailureKind
from activities.models.port import ChatAnswer, ChatModel, ChatRequest, ModelFailure
from activities.models.rules import RuleAnalyst
from activities.models.texts import TEXT_MISSING, TEXT_UNREADABLE
from activities.models.verification import (
    VERIFY_CALL,
    FuseRequest,
    PlaybookRequest,
    VerificationCalls,
    VerifyRequest,
)
from activities.store.port import StoredAnswer
from trading.decision.models import (
    Action,
    DecisionHead,
    Finding,
    Fusion,
    FusionOutcome,
    Recall,
    Role,
    Stance,
    TrackRecord,
    Verdict,
)
from trading.facts.models import Fact, MarketSnapshot, TrendRegime
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
    """The part of `Record` that verification and fusion use."""

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


async def failure_of(room: Room, **changes: object) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await room.propose(**changes)
    return caught.value


async def test_an_answer_is_kept_with_its_prompt_tokens_and_cost() -> None:
    room = Room(SaidModel('{"a": 1}'))
    ref = await room.propose()
    assert (ref.reused, ref.model, ref.provider, ref.is_rule_based) == (False, "said-1", "said", False)
    assert (ref.prompt_tokens, ref.completion_tokens, ref.cost_usd) == (100, 10, Decimal("0.001"))
    assert room.blobs.texts[ref.answer_hash] == '{"a": 1}'
    prompt = room.blobs.texts[ref.prompt_hash]
    assert content_hash(prompt) == ref.prompt_hash
    assert "rsi_14@1h" in prompt
    [row] = room.answers.rows.values()
    assert (row.step, row.role, row.prompt_hash, row.attempt) == ("proposal", Role.PRIMARY, ref.prompt_hash, 1)


async def test_a_retry_or_a_restart_finds_the_answer_and_pays_nothing() -> None:
    model = SaidModel("once")
    room = Room(model)
    first = await room.propose()
    restarted = ModelCalls(room.models, room.blobs, room.answers)
    again = await ActivityEnvironment().run(restarted.propose, room.request())
    assert again == first.model_copy(update={"reused": True})
    assert len(model.asked) == 1


async def test_two_concurrent_attempts_leave_one_row_and_one_answer() -> None:
    model = SaidModel("one", "two", delay_s=0.02)
    room = Room(model)
    other_worker = ModelCalls(room.models, room.blobs, room.answers)
    first, second = await asyncio.gather(
        room.propose(), ActivityEnvironment().run(other_worker.propose, room.request())
    )
    assert len(model.asked) == 2
    assert len(room.answers.rows) == 1
    assert first.answer_hash == second.answer_hash


async def test_an_answer_that_could_not_be_stored_is_not_paid_for_again() -> None:
    model = SaidModel("paid")
    room = Room(model)
    room.answers.down = 1
    with pytest.raises(ConnectionError):
        await room.propose()
    ref = await room.propose()
    assert room.blobs.texts[ref.answer_hash] == "paid"
    assert len(model.asked) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"step": "correction"},
        {"temperature": Decimal("0.7")},
        {"head": HEAD.model_copy(update={"decision_id": "d2"})},
        {"head": HEAD.model_copy(update={"realm": "test-other"})},
    ],
)
async def test_another_question_is_another_answer(change: dict[str, object]) -> None:
    room = Room(SaidModel("one", "two"))
    first = await room.propose()
    second = await room.propose(**change)
    assert (first.reused, second.reused) == (False, False)
    assert len(room.answers.rows) == 2


async def test_a_longer_patience_is_not_another_question() -> None:
    room = Room(SaidModel("one"))
    await room.propose()
    assert (await room.propose(timeout_s=Decimal(180))).reused


async def test_one_model_in_both_roles_gives_two_answers() -> None:
    model = SaidModel("one", "two")
    room = Room(model, model)
    primary, secondary = await room.propose(), await room.propose(role=Role.SECONDARY)
    assert room.blobs.texts[primary.answer_hash] == "one"
    assert room.blobs.texts[secondary.answer_hash] == "two"


@pytest.mark.parametrize(
    ("failure", "final", "delay"),
    [
        (ModelFailure("wait", kind="ModelRateLimited", retryable=True, retry_after_s=Decimal("7.5")), False, 7.5),
        (ModelFailure("down", kind="ModelServerError", retryable=True), False, None),
        (ModelFailure("no key", kind="ModelAuthentication", retryable=False, http_status=401), True, None),
    ],
)
async def test_a_provider_failure_is_told_in_the_words_of_temporal(
    failure: ModelFailure, final: bool, delay: float | None
) -> None:
    error = await failure_of(Room(SaidModel(failure)))
    assert (error.type, error.non_retryable) == (failure.kind, final)
    assert error.next_retry_delay == (None if delay is None else timedelta(seconds=delay))


async def test_a_failed_attempt_leaves_no_answer_and_the_next_one_asks_again() -> None:
    model = SaidModel(ModelFailure("down", kind="ModelServerError", retryable=True), "up")
    room = Room(model)
    await failure_of(room)
    assert room.answers.rows == {}
    assert room.blobs.texts[(await room.propose()).answer_hash] == "up"


async def test_a_spent_budget_refuses_the_call_but_not_an_answer_that_is_there() -> None:
    model = SaidModel("one", "two")
    room = Room(model)
    limits: dict[str, object] = {"max_cost_usd": Decimal("0.01"), "spent_usd": Decimal("0.01")}
    error = await failure_of(room, **limits)
    assert (error.type, error.non_retryable) == (BUDGET_EXCEEDED, True)
    assert model.asked == []
    await room.propose(max_cost_usd=Decimal("0.01"), spent_usd=Decimal("0.009"))
    assert (await room.propose(**limits)).reused


async def test_rules_cost_nothing_and_know_no_budget() -> None:
    room = Room(RuleAnalyst(name="rules-momentum", strategy="rules-momentum"))
    ref = await room.propose(max_cost_usd=Decimal(0))
    assert (ref.is_rule_based, ref.cost_usd, ref.prompt_tokens) == (True, Decimal(0), 0)


@pytest.mark.parametrize("text", ["snapshot_hash", "recall_hash", "playbook_hash"])
async def test_a_missing_text_and_an_unreadable_one_fail_for_good(text: str) -> None:
    room = Room(SaidModel())
    missing = await failure_of(room, **{text: "0" * 64})
    assert (missing.type, missing.non_retryable) == (TEXT_MISSING, True)
    room.blobs.texts["bad"] = '{"version": 1'
    unreadable = await failure_of(room, **{text: "bad"})
    assert (unreadable.type, unreadable.non_retryable) == (TEXT_UNREADABLE, True)


async def test_a_correction_shows_the_earlier_answer_and_what_code_found_in_it() -> None:
    model = SaidModel("I would rather not say.", "again")
    room = Room(model)
    first = await room.propose()
    stance = await room.verify(first)
    await room.propose(step="correction", correction_of=first.answer_hash)
    shown = model.asked[1].messages
    assert [message.role for message in shown] == ["system", "user", "assistant", "user"]
    assert shown[2].content == "I would rather not say."
    assert stance.finding_codes
    assert all(code in shown[3].content for code in stance.finding_codes)


async def test_a_verified_answer_leaves_its_findings_and_names_its_text() -> None:
    room = Room(SaidModel("not JSON"))
    ref = await room.propose()
    stance = await room.verify(ref)
    assert stance.verdict is not Verdict.ACCEPTED
    assert (stance.answer_hash, stance.model, stance.is_rule_based) == (ref.answer_hash, "said-1", False)
    [(decision, role, step, codes)] = room.record.rows
    assert (decision, role, step) == ("d1", Role.PRIMARY, "proposal")
    assert set(codes) == set(stance.finding_codes)


def a_buyer(role: Role, confidence: str = "0.7") -> Stance:
    return Stance(
        role=role,
        model=role.value,
        is_rule_based=False,
        verdict=Verdict.ACCEPTED,
        action=Action.BUY,
        size_fraction=Decimal("0.04"),
        stop_price=Decimal(7800),
        target_price=Decimal(8600),
        confidence=Decimal(confidence),
        win_probability=Decimal("0.5"),
    )


async def fusion_of(room: Room, *, confidence: str = "0.7", account: str = "a1") -> Fusion:
    request = FuseRequest(
        head=HEAD.model_copy(update={"accounts": (account,)}),
        primary=a_buyer(Role.PRIMARY, confidence),
        secondary=a_buyer(Role.SECONDARY, confidence),
        regime=TrendRegime.BULL_RUN,
        playbook_hash=room.playbook_hash,
        last_price=Decimal(8000),
        has_position=False,
    )
    return await ActivityEnvironment().run(room.verification.fuse, request)


async def test_two_buyers_become_one_view_on_records_of_before_the_decision() -> None:
    room = Room(SaidModel())
    fusion = await fusion_of(room)
    assert fusion.outcome is FusionOutcome.OPEN
    assert (fusion.stop_price, fusion.target_price) == (Decimal(7800), Decimal(8600))
    assert room.record.asked == [("test-models", "bull_run", AS_OF)]


async def test_a_poor_record_costs_a_model_weight() -> None:
    room = Room(SaidModel())
    even = await fusion_of(room)
    room.record.records = (
        TrackRecord(role=Role.PRIMARY, decisions=40, grounding_failures=30),
        TrackRecord(role=Role.SECONDARY, decisions=40),
    )
    assert (await fusion_of(room)).weights[Role.PRIMARY] < even.weights[Role.PRIMARY]


async def test_the_certainty_cut_comes_only_after_the_first_trades() -> None:
    room = Room(SaidModel())
    young = await fusion_of(room, confidence="0.4")
    unknown = await fusion_of(room, confidence="0.4", account="a2")
    room.record.closed_trades = first_playbook().policy.bootstrap_trades
    grown = await fusion_of(room, confidence="0.4")
    assert young.size_fraction == unknown.size_fraction
    assert grown.size_fraction < young.size_fraction
    assert "low_certainty_cap" in grown.reasons


async def test_the_policy_of_a_playbook_is_read_from_its_text() -> None:
    room = Room(SaidModel())
    policy = await ActivityEnvironment().run(
        room.verification.policy, PlaybookRequest(playbook_hash=room.playbook_hash)
    )
    assert policy == first_playbook().policy


async def test_a_slow_answer_beats_while_it_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.models.calls.BEAT_S", 0.01)
    room = Room(SaidModel("slow", delay_s=0.2))
    beats: list[tuple[object, ...]] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: beats.append(details)
    await environment.run(room.calls.propose, room.request())
    assert len(beats) >= 3


def test_a_worker_without_a_model_for_a_role_does_not_start() -> None:
    with pytest.raises(ValueError, match="secondary"):
        ModelCalls({Role.PRIMARY: SaidModel()}, MemoryBlobs(), MemoryAnswers())


def seconds(options: object, name: str) -> float | None:
    value = options.get(name)  # type: ignore[attr-defined]
    return None if value is None else float(value.total_seconds())


@pytest.mark.parametrize("timeout_s", [Decimal(60), Decimal(180)])
@pytest.mark.parametrize("campaign", [False, True])
def test_an_attempt_outlives_the_client_and_a_live_call_ends(timeout_s: Decimal, campaign: bool) -> None:
    options = model_call(timeout_s=timeout_s, campaign=campaign)
    attempt = seconds(options, "start_to_close_timeout")
    assert attempt == float(timeout_s) + 15
    total = seconds(options, "schedule_to_close_timeout")
    assert (total is None) == campaign
    assert total is None or total > attempt


def test_what_cannot_be_sent_or_read_is_never_retried() -> None:
    for options in (MODEL_CALL, CAMPAIGN_MODEL_CALL, VERIFY_CALL):
        policy = options["retry_policy"]
        assert policy is not None
        assert {"PayloadsTooLarge", "PydanticSerializationError", TEXT_MISSING, TEXT_UNREADABLE} <= set(
            policy.non_retryable_error_types or ()
        )
    assert BUDGET_EXCEEDED in NEVER_RETRIED
    assert MODEL_CALL["retry_policy"].maximum_attempts == 4  # type: ignore[union-attr]
    assert CAMPAIGN_MODEL_CALL["retry_policy"].maximum_attempts == 0  # type: ignore[union-attr]


def test_every_kind_of_failure_that_waiting_cannot_cure_is_final() -> None:
    from activities.models.failures import RETRYABLE

    assert set(FailureKind) - RETRYABLE == {
        FailureKind.BAD_REQUEST,
        FailureKind.AUTHENTICATION,
        FailureKind.PERMISSION,
        FailureKind.NOT_FOUND,
        FailureKind.QUOTA_EXHAUSTED,
        FailureKind.CONTENT_POLICY,
    }
