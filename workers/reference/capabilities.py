"""What Perennial is to do, in our own words, and where each capability stands: the module and the test that hold it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CapabilityState = Literal["built", "in part", "not built yet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One row. `module` and `test` are paths in this repository; both are empty only where nothing is built."""

    id: str
    what: str
    state: CapabilityState
    module: str = ""
    test: str = ""
    missing: str = ""


def _built(number: int, what: str, module: str, test: str) -> Capability:
    return Capability(id=f"C{number:02}", what=what, state="built", module=module, test=f"tests/{test}")


def _part(number: int, what: str, module: str, test: str, missing: str) -> Capability:
    return Capability(
        id=f"C{number:02}", what=what, state="in part", module=module, test=f"tests/{test}", missing=missing
    )


def _later(number: int, what: str) -> Capability:
    return Capability(id=f"C{number:02}", what=what, state="not built yet")


ROWS: tuple[Capability, ...] = (
    _part(
        1,
        "One decision as a durable pipeline: observe, recall, propose, verify, fuse, gate, execute, record, follow",
        "workflows/trade_decision.py",
        "sequences/test_trade_decision.py",
        "debate and approval",
    ),
    _built(
        2,
        "Two models answer the same question in parallel and check each other; one alone never opens",
        "trading/decision/fuse.py",
        "unit/test_fuse.py",
    ),
    _built(
        3,
        "Answers are verified by code: citations, values, arithmetic, prose, geometry, freshness",
        "trading/decision/verify.py",
        "unit/test_verify_corpus.py",
    ),
    _built(
        4,
        "Confidence with floors for the first trades, and smaller size at low certainty",
        "trading/risk/sanity.py",
        "unit/test_gate_limits.py",
    ),
    _part(
        5,
        "Views are weighted by each model's record in the regime",
        "trading/decision/credibility.py",
        "unit/test_fuse.py",
        "weights that evolve with the playbook",
    ),
    _later(6, "A debate in roles before large or disputed trades, stored and replayable"),
    _part(
        7,
        "Reasoning in four steps, each checked",
        "trading/decision/reading.py",
        "unit/test_verify_properties.py",
        "backtracking, quality score",
    ),
    _part(
        8,
        "Prompts carry recent decisions and the playbook's principles, each quoted by id",
        "trading/decision/prompts.py",
        "unit/test_prompts.py",
        "similar situations and lessons come with memory",
    ),
    _part(
        9,
        "A plan each morning for three accounts",
        "workflows/daily_planning.py",
        "sequences/test_daily_planning.py",
        "decisions started by its triggers, replanning within the day",
    ),
    _part(
        10,
        "A review each day: labels, lessons, biases, report",
        "trading/review/review.py",
        "unit/test_review_accounts.py",
        "the daily workflow that runs it, and the plan that takes its changes in",
    ),
    _part(
        11,
        "Evolution each week: ranking, counterfactuals, mutation, culling",
        "trading/evolution/counterfactual.py",
        "unit/test_evolution_pool.py",
        "the weekly workflow and its report",
    ),
    _part(
        12,
        "Reflection each month, with proposals that wait for approval",
        "trading/review/reflection.py",
        "unit/test_review_habits.py",
        "the monthly workflow and the approval of its proposals",
    ),
    _later(13, "Reflection on the reflection each quarter"),
    _built(
        14,
        "People approve, reject and change proposals, pause, halt and flatten accounts, teach, with who and why",
        "workflows/hands.py",
        "sequences/test_human_hands.py",
    ),
    _part(
        15,
        "Schedules for every period, listed and triggered by hand",
        "workers/schedules.py",
        "e2e/test_schedules.py",
        "only the sequences that are built are scheduled",
    ),
    _built(
        16,
        "A gate before every order: all limits apply, the smallest wins",
        "trading/risk/gate.py",
        "unit/test_gate_properties.py",
    ),
    _part(
        17,
        "Positions are watched while they are held",
        "workflows/position_guard.py",
        "sequences/test_position_guard.py",
        "value at risk, contingency plans",
    ),
    _built(
        18,
        "Execution quality after the trade",
        "trading/review/execution.py",
        "unit/test_review_judgement.py",
    ),
    _part(
        19, "Cash that no entry may touch", "trading/risk/money.py", "unit/test_gate_limits.py", "market-wide alarms"
    ),
    _part(
        20,
        "Losses and drawdowns stop entries, then the account",
        "trading/risk/desk.py",
        "unit/test_gate_limits.py",
        "the breaker on falls within minutes",
    ),
    _built(
        21,
        "Five risk regimes, each with its own caps; a worse one never gives more",
        "trading/policy/regimes.py",
        "unit/test_facts_snapshot.py",
    ),
    _part(
        22,
        "Stops no nearer than noise and no farther than policy allows",
        "trading/risk/levels.py",
        "unit/test_gate_limits.py",
        "limits that adapt to results",
    ),
    _later(23, "Rules that reviews add to the checkpoints of a decision"),
    _part(
        24,
        "Market, limit, post-only, stop, iceberg, TWAP and VWAP orders, each slice past the gate again",
        "trading/orders/slicing.py",
        "sequences/test_slices.py",
        "entries as slices of order lists",
    ),
    _part(
        25,
        "Collar, slippage and permit looked at right before each send; strategic delay inside an opportunity window",
        "trading/orders/sending.py",
        "unit/test_place_order.py",
        "learned times and venues, pace by the order book",
    ),
    _part(
        26,
        "A typed port to venues; every answer has one meaning; 451 is never retried",
        "activities/exchange/port.py",
        "unit/test_binance_answers.py",
        "a second venue, manual order guide",
    ),
    _part(
        27,
        "Orders on a simulated exchange through the real adapter",
        "workers/exchange_sim/exchange.py",
        "integration/test_ccxt.py",
        "paper against live data, promotion to live",
    ),
    _part(
        28,
        "Positions from fills, portfolio measures, concentration",
        "trading/portfolio.py",
        "unit/test_portfolio.py",
        "rebalancing",
    ),
    _part(
        29,
        "Profit and loss that adds up, compared with the venue",
        "trading/ledger/differences.py",
        "unit/test_ledger_differences.py",
        "a price stream as third source of an open position's worth",
    ),
    _part(
        30,
        "Recent decisions are remembered and recalled",
        "activities/store/recall.py",
        "integration/test_store_decisions.py",
        "retention",
    ),
    _later(31, "Performance over 7 and 30 days"),
    _later(32, "The market's state as a vector and as text"),
    _later(33, "Long-term memory with vector search"),
    _later(34, "Lessons: found, merged, tested, recalled"),
    _later(35, "Statistics of every strategy"),
    _later(36, "Market patterns with their statistics"),
    _later(37, "Kinds of memory with their own life"),
    _later(38, "Importance, promotion, forgetting"),
    _later(39, "Retrieval by several similarities"),
    _later(40, "A knowledge graph"),
    _later(41, "The flow from short to long memory"),
    _later(42, "A learner of stop and target distances"),
    _later(43, "Its checkpoints and modes"),
    _later(44, "Levels weighted by how well they held"),
    _later(45, "Trailing stops and targets that move"),
    _later(46, "Learned state that survives restarts unchanged"),
    _later(47, "Policies improved by simulated reward"),
    _later(48, "Retraining and drift"),
    _built(
        49,
        "Biases of the agent, measured",
        "trading/review/biases.py",
        "unit/test_review_habits.py",
    ),
    _part(
        50,
        "Strategies as data with one evaluator, ten presets, scores, a pool with its history",
        "trading/evolution/pool.py",
        "unit/test_evolution_pool.py",
        "the pool is not stored yet",
    ),
    _part(
        51,
        "Mutation: three variants a week, within bounds",
        "trading/evolution/vary.py",
        "unit/test_evolution_pool.py",
        "no workflow breeds yet",
    ),
    _part(
        52,
        "Crossover of two kinds, monthly",
        "trading/evolution/vary.py",
        "unit/test_evolution_pool.py",
        "no workflow breeds yet",
    ),
    _part(
        53,
        "Wild strategies, far from the pool",
        "trading/evolution/wild.py",
        "unit/test_evolution_pool.py",
        "no workflow breeds yet",
    ),
    _part(
        54,
        "Culling only on enough trades and days, by upper bounds; warnings before",
        "trading/evolution/cull.py",
        "unit/test_evolution_honesty.py",
        "no workflow culls yet",
    ),
    _part(
        55,
        "Walk-forward promotion with reasons, A/B test, rollback",
        "trading/evolution/promotion.py",
        "unit/test_evolution_honesty.py",
        "no workflow promotes yet",
    ),
    _later(56, "Weights of the debate's roles"),
    _part(
        57,
        "Measures of evolution and the slope of the learning curve",
        "trading/evolution/growth.py",
        "unit/test_evolution_pool.py",
        "not shown in a report yet",
    ),
    _part(
        58,
        "Three accounts in daily simulation",
        "trading/review/comparison.py",
        "unit/test_review_accounts.py",
        "the random baseline is an input of the report; plans by timeline",
    ),
    _part(
        59,
        "Purged windows, one holdout, Sharpe deflated by trials, random baseline, perturbed copies, validation twice",
        "trading/evolution/examine.py",
        "unit/test_evolution_honesty.py",
        "the daily comparison with a year ago is not run yet",
    ),
    _later(60, "Weekly stress drills"),
    _part(
        61,
        "Plans for week, month and quarter",
        "trading/planning/styles.py",
        "unit/test_planning.py",
        "a day's targets adapt to regime and yesterday; no plans of longer periods",
    ),
    _part(
        62,
        "Opportunities and risk windows ahead",
        "trading/planning/windows.py",
        "unit/test_planning.py",
        "windows from calendar and regime only, no news or events",
    ),
    _part(
        63,
        "Closed candles, quotes and book top",
        "activities/market/binance.py",
        "integration/test_market_binance.py",
        "streams; the watch list is part of a day's plan",
    ),
    _built(
        64,
        "Sources rated together, left within five seconds, checked every hour; candles kept for seven days",
        "activities/market/failover.py",
        "integration/test_market_memory.py",
    ),
    _later(65, "Sentiment, news and events"),
    _part(
        66,
        "Anomalies of price, volume and regime",
        "trading/watching/anomalies.py",
        "unit/test_watching.py",
        "macro anomalies",
    ),
    _built(
        67,
        "Indicators and structure as facts, each known at its time",
        "trading/facts/snapshot.py",
        "unit/test_facts_indicators.py",
    ),
    _later(68, "Heartbeat and reconnection of streams"),
    _part(69, "Market profiles with zone and sessions", "config/markets.py", "unit/test_settings.py", "equities"),
    _part(
        70,
        "Every decision is kept with facts, prompts, answers and orders",
        "activities/store/decisions.py",
        "integration/test_store_decisions.py",
        "statistics over records",
    ),
    _built(
        71,
        "Records are written once, in transactions, by any number of processes",
        "activities/store/journal.py",
        "integration/test_store_durability.py",
    ),
    _part(
        72,
        "Several accounts share a decision, each with its own gate and orders",
        "workflows/trade_decision.py",
        "sequences/test_trade_decision.py",
        "distribution and groups",
    ),
    _part(
        73,
        "Providers as rows, one taxonomy of failures, tokens and cost counted, answers never paid twice",
        "activities/models/calls.py",
        "unit/test_models_calls.py",
        "a budget by period",
    ),
    _later(74, "Embeddings"),
    _built(
        75,
        "One schema with migrations on SQLite and PostgreSQL",
        "activities/store/migrate.py",
        "integration/test_store_durability.py",
    ),
    _built(
        76,
        "Typed settings; stray names are reported and change nothing",
        "config/settings.py",
        "unit/test_settings.py",
    ),
    _part(
        77,
        "Probes of each worker, and one look over machine and servers",
        "workers/doctor/examine.py",
        "unit/test_doctor_checks.py",
        "the running health monitor",
    ),
    _later(78, "Alerts"),
    _part(
        79,
        "JSON logs with ids, metrics through the SDK",
        "config/logs.py",
        "unit/test_settings_logs.py",
        "exporters, traces, dashboards",
    ),
    _part(
        80,
        "Each change of an account's mode and each permit leaves a row",
        "activities/store/accounts.py",
        "integration/test_store_ledger.py",
        "audit report",
    ),
    _part(
        81,
        "Payloads sealed with AES-256-GCM where a key is set; secrets never shown",
        "workers/runtime/codec.py",
        "unit/test_settings.py",
        "roles and tokens come with the console",
    ),
    _later(82, "Backups"),
    _part(
        83,
        "Records as JSON through verbs, and Temporal queries",
        "activities/store/reading.py",
        "integration/test_store_decisions.py",
        "routes",
    ),
    _later(84, "Console pages"),
    _part(85, "Benchmarks that print what they measured", "Makefile", "benchmarks/test_bench_stack.py", "grades"),
    _part(
        86, "A local stack in one command", "workers/stack/stack.py", "unit/test_stack_keeper.py", "image and cluster"
    ),
    _built(
        87, "Unit, property, integration tests; strict types; documents that run", "Makefile", "e2e/test_documents.py"
    ),
    _later(88, "Gates before going live"),
    _later(89, "Custom factors, attribution, swarms and other later wishes"),
)
