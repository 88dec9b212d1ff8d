"""Where an operator works, and the refusal that a person is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from temporalio.client import Client

    from activities.store.open import Store


class HandRefused(Exception):
    """A person's hand that could not be taken: the sentence names what is known and allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an operator works: a realm at a venue, its Temporal service and its records.

    `orders_url` is the paper venue where orders do not go to the venue itself.
    """

    realm: str
    venue: str
    venue_url: str
    client: Client
    store: Store
    orders_url: str = ""

    @property
    def ledger(self) -> str:
        """The lasting realm's ledger has its name; ids derive from it."""
        return self.realm
