"""The links of decisions that were traded on: what they saw, said and were answered, in few queries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.tables import BlobRow, DecisionRow, FindingRow, GateAnswerRow, VerificationRow
from trading.decision.models import Action, Verdict
from trading.facts.models import Fact
from trading.review.models import DecisionChain, EntryPlan
from trading.review.opposition import JUDGED, opposing_ids

AT_ONCE = 500
"""Names in one query, well under every database's limit of parameters."""


@dataclass(slots=True)
class Evidence:
    """One decision's links, without its orders, and the facts that a plan is completed with."""

    row: RowMapping
    answers: list[str] = field(default_factory=list)
    bought: list[str] = field(default_factory=list)
    """Answers of accepted purchases."""
    findings: list[str] = field(default_factory=list)
    gates: list[str] = field(default_factory=list)
    change_24h: Decimal | None = None
    opposing: frozenset[str] | None = None
    cited: frozenset[str] = frozenset()

    def chain(self, orders: Sequence[str]) -> DecisionChain:
        return DecisionChain(
            decision_id=self.row["decision_id"],
            cause=self.row["cause"],
            as_of=self.row["as_of"],
            playbook_version=self.row["playbook_version"],
            recall_hash=self.row["recall_hash"],
            snapshot_hash=self.row["snapshot_hash"],
            answer_hashes=tuple(self.answers),
            finding_codes=tuple(dict.fromkeys(self.findings)),
            gate_request_ids=tuple(self.gates),
            client_order_ids=tuple(orders),
        )

    def completed(self, plan: EntryPlan) -> EntryPlan:
        """`plan` with the 24 h change at the entry, and how many opposing facts there were and were cited."""
        if self.opposing is None:
            return plan
        return plan.model_copy(
            update={
                "change_24h": self.change_24h,
                "opposing_facts": len(self.opposing),
                "opposing_cited": len(self.opposing & self.cited),
            }
        )


async def evidence_of(
    connection: AsyncConnection, realm: str, account: str, decisions: Sequence[str]
) -> dict[str, Evidence]:
    """What is on record of `decisions`; one that is unknown is absent."""
    found: dict[str, Evidence] = {}
    for names in _chunks(decisions):
        rows = select(DecisionRow.__table__).where(DecisionRow.realm == realm, DecisionRow.decision_id.in_(names))
        for row in (await connection.execute(rows)).mappings():
            found[row["decision_id"]] = Evidence(row=row)
        await _said(connection, realm, names, found)
        await _answered(connection, realm, account, names, found)
    await _read(connection, found)
    return found


async def _said(connection: AsyncConnection, realm: str, names: Sequence[str], found: dict[str, Evidence]) -> None:
    verified = await connection.execute(
        select(VerificationRow.decision_id, VerificationRow.answer_hash, VerificationRow.stance)
        .where(VerificationRow.realm == realm, VerificationRow.decision_id.in_(names))
        .order_by(VerificationRow.decision_id, VerificationRow.role, VerificationRow.step)
    )
    for decision, answer, text in verified:
        if answer is not None and decision in found:
            found[decision].answers.append(answer)
            stance = json.loads(text)
            if stance["verdict"] == Verdict.ACCEPTED.value and stance["action"] == Action.BUY.value:
                found[decision].bought.append(answer)
    codes = await connection.execute(
        select(FindingRow.decision_id, FindingRow.code)
        .where(FindingRow.realm == realm, FindingRow.decision_id.in_(names))
        .order_by(FindingRow.decision_id, FindingRow.role, FindingRow.step, FindingRow.place)
    )
    for decision, code in codes:
        if decision in found:
            found[decision].findings.append(code)


async def _answered(
    connection: AsyncConnection, realm: str, account: str, names: Sequence[str], found: dict[str, Evidence]
) -> None:
    gates = await connection.execute(
        select(GateAnswerRow.decision_id, GateAnswerRow.request_id)
        .where(GateAnswerRow.realm == realm, GateAnswerRow.account == account, GateAnswerRow.decision_id.in_(names))
        .order_by(GateAnswerRow.decision_id, GateAnswerRow.request_id)
    )
    for decision, request in gates:
        if decision in found:
            found[decision].gates.append(request)


async def _read(connection: AsyncConnection, found: dict[str, Evidence]) -> None:
    """Take in what snapshots and answers say."""
    snapshots = [each.row["snapshot_hash"] for each in found.values() if each.row["snapshot_hash"] is not None]
    texts = await texts_of(connection, [*snapshots, *(name for each in found.values() for name in each.bought)])
    for each in found.values():
        snapshot = texts.get(each.row["snapshot_hash"] or "")
        if snapshot is not None:
            judged = tuple(_fact(fact) for fact in json.loads(snapshot)["facts"] if fact["name"] in JUDGED)
            each.opposing = opposing_ids(judged)
            change = next((fact.value for fact in judged if fact.name == "change_24h"), None)
            each.change_24h = change if isinstance(change, Decimal) else None
        each.cited = frozenset(cite for name in each.bought for cite in _cites_of(texts.get(name)))


def _fact(stored: dict[str, Any]) -> Fact:
    """JSON has numbers and labels both as text; the unit says which it is."""
    value = stored["value"] if stored["unit"] == "label" else Decimal(stored["value"])
    return Fact.model_validate({**stored, "value": value})


def _cites_of(answer: str | None) -> set[str]:
    """The fact ids that a model's answer cites; an answer that is no JSON object cites nothing."""
    try:
        said = json.loads(answer or "null")
    except ValueError:
        return set()
    claims = said.get("claims", []) if isinstance(said, dict) else []
    return {str(cite) for claim in claims if isinstance(claim, dict) for cite in claim.get("cites", [])}


async def texts_of(connection: AsyncConnection, names: Sequence[str]) -> dict[str, str]:
    """The stored texts of these content hashes; one that is not stored is absent."""
    texts: dict[str, str] = {}
    for some in _chunks(list(dict.fromkeys(names))):
        query = select(BlobRow.content_hash, BlobRow.text).where(BlobRow.content_hash.in_(some))
        for name, text in await connection.execute(query):
            texts[name] = text
    return texts


def _chunks(names: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(names), AT_ONCE):
        yield names[start : start + AT_ONCE]
