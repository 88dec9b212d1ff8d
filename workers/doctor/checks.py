"""One check, and which checks count for which purpose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """`skipped`: the question could not be asked here; whether that is a failure depends on the purpose."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


class Purpose(StrEnum):
    """What the machine is to be used for: it chooses which checks can fail."""

    LOCAL = "local"
    PAPER = "paper"
    LIVE = "live"
    WORKER = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One answer. `fix` is one command that mends it; empty where nothing is wrong or no command can help."""

    name: str
    state: State
    detail: str
    fix: str = ""


def passed(name: str, detail: str) -> Check:
    return Check(name=name, state=State.OK, detail=detail)


def failed(name: str, detail: str, *, fix: str) -> Check:
    return Check(name=name, state=State.FAILED, detail=detail, fix=fix)


def skipped(name: str, detail: str, *, fix: str = "") -> Check:
    """Not asked, and why; `fix` is what makes it possible to ask."""
    return Check(name=name, state=State.SKIPPED, detail=detail, fix=fix)


_EVERYWHERE = ("machine.python", "machine.wheels", "machine.disk", "settings.")
_AT_A_VENUE = ("machine.", "settings.", "temporal.", "database.", "exchange.", "models.")

COUNTS: Mapping[Purpose, tuple[str, ...]] = {
    Purpose.LOCAL: ("machine.", "settings.", "temporal.", "database.", "exchange.", "models."),
    Purpose.PAPER: _AT_A_VENUE,
    Purpose.LIVE: _AT_A_VENUE,
    Purpose.WORKER: (*_EVERYWHERE, "temporal.", "database.", "models."),
}
"""Beginnings of the names that can fail, by purpose; the others are shown for information."""

INFORMS_ONLY: Mapping[Purpose, frozenset[str]] = {
    Purpose.LOCAL: frozenset(),
    Purpose.PAPER: frozenset({"temporal.program", "exchange.key", "exchange.equity"}),
    Purpose.LIVE: frozenset({"temporal.program"}),
    Purpose.WORKER: frozenset({"temporal.program", "temporal.pollers", "temporal.current_version"}),
}
"""Exceptions to `COUNTS`: a service that runs elsewhere needs no program here, paper needs no key."""

MUST_BE_ASKED: Mapping[Purpose, frozenset[str]] = {
    Purpose.LOCAL: frozenset({"settings.values"}),
    Purpose.PAPER: frozenset({"settings.values", "temporal.service", "database.revision", "exchange.clock"}),
    Purpose.LIVE: frozenset(
        {"settings.values", "temporal.service", "database.revision", "exchange.clock", "exchange.key"}
    ),
    Purpose.WORKER: frozenset({"settings.values", "temporal.service", "database.revision"}),
}
"""Checks whose being skipped is a failure: without them the purpose cannot be served."""


def counts(check: Check, purpose: Purpose) -> bool:
    """Whether this check can fail for this purpose."""
    return check.name.startswith(COUNTS[purpose]) and check.name not in INFORMS_ONLY[purpose]


def is_well(check: Check, purpose: Purpose) -> bool:
    """Whether the check leaves the purpose standing; a check that does not count always does."""
    if not counts(check, purpose) or check.state is State.OK:
        return True
    return check.state is State.SKIPPED and check.name not in MUST_BE_ASKED[purpose]
