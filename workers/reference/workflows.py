"""Workflows as Temporal knows them: signals, updates, queries, search attributes, queues and ids."""

from __future__ import annotations

from temporalio import workflow

from workers.reference.markdown import code, page, section, table
from workers.stack.temporal_admin import type_names
from workflows import names, periods
from workflows.registry import WORKFLOWS

_MEANING = {
    names.REALM.name: "the realm that everything belongs to",
    names.ACCOUNTS.name: "the accounts that share a decision",
    names.SYMBOL.name: "the symbol",
    names.ACTION.name: "what fusion came to: open, reduce, hold, no_trade, abstain",
    names.OUTCOME.name: "how it ended, a code of [codes](codes.md); for a guard profit or loss",
    names.PLAYBOOK.name: "the playbook version that decided",
    names.MODE.name: "an account's mode: auto, manual, defensive, halted",
    names.AS_OF.name: "the market time of a decision",
}


def workflows_page() -> str:
    attributes = [(code(name), kind, _MEANING[name]) for name, kind in type_names(names.SEARCH_ATTRIBUTES).items()]
    ids = (
        ("TradeDecision", names.decision_workflow("REALM", "DECISION_ID")),
        ("OrderExecution", names.execution_workflow("REALM", "CLIENT_ORDER_ID")),
        ("PositionGuard", names.guard_workflow("REALM", "ACCOUNT", "BASE/QUOTE")),
        ("AccountDesk", names.desk_workflow("REALM", "ACCOUNT")),
        ("DailyPlanning", periods.period_workflow("REALM", periods.PeriodKind.DAILY_PLANNING, "YYYY-MM-DD")),
        ("ReplayCampaign", names.campaign_workflow("REALM")),
    )
    roles = [role for role in names.QueueRole if role is not names.QueueRole.EXCHANGE]
    queues = [(role.value, code(names.task_queue("REALM", role))) for role in roles]
    queues.append((names.QueueRole.EXCHANGE.value, code(names.exchange_queue("REALM", "VENUE"))))
    return page(
        "Workflows, signals, updates, queries and search attributes",
        section("Search attributes", table(("name", "type", "meaning"), attributes)),
        section("Workflow ids", table(("workflow", "id"), [(name, code(one)) for name, one in ids])),
        section("Queues", "A worker role has the name of its queue.", table(("role", "queue"), queues)),
        *(_workflow(cls) for cls in WORKFLOWS),
    )


def _workflow(cls: type) -> str:
    known = workflow._Definition.must_from_class(cls)
    rows = [("signal", str(name), s.description or "") for name, s in known.signals.items() if name is not None]
    rows += [("update", str(name), u.description or "") for name, u in known.updates.items() if name is not None]
    rows += [("query", str(name), q.description or "") for name, q in known.queries.items() if name is not None]
    story = " ".join((cls.__doc__ or "").split())
    shown = [(kind, code(name), text) for kind, name, text in sorted(rows)]
    return section(known.name or cls.__name__, story, table(("kind", "name", "what it does"), shown))
