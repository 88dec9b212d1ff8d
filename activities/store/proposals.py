"""What reflections ask of people: put once, answered once; an approval is applied in the transaction of its answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping, and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.engine import Database
from activities.store.playbook_registry import PlaybookRows, brought_by
from activities.store.ports.playbooks import Revised, ReviseRequest
from activities.store.ports.proposals import KeptProposal, Ruled
from activities.store.tables import AuditRow, ProposalRow
from trading.ids import canonical_json
from trading.review.proposals import (
    STATUS_OF,
    ProposalStatus,
    ReflectionAnswer,
    ReflectionProposal,
    ReflectionVerb,
)

APPLIES = frozenset({ReflectionVerb.APPROVE, ReflectionVerb.MODIFY})


class ProposalRows(PlaybookRows):
    """`Proposals` over the tables."""

    _database: Database

    async def keep_proposals(
        self, realm: str, proposals: Sequence[ReflectionProposal], *, job: str, period: str, as_of: datetime
    ) -> tuple[KeptProposal, ...]:
        async with self._database.write() as connection:
            for place, proposal in enumerate(proposals):
                row = {
                    "realm": realm,
                    "proposal_id": proposal.id,
                    "job": job,
                    "period": period,
                    "place": place,
                    "as_of": as_of,
                    "proposal": canonical_json(proposal),
                    "status": ProposalStatus.OPEN.value,
                }
                nothing_yet = ("who", "reason", "operation_id", "answered_with", "playbook_version", "answered_at")
                await self._database.add(connection, ProposalRow, row | dict.fromkeys(nothing_yet))
            return tuple([await _known(connection, realm, proposal.id) for proposal in proposals])

    async def answer_proposal(self, realm: str, answer: ReflectionAnswer, verb: ReflectionVerb) -> Ruled:
        await self.active_playbook(realm)
        async with self._database.write() as connection:
            await self._database.serialise(connection, realm, "playbooks")
            there = await _known(connection, realm, answer.proposal)
            operation = answer.operation_id or f"{answer.proposal}:{verb.value}"
            if there.status is not ProposalStatus.OPEN:
                return Ruled(kept=there, is_this=operation == there.operation_id)
            revised = await self._applied(connection, realm, there, answer) if verb in APPLIES else None
            answered = {
                "status": STATUS_OF[verb].value,
                "who": answer.who,
                "reason": answer.reason,
                "operation_id": operation,
                "answered_with": answer.changed,
                "playbook_version": None if revised is None else revised.version,
                "answered_at": datetime.now(UTC),
            }
            mine = and_(ProposalRow.realm == realm, ProposalRow.proposal_id == answer.proposal)
            await connection.execute(update(ProposalRow).where(mine).values(**answered))
            stated = "" if answer.changed is None else f" as {answer.changed}"
            entry = {
                "realm": realm,
                "entry_id": operation,
                "subject": answer.proposal,
                "what": f"{verb.value} {there.proposal.sentence}{stated}",
                "who": answer.who,
                "reason": answer.reason,
                "at": datetime.now(UTC),
            }
            await self._database.add(connection, AuditRow, entry)
            return Ruled(kept=await _known(connection, realm, answer.proposal), is_this=True, revised=revised)

    async def proposals(self, realm: str, *, status: ProposalStatus | None = None) -> tuple[KeptProposal, ...]:
        query = select(ProposalRow.__table__).where(ProposalRow.realm == realm)
        if status is not None:
            query = query.where(ProposalRow.status == status.value)
        ordered = query.order_by(ProposalRow.as_of, ProposalRow.job, ProposalRow.place, ProposalRow.proposal_id)
        async with self._database.read() as connection:
            rows = (await connection.execute(ordered)).mappings().all()
        return tuple(_kept(row) for row in rows)

    async def _applied(
        self, connection: AsyncConnection, realm: str, kept: KeptProposal, answer: ReflectionAnswer
    ) -> Revised | None:
        """The playbook that the approval makes; architecture is for people to build, so its approval makes none."""
        proposal, new = kept.proposal, answer.changed or kept.proposal.new
        changes: dict[str, Any]
        if proposal.kind == "threshold":
            changes = {"policy_changes": ((proposal.subject, new),)}
        elif proposal.kind == "principle":
            changes = {"principles": (new,), "author": answer.who if answer.changed is not None else None}
        elif proposal.kind == "version":
            changes = await brought_by(connection, realm, proposal.new)
        else:
            return None
        return await self.revise_within(
            connection,
            ReviseRequest(
                realm=realm,
                operation_id=f"proposal:{proposal.id}",
                created_from=f"{kept.job} {kept.period}",
                why=f"{proposal.id}: {answer.reason}",
                who=answer.who,
                approved_by=answer.who,
                **changes,
            ),
        )


async def _known(connection: AsyncConnection, realm: str, proposal_id: str) -> KeptProposal:
    query = select(ProposalRow.__table__).where(ProposalRow.realm == realm, ProposalRow.proposal_id == proposal_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise KeyError(f"proposal {proposal_id!r} is unknown in {realm}")
    return _kept(row)


def _kept(row: RowMapping) -> KeptProposal:
    return KeptProposal(
        proposal=ReflectionProposal.model_validate_json(row["proposal"]),
        job=row["job"],
        period=row["period"],
        as_of=row["as_of"],
        status=ProposalStatus(row["status"]),
        who=row["who"],
        reason=row["reason"],
        operation_id=row["operation_id"],
        answered_with=row["answered_with"],
        version=row["playbook_version"],
    )
