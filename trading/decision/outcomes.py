"""Every way in which a decision can end for an account, once: the code that is stored and its sentence (C01)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from trading.decision.models import AccountOutcome, Fusion, FusionOutcome
from trading.facts.models import REMEMBERED


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row. `changes_exposure`: an order may have changed the position; `needs_person`: it waits for one."""

    code: str
    sentence: str
    changes_exposure: bool = False
    needs_person: bool = False


_ROWS: Final = (
    Outcome("opened", "A position was opened or enlarged.", changes_exposure=True),
    Outcome("reduced", "The position was reduced.", changes_exposure=True),
    Outcome("partly_filled", "The order filled in part and its rest has ended.", changes_exposure=True),
    Outcome("order_placed", "The order was accepted and is followed until it ends.", changes_exposure=True),
    Outcome("held", "Both views, or the one that spoke, were to hold."),
    Outcome("no_trade", "The two views did not come to a trade; the reasons say why."),
    Outcome("abstained_insufficient_history", "There is too little history to decide on this symbol."),
    Outcome("abstained_stale_data", "The newest candle is too old to decide on."),
    Outcome("abstained_stranded", "The symbol's data has ended; nothing is opened in it."),
    Outcome("abstained_models", "No model gave an answer that stands."),
    Outcome("market_unavailable", "The market data did not answer; what is held is held."),
    Outcome("refused_by_gate", "The risk gate refused; its denials say why."),
    Outcome("desk_unavailable", "The account's desk did not answer; nothing was sent."),
    Outcome(
        "stale", "The price left the collar of what was approved, or the permit ran out, before the order was sent."
    ),
    Outcome("stale_as_of", "The observation was too old at the venue's clock to raise exposure."),
    Outcome("waiting_for_approval", "The proposal waits for a person; it is no end yet.", needs_person=True),
    Outcome("rejected_by_person", "A person rejected the proposal."),
    Outcome("expired", "Nobody answered the approval in time, which is a rejection."),
    Outcome("overridden", "A person decided otherwise.", changes_exposure=True),
    Outcome("order_refused", "The venue refused the order."),
    Outcome("order_expired", "The order ended at the venue without a fill."),
    Outcome(
        "order_frozen", "The order's fate is unknown; the symbol is frozen.", changes_exposure=True, needs_person=True
    ),
    Outcome("cancelled", "The decision was cancelled before an order was sent."),
    Outcome("failed", "The decision could not be finished; what is held is held.", needs_person=True),
)

OUTCOMES: Final[Mapping[str, Outcome]] = MappingProxyType({row.code: row for row in _ROWS})
"""The table by code; the reference in the docs is generated from it."""

REJECTED: Final = ("refused_by_gate", "order_refused", "stale_as_of", "desk_unavailable")
"""Ends of a decision that wanted an order and was not let."""


def found_by(outcomes: Sequence[AccountOutcome]) -> str:
    """The one outcome that a decision of several accounts is found by: a refusal where any of them met one."""
    ends = [outcome.outcome for outcome in outcomes]
    return next((code for code in ends if code in REJECTED), ends[0])


_INSUFFICIENT: Final = {
    "insufficient_history": "abstained_insufficient_history",
    "stale_data": "abstained_stale_data",
    "stranded": "abstained_stranded",
    REMEMBERED: "abstained_stale_data",
}
_ENDED: Final = {
    FusionOutcome.HOLD: "held",
    FusionOutcome.NO_TRADE: "no_trade",
    FusionOutcome.ABSTAIN: "abstained_models",
}


def outcome_of_insufficient(because: str) -> str:
    """The outcome of a snapshot that cannot carry a decision; `LookupError` names the known causes."""
    if because not in _INSUFFICIENT:
        raise LookupError(f"cause {because!r} is unknown: allowed are {', '.join(sorted(_INSUFFICIENT))}")
    return _INSUFFICIENT[because]


def outcome_of_fusion(fusion: Fusion) -> str | None:
    """The outcome of a fusion that ends the decision; `None` where it goes on to the gate."""
    return _ENDED.get(fusion.outcome)


def sentence_of(code: str) -> str:
    """The sentence of an outcome; `LookupError` for an unknown code."""
    if code not in OUTCOMES:
        raise LookupError(f"outcome {code!r} is unknown: allowed are {', '.join(OUTCOMES)}")
    return OUTCOMES[code].sentence
