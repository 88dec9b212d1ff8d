"""Decision cards: opened once, filled step by step, finished once; and what earlier ones teach about a model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    and_,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.blobs import RecentTexts, keep_blob, load_blob
from activities.store.engine import Database
from activities.store.recall import gather
from activities.store.tables import (
    AccountOutcomeRow,
    DecisionRow,
    FindingRow,
    GateAnswerRow,
    Row,
    StanceRow,
    TradeOutcomeRow,
    VerificationRow,
)
from trading.decision.models import (
    AccountOutcome,
    Action,
    DecisionHead,
    DecisionSummary,
    Finding,
    Fusion,
    Recall,
    Role,
    Severity,
    Stance,
    TrackRecord,
)
from trading.ids import canonical_json, content_hash
from trading.money import ONE, ZERO, quantised
from trading.risk.models import GateAnswer

CALIBRATION_TRADES = 500
"""How many closed trades a Brier score looks back on: it keeps opening a decision cheap in a long campaign."""

_END_COLUMNS = ("snapshot_hash", "trend_regime", "risk_regime", "fusion_outcome", "fusion", "finished_at")
_UNFINISHED = and_(
    DecisionRow.realm == bindparam("its_realm"),
    DecisionRow.decision_id == bindparam("its_decision_id"),
    DecisionRow.finished.is_(False),
)
_RECALLED = update(DecisionRow).where(_UNFINISHED).values(recall_hash=bindparam("its_recall_hash"))
_FINISHED = (
    update(DecisionRow)
    .where(_UNFINISHED)
    .values(finished=True, **{name: bindparam(f"its_{name}") for name in _END_COLUMNS})
)
_ADD_STANCE, _ADD_END, _ADD_FINDING = (insert(table) for table in (StanceRow, AccountOutcomeRow, FindingRow))


def _of_decision(table: type[Row]) -> ColumnElement[bool]:
    columns = table.__table__.c
    return and_(columns.realm == bindparam("realm"), columns.decision_id == bindparam("decision_id"))


_DECISION = select(DecisionRow.__table__).where(_of_decision(DecisionRow))
_STANCES = select(StanceRow.stance).where(_of_decision(StanceRow)).order_by(StanceRow.place)
_ENDS = select(AccountOutcomeRow.__table__).where(_of_decision(AccountOutcomeRow)).order_by(AccountOutcomeRow.place)
"""Built once: putting a statement together costs more than running it."""


class DecisionRows:
    """`Decisions` over the tables."""

    _database: Database
    _recent: RecentTexts

    async def open_decision(self, head: DecisionHead, *, plan_period: str | None = None) -> DecisionSummary | None:
        async with self._database.write() as connection:
            values = head.model_dump(mode="python") | {
                "accounts": canonical_json(head.accounts),
                "plan_period": plan_period,
                "finished": False,
                "opened_at": datetime.now(UTC),
            }
            if await self._database.add(connection, DecisionRow, values):
                return None
            return await load_summary(connection, head.realm, head.decision_id, given=head)

    async def recall(self, head: DecisionHead) -> tuple[str, int]:
        gathered = await self.remembered(head)
        text = canonical_json(gathered)
        name = content_hash(text)
        async with self._database.write() as connection:
            if self._recent.get(name) is None:
                await keep_blob(self._database, connection, name, text, media_type="application/json")
            await connection.execute(_RECALLED, _of(head) | {"its_recall_hash": name})
        self._recent.learn(name, text)
        return name, len(gathered.items)

    async def remembered(self, head: DecisionHead) -> Recall:
        async with self._database.read() as connection:
            return await gather(connection, head)

    async def load_recall(self, recall_hash: str) -> Recall:
        async with self._database.read() as connection:
            text = await load_blob(connection, recall_hash)
        if text is None:
            raise KeyError(f"nothing is stored under {recall_hash}")
        return Recall.model_validate_json(text)

    async def record_findings(
        self, head: DecisionHead, stance: Stance, findings: Sequence[Finding], *, step: str
    ) -> None:
        key = {"realm": head.realm, "decision_id": head.decision_id, "step": step, "role": stance.role.value}
        async with self._database.write() as connection:
            verified = {
                "verdict": stance.verdict.value,
                "answer_hash": stance.answer_hash,
                "stance": canonical_json(stance),
            }
            if await self._database.add(connection, VerificationRow, key | verified) and findings:
                rows = [{**key, "place": place, **finding.model_dump()} for place, finding in enumerate(findings)]
                await connection.execute(_ADD_FINDING, rows)

    async def record_gate(self, head: DecisionHead, answer: GateAnswer, *, account: str) -> None:
        async with self._database.write() as connection:
            await self._database.add(
                connection,
                GateAnswerRow,
                {
                    "realm": head.realm,
                    "decision_id": head.decision_id,
                    "account": account,
                    "request_id": answer.request_id,
                    "binding": answer.binding,
                    "answer": canonical_json(answer),
                },
            )

    async def finish_decision(self, summary: DecisionSummary) -> None:
        """Store the end once; a second call changes nothing. Raises `ValueError` for a decision never opened."""
        head, fusion = summary.head, summary.fusion
        key = {"realm": head.realm, "decision_id": head.decision_id}
        async with self._database.write() as connection:
            end = {
                "its_snapshot_hash": summary.snapshot_hash,
                "its_trend_regime": summary.trend_regime.value,
                "its_risk_regime": summary.risk_regime.value,
                "its_fusion_outcome": None if fusion is None else fusion.outcome.value,
                "its_fusion": None if fusion is None else canonical_json(fusion),
                "its_finished_at": datetime.now(UTC),
            }
            done = await connection.execute(_FINISHED, _of(head) | end)
            if not done.rowcount:
                if await load_summary(connection, head.realm, head.decision_id) is None:
                    raise ValueError(f"decision {head.decision_id} of {head.realm} was never opened")
                return
            if summary.stances:
                rows = [{**key, **_stance(stance, place)} for place, stance in enumerate(summary.stances)]
                await connection.execute(_ADD_STANCE, rows)
            if summary.outcomes:
                ends = [{**key, **_outcome(outcome, place)} for place, outcome in enumerate(summary.outcomes)]
                await connection.execute(_ADD_END, ends)

    async def track_records(
        self, realm: str, *, regime: str | None, before: datetime
    ) -> tuple[TrackRecord, TrackRecord]:
        records = _ANY_REGIME if regime is None else _ONE_REGIME
        scope = {"realm": realm, "before": before} | ({} if regime is None else {"regime": regime})
        async with self._database.read() as connection:
            counted = {(what, role): count for what, role, count in await connection.execute(records.counts, scope)}
            brier = await _brier(connection, records.promises, scope)
        first, second = (
            TrackRecord(
                role=role,
                decisions=counted.get(("decisions", role.value), 0),
                grounding_failures=counted.get(("failures", role.value), 0),
                brier=brier.get(role.value),
            )
            for role in (Role.PRIMARY, Role.SECONDARY)
        )
        return first, second


def _of(head: DecisionHead) -> dict[str, object]:
    """How `_RECALLED` and `_FINISHED` find their row: an update's own parameters may not be named as columns are."""
    return {"its_realm": head.realm, "its_decision_id": head.decision_id}


