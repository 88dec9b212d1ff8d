"""The registry of playbooks on both databases: one active version, an audited way from one to another."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from activities.store.open import Store
from activities.store.port import PlaybookRefused
from activities.store.tables import AuditRow
from trading.playbook import Playbook, first_playbook, revised
from trading.policy.table import changed

REALM = "simulated"
FIRST = first_playbook()
TIGHTER = revised(FIRST, policy=changed(FIRST.policy, max_trade_fraction="0.03"))
LOOSER = revised(TIGHTER, policy=changed(TIGHTER.policy, max_trade_fraction="0.04"))
SIGNED = {"reason": "evolution of week 5", "who": "a person"}


async def candidate(store: Store, playbook: Playbook) -> str:
    row = await store.register_playbook(REALM, playbook, created_from="test", who="a test", why="to try it")
    return row.version


async def audit(store: Store) -> list[tuple[str, str]]:
    async with store.database.read() as connection:
        rows = await connection.execute(select(AuditRow.what, AuditRow.who).where(AuditRow.subject == "playbook"))
        return sorted((row.what, row.who) for row in rows)


async def test_first_use_registers_the_first_playbook_once(store: Store) -> None:
    rows = await asyncio.gather(*(store.active_playbook(REALM) for _ in range(3)))
    assert {(row.version, row.status, row.parent) for row in rows} == {(FIRST.version, "active", None)}
    assert len(await store.playbooks(REALM)) == 1
    assert await store.get(rows[0].content_hash), "its text is stored with its row"
    assert await store.playbooks("paper") == ()


async def test_a_candidate_becomes_active_and_a_rollback_undoes_it(store: Store) -> None:
    version = await candidate(store, TIGHTER)
    assert (await store.active_playbook(REALM)).version == FIRST.version
    active = await store.activate_playbook(REALM, version, **SIGNED)
    assert (active.status, active.replaced) == ("active", FIRST.version)
    assert [row.status for row in await store.playbooks(REALM)] == ["retired", "active"]
    again = await store.activate_playbook(REALM, version, **SIGNED)
    assert again == active
    back = await store.rollback_playbook(REALM, approve_loosening=True, **SIGNED)
    assert back.version == FIRST.version
    assert [row.status for row in await store.playbooks(REALM)] == ["active", "retired"]
    changes = [what for what, who in await audit(store) if who == "a person"]
    assert changes == [
        f"activate {TIGHTER.version} after {FIRST.version}",
        f"rollback {TIGHTER.version} to {FIRST.version}",
    ]


async def test_loosening_waits_for_a_person(store: Store) -> None:
    await store.activate_playbook(REALM, await candidate(store, TIGHTER), **SIGNED)
    version = await candidate(store, LOOSER)
    with pytest.raises(PlaybookRefused, match=r"loosens max_trade_fraction") as refused:
        await store.activate_playbook(REALM, version, **SIGNED)
    assert refused.value.code == "loosens"
    assert (await store.active_playbook(REALM)).version == TIGHTER.version
    approved = await store.activate_playbook(REALM, version, approve_loosening=True, **SIGNED)
    assert approved.version == LOOSER.version


async def test_going_back_to_looser_limits_waits_too(store: Store) -> None:
    await store.activate_playbook(REALM, await candidate(store, TIGHTER), **SIGNED)
    with pytest.raises(PlaybookRefused) as refused:
        await store.rollback_playbook(REALM, **SIGNED)
    assert refused.value.code == "loosens"


async def test_what_cannot_be_activated_says_why(store: Store) -> None:
    with pytest.raises(PlaybookRefused, match=f"allowed are {FIRST.version}") as unknown:
        await store.activate_playbook(REALM, "none", **SIGNED)
    assert unknown.value.code == "unknown_version"
    with pytest.raises(PlaybookRefused) as unsigned:
        await store.activate_playbook(REALM, FIRST.version, reason=" ", who="a person")
    assert unsigned.value.code == "no_reason"
    with pytest.raises(PlaybookRefused) as nothing:
        await store.rollback_playbook(REALM, **SIGNED)
    assert nothing.value.code == "nothing_earlier"
