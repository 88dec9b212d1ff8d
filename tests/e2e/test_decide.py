"""`perennial decide`: one decision for one time, on nothing that was not known by then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import Lasting, Said, perennial
from market_files import BTC_BUYS_AT, scrambled_after, write_market

pytestmark = [pytest.mark.stack, pytest.mark.timeout(200)]

KEYS = {
    *("decision_id", "outcome", "action", "size", "entry", "stop", "targets", "confidence", "facts", "proposals"),
    *("findings", "fusion", "risk", "approval", "orders", "latency_ms", "cost_usd", "playbook_version"),
}
"""The contract that people script against: keys are only ever added."""

AS_OF = f"{BTC_BUYS_AT:%Y-%m-%dT%H:%M:%SZ}"


def decide(home: Path, *words: str) -> Said:
    return perennial(home, "decide", "BTC/USDT", "--as-of", AS_OF, *words, "--json")


def test_the_card_has_every_key_and_a_protected_order(bought: Said) -> None:
    assert bought.code == 0, bought.err
    card = bought.answer
    assert KEYS - card.keys() == set()
    assert (card["outcome"], card["action"]) == ("opened", "buy")
    assert {order["leg"]: order["status"] for order in card["orders"]} == {
        "entry": "FILLED",
        "stop": "NEW",
        "target": "NEW",
    }
    assert [stance["role"] for stance in card["proposals"]] == ["primary", "secondary"]
    assert card["facts"]


def test_the_same_time_asked_twice_is_one_decision(bought: Said, market: list[str]) -> None:
    again = decide(bought.home, *market)
    assert again.code == 0, again.err
    assert again.answer == bought.answer
    listed = perennial(bought.home, "decisions", "list", "--json").answer["decisions"]
    assert [row["decision_id"] for row in listed] == [bought.answer["decision_id"]]
    orders = perennial(bought.home, "orders", "--json").answer["orders"]
    assert sorted(order["leg"] for order in orders) == ["entry", "stop", "target"]


def test_a_future_that_reads_differently_changes_nothing(bought: Said, tmp_path: Path) -> None:
    """Every candle that closes after the decision's time says something else."""
    scrambled = write_market(tmp_path / "market", "BTC/USDT", change=scrambled_after(BTC_BUYS_AT))
    other = decide(tmp_path / "home", *scrambled)
    assert other.code == 0, other.err
    assert known_by_then(other.answer) == known_by_then(bought.answer)


def known_by_then(card: dict[str, Any]) -> dict[str, Any]:
    """The card without wall-clock times, and without what became of its orders afterwards."""
    asked = [{k: v for k, v in call.items() if k not in {"latency_ms", "finished_at"}} for call in card["model_calls"]]
    wanted = ("client_order_id", "symbol", "leg", "side", "type", "quantity", "price", "as_of")
    entries = [{k: order[k] for k in wanted} for order in card["orders"] if order["leg"] == "entry"]
    return {**card, "latency_ms": None, "model_calls": asked, "orders": entries, "trades": []}


def test_a_symbol_that_the_venue_lacks_is_one_sentence(lasting: Lasting) -> None:
    ended = perennial(lasting.home, "decide", "DOGE/USDT")
    assert ended.is_one_sentence, ended.err
    assert "symbol DOGE/USDT is not traded at this venue: allowed are" in ended.err


def test_a_running_house_takes_the_decision(lasting: Lasting) -> None:
    taken = perennial(lasting.home, "decide", "ETH/USDT", "--json")
    assert taken.code == 0, taken.err
    assert KEYS - taken.answer.keys() == set()
    shown = perennial(lasting.home, "decisions", "show", taken.answer["decision_id"], "--json")
    assert shown.answer == taken.answer
    status = perennial(lasting.home, "status", "--json").answer
    assert status["running"] is True
    assert status["last_decision"]["decision_id"] == taken.answer["decision_id"]
