"""What a chaos run is made of: its rounds, its faults, and how venue and ledger are compared at the end."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.exchange_sim.store import Store
from workers.stack.house import MarketSource
from workers.trials.campaign import CampaignSpec
from workers.trials.chaos import (
    FAULTS,
    PARTS,
    REQUEST_FAULTS,
    ROUND_KILLS,
    ChaosSpec,
    Intent,
    Tally,
    compare,
    percentiles,
    plan_of,
    rounds_of,
    run_chaos,
)
from workers.trials.fault_proxy import read_plan
from workers.trials.venue_records import VenueRecords, read_venue

START = datetime(2024, 1, 1, tzinfo=UTC)
OVER = CampaignSpec(
    kind="chaos", market=MarketSource(), symbols=("BTC/USDT",), start=START, end=START + timedelta(days=1)
)


def spec(kills: int, *, seed: int = 1, targets: tuple[str, ...] = PARTS, faults: tuple[str, ...] = FAULTS) -> ChaosSpec:
    return ChaosSpec(over=OVER, kills=kills, seed=seed, targets=targets, faults=faults)


@given(kills=st.integers(0, 500), targets=st.lists(st.sampled_from(PARTS), min_size=1, unique=True))
def test_every_kill_is_planned_and_hits_what_was_asked_for(kills: int, targets: list[str]) -> None:
    rounds = rounds_of(spec(kills, targets=tuple(targets)))
    each = [(r.kills, r.exchange_kills, r.temporal_kills, r.database_kills) for r in rounds]
    assert sum(map(sum, each)) == kills
    assert all(sum(planned) <= ROUND_KILLS for planned in each)
    hit = {name for planned in each for name, count in zip(PARTS, planned, strict=True) if count}
    assert hit <= set(targets)
    if kills >= ROUND_KILLS:
        assert hit == set(targets)


def test_rounds_differ_and_follow_from_the_seed() -> None:
    once, again, other = rounds_of(spec(60)), rounds_of(spec(60)), rounds_of(spec(60, seed=2))
    assert once == again
    assert len({each.fault_plan for each in once}) == 3
    assert {each.kill_seed for each in once}.isdisjoint({each.kill_seed for each in other})


def test_every_other_round_rests_its_entries_instead_of_taking() -> None:
    assert [each.primary for each in rounds_of(spec(60))] == ["rules-momentum", "rules-patient", "rules-momentum"]


def test_another_policy_is_another_history() -> None:
    sliced = replace(OVER, policy=(("slice_most", "3"),))
    assert len({OVER.identity, sliced.identity, replace(OVER, policy=()).identity}) == 2


@pytest.mark.parametrize(
    ("late", "planned"),
    [
        pytest.param([0, 0], [20, 20], id="every kill hit"),
        pytest.param([0, 1, 0], [20, 20, 1], id="one came after the end of its round"),
        pytest.param([5, 3, 2, 0], [20, 20, 8, 2], id="so did one of the round that made up for them"),
        pytest.param([20, 20, 20, 20, 20], [20, 20, 20, 20, 20], id="a market that is over too soon is given up"),
    ],
)
async def test_kills_that_came_too_late_are_made_up_for(
    late: list[int], planned: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []

    async def run_round(each: CampaignSpec, tally: Tally, **_: Any) -> None:
        kills = each.kills + each.exchange_kills + each.temporal_kills + each.database_kills
        tally.counts["kills"] += kills - late[len(ran)]
        ran.append(kills)

    monkeypatch.setattr("workers.trials.chaos._run_round", run_round)
    tally = await run_chaos(spec(40), env={}, announce=lambda _: None, progress=lambda *_: None)
    assert ran == planned
    assert tally.counts["kills"] == 40 - sum(late) + sum(ran[2:])


@pytest.mark.parametrize("name", sorted(REQUEST_FAULTS))
def test_each_fault_is_planned_once_where_it_is_asked_for(name: str) -> None:
    planned = read_plan(plan_of((name,), seed=3))
    assert Counter(rule.fault for rule in planned) == Counter(rule.fault for rule in REQUEST_FAULTS[name])


def test_without_faults_there_is_no_proxy() -> None:
    assert plan_of((), seed=1) == ""
    assert plan_of(("freeze",), seed=1) == ""


@pytest.mark.parametrize(
    ("seconds", "p50", "p99", "greatest"),
    [
        ([], None, None, None),
        ([2.0], 2.0, 2.0, 2.0),
        ([1.0, 2.0], 1.0, 2.0, 2.0),
        ([float(n) for n in range(1, 101)], 50.0, 99.0, 100.0),
        ([float(n) for n in range(1, 201)], 100.0, 198.0, 200.0),
    ],
)
def test_percentiles_are_nearest_ranks(
    seconds: list[float], p50: float | None, p99: float | None, greatest: float | None
) -> None:
    assert percentiles(seconds) == {"p50": p50, "p99": p99, "max": greatest}


def venue(*ids: str) -> VenueRecords:
    return VenueRecords(tuple((1, order(name)) for name in ids), ())


def order(name: str, number: int = 0, **fields: Any) -> dict[str, Any]:
    return {
        "client_id": name,
        "order_id": number,
        "account": "a",
        "symbol": "BTC/USDT",
        "side": "BUY",
        "kind": "MARKET",
        **fields,
    }


HAD, NOT_HAD, FROZEN = Intent(True, False), Intent(False, False), Intent(False, True)


@pytest.mark.parametrize(
    ("intents", "at_venue", "found"),
    [
        ({"x": HAD, "y": HAD}, ("x", "y"), {}),
        ({"x": HAD}, ("x", "x"), {"duplicates": 1}),
        ({"x": HAD}, ("x", "z"), {"orphans": 1}),
        ({"x": NOT_HAD}, ("x",), {"orphans": 1}),
        ({"x": HAD}, (), {"lost": 1}),
        ({"x": FROZEN}, (), {"frozen": 1}),
        ({"x": NOT_HAD}, (), {}),
    ],
)
def test_ledger_and_venue_are_compared_each_way(
    intents: dict[str, Intent], at_venue: tuple[str, ...], found: dict[str, int]
) -> None:
    tally = Tally()
    compare(tally.counts, intents=intents, venue=venue(*at_venue))
    wrong = {name: tally.counts[name] for name in ("duplicates", "orphans", "lost", "frozen") if tally.counts[name]}
    assert wrong == found
    assert tally.is_well is not bool(found)


def fill(number: int) -> dict[str, Any]:
    return {"order_id": number, "account": "a", "symbol": "BTC/USDT"}


STOP = {"side": "SELL", "kind": "STOP_LOSS"}


@pytest.mark.parametrize(
    ("orders", "fills", "seconds"),
    [
        pytest.param([(0, order("e", 1)), (1500, order("s", 2, **STOP))], [(1000, 1)], [0.5], id="a stop after a fill"),
        pytest.param(
            [(0, order("e", 1)), (1700, order("x", 2, side="SELL"))], [(1000, 1)], [0.7], id="a sale answers as well"
        ),
        pytest.param(
            [(0, order("e", 1, list_id=7)), (0, order("s", 2, list_id=7, **STOP))],
            [(1000, 1)],
            [0.0],
            id="a stop of the entry's own list",
        ),
        pytest.param(
            [
                (0, order("e", 1, list_id=7)),
                (0, order("s", 2, list_id=7, status="REJECTED", **STOP)),
                (9000, order("z")),
            ],
            [(1000, 1)],
            [8.0],
            id="a refused leg protects nothing",
        ),
        pytest.param([(0, order("e", 1))], [], [], id="no fill, nothing to protect"),
    ],
)
def test_an_entry_is_unprotected_from_its_fill_to_what_answers_it(
    orders: list[tuple[int, dict[str, Any]]], fills: list[tuple[int, int]], seconds: list[float]
) -> None:
    records = VenueRecords(tuple(orders), tuple((at, fill(number)) for at, number in fills))
    assert records.unprotected_s() == seconds


def test_an_entry_whose_wait_met_an_outage_is_left_out() -> None:
    rows = ((0, order("e", 1)), (1500, order("s", 2, **STOP)))
    records = VenueRecords(rows, ((1000, fill(1)),))
    assert records.unprotected_s(outages_ms=[(1600, 1700), (0, 900)]) == [0.5], "before and after"
    for outage in ((1100, 1200), (900, 1000), (1500, 9000), (0, 9000)):
        assert records.unprotected_s(outages_ms=[outage]) == []


def test_the_venue_keeps_when_a_row_was_first_written(tmp_path: Path) -> None:
    path = tmp_path / "exchange.sqlite"
    Store(str(path)).close()
    with sqlite3.connect(path) as connection:
        row = ("BTC/USDT", 1, "a", json.dumps(order("x", 1)))
        connection.execute("insert into orders (symbol, order_id, account, body) values (?, ?, ?, ?)", row)
    ((at, seen),) = read_venue(path).orders
    assert abs(at / 1000 - datetime.now(UTC).timestamp()) < 60
    assert seen["client_id"] == "x"
