"""The deterministic analysts: a strategy row's signal, written down as the proposal a model would have to give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from trading.decision.models import Action, Claim, Proposal, ReasoningStep
from trading.facts.models import Fact
from trading.money import ONE
from trading.strategies.evaluate import as_text, evaluate, number, round_level
from trading.strategies.library import strategy as strategy_named
from trading.strategies.models import Checked, Signal, Strategy

_FOLLOWERS = frozenset({"momentum", "trend", "breakout"})
_DOUBTERS = frozenset({"reversion", "volatility", "other"})
SCHOOLS = {kind: school for school in (_FOLLOWERS, _DOUBTERS) for kind in school}
"""Which kinds of strategies one analyst follows: who goes with a move and who goes against it stay two minds."""

MAX_CLAIMS = 12
MAX_CONCLUSION = 600


def propose_by_rules(strategy_name: str, facts: Mapping[str, Fact]) -> Proposal:
    """The proposal of the built-in strategy `strategy_name`; `LookupError` for an unknown one."""
    return propose(strategy_named(strategy_name), facts)


def resting(proposal: Proposal, facts: Mapping[str, Fact], *, below: Decimal) -> Proposal:
    """The same proposal of somebody who does not take: a purchase waits at the fraction `below` under the price."""
    price = number(facts, "last_price")
    if proposal.action is not Action.BUY or price is None:
        return proposal
    return proposal.model_copy(update={"entry_price": round_level(price * (ONE - below))})


def propose_by_set(base: Strategy, strategies: Iterable[Strategy], facts: Mapping[str, Fact]) -> Proposal:
    """What the analyst of `base` proposes who follows a playbook's `strategies` of the same school (C11, C50).

    Without a position the most confident one that buys speaks, `base` before its equals, then by the playbook's order;
    if none buys, `base` says why it holds. With a position `base` alone speaks: stop, target and time exit of whoever
    opened it are the guard's already.
    """
    school = SCHOOLS[base.kind]
    others = [row for row in strategies if row.kind in school and row.name != base.name]
    if (number(facts, base.position_fact) or 0) > 0:
        return propose(base, facts)
    signals = [(row, evaluate(row, facts)) for row in (base, *others)]
    buying = [(row, signal) for row, signal in signals if signal.action is Action.BUY]
    chosen = max(buying, key=lambda pair: pair[1].confidence)[0] if buying else base
    return propose(chosen, facts)


def propose(strategy: Strategy, facts: Mapping[str, Fact]) -> Proposal:
    """What `strategy` proposes on `facts`, in the schema that models answer in (C08).

    Deterministic: the same facts give the same proposal. Every claim cites a fact that is there and repeats its value;
    entries are at market, levels are the strategy's own.
    """
    signal = evaluate(strategy, facts)
    return Proposal(
        action=signal.action,
        size_fraction=signal.size_fraction,
        entry_price=None,
        stop_price=signal.stop,
        target_price=signal.target,
        horizon_hours=signal.horizon_hours,
        confidence=signal.confidence,
        win_probability=signal.win_probability,
        steps=_steps(strategy, signal, facts),
        claims=_claims(strategy, signal, facts),
    )


def _steps(strategy: Strategy, signal: Signal, facts: Mapping[str, Fact]) -> tuple[ReasoningStep, ...]:
    held = [_seen(check) for check in signal.satisfied]
    missed = [_seen(check) for check in signal.failed]
    missing = f"Not known: {_listed(signal.missing, limit=200)}. " if signal.missing else ""
    return (
        ReasoningStep(question="What does the market do?", conclusion=_market(strategy, facts)),
        ReasoningStep(
            question="Which conditions of the strategy hold?",
            conclusion=_listed(held, limit=MAX_CONCLUSION - 10) + "." if held else "None of them holds.",
        ),
        ReasoningStep(
            question="Which conditions fail, and what is not known?",
            conclusion=missing + (_listed(missed, limit=350) + "." if missed else "All that were looked at hold."),
        ),
        ReasoningStep(question="What follows?", conclusion=_conclusion(strategy, signal)),
    )


def _market(strategy: Strategy, facts: Mapping[str, Fact]) -> str:
    known = [
        f"{fact_id} {as_text(facts[fact_id].value)}"
        for fact_id in (strategy.price_fact, "trend_regime", "risk_regime", "change_24h", "atr_fraction@1h")
        if fact_id in facts
    ]
    return (_listed(known, limit=MAX_CONCLUSION - 10) or "Nothing is known of it") + "."


def _conclusion(strategy: Strategy, signal: Signal) -> str:
    if signal.action is Action.BUY:
        return (
            f"Buy: the setup {signal.setup} of {strategy.name} holds. Stop {_price(signal.stop)}, "
            f"target {_price(signal.target)}, a reward/risk of {as_text(strategy.reward_risk)}."
        )
    if signal.action is Action.SELL:
        return f"Sell: the exit {signal.setup} of {strategy.name} holds."
    return f"Hold: no setup of {strategy.name} holds."


def _claims(strategy: Strategy, signal: Signal, facts: Mapping[str, Fact]) -> tuple[Claim, ...]:
    spoken: dict[str, str] = {}
    for check in signal.satisfied if signal.action is not Action.HOLD else signal.failed:
        if check.left is not None:
            spoken.setdefault(check.condition.fact, check.condition.id)
    spoken.setdefault(strategy.price_fact, "the price that the levels rest on")
    if signal.action is Action.BUY and strategy.stop.kind == "atr":
        spoken.setdefault(strategy.stop.atr_fact, "the range that the stop rests on")
    for fact_id in ("trend_regime", "risk_regime"):
        spoken.setdefault(fact_id, "the regime that this is judged in")
    cited = [(fact_id, why) for fact_id, why in spoken.items() if fact_id in facts]
    verb = "" if signal.action is not Action.HOLD else "looked at: "
    return tuple(
        Claim(
            statement=f"{verb}{why} ({fact_id} is {as_text(facts[fact_id].value)})",
            cites=(fact_id,),
            value=as_text(facts[fact_id].value),
        )
        for fact_id, why in cited[:MAX_CLAIMS]
    )


def _seen(check: Checked) -> str:
    return f"{check.condition.id} ({check.condition.fact} {check.left if check.left is not None else 'unknown'})"


def _listed(items: Iterable[str], *, limit: int) -> str:
    """The items with semicolons between them, as many as fit into `limit` characters."""
    text = ""
    for item in items:
        longer = f"{text}; {item}" if text else item
        if len(longer) > limit - len("; and more"):
            return f"{text}; and more"
        text = longer
    return text


def _price(price: Decimal | None) -> str:
    return "none" if price is None else as_text(price)
