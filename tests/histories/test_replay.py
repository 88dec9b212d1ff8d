"""Recorded histories replay on today's workflows; inputs, limits and results, which replay ignores, are held here."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from fakes.history_reader import Recorded, read_history
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from workers.runtime.plugin import perennial_plugin
from workflows.registry import WORKFLOWS

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.json"))

OBSERVED = ("open_decision", "observe_market", "recall")
ASKED = (*OBSERVED, "propose", "propose", "verify", "verify", "fuse")
CORRECTED = (*OBSERVED, *["propose"] * 4, *["verify"] * 4, "fuse")
GATED = ("position_view", "quote", "ask", "record_gate", "finish_decision")

CALLS = {
    "month-asking": ("reflect",),
    "month-tightened": ("reflect", "revise_playbook"),
    "proposals-answered": ("rule_on", "rule_on"),
    "quarter-in-a-campaign": ("reflect", "rule_on"),
    "proposals-expired": ("rule_on",),
    "review-again": ("day_state",),
    "review-tightened": ("day_state", "review_day", "revise_playbook"),
    "review-traded-day": ("day_state", "review_day"),
    "review-with-closes": ("day_state", "load_closes", "review_day"),
    "evolution-again": ("evolution_state", "revise_strategies"),
    "evolution-one-week": ("evolution_state", "evolve", "revise_strategies"),
    "planning-two-symbols": ("survey_market", "period_state", "observe_markets", "make_plan"),
    "campaign-two-days": None,
    "watch-session": ("watchlist", "watchlist"),
    "watch-replan": ("watchlist", "watchlist", "off_course", "watchlist"),
    "watch-crash": ("watchlist",),
    "maintenance-hour": ("value_accounts", "reconcile", "check_sources"),
    "decision-abstained": (*CORRECTED, "finish_decision"),
    "decision-corrected": (*CORRECTED, *GATED),
    "decision-held": (*ASKED, "finish_decision"),
    "decision-modified": (
        *(*ASKED, "position_view", "quote", "policy"),
        *("check_levels", "record_hand", "quote", "position_view", "observe_market"),
        *("ask", "record_gate", "finish_decision"),
    ),
    "decision-opened": (*ASKED, *GATED),
    "decision-reduced": (*ASKED, *GATED),
    "decision-refused": (*ASKED, *GATED),
    "desk-defends": None,
    "desk-hands": (
        *("policy", "load_exposure"),
        *("write_gate", "record_hand") * 3,
        *("load_exposure", "record_hand"),
    ),
    "desk-reserve-and-halt": (
        "policy",
        "load_exposure",
        "load_exposure",
        "load_exposure",
        "write_gate",
        "load_exposure",
    ),
    "execution-expired": ("position_view", "place_order", "cancel_order"),
    "execution-filled": ("position_view", "place_order", "sync_order"),
    "execution-refused": ("position_view", "place_order"),
    "guard-flatten": (
        *("quote", "place_order"),
        *("withdraw_order", "place_order", "sync_order", "record_outcome"),
    ),
    "guard-market-closed": (
        *("quote", "place_order"),
        *("withdraw_order",) * 4,
        *("place_order", "sync_order", "record_outcome"),
    ),
    "guard-stop": ("quote", "place_order", "sync_order", "record_outcome"),
    "guard-target": (
        *("quote", "place_order"),
        *("withdraw_order", "place_order", "sync_order", "record_outcome"),
    ),
    "guard-list-target": ("sync_order", "sync_order", "record_outcome"),
    "guard-time-exit": (
        *("quote", "place_order"),
        *("withdraw_order", "place_order", "sync_order", "record_outcome"),
    ),
}
"""Each path's calls in order. The two models think side by side: their questions and checks are listed apart."""

STORED = {"startToCloseTimeout": "20s", "heartbeatTimeout": "2s"}
KEPT = ("write_gate", "record_hand", "keep_protection", "lift_protection", "rule_on", "record_gate", "finish_decision")
READ = ("policy", "load_exposure", "check_levels", "position_view")

