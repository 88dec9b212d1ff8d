"""A question to an account's desk, and its answer kept with the decision: the only way to a permit."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.asking import ASK_CALL, AskCalls, Question
    from activities.store.calls import ENTITY_CALL, STORE_CALL, GateRecord, StoreCalls
    from trading.decision.models import DecisionHead
    from trading.risk.models import GateAnswer, GateRequest
    from workflows.names import QueueRole, Update, desk_workflow, task_queue
    from workflows.options import at


async def ask_the_gate(head: DecisionHead, wish: GateRequest, *, beside_updates: bool = False) -> GateAnswer:
    """The desk's answer to `wish`: a permit or denials. Asked twice with one request id, it is one answer.

    `beside_updates`: somebody's answer may come meanwhile (see `ENTITY_CALL`).
    """
    reply = await workflow.execute_activity_method(
        AskCalls.ask,
        Question(
            entity=desk_workflow(head.realm, wish.account),
            name=Update.RESERVE,
            request_id=wish.request_id,
            body=wish.model_dump(mode="json"),
        ),
        **at(task_queue(head.realm, QueueRole.CALLS), f"gate of {wish.account}", ASK_CALL),
    )
    answer = GateAnswer.model_validate(reply.body)
    record = GateRecord(head=head, account=wish.account, answer=answer)
    if beside_updates:
        await workflow.execute_activity_method(StoreCalls.record_gate, record, **ENTITY_CALL)
    else:
        await workflow.execute_local_activity_method(StoreCalls.record_gate, record, **STORE_CALL)
    return answer
