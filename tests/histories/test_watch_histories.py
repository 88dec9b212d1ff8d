"""What the recorded watch said and did by itself, and what an hour's look at the accounts asks: beyond what replays."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from fakes.history_reader import Recorded, read_history

HERE = Path(__file__).parent
CRASHED_AT = "2020-01-29T08:1"


def recorded(name: str) -> Recorded:
    return read_history(HERE / f"{name}.json")


def test_a_day_off_its_course_is_planned_anew_once_by_a_child_that_lives_on() -> None:
    history = recorded("watch-replan")
    assert history.children == ("TradeDecision", "DailyPlanning")
    (astray,) = history.the("off_course")
    (one,) = astray.result
    assert (one["course"], Decimal(one["expected_fraction"])) == ("behind", Decimal("0.0025"))
    before, told, after = (call.result["period"] for call in history.the("watchlist"))
    assert (before, told, after) == (None, "2020-01-29", "2020-01-29.1"), "none, the day's, and the second one"
    settled = [value for name, value in history.signals_sent if name == "settled"]
    assert [value["watched"]["wakes_at"] for value in settled[:2]] == ["2020-01-30T08:00:00Z", "2020-01-29T12:00:00Z"]
    assert settled[2]["started"] == [], "planned anew is not decided anew"
    assert settled[2]["watched"]["wakes_at"] == "2020-01-30T08:00:00Z", "and not judged again"


def test_a_crash_is_told_to_every_desk_once_and_before_the_tick_is_answered() -> None:
    history = recorded("watch-crash")
    sent = [name for name, _ in history.signals_sent]
    assert sent == ["settled", "defend", "defend", "settled", "settled"]
    first, second = (value for name, value in history.signals_sent if name == "defend")
    assert first == second, "both desks hear the same"
    assert (first["reason"], first["symbol"]) == ("flash_crash", "BTC/USDT")
    assert first["as_of"].startswith(CRASHED_AT)
    assert first["operation_id"].startswith("watch:")
    assert Decimal(first["numbers"]["price"]) == Decimal(6300)
    answers = [value for name, value in history.signals_sent if name == "settled"]
    realm = history.workflow_id.partition("/")[0]
    assert answers[1]["also"] == [f"{realm}/desk/aggressive", f"{realm}/desk/composite"]
    levels = answers[1]["watched"]["levels"]
    assert [level["after_candle_of"] for level in levels] == [first["as_of"]], "not again within the same candle"


def test_an_hours_look_values_before_it_compares_and_judges_the_sources() -> None:
    history = recorded("maintenance-hour")
    (valued,) = history.the("value_accounts")
    assert valued.result["as_of"] == valued.given["as_of"] == "2020-01-29T08:00:00Z"
    assert [(one["account"], Decimal(one["equity_usd"])) for one in valued.result["equities"]] == [
        ("composite", Decimal(100_000))
    ]
    (compared,) = history.the("reconcile")
    assert compared.result["differences"] == []
    (checked,) = history.the("check_sources")
    assert [(one["name"], one["last"]) for one in checked.result["sources"]] == [("http://venue", "good")]
