"""The one activity that talks to a workflow: a workflow cannot send an update itself (architecture §3)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import WorkflowUpdateFailedError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from trading.contract import Contract

ASK_TIMEOUT_S = 5

ASK_CALL: workflow.ActivityConfig = {
    "start_to_close_timeout": timedelta(seconds=ASK_TIMEOUT_S + 2),
    # An entity answers from memory in milliseconds; what takes longer is a worker that restarts, so asking goes on.
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=2),
        non_retryable_error_types=["AskRefused", "PayloadsTooLarge", "PydanticSerializationError"],
    ),
}


class Question(Contract):
    """An update of one entity. `request_id` comes from the caller's id and step: asked twice, it is answered once."""

    entity: str
    name: str
    request_id: str
    body: dict[str, Any]


class Reply(Contract):
    body: dict[str, Any]


class AskCalls:
    """Asks entities; lives on the `calls` queue, with many slots, so that no question waits behind work."""

    @activity.defn
    async def ask(self, question: Question) -> Reply:
        """Send the update and return its answer.

        Raises a non-retryable `AskRefused` where the entity's validator or handler refused; a missing entity or a
        late answer is retried, for the entity keeps its answer by request id.
        """
        handle = activity.client().get_workflow_handle(question.entity)
        try:
            body = await handle.execute_update(
                question.name,
                question.body,
                id=question.request_id,
                rpc_timeout=timedelta(seconds=ASK_TIMEOUT_S),
            )
        except WorkflowUpdateFailedError as failed:
            raise ApplicationError(
                f"{question.entity} refused {question.name}: {failed.cause}", type="AskRefused", non_retryable=True
            ) from failed
        except RPCError as error:
            missing = error.status is RPCStatusCode.NOT_FOUND
            raise ApplicationError(
                f"{question.entity} did not answer {question.name}: {error.message}",
                type="EntityMissing" if missing else "EntitySilent",
            ) from error
        return Reply(body=body)
