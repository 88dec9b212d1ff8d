"""Read models: one per record, as JSON-ready dictionaries that command line, Web UI, reports and console only format.

Money and sizes are strings, ratios fractions as strings, times ISO 8601 with `Z`, durations in milliseconds where the
key says so (architecture §7). Keys are only ever added.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.blobs import load_blob
from activities.store.closings import venue_resets
from activities.store.decisions import load_summary
from activities.store.open import Store
from activities.store.tables import (
    AccountOutcomeRow,
    AccountRow,
    AnswerRow,
    ArmingRow,
    DecisionRow,
    EquityRow,
    FillRow,
    FindingRow,
    GateAnswerRow,
    GateRow,
    MarkRow,
    OrderRow,
    PositionRow,
    ProtectionRow,
    TradeOutcomeRow,
    VerificationRow,
)
from activities.store.unprotected import protection, unprotected
from activities.store.valuing import load_positions
from trading.decision.models import FusionOutcome
from trading.ids import canonical_json
from trading.ledger.marks import max_drawdown
from trading.money import ZERO, plain
from trading.orders.models import OPEN
from trading.review.review import ModelUse

ORDER_KEYS = (
    "client_order_id",
    "account",
    "symbol",
    "decision_id",
    "leg",
    "slice_number",
    "revision",
    "side",
    "type",
    "quantity",
    "time_in_force",
    "price",
    "stop_price",
    "status",
    "executed_quantity",
    "executed_quote",
    "commission_base",
    "commission_quote",
    "venue_order_id",
    "code",
    "reason",
    "as_of",
    "observed_at",
)


async def decision_card(store: Store, realm: str, decision_id: str) -> dict[str, Any] | None:
    """The whole record of one decision with the keys of `perennial decide --json`; `None` for an unknown id.

    A decision that is not finished has the outcome `open`. `outcome` is the first account's; `accounts` has them all.
    `approval` has the answers to its proposals, none where nobody was asked.
    """
    answers = await store.audit(realm, subject=f"{decision_id}-")
    async with store.database.read() as connection:
        mine = and_(DecisionRow.realm == realm, DecisionRow.decision_id == decision_id)
        row = (await connection.execute(select(DecisionRow.__table__).where(mine))).mappings().one_or_none()
        if row is None:
            return None
        summary = await load_summary(connection, realm, decision_id)
        calls = await _calls(connection, realm, decision_id)
        snapshot = await _json_blob(connection, row["snapshot_hash"])
        fusion = json.loads(row["fusion"]) if row["fusion"] else None
        levels = fusion or {}
        accounts = [] if summary is None else [_plain(outcome.model_dump()) for outcome in summary.outcomes]
        target = levels.get("target_price")
        return {
            "decision_id": decision_id,
            "outcome": accounts[0]["outcome"] if accounts else (levels.get("outcome") if row["finished"] else "open"),
            "action": _action(levels.get("outcome")),
            "size": levels.get("size_fraction"),
            "entry": levels.get("entry_price"),
            "stop": levels.get("stop_price"),
            "targets": [] if target is None else [target],
            "confidence": levels.get("confidence"),
            "facts": [] if snapshot is None else snapshot.get("facts", []),
            "proposals": await _proposals(connection, realm, decision_id),
            "findings": await _findings(connection, realm, decision_id),
            "fusion": fusion,
            "risk": await _risk(connection, realm, decision_id),
            "approval": [_plain(entry.model_dump()) for entry in answers],
            "orders": await _orders(connection, and_(OrderRow.realm == realm, OrderRow.decision_id == decision_id)),
            "latency_ms": _elapsed_ms(row["opened_at"], row["finished_at"]),
            "cost_usd": plain(sum((call["cost_usd"] for call in calls), ZERO)),
            "playbook_version": row["playbook_version"],
            "plan": row["plan_period"],
            "accounts": accounts,
            "realm": realm,
            "symbol": row["symbol"],
            "venue": row["venue"],
            "as_of": _plain(row["as_of"]),
            "cause": row["cause"],
            "trend_regime": row["trend_regime"],
            "risk_regime": row["risk_regime"],
            "recall": await _json_blob(connection, row["recall_hash"]),
            "model_calls": [_plain(dict(call)) for call in calls],
            "trades": await _trades(connection, realm, decision_id),
        }


async def decision_list(
    store: Store, realm: str, *, symbol: str | None = None, limit: int | None = 50
) -> list[dict[str, Any]]:
    """Decisions, newest first: id, time, symbol, cause, what was fused, and each account's outcome."""
    query = select(DecisionRow.__table__).where(DecisionRow.realm == realm)
    if symbol is not None:
        query = query.where(DecisionRow.symbol == symbol)
    query = query.order_by(DecisionRow.as_of.desc(), DecisionRow.symbol, DecisionRow.decision_id).limit(limit)
    async with store.database.read() as connection:
        rows = (await connection.execute(query)).mappings().all()
        ends = await _ends(connection, realm, [row["decision_id"] for row in rows])
    return [
        {
            "decision_id": row["decision_id"],
            "as_of": _plain(row["as_of"]),
            "symbol": row["symbol"],
            "cause": row["cause"],
            "finished": row["finished"],
            "action": _action(row["fusion_outcome"]),
            "fusion": row["fusion_outcome"],
            "size": json.loads(row["fusion"])["size_fraction"] if row["fusion"] else None,
            "trend_regime": row["trend_regime"],
            "risk_regime": row["risk_regime"],
            "playbook_version": row["playbook_version"],
            "accounts": ends.get(row["decision_id"], {}),
        }
        for row in rows
    ]


