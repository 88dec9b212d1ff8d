"""The ground: decisions, model calls, orders, fills, positions, accounts, plans, reports, blobs, audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from activities.store.columns import Exact, UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_outcomes",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("permit_id", sa.Text(), nullable=True),
        sa.Column("notional_usd", Exact(), nullable=True),
        sa.Column("client_order_ids", sa.Text(), nullable=False),
        sa.Column("execution_ids", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "decision_id", "account", name=op.f("pk_account_outcomes")),
    )
    op.create_table(
        "accounts",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("ledger", sa.Text(), nullable=False),
        sa.Column("opened_as_of", UtcTime(), nullable=False),
        sa.Column("opening_equity_usd", Exact(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "account", name=op.f("pk_accounts")),
    )
    op.create_table(
        "audit",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "entry_id", name=op.f("pk_audit")),
    )
    op.create_table(
        "balances",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("opening", Exact(), nullable=False),
        sa.Column("flows", Exact(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "account", "asset", name=op.f("pk_balances")),
    )
    op.create_table(
        "blobs",
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("content_hash", name=op.f("pk_blobs")),
    )
    op.create_table(
        "decisions",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("ledger", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("as_of", UtcTime(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("accounts", sa.Text(), nullable=False),
        sa.Column("playbook_version", sa.Text(), nullable=False),
        sa.Column("plan_period", sa.Text(), nullable=True),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.Column("recall_hash", sa.Text(), nullable=True),
        sa.Column("snapshot_hash", sa.Text(), nullable=True),
        sa.Column("trend_regime", sa.Text(), nullable=True),
        sa.Column("risk_regime", sa.Text(), nullable=True),
        sa.Column("fusion_outcome", sa.Text(), nullable=True),
        sa.Column("fusion", sa.Text(), nullable=True),
        sa.Column("opened_at", UtcTime(), nullable=False),
        sa.Column("finished_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("realm", "decision_id", name=op.f("pk_decisions")),
    )
    op.create_index(op.f("ix_decisions_realm_as_of"), "decisions", ["realm", "as_of"], unique=False)
    op.create_index(
        op.f("ix_decisions_realm_symbol_trend_regime_as_of"),
        "decisions",
        ["realm", "symbol", "trend_regime", "as_of"],
        unique=False,
    )
    op.create_index(
        op.f("ix_decisions_realm_trend_regime_as_of"), "decisions", ["realm", "trend_regime", "as_of"], unique=False
    )
    op.create_table(
        "equity",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("as_of", UtcTime(), nullable=False),
        sa.Column("equity_usd", Exact(), nullable=False),
        sa.Column("cash_usd", Exact(), nullable=False),
        sa.Column("peak_equity_usd", Exact(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "account", "as_of", name=op.f("pk_equity")),
    )
    op.create_table(
        "gate_answers",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("binding", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "decision_id", "account", "request_id", name=op.f("pk_gate_answers")),
    )
    op.create_table(
        "market_candles",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("newest_close", UtcTime(), nullable=False),
        sa.Column("candles", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("venue", "symbol", "timeframe", name=op.f("pk_market_candles")),
    )
    op.create_table(
        "market_sources",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("score", Exact(), nullable=False),
        sa.Column("answers", sa.Text(), nullable=False),
        sa.Column("last", sa.Text(), nullable=False),
        sa.Column("judged_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("venue", "name", name=op.f("pk_market_sources")),
    )
    op.create_table(
        "marks",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("price", Exact(), nullable=False),
        sa.Column("as_of", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "account", "symbol", name=op.f("pk_marks")),
    )
    op.create_table(
        "model_calls",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("is_rule_based", sa.Boolean(), nullable=False),
        sa.Column("answer_hash", sa.Text(), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("cost_usd", Exact(), nullable=False),
        sa.Column("latency_ms", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("finished_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "decision_id", "step", "model", "prompt_hash", name=op.f("pk_model_calls")),
    )
    op.create_table(
        "orders",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("ledger", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("leg", sa.Text(), nullable=False),
        sa.Column("slice_number", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("quantity", Exact(), nullable=False),
        sa.Column("time_in_force", sa.Text(), nullable=True),
        sa.Column("price", Exact(), nullable=True),
        sa.Column("stop_price", Exact(), nullable=True),
        sa.Column("as_of", UtcTime(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("permit_id", sa.Text(), nullable=True),
        sa.Column("expected_price", Exact(), nullable=True),
        sa.Column("valid_until", UtcTime(), nullable=True),
        sa.Column("collar_low", Exact(), nullable=True),
        sa.Column("collar_high", Exact(), nullable=True),
        sa.Column("worst_price", Exact(), nullable=True),
        sa.Column("stale_observation_s", sa.Integer(), nullable=True),
        sa.Column("gate_holds_s", sa.Integer(), nullable=True),
        sa.Column("iceberg_quantity", Exact(), nullable=True),
        sa.Column("led_by", sa.Text(), nullable=True),
        sa.Column("beside", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("venue_order_id", sa.Text(), nullable=True),
        sa.Column("venue_executed_quantity", Exact(), nullable=False),
        sa.Column("executed_quantity", Exact(), nullable=False),
        sa.Column("executed_quote", Exact(), nullable=False),
        sa.Column("commission_base", Exact(), nullable=False),
        sa.Column("commission_quote", Exact(), nullable=False),
        sa.Column("observed_at", UtcTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("prepared", sa.Text(), nullable=False),
        sa.Column("intended_at", UtcTime(), nullable=False),
        sa.Column("closed_with", sa.Text(), nullable=True),
        sa.Column("accepted_at", UtcTime(), nullable=True),
        sa.Column("unprotected_s", Exact(), nullable=True),
        sa.PrimaryKeyConstraint("realm", "account", "client_order_id", name=op.f("pk_orders")),
    )
    op.create_index(op.f("ix_orders_realm_account_symbol"), "orders", ["realm", "account", "symbol"], unique=False)
    op.create_index(op.f("ix_orders_realm_decision_id"), "orders", ["realm", "decision_id"], unique=False)
    op.create_index(op.f("ix_orders_realm_status"), "orders", ["realm", "status"], unique=False)
    op.create_table(
        "outcomes",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("pnl_usd", Exact(), nullable=False),
        sa.Column("return_fraction", Exact(), nullable=False),
        sa.Column("exit_reason", sa.Text(), nullable=False),
        sa.Column("closed_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "account", "symbol", "decision_id", name=op.f("pk_outcomes")),
    )
    op.create_index(op.f("ix_outcomes_realm_closed_at"), "outcomes", ["realm", "closed_at"], unique=False)
    op.create_index(op.f("ix_outcomes_realm_decision_id"), "outcomes", ["realm", "decision_id"], unique=False)
    op.create_table(
        "plans",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("as_of", UtcTime(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "account", "period", name=op.f("pk_plans")),
    )
    op.create_table(
        "positions",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("quantity", Exact(), nullable=False),
        sa.Column("cost", Exact(), nullable=False),
        sa.Column("realised_pnl", Exact(), nullable=False),
        sa.Column("fifo_pnl", Exact(), nullable=False),
        sa.Column("fees", Exact(), nullable=False),
        sa.Column("fills", sa.Integer(), nullable=False),
        sa.Column("lots", sa.Text(), nullable=False),
        sa.Column("unvalued_fees", sa.Text(), nullable=False),
        sa.Column("last_trade_id", sa.Text(), nullable=True),
        sa.Column("last_price", Exact(), nullable=True),
        sa.Column("last_fill_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("realm", "account", "symbol", name=op.f("pk_positions")),
    )
    op.create_table(
        "reports",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("as_of", UtcTime(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "kind", "account", "period", name=op.f("pk_reports")),
    )
    op.create_table(
        "stances",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=True),
        sa.Column("win_probability", Exact(), nullable=False),
        sa.Column("stance", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "decision_id", "role", name=op.f("pk_stances")),
    )
    op.create_table(
        "verifications",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("answer_hash", sa.Text(), nullable=True),
        sa.Column("stance", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "decision_id", "step", "role", name=op.f("pk_verifications")),
    )
    op.create_table(
        "fills",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("venue_order_id", sa.Text(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("price", Exact(), nullable=False),
        sa.Column("quantity", Exact(), nullable=False),
        sa.Column("commission", Exact(), nullable=False),
        sa.Column("commission_asset", sa.Text(), nullable=False),
        sa.Column("is_maker", sa.Boolean(), nullable=False),
        sa.Column("filled_at", UtcTime(), nullable=False),
        sa.Column("closed_with", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["realm", "account", "client_order_id"],
            ["orders.realm", "orders.account", "orders.client_order_id"],
            name=op.f("fk_fills_orders"),
        ),
        sa.PrimaryKeyConstraint("realm", "account", "symbol", "trade_id", name=op.f("pk_fills")),
    )
    op.create_index(
        op.f("ix_fills_realm_account_client_order_id"), "fills", ["realm", "account", "client_order_id"], unique=False
    )
    op.create_table(
        "findings",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["realm", "decision_id", "step", "role"],
            ["verifications.realm", "verifications.decision_id", "verifications.step", "verifications.role"],
            name=op.f("fk_findings_verifications"),
        ),
        sa.PrimaryKeyConstraint("realm", "decision_id", "step", "role", "place", name=op.f("pk_findings")),
    )
    op.create_table(
        "gates",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("written_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["realm", "account"], ["accounts.realm", "accounts.account"], name=op.f("fk_gates_accounts")
        ),
        sa.PrimaryKeyConstraint("realm", "account", name=op.f("pk_gates")),
    )
    op.create_table(
        "lessons",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("memory_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("lesson_id", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("regime", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("lesson", sa.Text(), nullable=False),
        sa.Column("as_of", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "memory_id", name=op.f("pk_lessons")),
    )
    op.create_index(
        op.f("ix_lessons_realm_account_symbol_as_of"), "lessons", ["realm", "account", "symbol", "as_of"], unique=False
    )
    op.create_table(
        "experiences",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("memory_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("is_lesson", sa.Boolean(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("weight", Exact(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("as_of", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "memory_id", name=op.f("pk_experiences")),
    )
    op.create_index(
        op.f("ix_experiences_realm_account_as_of"), "experiences", ["realm", "account", "as_of"], unique=False
    )
    op.create_table(
        "protections",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("protection_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=True),
        sa.Column("since", UtcTime(), nullable=False),
        sa.Column("until", UtcTime(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.Column("lifted_because", sa.Text(), nullable=True),
        sa.Column("lifted_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["realm", "account"], ["accounts.realm", "accounts.account"], name=op.f("fk_protections_accounts")
        ),
        sa.PrimaryKeyConstraint("realm", "account", "protection_id", name=op.f("pk_protections")),
    )
    op.create_table(
        "entry_plans",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("ended_because", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("realm", "account", "client_order_id", name=op.f("pk_entry_plans")),
    )
    op.create_table(
        "promises",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("permit_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("notional_usd", Exact(), nullable=False),
        sa.Column("holds_until", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["realm", "account"], ["accounts.realm", "accounts.account"], name=op.f("fk_promises_accounts")
        ),
        sa.PrimaryKeyConstraint("realm", "account", "permit_id", name=op.f("pk_promises")),
    )
    op.create_table(
        "ledger_closings",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("seen_at", UtcTime(), nullable=False),
        sa.Column("closed_as", sa.Text(), nullable=False),
        sa.Column("closed_by_look", UtcTime(), nullable=True),
        sa.Column("closed_at", UtcTime(), nullable=True),
        sa.Column("equity_usd", Exact(), nullable=True),
        sa.Column("opened_with_usd", Exact(), nullable=True),
        sa.Column("symbols", sa.Text(), nullable=False),
        sa.Column("executions", sa.Text(), nullable=False),
        sa.Column("books", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["realm", "account"], ["accounts.realm", "accounts.account"], name=op.f("fk_ledger_closings_accounts")
        ),
        sa.PrimaryKeyConstraint("realm", "account", "seen_at", name=op.f("pk_ledger_closings")),
    )
    op.create_table(
        "armings",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("arming_id", sa.Text(), nullable=False),
        sa.Column("capital_usd", Exact(), nullable=False),
        sa.Column("offset_usd", Exact(), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_because", sa.Text(), nullable=True),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["realm", "account"], ["accounts.realm", "accounts.account"], name=op.f("fk_armings_accounts")
        ),
        sa.PrimaryKeyConstraint("realm", "account", "arming_id", name=op.f("pk_armings")),
    )
    op.create_table(
        "playbooks",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_from", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("replaced", sa.Text(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "version", name=op.f("pk_playbooks")),
    )
    op.create_table(
        "revisions",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("version_before", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("activated", sa.Boolean(), nullable=False),
        sa.Column("waits_for", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "operation_id", name=op.f("pk_revisions")),
    )
    op.create_table(
        "pool_entries",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("budget_factor", Exact(), nullable=False),
        sa.Column("born_at", UtcTime(), nullable=False),
        sa.Column("lineage", sa.Text(), nullable=False),
        sa.Column("weekly_scores", sa.Text(), nullable=False),
        sa.Column("genes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "strategy", name=op.f("pk_pool_entries")),
    )
    op.create_table(
        "pool_events",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("lineage", sa.Text(), nullable=True),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "number", name=op.f("pk_pool_events")),
    )
    op.create_index(op.f("ix_pool_events_realm_strategy"), "pool_events", ["realm", "strategy"], unique=False)
    op.create_table(
        "holdouts",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("starts_at", UtcTime(), nullable=False),
        sa.Column("ends_at", UtcTime(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "strategy", "starts_at", name=op.f("pk_holdouts")),
    )
    op.create_table(
        "strategy_weeks",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("starts_at", UtcTime(), nullable=False),
        sa.Column("ends_at", UtcTime(), nullable=False),
        sa.Column("trades", sa.Integer(), nullable=False),
        sa.Column("wins", sa.Integer(), nullable=False),
        sa.Column("return_fraction", Exact(), nullable=False),
        sa.Column("score", Exact(), nullable=True),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("pending", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "strategy", "period", "starts_at", name=op.f("pk_strategy_weeks")),
    )
    op.create_table(
        "examinations",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("trials", sa.Integer(), nullable=False),
        sa.Column("windows", sa.Integer(), nullable=False),
        sa.Column("unseen_trades", sa.Integer(), nullable=False),
        sa.Column("unseen_expectancy", Exact(), nullable=True),
        sa.Column("baseline_percentile", Exact(), nullable=True),
        sa.Column("holdout_shown", sa.Boolean(), nullable=False),
        sa.Column("taken_in", sa.Boolean(), nullable=False),
        sa.Column("promoted", sa.Boolean(), nullable=False),
        sa.Column("against", sa.Text(), nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "strategy", "period", name=op.f("pk_examinations")),
    )
    op.create_table(
        "evolutions",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("as_of", UtcTime(), nullable=False),
        sa.Column("report_hash", sa.Text(), nullable=False),
        sa.Column("pool_version", sa.Text(), nullable=False),
        sa.Column("playbook_hash", sa.Text(), nullable=False),
        sa.Column("trials", sa.Integer(), nullable=False),
        sa.Column("story", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "period", name=op.f("pk_evolutions")),
    )
    op.create_table(
        "proposals",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("proposal_id", sa.Text(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("as_of", UtcTime(), nullable=False),
        sa.Column("proposal", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("operation_id", sa.Text(), nullable=True),
        sa.Column("answered_with", sa.Text(), nullable=True),
        sa.Column("playbook_version", sa.Text(), nullable=True),
        sa.Column("answered_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("realm", "proposal_id", name=op.f("pk_proposals")),
    )
    op.create_index(op.f("ix_proposals_realm_status"), "proposals", ["realm", "status"], unique=False)


def downgrade() -> None:
    op.drop_table("pool_entries")
    op.drop_index(op.f("ix_pool_events_realm_strategy"), table_name="pool_events")
    op.drop_table("pool_events")
    op.drop_table("holdouts")
    op.drop_table("strategy_weeks")
    op.drop_table("examinations")
    op.drop_table("evolutions")
    op.drop_index(op.f("ix_proposals_realm_status"), table_name="proposals")
    op.drop_table("proposals")
    op.drop_table("revisions")
    op.drop_table("playbooks")
    op.drop_index(op.f("ix_experiences_realm_account_as_of"), table_name="experiences")
    op.drop_table("experiences")
    op.drop_index(op.f("ix_lessons_realm_account_symbol_as_of"), table_name="lessons")
    op.drop_table("lessons")
    op.drop_table("promises")
    op.drop_table("entry_plans")
    op.drop_table("armings")
    op.drop_table("protections")
    op.drop_table("gates")
    op.drop_table("findings")
    op.drop_index(op.f("ix_fills_realm_account_client_order_id"), table_name="fills")
    op.drop_table("fills")
    op.drop_table("verifications")
    op.drop_table("stances")
    op.drop_table("reports")
    op.drop_table("positions")
    op.drop_table("plans")
    op.drop_index(op.f("ix_outcomes_realm_decision_id"), table_name="outcomes")
    op.drop_index(op.f("ix_outcomes_realm_closed_at"), table_name="outcomes")
    op.drop_table("outcomes")
    op.drop_index(op.f("ix_orders_realm_status"), table_name="orders")
    op.drop_index(op.f("ix_orders_realm_decision_id"), table_name="orders")
    op.drop_index(op.f("ix_orders_realm_account_symbol"), table_name="orders")
    op.drop_table("orders")
    op.drop_table("model_calls")
    op.drop_table("marks")
    op.drop_table("market_sources")
    op.drop_table("market_candles")
    op.drop_table("gate_answers")
    op.drop_table("equity")
    op.drop_index(op.f("ix_decisions_realm_trend_regime_as_of"), table_name="decisions")
    op.drop_index(op.f("ix_decisions_realm_symbol_trend_regime_as_of"), table_name="decisions")
    op.drop_index(op.f("ix_decisions_realm_as_of"), table_name="decisions")
    op.drop_table("decisions")
    op.drop_table("blobs")
    op.drop_table("balances")
    op.drop_table("audit")
    op.drop_table("accounts")
    op.drop_table("account_outcomes")