LIMITS = {
    **dict.fromkeys((*KEPT, *READ), STORED),
    "reflect": {"startToCloseTimeout": "120s"},
    "observe_market": {"startToCloseTimeout": "40s", "heartbeatTimeout": "2s"},
    "observe_markets": {"startToCloseTimeout": "240s", "heartbeatTimeout": "2s"},
    "load_closes": {"startToCloseTimeout": "40s", "heartbeatTimeout": "2s"},
    "survey_market": {"startToCloseTimeout": "40s", "heartbeatTimeout": "2s"},
    "propose": {"startToCloseTimeout": "75s", "heartbeatTimeout": "5s"},
    "quote": {"startToCloseTimeout": "20s", "heartbeatTimeout": "2s"},
    "ask": {"startToCloseTimeout": "7s"},
    "place_order": {"startToCloseTimeout": "150s", "heartbeatTimeout": "2s"},
    "cancel_order": {"startToCloseTimeout": "60s", "heartbeatTimeout": "2s"},
    "withdraw_order": {"startToCloseTimeout": "60s", "heartbeatTimeout": "2s"},
    "sync_order": {"startToCloseTimeout": "30s", "heartbeatTimeout": "2s"},
    "reconcile": {"startToCloseTimeout": "300s", "heartbeatTimeout": "2s"},
    "value_accounts": {"startToCloseTimeout": "120s", "heartbeatTimeout": "2s"},
    "check_sources": {"startToCloseTimeout": "60s", "heartbeatTimeout": "2s"},
    "evolve": {"startToCloseTimeout": "1800s", "heartbeatTimeout": "10s"},
}
"""Of calls in a campaign or under a coordinator: none has a deadline over all attempts, so time decides nothing."""

LIVE = {"decision-modified", "maintenance-hour"}
"""Recorded in real time, where what asks the market or a model has a deadline over all attempts."""

LIVE_LIMITS = {
    "observe_market": {"scheduleToCloseTimeout": "120s"},
    "propose": {"scheduleToCloseTimeout": "300s"},
    "value_accounts": {"scheduleToCloseTimeout": "300s"},
    "check_sources": {"scheduleToCloseTimeout": "120s"},
}

ROOMS = {
    **dict.fromkeys((*KEPT, *READ), "decisions"),
    "reflect": "decisions",
    "observe_market": "market",
    "observe_markets": "market",
    "load_closes": "market",
    "survey_market": "market",
    "evolve": "compute",
    "propose": "models",
    "ask": "calls",
    **dict.fromkeys(("quote", "place_order", "cancel_order", "withdraw_order", "sync_order"), "exchange-simulated"),
    "reconcile": "exchange-simulated",
    "value_accounts": "exchange-simulated",
    "check_sources": "market",
}


def recorded(name: str) -> Recorded:
    return read_history(HERE / f"{name}.json")