async def order_list(store: Store, realm: str, *, account: str | None = None) -> list[dict[str, Any]]:
    """Orders, oldest first, with their cumulative numbers."""
    where = OrderRow.realm == realm
    async with store.database.read() as connection:
        return await _orders(connection, where if account is None else and_(where, OrderRow.account == account))


async def position_list(store: Store, realm: str, *, account: str | None = None) -> list[dict[str, Any]]:
    """Held positions (dust included) by account and symbol, with cost, realised PnL and the newest mark."""
    async with store.database.read() as connection:
        names = [account] if account is not None else await _accounts(connection, realm)
        return [line for name in names for line in await _positions(connection, realm, name)]


async def equity_series(store: Store, realm: str, *, account: str | None = None) -> list[dict[str, Any]]:
    """Equity rows, oldest first."""
    query = select(EquityRow.__table__).where(EquityRow.realm == realm)
    if account is not None:
        query = query.where(EquityRow.account == account)
    async with store.database.read() as connection:
        rows = (await connection.execute(query.order_by(EquityRow.as_of, EquityRow.account))).mappings().all()
    return [_plain({name: value for name, value in row.items() if name != "realm"}) for row in rows]


async def status(store: Store, realm: str) -> dict[str, Any]:
    """Counts, the last decision, accounts with mode and epoch, open positions and unresolved orders.

    `unprotected` is what is held while no exit rests at the venue, and since when; `protection` how long fills have
    waited for their exits, in the venue's seconds.
    """
    newest = await decision_list(store, realm, limit=1)
    naked, waits = await unprotected(store, realm), await protection(store, realm)
    async with store.database.read() as connection:
        gates = await connection.execute(
            select(GateRow.account, GateRow.mode, GateRow.epoch, GateRow.reason, GateRow.who)
            .where(GateRow.realm == realm)
            .order_by(GateRow.account)
        )
        open_orders = and_(OrderRow.realm == realm, OrderRow.status.in_([status.value for status in OPEN]))
        return {
            "realm": realm,
            "decisions": await _count(connection, DecisionRow, DecisionRow.realm == realm),
            "orders": await _count(connection, OrderRow, OrderRow.realm == realm),
            "fills": await _count(connection, FillRow, FillRow.realm == realm),
            "model_calls": await _count(connection, AnswerRow, AnswerRow.realm == realm),
            "closed_trades": await _count(connection, TradeOutcomeRow, TradeOutcomeRow.realm == realm),
            "last_decision": newest[0] if newest else None,
            "accounts": [dict(row) for row in gates.mappings()],
            "protections": await _standing(connection, realm),
            "armed": await _armed(connection, realm),
            "venue_resets": await venue_resets(connection, realm),
            "positions": [
                line
                for name in await _accounts(connection, realm)
                for line in await _positions(connection, realm, name)
            ],
            "unprotected": _plain(naked),
            "protection": _plain(waits),
            "open_orders": await _orders(connection, open_orders),
        }


async def _armed(connection: AsyncConnection, realm: str) -> list[dict[str, Any]]:
    """Accounts that a person let trade real money, and up to which capital."""
    names = ("account", "capital_usd", "since", "who", "reason")
    rows = await connection.execute(
        select(*(getattr(ArmingRow, name) for name in names))
        .where(ArmingRow.realm == realm, ArmingRow.ended_by.is_(None))
        .order_by(ArmingRow.account)
    )
    return [dict(row) for row in rows.mappings()]


