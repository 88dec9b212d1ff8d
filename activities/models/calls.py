"""Asking a language model, once: a kept answer is found again and never paid for twice."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from activities.beating import beating
from activities.models.port import ChatAnswer, ChatModel, ChatRequest, ModelFailure
from activities.models.texts import TEXT_MISSING, TEXT_UNREADABLE, StoredTexts, readable
from activities.store.ports.blobs import Blobs
from activities.store.ports.decisions import Answers, StoredAnswer
from trading.contract import Contract
from trading.decision.models import DecisionHead, PositionView, Role, Stance
from trading.ids import canonical_json, content_hash

BUDGET_EXCEEDED = "BudgetExceeded"
MAX_NOT_YET_KEPT = 1000

BEAT_S = 1.0
NEVER_RETRIED = (
    BUDGET_EXCEEDED,
    TEXT_MISSING,
    TEXT_UNREADABLE,
    "StoreRefused",
    "PayloadsTooLarge",
    "PydanticSerializationError",
)
"""The last two are the SDK's own and retryable by default: a result that cannot be sent would be paid for again."""

CLIENT_TIMEOUT_S = Decimal(60)
REPORTING_S = Decimal(15)


def model_call(*, timeout_s: Decimal = CLIENT_TIMEOUT_S, campaign: bool = False) -> workflow.ActivityConfig:
    """Options for one question to a model that may take `timeout_s` (`ProposeRequest.timeout_s`, 180 for reasoning)."""
    options = workflow.ActivityConfig(
        # the client's own bound first, then 15 s to store the answer: an answer is not thrown away while it is kept
        start_to_close_timeout=timedelta(seconds=float(timeout_s + REPORTING_S)),
        # a killed worker is noticed in 5 s instead of a minute; 5 and not less, because a false alarm pays twice
        heartbeat_timeout=timedelta(seconds=5),
        retry_policy=RetryPolicy(
            initial_interval=timedelta(seconds=2),  # under that a provider's limit per second has not passed
            backoff_coefficient=2.0,
            maximum_interval=timedelta(seconds=60),  # limits are per minute
            maximum_attempts=0 if campaign else 4,  # in a campaign no wall-clock deadline decides anything
            non_retryable_error_types=list(NEVER_RETRIED),
        ),
    )
    if not campaign:
        # beyond 5 minutes the observation is stale anyway (2 minutes) and the other model alone opens nothing
        options["schedule_to_close_timeout"] = timedelta(seconds=max(300.0, float(timeout_s) * 2))
    return options


MODEL_CALL: workflow.ActivityConfig = model_call()
CAMPAIGN_MODEL_CALL: workflow.ActivityConfig = model_call(campaign=True)


class ProposeRequest(Contract):
    """One model asked for its proposal, or for the correction of one. Texts are named by content hash, never carried.

    A correction names the answer it corrects; the findings on it are derived from it again, as verification did. With
    `own` and `other`, two opposed stances, the opposition is one more finding (C02).
    `max_cost_usd` bounds a decision: the call is refused once `spent_usd`, the cost of its earlier answers, reached it.
    """

    head: DecisionHead
    role: Role
    step: str = "proposal"
    snapshot_hash: str
    recall_hash: str | None = None
    playbook_hash: str
    position: PositionView | None = None
    correction_of: str | None = None
    own: Stance | None = None
    other: Stance | None = None
    max_cost_usd: Decimal | None = None
    spent_usd: Decimal = Decimal(0)
    temperature: Decimal = Decimal("0.3")
    top_p: Decimal = Decimal("0.9")
    max_tokens: int = 4000
    timeout_s: Decimal = CLIENT_TIMEOUT_S


class AnswerRef(Contract):
    """What a workflow carries of a finished answer. `reused`: it was kept already, nothing was asked or paid now."""

    answer_hash: str
    prompt_hash: str
    provider: str
    model: str
    is_rule_based: bool
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    latency_ms: int = 0
    reused: bool = False


