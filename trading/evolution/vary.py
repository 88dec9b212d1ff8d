"""New strategies from old ones: mutants, crossings and wild ones, each from a seed, each within bounds (C51 to C53)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from trading.contract import Contract
from trading.evolution.wild import wild_strategy
from trading.ids import canonical_json, content_hash
from trading.money import plain
from trading.policy.model import Policy
from trading.strategies.models import Condition, Op, Setup, Strategy

Origin = Literal["preset", "mutation", "crossover", "wild"]
MOST_GENES = 2
"""Genes that one mutation changes: more, and nobody knows which of them did it."""
LONGEST_HOURS, SHORTEST_HOURS = 480, 4
REWARD_RISK = (Decimal("1.2"), Decimal(6))
STOP_MULTIPLE = (Decimal("0.5"), Decimal(8))
SMALLEST_SIZE = Decimal("0.005")
INDEX_FACTS = ("rsi_14", "adx_14", "plus_di_14", "minus_di_14")


class Lineage(Contract):
    """Where a strategy comes from: how, from whom, by which seed, and what was changed."""

    origin: Origin
    parents: tuple[str, ...] = ()
    seed: str = ""
    changes: tuple[str, ...] = ()


class Newborn(Contract):
    """A strategy with its lineage; its name is its parent's and a hash of its genes: equal genes, equal name."""

    strategy: Strategy
    lineage: Lineage


def mutants(parents: Sequence[Strategy], *, seed: str, policy: Policy) -> tuple[Newborn, ...]:
    """The week's variants of good strategies: one or two genes changed by 10 to 40 percent, within bounds (C51).

    As many as the policy says, all different from each other and from their parents; the same seed breeds the same.
    """
    if not parents:
        return ()
    chance = random.Random(f"{seed}|mutation")
    born: dict[str, Newborn] = {}
    known = {_genes(parent) for parent in parents}
    for attempt in range(20 * policy.mutations_per_week):
        if len(born) == policy.mutations_per_week:
            break
        child = _mutant(chance.choice(list(parents)), chance, f"{seed}|{attempt}", policy)
        if child is not None and _genes(child.strategy) not in known:
            born[child.strategy.name] = child
    return tuple(born.values())


def crossing(one: Strategy, other: Strategy, *, seed: str) -> Newborn:
    """A child of two strategies of different kinds: the entry of one, the exits of the other, stop and size of either.

    Raises `ValueError` where both are of one kind: their child would be a mutant.
    """
    if one.kind == other.kind:
        raise ValueError(f"{one.name} and {other.name} are both {one.kind}: a crossing needs two kinds")
    chance = random.Random(f"{seed}|crossover")
    entry, exit_ = (one, other) if chance.random() < 0.5 else (other, one)
    sizing = chance.choice([one, other])
    child = entry.model_copy(
        update={
            "thesis": f"The entry of {entry.name} with the exits of {exit_.name} and the stop of {sizing.name}.",
            "version": "1",
            "exits": exit_.exits,
            "time_exit_hours": exit_.time_exit_hours,
            "stop": sizing.stop,
            "reward_risk": sizing.reward_risk,
            "size_fraction": sizing.size_fraction,
        }
    )
    return _named(
        child,
        f"{_root(entry.name)}-x-{_root(exit_.name)}",
        Lineage(
            origin="crossover",
            parents=(one.name, other.name),
            seed=seed,
            changes=(f"entry of {entry.name}", f"exits of {exit_.name}", f"stop and size of {sizing.name}"),
        ),
    )


def crossings(good: Sequence[Strategy], *, seed: str, policy: Policy) -> tuple[Newborn, ...]:
    """The month's children of pairs of good strategies of different kinds, best pairs first (C52)."""
    pairs = [(a, b) for place, a in enumerate(good) for b in good[place + 1 :] if a.kind != b.kind]
    return tuple(
        crossing(a, b, seed=f"{seed}|{number}") for number, (a, b) in enumerate(pairs[: policy.crossings_per_month])
    )


def wild(pool: Sequence[Strategy], *, seed: str, policy: Policy) -> tuple[Newborn, ...]:
    """The month's strategies that owe nothing to the pool: drawn from all facts, far from everything in it (C53)."""
    born: list[Newborn] = []
    for number in range(policy.wild_per_month):
        others = (*pool, *(child.strategy for child in born))
        strategy = wild_strategy(random.Random(f"{seed}|wild|{number}"), others)
        born.append(_named(strategy, "wild", Lineage(origin="wild", seed=f"{seed}|wild|{number}")))
    return tuple(born)


def nudged(strategy: Strategy, *, seed: str, by: Decimal = Decimal("0.05")) -> Strategy:
    """A copy with every number moved by up to `by`: what earns only at exactly its own numbers was fitted (S2-197)."""
    chance = random.Random(f"{seed}|nudge|{strategy.name}")

    def scaled(value: Decimal) -> Decimal:
        return _rounded(value * (1 + by * Decimal(str(round(chance.uniform(-1, 1), 4)))))

    def moved(setup: Setup) -> Setup:
        return setup.model_copy(
            update={
                "all_of": tuple(_moved(condition, scaled) for condition in setup.all_of),
                "any_of": tuple(_moved(condition, scaled) for condition in setup.any_of),
            }
        )

    return strategy.model_copy(
        update={
            "entries": tuple(moved(setup) for setup in strategy.entries),
            "filters": tuple(_moved(condition, scaled) for condition in strategy.filters),
            "exits": tuple(moved(setup) for setup in strategy.exits),
            "stop": strategy.stop.model_copy(update={"value": scaled(strategy.stop.value)}),
            "reward_risk": scaled(strategy.reward_risk),
        }
    )


