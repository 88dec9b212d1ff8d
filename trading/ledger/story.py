"""A reconciliation in Markdown, for the details of its run in the Web UI."""

from __future__ import annotations

from collections.abc import Sequence

from trading.ledger.differences import Difference

SHOWN = 20


def reconciliation_story(differences: Sequence[Difference], foreign: Sequence[str], *, orders: int) -> str:
    """What was compared, the first differences, and the orders that are none of ours."""
    lines = [f"{orders} orders compared, **{len(differences)} differences**"]
    if differences:
        lines += ["", "| kind | id | ours | venue |", "|---|---|---|---|"]
        lines += [f"| {one.kind} | `{one.id}` | {one.ours} | {one.venue} |" for one in differences[:SHOWN]]
    if foreign:
        lines += ["", f"orders at the venue that are none of ours: {', '.join(foreign[:SHOWN])}"]
    return "\n".join(lines)