async def _standing(connection: AsyncConnection, realm: str) -> list[dict[str, Any]]:
    """What breakers protect and nobody has lifted; one whose market time is over protects nothing any more."""
    names = ("account", "protection_id", "kind", "symbol", "since", "until", "reason")
    rows = await connection.execute(
        select(*(getattr(ProtectionRow, name) for name in names))
        .where(ProtectionRow.realm == realm, ProtectionRow.lifted_by.is_(None))
        .order_by(ProtectionRow.since.desc(), ProtectionRow.protection_id)
    )
    return [dict(row) for row in rows.mappings()]


async def run_summary(store: Store, realm: str) -> dict[str, Any]:
    """The numbers of one run, over all accounts of the realm.

    `days` is the span of the equity rows in whole days, rounded up; an abstention is a finished decision that was
    fused to `abstain` or never came to a fusion; equity adds the accounts at each time that any of them was marked.
    """
    async with store.database.read() as connection:
        rows = await connection.execute(
            select(EquityRow.account, EquityRow.as_of, EquityRow.equity_usd)
            .where(EquityRow.realm == realm)
            .order_by(EquityRow.as_of, EquityRow.account)
        )
        series = _summed(rows.all())
        start = await connection.execute(select(AccountRow.opening_equity_usd).where(AccountRow.realm == realm))
        abstained = and_(
            DecisionRow.realm == realm,
            DecisionRow.finished.is_(True),
            func.coalesce(DecisionRow.fusion_outcome, FusionOutcome.ABSTAIN.value) == FusionOutcome.ABSTAIN.value,
        )
        opening = sum(start.scalars(), ZERO)
        return {
            "days": _days(series),
            "decisions": await _count(connection, DecisionRow, DecisionRow.realm == realm),
            "abstentions": await _count(connection, DecisionRow, abstained),
            "orders": await _count(connection, OrderRow, OrderRow.realm == realm),
            "fills": await _count(connection, FillRow, FillRow.realm == realm),
            "model_calls": await _count(connection, AnswerRow, AnswerRow.realm == realm),
            "equity_start_usd": plain(opening),
            "equity_end_usd": plain(series[-1][1] if series else opening),
            "max_drawdown": plain(max_drawdown(equity for _at, equity in series)),
        }


async def models_used(store: Store, realm: str) -> tuple[ModelUse, ...]:
    """Every model that answered in the realm, by name, without cut-offs."""
    query = select(AnswerRow.model, AnswerRow.is_rule_based, func.count()).where(AnswerRow.realm == realm)
    grouped = query.group_by(AnswerRow.model, AnswerRow.is_rule_based).order_by(AnswerRow.model)
    async with store.database.read() as connection:
        rows = (await connection.execute(grouped)).all()
    return tuple(ModelUse(name=name, is_rule_based=rules, answers=count) for name, rules, count in rows)


def _summed(rows: Sequence[Row[str, datetime, Decimal]]) -> list[tuple[datetime, Decimal]]:
    newest: dict[str, Decimal] = {}
    series: dict[datetime, Decimal] = {}
    for account, as_of, equity in rows:
        newest[account] = equity
        series[as_of] = sum(newest.values(), ZERO)
    return list(series.items())


def _days(series: Sequence[tuple[datetime, Decimal]]) -> int:
    if not series:
        return 0
    span = series[-1][0] - series[0][0]
    return span.days + (1 if span.seconds or span.microseconds else 0)


def _action(fusion_outcome: str | None) -> str:
    return {FusionOutcome.OPEN.value: "buy", FusionOutcome.REDUCE.value: "sell"}.get(fusion_outcome or "", "hold")