def test_every_path_is_recorded() -> None:
    assert {path.stem for path in FILES} == set(CALLS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    history = recorded(path.stem)
    replayer = Replayer(workflows=WORKFLOWS, plugins=[perennial_plugin()])
    replayed = await replayer.replay_workflow(
        WorkflowHistory.from_json(history.workflow_id, history.text), raise_on_replay_failure=False
    )
    assert replayed.replay_failure is None


@pytest.mark.parametrize(("name", "calls"), [(name, calls) for name, calls in CALLS.items() if calls is not None])
def test_calls_come_in_their_order(name: str, calls: tuple[str, ...]) -> None:
    assert _models_apart(recorded(name).order) == calls


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_call_has_its_limits_and_its_room(path: Path) -> None:
    history = recorded(path.stem)
    realm = history.workflow_id.partition("/")[0]
    for call in history.calls:
        if call.queue:
            more = LIVE_LIMITS.get(call.name, {}) if path.stem in LIVE else {}
            assert call.timeouts == LIMITS[call.name] | more, call.name
            assert call.queue == f"{realm}/{ROOMS[call.name]}", call.name
        assert not call.failure


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_history_is_small_and_names_no_machine(path: Path) -> None:
    text = path.read_text()
    assert len(text) < 400_000
    assert "stackTrace" not in text
    assert max(map(len, text.splitlines())) < 40_000, "no big text travels through a history"
    assert not any(place in text for place in ("/home/", "/root/", "/tmp/", "/Users/", "/work/"))


@pytest.mark.parametrize(
    ("name", "outcome", "reasons"),
    [
        ("decision-held", "held", ["agree_to_hold"]),
        ("decision-opened", "opened", []),
        ("decision-corrected", "opened", []),
        ("decision-modified", "opened", []),
        ("decision-reduced", "reduced", []),
        ("decision-abstained", "abstained_models", ["both_abstain"]),
        ("decision-refused", "refused_by_gate", ["halted"]),
    ],
)
def test_decisions_end_as_they_did(name: str, outcome: str, reasons: list[str]) -> None:
    (ended,) = recorded(name).result["summary"]["outcomes"]
    assert (ended["outcome"], ended["reasons"]) == (outcome, reasons)


def test_a_decision_passes_the_numbers_of_its_models_on_to_the_gate() -> None:
    history = recorded("decision-opened")
    (ask,) = history.the("ask")
    wish = ask.given["body"]
    assert (wish["opens"], Decimal(wish["size_fraction"])) == (True, Decimal("0.05"))
    assert (Decimal(wish["price"]), Decimal(wish["stop_price"])) == (Decimal("7000.70"), Decimal(6790))
    assert ask.given["request_id"] == wish["request_id"]
    permit = ask.result["body"]["permit"]
    assert round(Decimal(permit["notional_usd"])) == 3323, "a thousandth of equity is at risk at the stop"
    assert ask.result["body"]["binding"] == "risk_budget_cap"
    (placed,) = [value for name, value in history.signals_heard if name == "placed"]
    assert placed["report"]["status"] == "NEW"
    assert [call.given["role"] for call in history.the("propose")] == ["primary", "secondary"]


def test_a_correction_names_the_answer_it_corrects() -> None:
    asked = [call.given for call in recorded("decision-corrected").the("propose")]
    first = {call.given["role"]: call.result for call in recorded("decision-corrected").the("propose")[:2]}
    assert Counter(given["step"] for given in asked) == {"proposal": 2, "correction": 2}
    for given in asked[2:]:
        assert given["correction_of"] == first[given["role"]]["answer_hash"]


def test_a_reduction_asks_the_guard_and_opens_nothing() -> None:
    history = recorded("decision-reduced")
    assert history.children == ()
    ((name, wish),) = history.signals_sent
    assert (name, wish["reason"]) == ("reduce", "decision")
    assert Decimal("0.23") < Decimal(wish["quantity"]) < Decimal("0.24"), "half of what 3323 USD bought"


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [
        ("execution-filled", "FILLED", ["expect", "filled", "placed", "settled", "filled", "settled", "settle"]),
        ("execution-expired", "CANCELED", ["expect", "filled", "placed", "settled", "filled", "settled", "settle"]),
        ("execution-refused", "REFUSED", ["expect", "filled", "placed", "settle"]),
    ],
)
def test_an_execution_arms_the_guard_first_and_settles_last(name: str, status: str, told: list[str]) -> None:
    history = recorded(name)
    assert history.children == ("PositionGuard",)
    assert [signal for signal, _ in history.signals_sent] == told
    assert history.result["status"] == status
    (send,) = history.the("place_order")
    assert Decimal(send.given["quantity"]) == Decimal("0.4746084480294827660091133743")
    assert send.given["client_order_id"] == history.workflow_id.rpartition("/")[2]
    assert history.text.index("startChildWorkflowExecutionInitiated") < history.text.index("activityTaskScheduled")


