"""Asking a model once: kept answers, concurrent attempts, failures in Temporal's words, corrections, budgets."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from fakes.model_room import HEAD, MemoryAnswers, MemoryBlobs, Room, SaidModel
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.models.calls import (
    BUDGET_EXCEEDED,
    CAMPAIGN_MODEL_CALL,
    MODEL_CALL,
    NEVER_RETRIED,
    ModelCalls,
    model_call,
)
from activities.models.failures import RETRYABLE, FailureKind
from activities.models.port import ModelFailure
from activities.models.rules import RuleAnalyst
from activities.models.texts import TEXT_MISSING, TEXT_UNREADABLE
from activities.models.verification import VERIFY_CALL
from trading.decision.models import Role
from trading.ids import content_hash


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


async def test_the_words_of_the_client_stay_out_of_the_history() -> None:
    failure = ModelFailure("p: HTTP 401: [key]", kind="ModelAuthentication", retryable=False)
    failure.__cause__ = RuntimeError("Your api key sk-secret is invalid")
    assert (await failure_of(Room(SaidModel(failure)))).__cause__ is None


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
    assert set(FailureKind) - RETRYABLE == {
        FailureKind.BAD_REQUEST,
        FailureKind.AUTHENTICATION,
        FailureKind.PERMISSION,
        FailureKind.NOT_FOUND,
        FailureKind.QUOTA_EXHAUSTED,
        FailureKind.CONTENT_POLICY,
    }
