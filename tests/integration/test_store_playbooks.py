"""The registry of playbooks on both databases: one active version, an audited way from one to another."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from activities.store.open import Store
from activities.store.ports.playbooks import PlaybookRefused, Revised, ReviseRequest
from activities.store.tables import AuditRow
from trading.playbook import Playbook, first_playbook, from_json, revised
from trading.policy.table import changed
from trading.strategies.library import STRATEGIES

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


async def revise(store: Store, operation: str, **given: object) -> Revised:
    fields = {"realm": REALM, "operation_id": operation, "created_from": "test", "why": "to learn", "who": "a test"}
    return await store.revise_playbook(ReviseRequest.model_validate({**fields, **given}))


async def text_of(store: Store, done: Revised) -> Playbook:
    return from_json(await store.get(done.playbook_hash))


TIGHT = (("max_trade_fraction", "0.03"),)
LOOSE = (("max_trade_fraction", "0.10"), ("max_position_fraction", "0.12"))


async def test_a_revision_that_tightens_is_active_at_once_and_made_once(store: Store) -> None:
    done = await asyncio.gather(*(revise(store, "month-1", policy_changes=TIGHT) for _ in range(3)))
    assert len(set(done)) == 1
    first = done[0]
    assert (first.version_before, first.is_active, first.waits_for) == (FIRST.version, True, ())
    assert (await store.active_playbook(REALM)).version == first.version
    assert (await text_of(store, first)).policy.max_trade_fraction == TIGHTER.policy.max_trade_fraction
    later = await revise(store, "month-2", policy_changes=(("max_trade_fraction", "0.02"),))
    again = await revise(store, "month-1", policy_changes=TIGHT)
    assert again == first.model_copy(update={"is_active": False}), "a later version has taken over"
    assert (await store.active_playbook(REALM)).version == later.version
    assert len(await store.playbooks(REALM)) == 3


async def test_a_revision_that_loosens_waits_as_a_candidate_until_a_person_approves(store: Store) -> None:
    done = await revise(store, "month-1", policy_changes=LOOSE)
    assert (done.is_active, done.waits_for) == (False, ("max_trade_fraction", "max_position_fraction"))
    assert (await store.active_playbook(REALM)).version == FIRST.version
    approved = await revise(store, "month-1:approved", policy_changes=LOOSE, approved_by="anna")
    assert (approved.version, approved.is_active) == (done.version, True)
    assert (await store.active_playbook(REALM)).version == done.version
    assert (f"activate {done.version} after {FIRST.version}", "anna") in await audit(store)


async def test_strategies_are_promoted_by_evolution_on_paper_and_by_a_person_in_the_live_realm(store: Store) -> None:
    fewer = tuple(STRATEGIES.values())[:3]
    for realm, waits_for in (("paper", ()), ("live", ("strategies",))):
        done = await revise(store, "week-5", realm=realm, strategies=fewer)
        assert (done.is_active, done.waits_for) == (not waits_for, waits_for)
        assert (await text_of(store, done)).strategies == fewer


async def test_principles_come_under_the_next_ids_and_a_known_sentence_changes_nothing(store: Store) -> None:
    said = ("Sell into strength.", FIRST.principles[0].text)
    done = await revise(store, "know-1", principles=said, author="anna")
    added = (await text_of(store, done)).principles[len(FIRST.principles) :]
    assert [(each.id, each.text, each.author) for each in added] == [("P09", said[0], "anna")]
    same = await revise(store, "know-2", principles=said)
    assert (same.changed, same.is_active, same.version) == (False, True, done.version)


async def test_a_candidate_is_made_without_being_active(store: Store) -> None:
    done = await revise(store, "week-5", policy_changes=TIGHT, activate=False)
    assert not done.is_active
    assert [row.status for row in await store.playbooks(REALM)] == ["active", "candidate"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"policy_changes": (("max_trade_fraction", "7"),)}, "not_allowed"),
        ({"policy_changes": (("luck", "7"),)}, "not_allowed"),
        ({"principles": ("x" * 401,)}, "not_allowed"),
        ({"principles": ("two\nlines",)}, "not_allowed"),
        ({"why": " "}, "no_reason"),
    ],
)
async def test_a_revision_that_is_not_allowed_leaves_everything_as_it_was(
    store: Store, given: dict[str, object], code: str
) -> None:
    with pytest.raises(PlaybookRefused) as refused:
        await revise(store, "wrong", **given)
    assert refused.value.code == code
    assert await store.playbooks(REALM) == () or len(await store.playbooks(REALM)) == 1


async def test_a_campaigns_realm_begins_with_its_own_playbook(store: Store) -> None:
    assert (await store.active_playbook("replay-1", first=TIGHTER)).version == TIGHTER.version
    assert (await store.active_playbook("replay-1", first=FIRST)).version == TIGHTER.version
    done = await revise(store, "month-1", realm="replay-1", policy_changes=(("max_trade_fraction", "0.02"),))
    assert done.version_before == TIGHTER.version
    assert await store.digest("replay-1") == await store.digest("replay-1")
