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
from activities.store.port import StoreRefused, StoreUnavailable


@asynccontextmanager
async def venue_call() -> AsyncIterator[None]:
    """Beat while the call lasts, and give the ports' errors their stable types.

    Final: `RealmRefused`, `VenueRefused` (with the venue's code), `IntentDiffers`, `UnknownOrder`, `StoreRefused`.
    Retried: `StoreUnavailable`, and `VenueUnavailable` after the venue's own Retry-After where it gave one.
    """
    try:
        async with beating():
            yield
    except VenueRefused as refused:
        raise ApplicationError(str(refused), refused.code, type="VenueRefused", non_retryable=True) from refused
    except (RealmRefused, IntentDiffers, UnknownOrder, StoreRefused) as refused:
        raise ApplicationError(str(refused), type=type(refused).__name__, non_retryable=True) from refused
    except VenueUnavailable as silent:
        delay = timedelta(seconds=float(silent.retry_after_s)) if silent.retry_after_s is not None else None
        raise ApplicationError(str(silent), type="VenueUnavailable", next_retry_delay=delay) from silent
    except StoreUnavailable as silent:
        raise ApplicationError(str(silent), type="StoreUnavailable") from silent
