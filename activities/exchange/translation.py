"""What the venue's port raises, in Temporal's words; and beats while a call lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio.exceptions import ApplicationError

from activities.beating import beating
from activities.exchange.following import UnknownOrder
from activities.exchange.placing import IntentDiffers
from activities.exchange.port import RealmRefused, VenueRefused, VenueUnavailable
from activities.store.ports.faults import StoreRefused, StoreUnavailable

REFUSED_PAUSE = timedelta(seconds=10)
"""A key or an address that the venue refuses is a person's to mend; asking every ten seconds costs nothing."""

INVALID_SYMBOL = -1121
"""The one refusal that no mending of keys and addresses changes."""


@asynccontextmanager
async def venue_call(*, about_an_order: bool = False) -> AsyncIterator[None]:
    """Beat while the call lasts, and give the ports' errors their stable types.

    Final: `RealmRefused`, `VenueRefused` (with the venue's code), `IntentDiffers`, `UnknownOrder`, `StoreRefused`.
    Retried: `StoreUnavailable`, and `VenueUnavailable` after the venue's own Retry-After where it gave one.

    `about_an_order`: something may be at the venue already, so a refused question (403, a revoked key) ends nothing:
    `VenueRefused` is retried too, an unknown symbol aside. A guard that ended on it would leave its position alone.
    """
    try:
        async with beating():
            yield
    except VenueRefused as refused:
        is_final = not about_an_order or refused.code == INVALID_SYMBOL
        raise ApplicationError(
            str(refused),
            refused.code,
            type="VenueRefused",
            non_retryable=is_final,
            next_retry_delay=None if is_final else REFUSED_PAUSE,
        ) from refused
    except (RealmRefused, IntentDiffers, UnknownOrder, StoreRefused) as refused:
        raise ApplicationError(str(refused), type=type(refused).__name__, non_retryable=True) from refused
    except VenueUnavailable as silent:
        delay = timedelta(seconds=float(silent.retry_after_s)) if silent.retry_after_s is not None else None
        raise ApplicationError(str(silent), type="VenueUnavailable", next_retry_delay=delay) from silent
    except StoreUnavailable as silent:
        raise ApplicationError(str(silent), type="StoreUnavailable") from silent
