"""Takes each limit out of the house in turn, and asks who notices: `make mutants` prints the run.

A mutant is the gate or the desk's ladder without one row or one step. It is killed where some scenario that a trader
can read (`gate_scenarios`, and the ladder below) gives another answer than it should.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from gate_scenarios import CAPS, DENIALS, NOW, D, account, frozen, promised, wish

from trading.policy.model import Policy
from trading.policy.table import changed
from trading.risk import desk, gate, money, sanity
from trading.risk.models import Exposure, Mode, Permit, Protection, ProtectionKind

GATE_TABLES = (
    (sanity, "CHECKS", "check"),
    (money, "LIMITS", "limit"),
    (gate, "SIZE_CHECKS", "size"),
    (gate, "REDUCTION_CHECKS", "reduction"),
)

Scenario = tuple[str, Callable[[], object], object]
"""A name, what is asked, and what the answer must be."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """The house with one thing taken out of it."""

    name: str
    module: Any
    attribute: str
    instead: object

    @contextmanager
    def alive(self) -> Iterator[None]:
        with patch.object(self.module, self.attribute, self.instead):
            yield


def mutants() -> list[Mutant]:
    """One for each row of the gate's tables, and one for each step of the desk's ladder."""
    found = [
        Mutant(f"{kind} {row.code}", module, table, tuple(one for one in getattr(module, table) if one is not row))
        for module, table, kind in GATE_TABLES
        for row in getattr(module, table)
    ]
    found += [
        Mutant("check account_mismatch", gate, "account_denials", lambda request, exposure: ()),
        Mutant("day begins anew", gate, "roll_day", lambda exposure, as_of, zone: exposure),
    ]
    return found + [Mutant(f"ladder {name}", desk, attribute, instead) for name, attribute, instead in _LADDER_MUTANTS]


def _unstricter(exposure: Exposure, mode: Mode) -> Exposure:
    return exposure.model_copy(update={"mode": mode})


_LADDER_MUTANTS: tuple[tuple[str, str, object], ...] = (
    ("halt at 20 % drawdown", "drawdown_fraction", lambda exposure: min(sanity.drawdown_fraction(exposure), D("0.19"))),
    ("defence at 8 % drawdown", "drawdown_fraction", lambda exposure: D(0)),
    ("alert at 5 % a day", "day_loss_fraction", lambda exposure: D(0)),
    ("a stricter mode raises the epoch", "change_mode", _unstricter),
    ("never a freer mode by itself", "is_stricter", lambda mode, than: True),
    ("losses change the mode", "is_stricter", lambda mode, than: False),
    ("a promise is kept", "reserve", lambda exposure, permit, at: exposure),
    ("a promise ends", "release", lambda exposure, permit_id: exposure),
    ("an earlier permit's place", "without", lambda exposure, permit_id: exposure),
    ("the peak follows equity", "_with_peak", lambda exposure: exposure),
    ("a protection is kept", "protected", lambda exposure, protection: exposure),
    ("a protection ends by itself", "still_protected", lambda exposure, now: exposure),
    ("a person lifts a protection", "lifted", lambda exposure, protection_id: exposure),
    ("a person's resumption counts from today", "resume", lambda exposure: desk.change_mode(exposure, Mode.AUTO)),
    ("what the ledger says counts", "refreshed", lambda exposure, ledger: exposure),
)


def _permit() -> Permit:
    answer = gate.gate(wish(), account(), Policy())
    assert answer.permit is not None
    return answer.permit


DEFENCE = Protection(
    id="d1", kind=ProtectionKind.ACCOUNT_DEFENCE, code="flash_crash", since=NOW, reason="all fell", who="watch"
)


def ladder_scenarios() -> list[Scenario]:
    """What the desk makes of losses, promises, protections and people's words."""
    policy = Policy()
    lost = {cash: account(cash_usd=D(cash)) for cash in (9_500, 9_200, 8_000)}
    promise = account(reservations=(promised("BTC/USDT", "300"),))
    rich = account(cash_usd=D(12_000))
    permit = _permit()
    return [
        ("a day's loss of 5 % alerts", lambda: desk.rung(lost[9_500], policy), desk.Rung.ALERT),
        ("8 % under the peak defends", lambda: _mode(desk.defended(lost[9_200], policy)), (Mode.DEFENSIVE, 8)),
        ("20 % under the peak halts", lambda: _mode(desk.defended(lost[8_000], policy)), (Mode.HALTED, 8)),
        (
            "losses never free a halted account",
            lambda: _mode(desk.defended(account(mode=Mode.HALTED, cash_usd=D(9_200)), policy)),
            (Mode.HALTED, 7),
        ),
        (
            "a freer mode keeps the epoch",
            lambda: _mode(desk.change_mode(account(mode=Mode.HALTED), Mode.AUTO)),
            (Mode.AUTO, 7),
        ),
        ("a stricter mode raises it", lambda: _mode(desk.change_mode(account(), Mode.MANUAL)), (Mode.MANUAL, 8)),
        ("a permit is a promise", lambda: desk.reserve(account(), permit, at=NOW).reserved_usd, D(300)),
        ("an order that ended is none", lambda: desk.release(promise, "p-BTC/USDT").reserved_usd, D(0)),
        (
            "asking again is one entry",
            lambda: desk.without(desk.reserve(account(), permit, at=NOW), permit.id),
            account(),
        ),
        ("equity at a new height is the peak", lambda: desk.mark(rich, {}).peak_equity_usd, D(12_000)),
        ("a resumption starts anew", lambda: desk.resume(lost[8_000]).peak_equity_usd, D(8_000)),
        ("the ledger has the money", lambda: desk.refreshed(account(), lost[9_500]).cash_usd, D(9_500)),
        ("a breaker defends the account", lambda: _mode(desk.protected(account(), DEFENCE)), (Mode.DEFENSIVE, 8)),
        ("twice is once", lambda: len(desk.protected(desk.protected(account(), DEFENCE), DEFENCE).protections), 1),
        (
            "a freeze ends with its time",
            lambda: desk.still_protected(account(protections=(frozen(),)), now=NOW + timedelta(hours=1)).protections,
            (),
        ),
        (
            "a person lifts a freeze",
            lambda: desk.lifted(account(protections=(frozen(),)), frozen().id).protections,
            (),
        ),
    ]


