"""What a house of a test is told: its market hour by hour, its accounts, its capital."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from trading.playbook import Playbook, first_playbook

VENUE = "simulated"
ACCOUNT = "composite"
SYMBOL = "BTC/USDT"
HISTORY_HOURS = 560
FIRST = datetime(2020, 1, 6, tzinfo=UTC)
OPENS_AT = FIRST + timedelta(hours=HISTORY_HOURS)
"""The market clock of a new house; before it lie more hours than a decision needs, around a price of 7000."""

Bar = tuple[object, object, object, object]
"""Open, high, low, close of one hour; a fifth number is its volume, 1000 otherwise."""
FLAT: tuple[object, ...] = (7000, 7010, 6990, 7000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a house is made of. `hours` are the hours after `OPENS_AT`; flat ones follow them."""

    hours: Sequence[Sequence[object]] = ()
    symbols: tuple[str, ...] = (SYMBOL,)
    accounts: tuple[str, ...] = (ACCOUNT,)
    capital: Decimal = Decimal(100_000)
    history_hours: int = HISTORY_HOURS
    ledger: str = ""
    """Ids derive from it: two houses with one ledger and one history come to the same rows."""
    playbook: Playbook = field(default_factory=first_playbook)
    coordinated: bool = True
    desks: bool = True
    accounts_open: bool = True
    takes_lists: bool = True
    takes_stop_loss: bool = True
    venue_capital: Decimal | None = None
    """What the venue really holds, where that is not the ledger's capital."""

    @property
    def opens_at(self) -> datetime:
        return FIRST + timedelta(hours=self.history_hours)


def write_candles(path: Path, told: Told) -> None:
    """History that swings a little around 7000, then the hours of the test, then flat ones."""
    past = [_swing(hour) for hour in range(told.history_hours)]
    hours = [*past, *told.hours, *([FLAT] * 400)]
    rows = ["timestamp,open,high,low,close,volume"]
    for place, hour in enumerate(hours):
        open_, high, low, close, *volume = hour
        at = (FIRST + timedelta(hours=place)).isoformat()
        rows.append(f"{at},{open_},{high},{low},{close},{volume[0] if volume else 1000}")
    path.write_text("\n".join(rows) + "\n")


def _swing(hour: int) -> tuple[object, ...]:
    levels = (7000, 7020, 7045, 7025, 7000, 6985, 6960, 6980)
    open_, close = levels[hour % 8], levels[(hour + 1) % 8]
    return open_, max(open_, close) + 15, min(open_, close) - 15, close


def file_of(symbol: str) -> str:
    return symbol.replace("/", "") + ".csv"
