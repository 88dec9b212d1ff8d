"""What an operator does about reflections and the playbook: answer a proposal, and tell those that run of a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio.service import RPCError, RPCStatusCode

from workers.operator.place import HandRefused
from workflows.names import TASK_TIMEOUT, QueueRole, Signal, proposals_workflow, task_queue
from workflows.options import labels

if TYPE_CHECKING:
    from activities.store.ports.proposals import KeptProposal
    from trading.review.proposals import ReflectionAnswer
    from workers.operator.place import Place
    from workflows.protocol import HandDone


async def answer_reflection(place: Place, verb: str, answer: ReflectionAnswer) -> HandDone:
    """Put a person's answer to where the proposal waits; the waiting is taken up again where the service lost it.

    Raises `HandRefused` for an unknown proposal and for an answer that cannot be taken.
    """
    from temporalio.client import WithStartWorkflowOperation, WorkflowUpdateFailedError
    from temporalio.common import WorkflowIDConflictPolicy

    from activities.store.listing import accounts_and_symbols
    from trading.review.proposals import ProposalStatus
    from workflows.proposal_review import ProposalReview, ProposalsRequest
    from workflows.protocol import HandDone

    rows = {kept.proposal.id: kept for kept in await place.store.proposals(place.realm)}
    kept = rows.get(answer.proposal)
    if kept is None:
        known = ", ".join(name for name, row in rows.items() if row.status is ProposalStatus.OPEN) or "none"
        raise HandRefused(f"proposal {answer.proposal!r} is unknown in {place.realm}: waiting are {known}")
    if kept.status is not ProposalStatus.OPEN:
        return _answered_before(kept, answer)
    accounts, _ = await accounts_and_symbols(place.store, place.realm)
    asked = [row for row in rows.values() if (row.job, row.period) == (kept.job, kept.period)]
    request = ProposalsRequest(
        realm=place.realm,
        accounts=accounts,
        proposals=tuple(row.proposal for row in asked if row.status is ProposalStatus.OPEN),
        expires_s=await _expires_s(place),
    )
    waits = WithStartWorkflowOperation(
        ProposalReview.run,
        request,
        id=proposals_workflow(place.realm, kept.job, kept.period),
        task_queue=task_queue(place.realm, QueueRole.DECISIONS),
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        task_timeout=TASK_TIMEOUT,
        static_summary=f"proposals of {kept.job} {kept.period}",
        search_attributes=labels(realm=place.realm, accounts=accounts),
    )
    try:
        done: HandDone = await place.client.execute_update_with_start_workflow(
            verb, answer, start_workflow_operation=waits, id=answer.operation_id or None, result_type=HandDone
        )
    except WorkflowUpdateFailedError as failed:
        raise HandRefused(str(failed.cause)) from failed
    return done


async def _expires_s(place: Place) -> int:
    from trading.playbook import from_json

    active = await place.store.active_playbook(place.realm)
    return from_json(await place.store.get(active.content_hash)).policy.reflection_expires_s


def _answered_before(kept: KeptProposal, answer: ReflectionAnswer) -> HandDone:
    from workflows.protocol import HandDone

    is_this = bool(answer.operation_id) and answer.operation_id == kept.operation_id
    return HandDone(
        operation_id=kept.operation_id or "",
        target=answer.proposal,
        accepted=is_this,
        reason=kept.reason or "" if is_this else f"answered before: {kept.status.value} by {kept.who}: {kept.reason}",
        state=kept.status.value,
    )


async def tell_playbook(place: Place, *, version: str, playbook_hash: str) -> tuple[str, ...]:
    """Tell desks and watch which playbook is active now; the ones that were there to be told."""
    from activities.store.listing import accounts_and_symbols
    from workflows.playbook_news import concerned
    from workflows.protocol import PlaybookNews

    accounts, _ = await accounts_and_symbols(place.store, place.realm)
    news, told = PlaybookNews(version=version, playbook_hash=playbook_hash), []
    for entity in concerned(place.realm, accounts):
        try:
            await place.client.get_workflow_handle(entity).signal(Signal.PLAYBOOK, news)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        else:
            told.append(entity)
    return tuple(told)