def test_fills_are_counted_net_of_commission() -> None:
    result = recorded("execution-filled").result
    assert Decimal(result["executed_quantity"]) == Decimal("0.4746")
    assert Decimal(result["commission_base"]) == Decimal("0.0004746")


@pytest.mark.parametrize(
    ("name", "legs"),
    [
        ("guard-flatten", ["stop", "flatten"]),
        ("guard-market-closed", ["stop", "flatten"]),
        ("guard-stop", ["stop"]),
        ("guard-target", ["stop", "target"]),
        ("guard-time-exit", ["stop", "exit"]),
    ],
)
def test_a_guard_protects_first_and_sells_what_it_protected(name: str, legs: list[str]) -> None:
    history = recorded(name)
    orders = [call.given for call in history.the("place_order")]
    assert [order["leg"] for order in orders] == legs
    assert {order["side"] for order in orders} == {"SELL"}
    assert {Decimal(order["quantity"]) for order in orders} == {Decimal("0.47412")}
    assert [order["revision"] for order in orders] == list(range(len(orders)))
    assert len({order["client_order_id"] for order in orders}) == len(orders)
    if len(orders) > 1:
        *kept, cancel = history.the("withdraw_order")
        assert all(call.result is None for call in kept), "a closed market keeps the stop"
        assert cancel.given["client_order_id"] == orders[0]["client_order_id"]
    assert (history.result["stop"], history.result["leaving"]) == (None, None)


def test_a_guard_of_an_order_list_places_nothing_and_hears_of_both_sides() -> None:
    history = recorded("guard-list-target")
    filled = {report["leg"] for report in history.result["exits"].values() if Decimal(report["executed_quantity"]) > 0}
    assert filled == {"target"}
    assert (history.result["stop"], history.result["target"]) == (None, None)


def test_a_desk_answers_once_shrinks_and_refuses_after_a_halt() -> None:
    history = recorded("desk-reserve-and-halt")
    (_, first), (_, again), (_, second), (_, halted), (_, third) = history.updates
    assert again == first
    assert (first["binding"], first["permit"]["notional_usd"]) == ("risk_budget_cap", "3322.59136212")
    assert Decimal(second["permit"]["notional_usd"]) < Decimal(90_000), "the gate shrinks"
    assert halted["mode"] == "halted"
    assert third["permit"] is None
    assert "halted" in [denial["code"] for denial in third["denials"]]
    assert history.the("load_exposure")[0].result["cash_usd"] == "100000"


def test_a_person_makes_a_proposal_smaller_and_the_gate_is_asked_about_that() -> None:
    history = recorded("decision-modified")
    ((answer, done),) = history.updates
    assert (answer["size_fraction"], done["state"], done["accepted"]) == ("0.02", "modify", True)
    (ask,) = history.the("ask")
    assert (ask.given["body"]["size_fraction"], ask.given["body"]["approved_by"]) == ("0.02", "a person")
    assert ask.given["request_id"].endswith(":gate-approved")
    first, again = history.the("observe_market")
    assert first.given["as_of"] <= again.given["as_of"], "the market is looked at again after the wait"
    assert done["operation_id"] == f"{answer['proposal']}:modify", "written down under an id of its own"


def test_hands_on_a_desk_are_written_down_after_the_gate_row_that_they_ask_for() -> None:
    history = recorded("desk-hands")
    assert [(done["operation_id"], done["state"]) for _, done in history.updates] == [
        ("op-1", "manual"),
        ("op-2", "auto"),
        ("op-4", "halted"),
    ]
    ((name, wish),) = history.signals_sent
    assert (name, wish["operation_id"]) == ("leave", "op-4"), "a halt without entries has nobody to tell"


