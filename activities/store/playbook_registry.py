"""The registry of playbooks: one active version a realm, candidates beside it, every change of it audited."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.blobs import keep_blob, load_blob
from activities.store.engine import Database
from activities.store.ports.playbooks import PlaybookRefused, RegisteredPlaybook, Revised, ReviseRequest
from activities.store.tables import AuditRow, PlaybookRow, RevisionRow
from trading.ids import content_hash
from trading.playbook import Playbook, first_playbook, from_json, revised, to_json, with_principles
from trading.policy.table import changed, differences, loosens

PLAYBOOK_TYPE = "application/vnd.perennial.playbook+json"
LIVE = "live"
CANDIDATE, ACTIVE, RETIRED = "candidate", "active", "retired"


class PlaybookRows:
    """`PlaybookRegistry` over the tables."""

    _database: Database

    async def active_playbook(self, realm: str, *, first: Playbook | None = None) -> RegisteredPlaybook:
        async with self._database.read() as connection:
            found = await _active(connection, realm)
        if found is not None:
            return found
        async with self._database.write() as connection:
            await self._database.serialise(connection, realm, "playbooks")
            found = await _active(connection, realm)
            if found is not None:
                return found
            first, why = first or first_playbook(), "nothing was registered yet"
            await self._insert(connection, realm, first, ACTIVE, created_from="first use", who="perennial", why=why)
            return await _known(connection, realm, first.version)

    async def register_playbook(
        self, realm: str, playbook: Playbook, *, created_from: str, who: str, why: str
    ) -> RegisteredPlaybook:
        await self.active_playbook(realm)
        async with self._database.write() as connection:
            await self._database.serialise(connection, realm, "playbooks")
            if await _find(connection, realm, playbook.version) is None:
                await self._insert(connection, realm, playbook, CANDIDATE, created_from=created_from, who=who, why=why)
            return await _known(connection, realm, playbook.version)

    async def playbooks(self, realm: str) -> tuple[RegisteredPlaybook, ...]:
        query = select(PlaybookRow.__table__).where(PlaybookRow.realm == realm).order_by(PlaybookRow.number)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(RegisteredPlaybook.model_validate(dict(row)) for row in rows)

    async def activate_playbook(
        self, realm: str, version: str, *, reason: str, who: str, approve_loosening: bool = False
    ) -> RegisteredPlaybook:
        _signed(reason, who)
        await self.active_playbook(realm)
        async with self._database.write() as connection:
            await self._database.serialise(connection, realm, "playbooks")
            active = await _active(connection, realm)
            wanted = await _known(connection, realm, version)
            assert active is not None, "the registry has an active version from its first use on"
            if wanted.version == active.version:
                return active
            await _check_loosening(connection, active, wanted, approved=approve_loosening)
            await _set(connection, realm, active.version, status=RETIRED)
            await _set(connection, realm, wanted.version, status=ACTIVE, replaced=active.version)
            await self._audit(connection, realm, f"activate {version} after {active.version}", reason=reason, who=who)
            return await _known(connection, realm, version)

    async def rollback_playbook(
        self, realm: str, *, reason: str, who: str, approve_loosening: bool = False
    ) -> RegisteredPlaybook:
        _signed(reason, who)
        await self.active_playbook(realm)
        async with self._database.write() as connection:
            await self._database.serialise(connection, realm, "playbooks")
            active = await _active(connection, realm)
            assert active is not None, "the registry has an active version from its first use on"
            if active.replaced is None:
                raise PlaybookRefused("nothing_earlier", f"version {active.version} of {realm} replaced no other one")
            wanted = await _known(connection, realm, active.replaced)
            await _check_loosening(connection, active, wanted, approved=approve_loosening)
            await _set(connection, realm, active.version, status=RETIRED, replaced=None)
            await _set(connection, realm, wanted.version, status=ACTIVE)
            what = f"rollback {active.version} to {wanted.version}"
            await self._audit(connection, realm, what, reason=reason, who=who)
            return await _known(connection, realm, wanted.version)

    async def revise_playbook(self, request: ReviseRequest) -> Revised:
        await self.active_playbook(request.realm)
        async with self._database.write() as connection:
            return await self.revise_within(connection, request)

    async def revise_within(self, connection: AsyncConnection, request: ReviseRequest) -> Revised:
        """As `revise_playbook`, within a transaction of others; the realm has an active version by now."""
        _signed(request.why, request.who)
        realm = request.realm
        await self._database.serialise(connection, realm, "playbooks")
        done = await _revision(connection, realm, request.operation_id)
        if done is not None:
            return done
        active = await _active(connection, realm)
        assert active is not None, "the registry has an active version from its first use on"
        before = await _text(connection, active)
        after = next_version(before, request)
        waits_for = what_waits(before, after, realm=realm)
        if request.refuses_loosening and waits_for and request.approved_by is None:
            raise PlaybookRefused("loosens", f"that loosens {', '.join(waits_for)}: a person must approve that")
        is_new = after.version != before.version
        becomes_active = request.activate and (not waits_for or request.approved_by is not None)
        if is_new and await _find(connection, realm, after.version) is None:
            origin = {"created_from": request.created_from, "who": request.who, "why": request.why}
            await self._insert(connection, realm, after, CANDIDATE, **origin)
        if is_new and becomes_active:
            await _set(connection, realm, active.version, status=RETIRED)
            await _set(connection, realm, after.version, status=ACTIVE, replaced=active.version)
            what, who = f"activate {after.version} after {active.version}", request.approved_by or request.who
            await self._audit(connection, realm, what, reason=request.why, who=who)
        row = {
            "realm": realm,
            "operation_id": request.operation_id,
            "version_before": active.version,
            "version": after.version,
            "activated": becomes_active and is_new,
            "waits_for": json.dumps(waits_for),
        }
        await self._database.add(connection, RevisionRow, row)
        done = await _revision(connection, realm, request.operation_id)
        assert done is not None, "the row was inserted in this transaction"
        return done

    async def _insert(
        self,
        connection: AsyncConnection,
        realm: str,
        playbook: Playbook,
        status: str,
        *,
        created_from: str,
        who: str,
        why: str,
    ) -> None:
        text = to_json(playbook)
        name = content_hash(text)
        await keep_blob(self._database, connection, name, text, media_type=PLAYBOOK_TYPE)
        count = select(func.count()).select_from(PlaybookRow).where(PlaybookRow.realm == realm)
        values: dict[str, Any] = {
            "realm": realm,
            "version": playbook.version,
            "number": (await connection.execute(count)).scalar_one() + 1,
            "parent": playbook.parent,
            "status": status,
            "created_from": created_from,
            "who": who,
            "why": why,
            "content_hash": name,
            "replaced": None,
            "created_at": datetime.now(UTC),
        }
        await self._database.add(connection, PlaybookRow, values)
        await self._audit(connection, realm, f"register {playbook.version} as {status}", reason=why, who=who)

    async def _audit(self, connection: AsyncConnection, realm: str, what: str, *, reason: str, who: str) -> None:
        count = (
            select(func.count()).select_from(AuditRow).where(AuditRow.realm == realm, AuditRow.subject == "playbook")
        )
        number = (await connection.execute(count)).scalar_one() + 1
        entry = content_hash("|".join(("playbook", str(number), what)))[:32]
        await self._database.add(
            connection,
            AuditRow,
            {
                "realm": realm,
                "entry_id": entry,
                "subject": "playbook",
                "what": what,
                "who": who,
                "reason": reason,
                "at": datetime.now(UTC),
            },
        )


def next_version(playbook: Playbook, request: ReviseRequest) -> Playbook:
    """The playbook with the request in it; raises `PlaybookRefused` for what the policy does not allow."""
    try:
        return revised(
            playbook,
            policy=changed(playbook.policy, **dict(request.policy_changes)),
            principles=with_principles(playbook, request.principles, author=request.author),
            strategies=request.strategies,
        )
    except ValidationError as wrong:
        said = "; ".join(f"{detail['loc'][-1]}: {detail['msg']}" for detail in wrong.errors())
        raise PlaybookRefused("not_allowed", said) from wrong
    except ValueError as wrong:
        raise PlaybookRefused("not_allowed", str(wrong)) from wrong


async def brought_by(connection: AsyncConnection, realm: str, version: str) -> dict[str, Any]:
    """What a version brought over its parent, as the changes of a `ReviseRequest`: it fits on any later version too."""
    mine = await _text(connection, await _known(connection, realm, version))
    if mine.parent is None:
        return {}
    parent = await _text(connection, await _known(connection, realm, mine.parent))
    had = {each.text for each in parent.principles}
    return {
        "policy_changes": tuple((name, new) for name, _, new in differences(parent.policy, mine.policy)),
        "principles": tuple(each.text for each in mine.principles if each.text not in had),
        "strategies": None if mine.strategies == parent.strategies else mine.strategies,
    }


def what_waits(before: Playbook, after: Playbook, *, realm: str) -> tuple[str, ...]:
    """What a person must approve: limits that loosen, and in the live realm another set of strategies (X52)."""
    promotes = realm == LIVE and before.strategies != after.strategies
    return (*loosens(before.policy, after.policy), *(("strategies",) if promotes else ()))


async def _revision(connection: AsyncConnection, realm: str, operation_id: str) -> Revised | None:
    mine = and_(RevisionRow.realm == realm, RevisionRow.operation_id == operation_id)
    row = (await connection.execute(select(RevisionRow.__table__).where(mine))).mappings().one_or_none()
    if row is None:
        return None
    made = await _known(connection, realm, row["version"])
    return Revised(
        operation_id=operation_id,
        version_before=row["version_before"],
        version=made.version,
        playbook_hash=made.content_hash,
        is_active=made.status == ACTIVE,
        changed=row["version"] != row["version_before"],
        waits_for=tuple(json.loads(row["waits_for"])),
    )


def _signed(reason: str, who: str) -> None:
    if not reason.strip() or not who.strip():
        raise PlaybookRefused("no_reason", "a change of the playbook names a reason and who made it")


async def _check_loosening(
    connection: AsyncConnection, active: RegisteredPlaybook, wanted: RegisteredPlaybook, *, approved: bool
) -> None:
    fields = loosens((await _text(connection, active)).policy, (await _text(connection, wanted)).policy)
    if fields and not approved:
        raise PlaybookRefused(
            "loosens", f"version {wanted.version} loosens {', '.join(fields)}: a person must approve that"
        )


async def _text(connection: AsyncConnection, row: RegisteredPlaybook) -> Playbook:
    text = await load_blob(connection, row.content_hash)
    assert text is not None, "a registered playbook is stored in the transaction of its row"
    return from_json(text)


async def _set(connection: AsyncConnection, realm: str, version: str, **values: Any) -> None:
    mine = and_(PlaybookRow.realm == realm, PlaybookRow.version == version)
    await connection.execute(update(PlaybookRow).where(mine).values(**values))


async def _active(connection: AsyncConnection, realm: str) -> RegisteredPlaybook | None:
    query = select(PlaybookRow.__table__).where(PlaybookRow.realm == realm, PlaybookRow.status == ACTIVE)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else RegisteredPlaybook.model_validate(dict(row))


async def _find(connection: AsyncConnection, realm: str, version: str) -> RegisteredPlaybook | None:
    query = select(PlaybookRow.__table__).where(PlaybookRow.realm == realm, PlaybookRow.version == version)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else RegisteredPlaybook.model_validate(dict(row))


async def _known(connection: AsyncConnection, realm: str, version: str) -> RegisteredPlaybook:
    found = await _find(connection, realm, version)
    if found is None:
        query = select(PlaybookRow.version).where(PlaybookRow.realm == realm).order_by(PlaybookRow.number)
        known = ", ".join((await connection.execute(query)).scalars())
        raise PlaybookRefused("unknown_version", f"playbook {version!r} is unknown in {realm}: allowed are {known}")
    return found
