"""What a person says of an order and of a protection, typed as `perennial` in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from command_line import Said, perennial
from eventually import eventually
from fakes.frozen_entry import frozen_entry, is_resolved
from fakes.people import attached, audited, has_mode
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, OPENS_AT, Told
from store_rows import a_prepared

from trading.orders.models import NO_ANSWER, OrderStatus
from trading.risk.models import Mode
from workflows.names import Signal
from workflows.protocol import Defend

pytestmark = pytest.mark.temporal

OpenHouse = Callable[..., Awaitable[SequenceHouse]]


async def typed(home: Path, *words: str) -> Said:
    return await asyncio.to_thread(perennial, home, *words, "--json")


async def test_a_frozen_entry_is_ours_once_a_person_says_so(open_house: OpenHouse, tmp_path: Path) -> None:
    house = await open_house()
    handle, name = await frozen_entry(house)
    home = attached(house, tmp_path / "house-1")
    why = "it is in the order history"
    word = ("--reason", why, "--who", "ada")
    wrong = await typed(home, "resolve", name, "--as", "gone", *word)
    assert wrong.is_one_sentence
    assert "filled, absent" in wrong.err
    denied = await typed(home, "resolve", name, "--as", "absent", *word)
    assert denied.answer["state"] == "FROZEN", "the venue has it"
    done = await typed(home, "resolve", name, "--as", "filled", *word)
    assert done.code == 0, done.err
    assert (done.answer["accepted"], done.answer["target"]) == (True, name)
    await eventually(lambda: is_resolved(handle), what="the execution takes it in")
    assert await audited(house, name) == [("resolve absent", "ada", why), ("resolve filled", "ada", why)]
    again = await typed(home, "resolve", name, "--as", "filled", *word)
    assert again.is_one_sentence
    assert "not frozen" in again.err


async def test_a_stop_that_is_tried_on_needs_no_word(open_house: OpenHouse, tmp_path: Path) -> None:
    house = await open_house()
    order = house.entry(await house.permit(name="wish", notional="5000", now=await house.market_now()))
    await house.store.record_intent(order, a_prepared(order))
    await house.store.record_status(order.key, OrderStatus.FROZEN, reason=f"{NO_ANSWER}: banned")
    home = attached(house, tmp_path / "house-1")
    word = ("--as", "absent", "--reason", "not there", "--who", "ada")
    said = await typed(home, "resolve", order.client_order_id, *word)
    assert said.is_one_sentence
    assert "tried until the venue answers" in said.err
    assert await audited(house, order.client_order_id) == []


async def test_a_protection_is_listed_and_lifted(open_house: OpenHouse, tmp_path: Path) -> None:
    house = await open_house(Told(coordinated=False))
    home = attached(house, tmp_path / "house-1")
    fell = Defend(operation_id="b1", reason="flash_crash: all fell", symbol=None, as_of=OPENS_AT)
    await house.desk().signal(Signal.DEFEND, fell)
    await eventually(lambda: has_mode(house, Mode.DEFENSIVE), what="the defence")
    (kept,) = (await typed(home, "protections", "list", "--all", "--realm", house.realm)).answer["protections"]
    assert (kept["account"], kept["reason"], kept["lifted_by"]) == (ACCOUNT, "flash_crash: all fell", None)
    word = ("--reason", "the market is calm", "--who", "ada")
    unknown = await typed(home, "protections", "lift", "b0", *word)
    assert unknown.is_one_sentence
    assert kept["id"] in unknown.err, "what stands is named"
    done = await typed(home, "protections", "lift", kept["id"], *word)
    assert done.code == 0, done.err
    assert (done.answer["accepted"], done.answer["state"]) == (True, "auto")
    (lifted,) = (await typed(home, "protections", "list", "--all", "--realm", house.realm)).answer["protections"]
    assert (lifted["lifted_by"], lifted["lifted_because"]) == ("ada", "the market is calm")
    assert (await typed(home, "protections", "list", "--realm", house.realm)).answer["protections"] == []
    assert (await audited(house, ACCOUNT))[-1] == (f"lift {kept['id']}", "ada", "the market is calm")
