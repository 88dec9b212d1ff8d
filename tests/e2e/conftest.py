"""A lasting house for all verbs that ask a running one, and a home in which one decision bought."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from command_line import Lasting, Said, perennial, up
from market_files import BTC_BUYS_AT, write_market


@pytest.fixture(scope="session")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lasting]:
    """`perennial up` in a home of its own, ended with SIGTERM after the last test."""
    home = tmp_path_factory.mktemp("lasting")
    with up(home) as addresses:
        yield Lasting(home, addresses)


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """`--data BTC/USDT=FILE` with the demo's market."""
    return write_market(tmp_path_factory.mktemp("market"), "BTC/USDT")


@pytest.fixture(scope="session")
def bought(market: list[str], tmp_path_factory: pytest.TempPathFactory) -> Said:
    """`perennial decide` at a time at which both analysts buy, on a stack of its own duration."""
    at = f"{BTC_BUYS_AT:%Y-%m-%dT%H:%M:%SZ}"
    home = tmp_path_factory.mktemp("bought")
    return perennial(home, "decide", "BTC/USDT", "--as-of", at, *market, "--json")
