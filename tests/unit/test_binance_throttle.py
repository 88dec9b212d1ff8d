"""A venue's limits as budgets: entries stop at the reserve, protection at the limit, everybody at a ban."""

from __future__ import annotations

from decimal import Decimal

from activities.exchange.throttle import DEFAULT_PAUSE_S, Throttle


class Wall:
    def __init__(self, at_s: float) -> None:
        self.at_s = at_s

    def __call__(self) -> float:
        return self.at_s


def a_throttle(at_s: float = 600.0) -> tuple[Throttle, Wall]:
    wall = Wall(at_s)
    throttle = Throttle(clock_s=wall)
    throttle.learn_limits(weight={"1M": 6000}, orders={"10S": 100, "1D": 200_000})
    return throttle, wall


def test_nothing_waits_while_there_is_room() -> None:
    throttle, _ = a_throttle()
    throttle.saw({"x-mbx-used-weight-1m": "4799"})
    assert throttle.wait_s(weight=1, protective=False) is None


def test_only_protection_uses_the_reserve() -> None:
    throttle, wall = a_throttle(at_s=620.0)
    throttle.saw({"X-MBX-USED-WEIGHT-1M": "4800"})
    assert throttle.wait_s(weight=1, protective=False) == Decimal(40)
    assert throttle.wait_s(weight=1, protective=True) is None
    wall.at_s = 660.0
    assert throttle.wait_s(weight=1, protective=False) is None, "the minute is over"


def test_protection_stops_at_the_limit() -> None:
    throttle, _ = a_throttle()
    throttle.saw({"X-MBX-USED-WEIGHT-1M": "5999"})
    assert throttle.wait_s(weight=1, protective=True) is None
    assert throttle.wait_s(weight=2, protective=True) == Decimal(60)


def test_order_counts_belong_to_their_account() -> None:
    throttle, _ = a_throttle()
    throttle.saw({"X-MBX-ORDER-COUNT-10S": "80"}, account="aggressive")
    assert throttle.wait_s(weight=1, protective=False, order_of="aggressive") == Decimal(10)
    assert throttle.wait_s(weight=1, protective=True, order_of="aggressive") is None
    assert throttle.wait_s(weight=1, protective=False, order_of="conservative") is None
    assert throttle.wait_s(weight=1, protective=False) is None, "a question is no order"


def test_a_ban_silences_everybody_until_its_end() -> None:
    throttle, wall = a_throttle()
    throttle.must_pause(Decimal(120))
    throttle.must_pause(Decimal(10))
    assert throttle.wait_s(weight=1, protective=True) == Decimal(120), "a shorter pause does not end a longer one"
    wall.at_s += 120
    assert throttle.wait_s(weight=1, protective=True) is None


def test_a_ban_without_a_time_has_a_default() -> None:
    throttle, _ = a_throttle()
    assert throttle.must_pause(None) == DEFAULT_PAUSE_S
    assert throttle.wait_s(weight=1, protective=True) == DEFAULT_PAUSE_S


def test_unknown_windows_and_nonsense_are_ignored() -> None:
    throttle, _ = a_throttle()
    throttle.saw({"X-MBX-USED-WEIGHT": "9999", "X-MBX-USED-WEIGHT-1M": "many", "Date": "9999"})
    assert throttle.wait_s(weight=1, protective=False) is None
