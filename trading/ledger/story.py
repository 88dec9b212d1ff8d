"""A valuation and a reconciliation in Markdown, for the details of their run in the Web UI."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from trading.ledger.differences import Difference
from trading.ledger.venue_reset import VENUE_RESET, LedgerClosing

SHOWN = 20


def valuation_story(equities_usd: Sequence[tuple[str, Decimal]], *, as_of: datetime) -> str:
    """Each account by name with its equity in USD."""
    if not equities_usd:
        return "no account to value"
    return f"equity at {as_of:%Y-%m-%d %H:%M}: " + ", ".join(f"{name} {usd:.2f} USD" for name, usd in equities_usd)


def reconciliation_story(differences: Sequence[Difference], foreign: Sequence[str], *, orders: int) -> str:
    """What was compared, the first differences, and the orders that are none of ours."""
    lines = [f"{orders} orders compared, **{len(differences)} differences**"]
    if differences:
        lines += ["", "| kind | id | ours | venue |", "|---|---|---|---|"]
        lines += [f"| {one.kind} | `{one.id}` | {one.ours} | {one.venue} |" for one in differences[:SHOWN]]
    if foreign:
        lines += ["", f"orders at the venue that are none of ours: {', '.join(foreign[:SHOWN])}"]
    return "\n".join(lines)


def closings_story(closings: Sequence[LedgerClosing]) -> str:
    """Accounts of which the venue knows no order any more; empty where there are none."""
    lines = []
    for one in closings:
        end = "in doubt until the next look: nothing is sent" if one.closed_at is None else "closed, and begun anew"
        lines.append(f"**{VENUE_RESET}** {one.account}: books {end}")
    return "\n\n".join(lines)