def _stance(stance: Stance, place: int) -> dict[str, object]:
    return {
        "role": stance.role.value,
        "place": place,
        "verdict": stance.verdict.value,
        "action": None if stance.action is None else stance.action.value,
        "win_probability": stance.win_probability,
        "stance": canonical_json(stance),
    }


def _outcome(outcome: AccountOutcome, place: int) -> dict[str, object]:
    lists = {name: canonical_json(getattr(outcome, name)) for name in ("reasons", "client_order_ids", "execution_ids")}
    return {**outcome.model_dump(mode="python"), **lists, "place": place}


async def load_summary(
    connection: AsyncConnection, realm: str, decision_id: str, *, given: DecisionHead | None = None
) -> DecisionSummary | None:
    """The stored end of a decision, or `None` while it has none.

    Raises `ValueError` where the stored head is not the one `given`: one id must not stand for two decisions.
    """
    names = {"realm": realm, "decision_id": decision_id}
    row = (await connection.execute(_DECISION, names)).mappings().one_or_none()
    if row is None:
        return None
    values = {name: row[name] for name in DecisionHead.model_fields}
    head = DecisionHead(**values | {"accounts": tuple(json.loads(row["accounts"]))})
    if given is not None and (given.symbol, given.as_of, given.cause) != (head.symbol, head.as_of, head.cause):
        raise ValueError(f"decision {decision_id} is recorded as {head}, now told as {given}")
    if not row["finished"]:
        return None
    stances = await connection.execute(_STANCES, names)
    ends = await connection.execute(_ENDS, names)
    return DecisionSummary(
        head=head,
        plan=row["plan_period"],
        snapshot_hash=row["snapshot_hash"],
        trend_regime=row["trend_regime"],
        risk_regime=row["risk_regime"],
        stances=tuple(Stance.model_validate_json(text) for (text,) in stances),
        fusion=None if row["fusion"] is None else Fusion.model_validate_json(row["fusion"]),
        outcomes=tuple(
            AccountOutcome(
                account=end["account"],
                outcome=end["outcome"],
                reasons=tuple(json.loads(end["reasons"])),
                permit_id=end["permit_id"],
                notional_usd=end["notional_usd"],
                client_order_ids=tuple(json.loads(end["client_order_ids"])),
                execution_ids=tuple(json.loads(end["execution_ids"])),
            )
            for end in ends.mappings()
        ),
    )


