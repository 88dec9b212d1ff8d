"""Call options as a page reads them: where, what for, and under which rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes

with workflow.unsafe.imports_passed_through():
    from workflows.names import ACCOUNTS, AS_OF, PLAYBOOK, REALM, SYMBOL


def at(queue: str, summary: str, call: workflow.ActivityConfig) -> workflow.ActivityConfig:
    """`call` on `queue`, with the line that the Web UI shows."""
    return {**call, "task_queue": queue, "summary": summary}


def found_by_time(as_of: datetime) -> None:
    """Have a period job found by its business time, where its starter has not said it already."""
    if workflow.info().typed_search_attributes.get(AS_OF) != as_of:
        workflow.upsert_search_attributes([AS_OF.value_set(as_of)])


def labels(
    *,
    realm: str,
    accounts: Sequence[str],
    symbol: str | None = None,
    playbook: str | None = None,
    as_of: datetime | None = None,
) -> TypedSearchAttributes:
    """The search attributes that a workflow is found by from its first moment on."""
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(REALM, realm),
        SearchAttributePair(ACCOUNTS, list(accounts)),
    ]
    if symbol is not None:
        pairs.append(SearchAttributePair(SYMBOL, symbol))
    if playbook is not None:
        pairs.append(SearchAttributePair(PLAYBOOK, playbook))
    if as_of is not None:
        pairs.append(SearchAttributePair(AS_OF, as_of))
    return TypedSearchAttributes(pairs)
