"""A plan against memory, by code: what the recalled cases of a symbol led to (C09, principles P02 to P04)."""

from __future__ import annotations

from trading.decision.models import MemoryItem, Recall
from trading.planning.models import MemoryCheck, MemoryVerdict

REPEATED_FAILURES = 3


def check_memory(symbol: str, recall: Recall, *, needs_precedent: bool = False) -> MemoryCheck:
    """Success and failure among the recalled cases of `symbol`.

    Three failures without a success: avoid. More failures than successes: cautious. Neither on record: unknown, and
    cautious for a style that wants a precedent (S0-69). Cases are the realm's: what worked for one account is a
    precedent for the others.
    """
    won, lost = _of(recall, "similar"), _of(recall, "failure")
    if not won and len(lost) >= REPEATED_FAILURES:
        verdict = MemoryVerdict.AVOID
    elif len(lost) > len(won):
        verdict = MemoryVerdict.CAUTIOUS
    else:
        unknown = MemoryVerdict.CAUTIOUS if needs_precedent else MemoryVerdict.UNKNOWN
        verdict = MemoryVerdict.CLEAR if won else unknown
    cited = lost if verdict in {MemoryVerdict.AVOID, MemoryVerdict.CAUTIOUS} else won
    return MemoryCheck(
        symbol=symbol,
        verdict=verdict,
        successes=len(won),
        failures=len(lost),
        cites=tuple(item.id for item in cited[:REPEATED_FAILURES]),
    )


def _of(recall: Recall, kind: str) -> list[MemoryItem]:
    return [item for item in recall.items if item.kind == kind]
