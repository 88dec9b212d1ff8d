"""What an endpoint is: its path, weight, parameters and handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from workers.exchange_sim.exchange import Exchange


@dataclass(slots=True)
class Call:
    """One request, read and checked; `account` is empty on public endpoints. `headers` are added to the answer."""

    values: Mapping[str, str]
    account: str
    wall_ms: int
    headers: dict[str, str] = field(default_factory=dict)


Weight = Callable[[Mapping[str, str]], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """`weight` may depend on the parameters; `changes` marks those whose effect is committed before the answer."""

    method: str
    path: str
    handle: Callable[[Exchange, Call], str]
    weight: Weight
    signed: bool = False
    changes: bool = False
    parameters: frozenset[str] = frozenset()


def fixed(weight: int) -> Weight:
    return lambda values: weight


def by_symbol(one: int, several: int) -> Weight:
    """`one` where a symbol is named, else `several`."""
    return lambda values: one if "symbol" in values else several