def _plain(value: Any) -> Any:
    """`value` as JSON has it: the canonical forms of `trading.ids`, decimals without trailing zeros."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return json.loads(canonical_json(value)) if isinstance(value, datetime) else value


def _elapsed_ms(start: datetime, end: datetime | None) -> int | None:
    return None if end is None else round((end - start).total_seconds() * 1000)


async def _count(connection: AsyncConnection, table: type[Any], where: Any) -> int:
    return (await connection.execute(select(func.count()).select_from(table).where(where))).scalar_one()


async def _json_blob(connection: AsyncConnection, content_hash: str | None) -> Any:
    text = None if content_hash is None else await load_blob(connection, content_hash)
    return None if text is None else json.loads(text)


async def _accounts(connection: AsyncConnection, realm: str) -> list[str]:
    query = select(PositionRow.account).where(PositionRow.realm == realm).distinct()
    return sorted((await connection.execute(query)).scalars())


async def _positions(connection: AsyncConnection, realm: str, account: str) -> list[dict[str, Any]]:
    query = select(MarkRow.symbol, MarkRow.price).where(MarkRow.realm == realm, MarkRow.account == account)
    marks = dict((await connection.execute(query)).all())
    lines = []
    for held in await load_positions(connection, realm, account):
        if held.quantity:
            price = marks.get(held.symbol, held.last_price)
            values = held.model_dump(include={"account", "symbol", "quantity", "cost", "realised_pnl", "fees"})
            levels = {"average_price": held.average_price, "mark_price": price}
            worth = None if price is None else price * held.quantity
            lines.append(_plain(values | levels | {"notional_usd": worth, "since": held.lots[0].opened_at}))
    return lines


async def _orders(connection: AsyncConnection, where: Any) -> list[dict[str, Any]]:
    query = select(*(OrderRow.__table__.c[name] for name in ORDER_KEYS)).where(where)
    rows = (await connection.execute(query)).mappings().all()
    ordered = sorted(rows, key=lambda row: (row["as_of"], row["account"], row["symbol"], row["client_order_id"]))
    return [_plain(dict(row)) for row in ordered]


async def _ends(connection: AsyncConnection, realm: str, ids: list[str]) -> dict[str, dict[str, str]]:
    query = (
        select(AccountOutcomeRow.decision_id, AccountOutcomeRow.account, AccountOutcomeRow.outcome)
        .where(AccountOutcomeRow.realm == realm, AccountOutcomeRow.decision_id.in_(ids))
        .order_by(AccountOutcomeRow.decision_id, AccountOutcomeRow.place)
    )
    ends: dict[str, dict[str, str]] = {}
    for decision_id, account, outcome in await connection.execute(query):
        ends.setdefault(decision_id, {})[account] = outcome
    return ends


async def _calls(connection: AsyncConnection, realm: str, decision_id: str) -> list[Mapping[str, Any]]:
    columns = [column for column in AnswerRow.__table__.c if column.name not in {"realm", "decision_id"}]
    query = select(*columns).where(AnswerRow.realm == realm, AnswerRow.decision_id == decision_id)
    rows = (await connection.execute(query)).mappings().all()
    return sorted((dict(row) for row in rows), key=lambda call: (call["step"], call["role"], call["prompt_hash"]))


async def _proposals(connection: AsyncConnection, realm: str, decision_id: str) -> list[dict[str, Any]]:
    """Every verified answer, steps in order of name, with the model's own words where they were kept."""
    query = (
        select(VerificationRow.step, VerificationRow.role, VerificationRow.answer_hash, VerificationRow.stance)
        .where(VerificationRow.realm == realm, VerificationRow.decision_id == decision_id)
        .order_by(VerificationRow.role, VerificationRow.step)
    )
    proposals = []
    for step, role, answer_hash, stance in await connection.execute(query):
        answer = None if answer_hash is None else await load_blob(connection, answer_hash)
        proposals.append({"step": step, **json.loads(stance), "role": role, "answer": answer})
    return proposals


async def _findings(connection: AsyncConnection, realm: str, decision_id: str) -> list[dict[str, Any]]:
    columns = [column for column in FindingRow.__table__.c if column.name not in {"realm", "decision_id", "place"}]
    query = (
        select(*columns)
        .where(FindingRow.realm == realm, FindingRow.decision_id == decision_id)
        .order_by(FindingRow.role, FindingRow.step, FindingRow.place)
    )
    return [dict(row) for row in (await connection.execute(query)).mappings()]


async def _risk(connection: AsyncConnection, realm: str, decision_id: str) -> list[dict[str, Any]]:
    query = (
        select(GateAnswerRow.account, GateAnswerRow.answer)
        .where(GateAnswerRow.realm == realm, GateAnswerRow.decision_id == decision_id)
        .order_by(GateAnswerRow.account, GateAnswerRow.request_id)
    )
    return [{"account": account, **json.loads(answer)} for account, answer in await connection.execute(query)]


async def _trades(connection: AsyncConnection, realm: str, decision_id: str) -> list[dict[str, Any]]:
    columns = [column for column in TradeOutcomeRow.__table__.c if column.name not in {"realm", "decision_id"}]
    query = (
        select(*columns)
        .where(TradeOutcomeRow.realm == realm, TradeOutcomeRow.decision_id == decision_id)
        .order_by(TradeOutcomeRow.account, TradeOutcomeRow.symbol)
    )
    return [_plain(dict(row)) for row in (await connection.execute(query)).mappings()]
