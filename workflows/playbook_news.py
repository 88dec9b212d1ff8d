"""Whoever made another playbook active tells those that run: the desks of the accounts, and the watch."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from workflows.names import Signal, desk_workflow, watch_workflow
    from workflows.protocol import PlaybookNews


def concerned(realm: str, accounts: Sequence[str]) -> tuple[str, ...]:
    """The workflows that live by the realm's playbook, in the order in which they are told."""
    return (*(desk_workflow(realm, account) for account in accounts), watch_workflow(realm))


async def tell_playbook(realm: str, accounts: Sequence[str], news: PlaybookNews) -> None:
    """Signal the news to the desks of `accounts` and to the watch; who is not there starts with it anyway."""
    for entity in concerned(realm, accounts):
        try:
            await workflow.get_external_workflow_handle(entity).signal(Signal.PLAYBOOK, news)
        except ApplicationError:
            workflow.logger.info("%s does not run: it was not told of playbook %s", entity, news.version)