def _mutant(parent: Strategy, chance: random.Random, seed: str, policy: Policy) -> Newborn | None:
    child, changes = parent, []
    for gene in chance.sample(_GENES, k=chance.randint(1, MOST_GENES)):
        child, change = _changed(child, gene, chance, policy)
        if change:
            changes.append(change)
    if not changes:
        return None
    lineage = Lineage(origin="mutation", parents=(parent.name,), seed=seed, changes=tuple(changes))
    return _named(child, f"{_root(parent.name)}-m", lineage)


_GENES = ("stop", "reward_risk", "size", "time", "entry", "exit")


def _changed(strategy: Strategy, gene: str, chance: random.Random, policy: Policy) -> tuple[Strategy, str]:
    factor = Decimal(str(round(chance.uniform(1.1, 1.4), 3)))
    if chance.random() < 0.5:
        factor = 1 / factor
    if gene == "stop":
        value = _held(strategy.stop.value * factor, *STOP_MULTIPLE) if strategy.stop.kind == "atr" else None
        value = value or _held(strategy.stop.value * factor, policy.stop_min_fraction, policy.stop_max_fraction)
        stop = strategy.stop.model_copy(update={"value": value})
        return strategy.model_copy(update={"stop": stop}), _said("stop", strategy.stop.value, value)
    if gene == "reward_risk":
        value = _held(strategy.reward_risk * factor, *REWARD_RISK)
        return strategy.model_copy(update={"reward_risk": value}), _said(gene, strategy.reward_risk, value)
    if gene == "size":
        value = _held(strategy.size_fraction * factor, SMALLEST_SIZE, policy.max_trade_fraction)
        return strategy.model_copy(update={"size_fraction": value}), _said(gene, strategy.size_fraction, value)
    if gene == "time":
        hours = max(SHORTEST_HOURS, min(LONGEST_HOURS, round(strategy.time_exit_hours * factor)))
        said = _said("time exit", Decimal(strategy.time_exit_hours), Decimal(hours))
        return strategy.model_copy(update={"time_exit_hours": hours}), said
    return _with_moved_condition(strategy, "entries" if gene == "entry" else "exits", factor, chance)


def _with_moved_condition(
    strategy: Strategy, where: str, factor: Decimal, chance: random.Random
) -> tuple[Strategy, str]:
    setups: tuple[Setup, ...] = strategy.entries if where == "entries" else strategy.exits
    places = [
        (s, c) for s, setup in enumerate(setups) for c, condition in enumerate(setup.all_of) if _movable(condition)
    ]
    if not places:
        return strategy, ""
    chosen, inside = chance.choice(places)
    before = setups[chosen].all_of[inside]
    gentle = 1 + (factor - 1) / 2
    after = _moved(before, lambda value: _rounded(value * gentle))
    conditions = tuple(after if place == inside else c for place, c in enumerate(setups[chosen].all_of))
    changed = setups[chosen].model_copy(update={"all_of": conditions})
    all_setups = tuple(changed if place == chosen else setup for place, setup in enumerate(setups))
    old, new = before.number or before.factor, after.number or after.factor
    return strategy.model_copy(update={where: all_setups}), _said(f"{where}: {before.id}", old, new)


def _movable(condition: Condition) -> bool:
    return (condition.number is not None and condition.number != 0) or condition.other_fact is not None


def _moved(condition: Condition, scaled: object) -> Condition:
    """The condition with its number scaled, an index kept between 1 and 99; a factor moves a tenth as far."""
    assert callable(scaled)
    if condition.op in (Op.IS, Op.IS_NOT):
        return condition
    if condition.number is not None:
        number: Decimal = scaled(condition.number)
        if condition.fact.partition("@")[0] in INDEX_FACTS:
            number = _held(number, Decimal(1), Decimal(99))
        return condition.model_copy(update={"number": number})
    moved: Decimal = scaled(condition.factor)
    factor = condition.factor + (moved - condition.factor) / 10
    return condition.model_copy(update={"factor": _rounded(factor)})


def _held(value: Decimal, least: Decimal, most: Decimal) -> Decimal:
    return _rounded(min(max(value, least), most))


def _rounded(value: Decimal) -> Decimal:
    """To four significant digits: a gene is no place for seventeen."""
    if not value:
        return value
    return Decimal(plain(value.quantize(Decimal(1).scaleb(value.adjusted() - 3), rounding=ROUND_HALF_EVEN)))


def _said(what: str, old: Decimal, new: Decimal) -> str:
    return f"{what} {plain(old)} to {plain(new)}" if old != new else ""


def _genes(strategy: Strategy) -> str:
    """A hash of all that a strategy does, whatever it is called."""
    genes = strategy.model_dump(mode="json", exclude={"name", "version", "thesis"})
    return content_hash(canonical_json(genes))


def _named(strategy: Strategy, stem: str, lineage: Lineage) -> Newborn:
    named = strategy.model_copy(update={"name": f"{stem}-{_genes(strategy)[:8]}"})
    return Newborn(strategy=Strategy.model_validate(named.model_dump()), lineage=lineage)


def _root(name: str) -> str:
    """The founder's name in a descendant's: names do not grow from one generation to the next."""
    return name.split("-m-", maxsplit=1)[0].split("-x-", maxsplit=1)[0]
