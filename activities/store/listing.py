"""Which realms, accounts and symbols the database knows."""

from __future__ import annotations

from sqlalchemy import select, union

from activities.store.open import Store
from activities.store.tables import AccountRow, OrderRow


async def realms(store: Store) -> tuple[str, ...]:
    """Every realm that has an account, in alphabetical order."""
    async with store.database.read() as connection:
        rows = await connection.execute(select(AccountRow.realm).distinct().order_by(AccountRow.realm))
        return tuple(rows.scalars())


async def accounts_and_symbols(store: Store, realm: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Every account of the realm, and every symbol that one of them ever ordered, in alphabetical order."""
    async with store.database.read() as connection:
        accounts = await connection.execute(
            union(
                select(AccountRow.account).where(AccountRow.realm == realm),
                select(OrderRow.account).where(OrderRow.realm == realm),
            )
        )
        symbols = await connection.execute(select(OrderRow.symbol).where(OrderRow.realm == realm).distinct())
        return tuple(sorted(accounts.scalars())), tuple(sorted(symbols.scalars()))