def test_a_breaker_writes_the_gate_row_before_it_is_kept_and_a_person_ends_it() -> None:
    history = recorded("desk-defends")
    assert history.order.index("write_gate") < history.order.index("keep_protection")
    (_, refused), (lift, lifted) = history.updates
    assert [denial["code"] for denial in refused["denials"]] == ["defensive_mode", "symbol_frozen"]
    assert refused["denials"][1]["numbers"]["until"] == "20200129T120000Z", "four hours of market time"
    assert (lift["who"], lifted["accepted"], lifted["state"]) == ("ada", True, "auto")
    assert history.order.index("lift_protection") > history.order.index("keep_protection")


def test_a_review_is_of_the_day_before_and_says_where_it_is_kept() -> None:
    history = recorded("review-traded-day")
    state, review = history.the("day_state")[0], history.the("review_day")[0]
    assert state.result["reviewed"] is None
    assert state.result["until"] > review.result["period"] == history.result["period"]
    assert history.workflow_id.endswith(f"/daily-review/all/{history.result['period']}")
    assert history.result["report_hash"] == review.result["content_hash"]
    assert (history.result["kind"], history.result["already_done"]) == ("daily-review", False)
    assert history.children == ()


def test_a_review_that_tightens_tells_desk_and_watch_and_one_made_again_tells_nobody() -> None:
    history = recorded("review-tightened")
    (revise,) = history.the("revise_playbook")
    (review,) = history.the("review_day")
    assert [name for name, _ in review.result["applied"]] == ["max_trade_fraction"]
    assert (revise.result["changed"], revise.result["is_active"]) == (True, True)
    assert history.result["playbook_hash"] == revise.result["playbook_hash"]
    assert [name for name, _ in history.signals_sent] == ["playbook", "playbook"]
    again = recorded("review-again")
    assert (again.result["already_done"], again.signals_sent) == (True, ())


def test_the_closes_of_a_day_travel_by_their_hash() -> None:
    history = recorded("review-with-closes")
    (loaded,) = history.the("load_closes")
    assert loaded.given["as_of"] == history.the("day_state")[0].result["until"]
    assert len(loaded.result["prices_hash"]) == 64
    assert "closes" not in loaded.result


def test_questions_that_nobody_answers_expire_unapplied() -> None:
    history = recorded("proposals-expired")
    (ruled,) = history.the("rule_on")
    assert {(each["ruled"]["kept"]["status"], each["ruled"]["kept"]["who"]) for each in ruled.result} == {
        ("expired", "clock")
    }
    assert {state for _, state in history.result["ended"]} == {"expired"}
    assert history.signals_sent == ()


def test_a_campaign_moves_the_clock_forward_and_ends_without_differences() -> None:
    history = recorded("campaign-two-days")
    assert history.order[0] == "open_accounts"
    assert history.order[-1] == "reconcile"
    stops = [call.result["now"] for call in history.the("advance_clock")]
    assert stops == sorted(stops)
    assert Counter(history.children) == {"AccountDesk": 1, "MarketWatch": 1, "DailyPlanning": 3, "DailyReview": 3}
    assert history.result["progress"]["sequences"] == {"daily-planning": 3, "daily-review": 3}
    sent = [value["number"] for name, value in history.signals_sent if name == "tick"]
    heard = [value["number"] for name, value in history.signals_heard if name == "settled"]
    assert set(heard) <= set(sent), "only what was ticked answers"
    assert history.result["reconciliation"]["differences"] == []
    decided = [one for name, value in history.signals_heard if name == "settled" for one in value["started"]]
    assert history.result["progress"]["decisions"] == len(decided) == 12, "every twelve hours and at each session"


def _models_apart(order: tuple[str, ...]) -> tuple[str, ...]:
    """The same calls with every run of questions and checks in one stated order."""
    apart: list[str] = []
    run: list[str] = []
    for name in (*order, ""):
        if name in ("propose", "verify"):
            run.append(name)
            continue
        apart += [*sorted(run), *([name] if name else [])]
        run = []
    return tuple(apart)