class ModelCalls:
    """Activities that ask the models. `models` has one for each role; who they are is the worker's configuration."""

    def __init__(self, models: Mapping[Role, ChatModel], blobs: Blobs, answers: Answers) -> None:
        missing = [role.value for role in Role if role not in models]
        if missing:
            raise ValueError(f"no model for the role {', '.join(missing)}: each of primary and secondary needs one")
        self._models = dict(models)
        self._blobs = blobs
        self._answers = answers
        self._texts = StoredTexts(blobs)
        self._not_yet_kept: dict[tuple[str, ...], tuple[ChatAnswer, int]] = {}

    @activity.defn
    async def propose(self, request: ProposeRequest) -> AnswerRef:
        """Ask the role's model for its proposal (C02, C08) and keep the answer.

        Idempotent: an answer kept for (decision, step, model, prompt) is returned without a call, and of two attempts
        that both finish the first kept one counts for both. An answer that was paid for and could not be stored is
        stored by the next attempt of this process. A provider's failure becomes an `ApplicationError` typed by its
        kind, retryable or not as `failures` decides, waiting as long as the provider asked.
        """
        model = self._models[request.role]
        chat = await self._question(request)
        prompt = _prompt_text(request.role, chat)
        key = (request.head.realm, request.head.decision_id, request.step, model.name, content_hash(prompt))
        kept = await self._answers.find_answer(
            key[0], decision_id=key[1], step=key[2], model=key[3], prompt_hash=key[4]
        )
        if kept is not None:
            return _ref(kept, reused=True)
        if key not in self._not_yet_kept:
            self._check_budget(request, model)
            await self._blobs.put(prompt, media_type="application/json")
            self._remember(key, await _ask(model, chat))
        row = await self._keep(request, model, key[-1], self._not_yet_kept[key])
        self._not_yet_kept.pop(key, None)
        return _ref(row, reused=False)

    async def _question(self, request: ProposeRequest) -> ChatRequest:
        from trading.decision.prompts import PROPOSAL_SCHEMA, PROPOSAL_SCHEMA_NAME, Correction, build_messages

        snapshot = await self._texts.snapshot(request.snapshot_hash)
        recall = await self._texts.recall(request.recall_hash)
        playbook = await self._texts.playbook(request.playbook_hash)
        correction: Correction | None = None
        if request.correction_of is not None:
            from trading.decision.cross import opposition
            from trading.decision.ground import Ground
            from trading.decision.verify import findings_of

            answer = await self._texts.answer(request.correction_of)
            ground = Ground(snapshot=snapshot, recall=recall, policy=playbook.policy, position=request.position)
            _, found = findings_of(answer, ground)
            findings = found + (opposition(request.own, request.other) if request.own and request.other else ())
            with readable("answer to correct", request.correction_of):
                correction = Correction(answer=answer, findings=findings)
        return ChatRequest(
            messages=build_messages(
                head=request.head,
                snapshot=snapshot,
                recall=recall,
                playbook=playbook,
                position=request.position,
                correction=correction,
            ),
            schema_name=PROPOSAL_SCHEMA_NAME,
            json_schema=PROPOSAL_SCHEMA,
            temperature=request.temperature,
            top_p=request.top_p,
            max_tokens=request.max_tokens,
            timeout_s=request.timeout_s,
            strategies=playbook.strategies if self._models[request.role].is_rule_based else (),
        )

    def _remember(self, key: tuple[str, ...], answered: tuple[ChatAnswer, int]) -> None:
        """Hold an answer until it is stored; of those that nobody came back for, the oldest is let go."""
        if len(self._not_yet_kept) >= MAX_NOT_YET_KEPT:
            del self._not_yet_kept[next(iter(self._not_yet_kept))]
        self._not_yet_kept[key] = answered

    def _check_budget(self, request: ProposeRequest, model: ChatModel) -> None:
        limit = request.max_cost_usd
        if limit is None or model.is_rule_based or request.spent_usd < limit:
            return
        raise ApplicationError(
            f"decision {request.head.decision_id} has spent {request.spent_usd} USD on models; allowed is {limit} USD",
            type=BUDGET_EXCEEDED,
            non_retryable=True,
        )

    async def _keep(
        self, request: ProposeRequest, model: ChatModel, prompt_hash: str, answered: tuple[ChatAnswer, int]
    ) -> StoredAnswer:
        answer, latency_ms = answered
        answer_hash = await self._blobs.put(answer.text, media_type="application/json")
        return await self._answers.keep_answer(
            request.head.realm,
            StoredAnswer(
                decision_id=request.head.decision_id,
                step=request.step,
                role=request.role,
                provider=model.provider,
                model=model.name,
                is_rule_based=model.is_rule_based,
                prompt_hash=prompt_hash,
                answer_hash=answer_hash,
                prompt_tokens=answer.prompt_tokens,
                completion_tokens=answer.completion_tokens,
                cost_usd=answer.cost_usd,
                latency_ms=latency_ms,
                attempt=activity.info().attempt,
            ),
        )


async def _ask(model: ChatModel, chat: ChatRequest) -> tuple[ChatAnswer, int]:
    """The answer and how many milliseconds it took; beats while it waits, and counts what it cost."""
    began = time.monotonic()
    try:
        async with beating(every_s=BEAT_S):
            answer = await model.complete(chat)
    except ModelFailure as failure:
        wait = failure.retry_after_s
        raise ApplicationError(
            str(failure),
            type=failure.kind,
            non_retryable=not failure.retryable,
            next_retry_delay=timedelta(seconds=float(wait)) if wait is not None else None,
        ) from None  # the client's own exception may repeat the key, and causes are written to the history
    meter = activity.metric_meter().with_additional_attributes({"provider": model.provider, "model": model.name})
    meter.create_counter("perennial_model_calls", "answers received").add(1)
    tokens = answer.prompt_tokens + answer.completion_tokens
    meter.create_counter("perennial_model_tokens", "prompt and completion tokens").add(tokens)
    meter.create_histogram_float("perennial_model_cost", "cost of an answer", "USD").record(float(answer.cost_usd))
    return answer, round((time.monotonic() - began) * 1000)


def _prompt_text(role: Role, chat: ChatRequest) -> str:
    """All that shapes the answer, as it is stored: messages, schema, sampling; and the role, so that two roles of one
    model stay two answers. How long we would wait for it shapes nothing; the strategies are those of the playbook that
    the decision names."""
    return canonical_json({"role": role.value, **chat.model_dump(mode="python", exclude={"timeout_s", "strategies"})})


def _ref(row: StoredAnswer, *, reused: bool) -> AnswerRef:
    return AnswerRef(
        answer_hash=row.answer_hash,
        prompt_hash=row.prompt_hash,
        provider=row.provider,
        model=row.model,
        is_rule_based=row.is_rule_based,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        cost_usd=row.cost_usd,
        latency_ms=row.latency_ms,
        reused=reused,
    )