def _mode(exposure: Exposure) -> tuple[Mode, int]:
    return exposure.mode, exposure.epoch


def gate_scenarios() -> list[Scenario]:
    """The denials and the caps that a trader can read, as questions to the gate."""
    denied: list[Scenario] = [
        (f"denied {code} ({place})", _denied(*fields), (code,)) for place, (code, *fields) in enumerate(DENIALS)
    ]
    capped: list[Scenario] = [
        (f"capped {code} ({place})", _capped(*fields), (code, D(leaves)))
        for place, (code, leaves, *fields) in enumerate(CAPS)
    ]
    tomorrow = NOW.replace(hour=0) + timedelta(days=1)
    lost = account(cash_usd=D(9_400), peak_equity_usd=D(9_400))
    late = wish(now=tomorrow, observed_at=tomorrow)
    return [*denied, *capped, ("yesterday's loss is forgotten", lambda: gate.gate(late, lost, Policy()).denials, ())]


def _denied(asked: dict[str, Any], has: dict[str, Any], limits: dict[str, Any]) -> Callable[[], object]:
    def answer() -> object:
        denials = gate.gate(wish(**asked), account(**has), changed(Policy(), **limits)).denials
        return tuple(one.code for one in denials)

    return answer


def _capped(asked: dict[str, Any], has: dict[str, Any], limits: dict[str, Any]) -> Callable[[], object]:
    def answer() -> object:
        given = gate.gate(wish(**asked), account(**has), changed(Policy(), **limits))
        return given.binding, None if given.permit is None else given.permit.notional_usd

    return answer


def wrong_answers(scenarios: Sequence[Scenario]) -> list[str]:
    """The scenarios that do not get the answer they should; one that breaks off is one of them."""
    return [name for name, ask, expected in scenarios if _asked(ask) != expected]


def _asked(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except (ArithmeticError, AssertionError, AttributeError, KeyError, TypeError, ValueError) as broken:
        return type(broken)


def main() -> int:
    """Print one line a mutant; 1 where one survives."""
    scenarios = [*gate_scenarios(), *ladder_scenarios()]
    assert wrong_answers(scenarios) == [], "the house itself must answer as it should"
    survivors = 0
    for mutant in mutants():
        with mutant.alive():
            noticed = wrong_answers(scenarios)
        survivors += not noticed
        by = f"killed by {len(noticed)}: {noticed[0]}" if noticed else "SURVIVED"
        sys.stdout.write(f"without {mutant.name:55} {by}\n")
    sys.stdout.write(f"{len(mutants())} mutants, {survivors} survived, {len(scenarios)} scenarios\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
