"""The variables a process was started with: from the environment, and from one file where it names one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from dotenv import dotenv_values

PREFIX = "PERENNIAL_"
ENV_FILE = f"{PREFIX}ENV_FILE"
KEY_PREFIX = "BINANCE_API_KEY"
SECRET_PREFIX = "BINANCE_API_SECRET"
SINGLE_KEY_ACCOUNT = "composite"
"""The account that the pair without an account in its name belongs to."""

READ_ELSEWHERE: Mapping[str, str] = {
    f"{PREFIX}REQUIRE_ALL": "test set-up: a missing server fails instead of skipping",
    f"{PREFIX}TEST_DATABASE_URL": "test set-up: the PostgreSQL that tests use",
    f"{PREFIX}TEST_LONG": "test set-up: the long campaigns run too",
    f"{PREFIX}TEST_MARKET": "test set-up: a folder of recorded candles that tests add to the generated ones",
}
"""Names with our prefix that are no settings."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A value and where it came from. The value may be a secret: it is never part of `repr`."""

    name: str
    value: str
    origin: str

    def __repr__(self) -> str:
        return f"Variable({self.name!r}, origin={self.origin!r})"


@dataclass(frozen=True, slots=True)
class UnknownName:
    """A variable with our prefix that nothing reads, and the known name it may have meant."""

    name: str
    meant: str | None

    def __str__(self) -> str:
        return f"{self.name} is unknown" + (f": did you mean {self.meant}?" if self.meant else "")


def env_file() -> Path | None:
    """The file that `PERENNIAL_ENV_FILE` names; none is read unasked. Raises `ValueError` where it is not there."""
    named = next((value for name, value in os.environ.items() if name.upper() == ENV_FILE and value), None)
    if named is None:
        return None
    path = Path(named).expanduser()
    if not path.is_file():
        raise ValueError(f"{ENV_FILE} is {named}, which is not a file that can be read")
    return path


def variables() -> dict[str, Variable]:
    """Every variable by upper-case name, empty ones left out; the environment wins over the file."""
    found: dict[str, Variable] = {}
    file = env_file()
    if file is not None:
        for name, value in dotenv_values(file).items():
            if value:
                found[name.upper()] = Variable(name.upper(), value, f"file {file}")
    for name, value in os.environ.items():
        if value:
            found[name.upper()] = Variable(name.upper(), value, "environment")
    return found


def venue_keys(known: Mapping[str, Variable]) -> dict[str, dict[str, str]]:
    """Account to its pair, from `BINANCE_API_KEY_ACCOUNT` and `BINANCE_API_SECRET_ACCOUNT`.

    A pair without an account is that of `composite`. Raises `ValueError` for half a pair.
    """
    pairs: dict[str, dict[str, str]] = {}
    for field, prefix in (("api_key", KEY_PREFIX), ("secret", SECRET_PREFIX)):
        for name, variable in known.items():
            account = _account(name, prefix)
            if account is not None:
                pairs.setdefault(account, {})[field] = variable.value
    for account, pair in pairs.items():
        if len(pair) != 2:
            missing = SECRET_PREFIX if "api_key" in pair else KEY_PREFIX
            raise ValueError(f"account {account} has half a key: {missing}_{account.upper()} is missing")
    return pairs


def _account(name: str, prefix: str) -> str | None:
    if name == prefix:
        return SINGLE_KEY_ACCOUNT
    return name.removeprefix(prefix + "_").lower() if name.startswith(prefix + "_") else None


def unknown_names(known: Mapping[str, Variable], settings: frozenset[str]) -> tuple[UnknownName, ...]:
    """Variables with our prefix that are neither among `settings` nor read elsewhere, in alphabetical order (C76)."""
    allowed = settings | READ_ELSEWHERE.keys()
    strays = sorted(name for name in known if name.startswith(PREFIX) and name not in allowed)
    return tuple(UnknownName(name, _nearest(name, allowed)) for name in strays)


def _nearest(name: str, allowed: Iterable[str]) -> str | None:
    """The known name most like it after the prefix, which all share and which would make everything alike."""
    rests = sorted(one.removeprefix(PREFIX) for one in allowed if one.startswith(PREFIX))
    near = get_close_matches(name.removeprefix(PREFIX), rests, n=1, cutoff=0.7)
    return PREFIX + near[0] if near else None
