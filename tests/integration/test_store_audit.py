"""The audit on both databases: one row for an operation, newest first, found by whom or what it was about."""

from __future__ import annotations

from activities.store.open import Store

REALM = "test-audit"


async def wrote(store: Store, operation: str, subject: str, what: str, *, realm: str = REALM) -> None:
    await store.record_hand(
        realm, operation_id=operation, subject=subject, what=what, who="ada", reason=f"why {operation}"
    )


async def test_an_operation_is_written_once_however_often_it_is_told(store: Store) -> None:
    await wrote(store, "op-1", "composite", "halt")
    await wrote(store, "op-1", "composite", "halt again")
    (entry,) = await store.audit(REALM)
    assert (entry.operation_id, entry.subject, entry.what, entry.who, entry.reason) == (
        "op-1",
        "composite",
        "halt",
        "ada",
        "why op-1",
    )
    assert entry.at.tzinfo is not None


async def test_entries_are_found_by_subject_newest_first_and_stay_in_their_realm(store: Store) -> None:
    await wrote(store, "op-1", "composite", "pause")
    await wrote(store, "op-2", "d1-aa", "approve")
    await wrote(store, "op-3", "d1-bb", "reject")
    await wrote(store, "op-4", "d12-cc", "reject")
    await wrote(store, "op-1", "composite", "halt", realm="test-other")
    assert [one.operation_id for one in await store.audit(REALM)] == ["op-4", "op-3", "op-2", "op-1"]
    assert [one.what for one in await store.audit(REALM, subject="composite")] == ["pause"]
    assert [one.subject for one in await store.audit(REALM, subject="d1-")] == ["d1-bb", "d1-aa"]
    assert [one.operation_id for one in await store.audit(REALM, limit=1)] == ["op-4"]