class _Records(NamedTuple):
    counts: CompoundSelect[Any, str, int]
    promises: Select[str, Decimal, Decimal]


def _records(*, one_regime: bool) -> _Records:
    """The questions of a track record; built once, because putting them together costs more than running them."""
    scope = and_(
        DecisionRow.realm == bindparam("realm"),
        DecisionRow.finished.is_(True),
        DecisionRow.as_of < bindparam("before"),
    )
    if one_regime:
        scope = and_(scope, DecisionRow.trend_regime == bindparam("regime"))
    decisions: Select[Any, str, int] = (
        select(literal_column("'decisions'"), StanceRow.role, func.count())
        .join(DecisionRow, _same_decision(StanceRow))
        .where(scope)
        .group_by(StanceRow.role)
    )
    failures: Select[Any, str, int] = (
        select(literal_column("'failures'"), FindingRow.role, func.count(FindingRow.decision_id.distinct()))
        .join(DecisionRow, _same_decision(FindingRow))
        .where(scope, FindingRow.severity.in_([Severity.FATAL.value, Severity.REPAIRABLE.value]))
        .group_by(FindingRow.role)
    )
    recent = (
        select(TradeOutcomeRow.realm, TradeOutcomeRow.decision_id, TradeOutcomeRow.pnl_usd)
        .join(DecisionRow, _same_decision(TradeOutcomeRow))
        .where(scope, TradeOutcomeRow.closed_at < bindparam("before"))
        .order_by(
            TradeOutcomeRow.closed_at.desc(),
            TradeOutcomeRow.decision_id,
            TradeOutcomeRow.account,
            TradeOutcomeRow.symbol,
        )
        .limit(CALIBRATION_TRADES)
        .subquery()
    )
    promises = (
        select(StanceRow.role, StanceRow.win_probability, recent.c.pnl_usd)
        .join(recent, and_(recent.c.realm == StanceRow.realm, recent.c.decision_id == StanceRow.decision_id))
        .where(StanceRow.action == Action.BUY.value)
    )
    return _Records(union_all(decisions, failures), promises)


def _same_decision(table: type[StanceRow] | type[FindingRow] | type[TradeOutcomeRow]) -> ColumnElement[bool]:
    return and_(DecisionRow.realm == table.realm, DecisionRow.decision_id == table.decision_id)


_ANY_REGIME = _records(one_regime=False)
_ONE_REGIME = _records(one_regime=True)


async def _brier(
    connection: AsyncConnection, promises: Select[str, Decimal, Decimal], scope: Mapping[str, object]
) -> dict[str, Decimal]:
    """Mean squared distance between the promised win probability and 1 for a gain, 0 for none."""
    errors: dict[str, list[Decimal]] = {}
    for role, promised, pnl in await connection.execute(promises, scope):
        won = ONE if pnl > 0 else ZERO
        errors.setdefault(role, []).append((promised - won) ** 2)
    return {role: quantised(sum(each, ZERO) / len(each)) for role, each in errors.items()}
