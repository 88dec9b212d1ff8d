"""The desk's steps: promises, fills, marks, days and modes, each a pure step that may be repeated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from trading.policy.model import Policy
from trading.risk.day import day_start, roll_day
from trading.risk.desk import (
    Rung,
    change_mode,
    defended,
    lapsed,
    mark,
    refreshed,
    release,
    reserve,
    resume,
    rung,
    without,
)
from trading.risk.models import Exposure, Holding, Mode, Permit

NOW = datetime(2020, 3, 12, 10, 0, tzinfo=UTC)
D = Decimal


def account(**fields: Any) -> Exposure:
    values: dict[str, Any] = {
        "account": "composite",
        "mode": Mode.AUTO,
        "epoch": 1,
        "cash_usd": D(1000),
        "day_start_equity_usd": D(1000),
        "peak_equity_usd": D(1000),
        "day_started_at": NOW.replace(hour=0),
    }
    return Exposure.model_validate({**values, **fields})


def permit(permit_id: str = "p1", *, opens: bool = True, usd: str = "50") -> Permit:
    return Permit(
        id=permit_id,
        account="composite",
        decision_id="d1",
        symbol="BTC/USDT",
        opens=opens,
        notional_usd=D(usd),
        quantity=D(usd) / 100,
        collar_low=D("99.5"),
        collar_high=D("100.5"),
        valid_until=NOW + timedelta(seconds=60),
        epoch=1,
    )


def btc(quantity: str, *, average: str = "100", price: str = "100") -> Holding:
    return Holding(symbol="BTC/USDT", quantity=D(quantity), average_price=D(average), mark_price=D(price))


def test_a_promise_counts_once_however_often_it_is_made() -> None:
    once = reserve(account(), permit(), at=NOW)
    assert once.reserved_usd == 50
    assert once.entries_today == 1
    assert reserve(once, permit(), at=NOW) == once
    assert release(release(once, "p1"), "p1").reserved_usd == 0
    assert release(once, "p2") is once


def test_a_permit_to_reduce_promises_no_exposure_and_is_no_entry() -> None:
    after = reserve(account(holdings=(btc("1"),)), permit(opens=False), at=NOW)
    assert after.reserved_usd == 0
    assert after.entries_today == 0
    assert [one.permit_id for one in after.reservations] == ["p1"]


def test_asking_again_takes_the_place_of_the_earlier_permit() -> None:
    once = reserve(account(), permit(), at=NOW)
    again = without(once, "p1")
    assert (again.reserved_usd, again.entries_today) == (0, 0), "one entry stays one entry"
    assert without(once, "p2") is once
    assert without(once, None) is once
    yesterday = reserve(account(), permit(), at=NOW - timedelta(days=1))
    assert without(yesterday, "p1").entries_today == 1, "the day's counter is not of that entry any more"


def test_marks_move_equity_and_the_peak_only_up() -> None:
    up = mark(account(holdings=(btc("1"),)), {"BTC/USDT": D(200)})
    assert up.equity_usd == 1200
    assert up.peak_equity_usd == 1200
    down = mark(up, {"BTC/USDT": D(50), "ETH/USDT": D(1)})
    assert down.equity_usd == 1050
    assert down.peak_equity_usd == 1200
    assert mark(down, {"ETH/USDT": D(2)}) == down


def test_the_ledger_is_the_truth_about_money_and_the_desk_about_promises() -> None:
    desk = reserve(account(mode=Mode.MANUAL, epoch=3), permit(), at=NOW)
    ledger = account(cash_usd=D(900), holdings=(btc("3"),), closed_trades=9, peak_equity_usd=D(1500))
    after = refreshed(desk, ledger)
    assert (after.cash_usd, after.holdings, after.closed_trades) == (D(900), (btc("3"),), 9)
    assert (after.mode, after.epoch, after.reserved_usd, after.entries_today) == (Mode.MANUAL, 3, 50, 1)
    assert after.peak_equity_usd == after.equity_usd == 1200  # the desk's own peak: a resumed account began anew
    assert after.day_started_at == desk.day_started_at


def test_a_permit_lapses_after_twice_its_validity() -> None:
    held = reserve(account(), permit(), at=NOW)
    assert lapsed(held, Policy(), now=NOW + timedelta(seconds=120)) == ()
    assert lapsed(held, Policy(), now=NOW + timedelta(seconds=121)) == ("p1",)


DAYS = [
    # as_of, and whether a new day begins
    (NOW + timedelta(hours=1), False),
    (NOW.replace(hour=23, minute=59), False),
    (NOW.replace(hour=0) + timedelta(days=1), True),
    (NOW + timedelta(days=5), True),
    (NOW - timedelta(days=1), False),
]


@pytest.mark.parametrize(("as_of", "is_new"), DAYS)
def test_the_day_follows_from_the_time_given(as_of: datetime, is_new: bool) -> None:
    before = account(cash_usd=D(900), entries_today=3)
    after = roll_day(before, as_of)
    assert roll_day(after, as_of) == after
    if not is_new:
        assert after == before
        return
    assert after.day_start_equity_usd == 900
    assert after.entries_today == 0
    assert after.day_started_at == as_of.replace(hour=0)


def test_an_account_that_knows_no_day_learns_it_and_keeps_its_numbers() -> None:
    before = account(day_started_at=None, cash_usd=D(900), entries_today=3)
    after = roll_day(before, NOW)
    assert after == before.model_copy(update={"day_started_at": NOW.replace(hour=0)})


def test_a_day_begins_at_midnight_of_the_market_s_zone() -> None:
    shanghai = ZoneInfo("Asia/Shanghai")
    assert day_start(NOW, zone=shanghai) == datetime(2020, 3, 11, 16, 0, tzinfo=UTC)
    assert day_start(NOW.replace(hour=17), zone=shanghai) == datetime(2020, 3, 12, 16, 0, tzinfo=UTC)


MODES = [
    # from, to, whether permits given before are void
    (Mode.AUTO, Mode.MANUAL, True),
    (Mode.AUTO, Mode.DEFENSIVE, True),
    (Mode.AUTO, Mode.HALTED, True),
    (Mode.MANUAL, Mode.HALTED, True),
    (Mode.HALTED, Mode.AUTO, False),
    (Mode.HALTED, Mode.DEFENSIVE, False),
    (Mode.HALTED, Mode.HALTED, False),
]


@pytest.mark.parametrize(("old", "new", "is_stricter"), MODES)
def test_a_stricter_mode_voids_the_permits_before_it(old: Mode, new: Mode, is_stricter: bool) -> None:
    after = change_mode(account(mode=old, epoch=4), new)
    assert after.mode is new
    assert after.epoch == (5 if is_stricter else 4)


LADDER = [
    # cash of an account that began the day and peaked at 1000
    ("951", Rung.NONE, Mode.AUTO),
    ("950", Rung.ALERT, Mode.AUTO),
    ("921", Rung.ALERT, Mode.AUTO),
    ("920", Rung.DEFENCE, Mode.DEFENSIVE),
    ("801", Rung.DEFENCE, Mode.DEFENSIVE),
    ("800", Rung.HALT, Mode.HALTED),
    ("0", Rung.HALT, Mode.HALTED),
]


@pytest.mark.parametrize(("cash", "expected", "mode"), LADDER)
def test_the_loss_ladder(cash: str, expected: Rung, mode: Mode) -> None:
    lost = account(cash_usd=D(cash))
    assert rung(lost, Policy()) is expected
    assert defended(lost, Policy()).mode is mode


def test_losses_never_free_an_account_that_a_person_halted() -> None:
    halted = account(mode=Mode.HALTED, cash_usd=D(900), peak_equity_usd=D(980))
    assert defended(halted, Policy()) is halted


def test_resuming_counts_drawdown_from_now_or_it_would_halt_at_once() -> None:
    halted = defended(account(cash_usd=D(790)), Policy())
    assert halted.mode is Mode.HALTED
    back = resume(halted)
    assert back.mode is Mode.AUTO
    assert back.epoch == halted.epoch
    assert rung(back, Policy()) is Rung.ALERT, "the day's loss still stands"
