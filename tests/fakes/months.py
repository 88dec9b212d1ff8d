"""Months that a house has behind it: what its account closed and was worth, for a reflection to speak of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from fakes.told_market import ACCOUNT, OPENS_AT, SYMBOL
from sqlalchemy import insert

from activities.store.open import Store
from activities.store.tables import EquityRow
from trading.playbook import first_playbook, revised
from trading.policy.table import changed

LAST_EVENING = datetime(2020, 1, 31, 20, tzinfo=UTC)
"""The last day of the month and of no quarter; the account opens two days before it."""

TIGHTENED = revised(first_playbook(), policy=changed(first_playbook().policy, max_trade_fraction="0.03"))
"""What was tightened before: only such a limit is ever proposed to be loosened."""


async def a_good_month(
    store: Store, realm: str, *, until: datetime = LAST_EVENING, since: datetime = OPENS_AT, capital: int = 100_000
) -> None:
    """Two dozen gains and a rising equity: a tightened limit may be loosened, and a sentence encourages."""
    await closed(store, realm, pnl=[Decimal(40)] * 24, until=until)
    await worth(store, realm, [capital, capital + 400, capital + 960], until=until, since=since)


async def a_bad_month(store: Store, realm: str, *, until: datetime = LAST_EVENING) -> None:
    """Six losses and a drawdown of 5 %: trades become smaller, and a sentence cautions."""
    await closed(store, realm, pnl=[Decimal(-800)] * 6, until=until)
    await worth(store, realm, [100_000, 97_000, 95_200], until=until)


async def closed(store: Store, realm: str, *, pnl: list[Decimal], until: datetime, name: str = "month") -> None:
    for number, gain in enumerate(pnl):
        await store.record_outcome(
            realm,
            ACCOUNT,
            SYMBOL,
            f"{name}-{number}",
            pnl_usd=gain,
            return_fraction=gain / 5000,
            exit_reason="target" if gain > 0 else "stop",
            closed_at=until - timedelta(hours=2, minutes=number),
        )


async def worth(store: Store, realm: str, values: list[int], *, until: datetime, since: datetime = OPENS_AT) -> None:
    """Equity marks from the account's opening to `until`."""
    step = (until - since) / len(values)
    async with store.database.write() as connection:
        rows = [
            {
                "realm": realm,
                "account": ACCOUNT,
                "as_of": since + step * (place + 1),
                "equity_usd": Decimal(value),
                "cash_usd": Decimal(value),
                "peak_equity_usd": Decimal(max(values[: place + 1])),
            }
            for place, value in enumerate(values)
        ]
        await connection.execute(insert(EquityRow), rows)
