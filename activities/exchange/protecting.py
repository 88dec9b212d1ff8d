"""An exit for what has filled: how long it took is measured, and one that is late or missing is told."""

from __future__ import annotations

import logging
from typing import Any

from temporalio import activity

from activities.exchange.placing import OrderPlacement
from activities.exchange.port import VenueRefused, VenueUnavailable
from activities.store.ports.journal import OrderJournal
from trading.orders.exits import PROTECTED_WITHIN_S
from trading.orders.models import OrderReport, OrderRequest

log = logging.getLogger(__name__)


async def place_exit(placement: OrderPlacement, journal: OrderJournal, request: OrderRequest) -> OrderReport:
    """Place it, and measure in the venue's time how long what it ends or protects was held without an exit.

    Across kills, bans and outages that time has no bound but is told (venue.md): by a warning for each attempt that
    leaves nothing at the venue, and by one more where the exit came late. `perennial status` shows both.
    """
    try:
        report = await placement.place(request)
    except (VenueUnavailable, VenueRefused) as silent:
        await _tell_if_naked(journal, request, str(silent))
        raise
    waited_s = await journal.unprotected_s(request.key)
    if waited_s is None:
        if report.executed_quantity == 0:
            await _tell_if_naked(journal, request, f"{report.status.value}: {report.reason}")
        return report
    meter = activity.metric_meter()
    meter.create_histogram_float("perennial_unprotected", "from a fill to the exit that answers it", "s").record(
        float(waited_s)
    )
    if waited_s > PROTECTED_WITHIN_S:
        _warn("an exit came late", request, unprotected_s=waited_s)
    return report


async def _tell_if_naked(journal: OrderJournal, request: OrderRequest, because: str) -> None:
    since = await journal.unprotected_since(request.key)
    if since is not None:
        _warn("held without an exit", request, since=since, because=because)


def _warn(what: str, request: OrderRequest, **facts: Any) -> None:
    names = {"realm": request.realm, "account": request.account, "symbol": request.symbol}
    log.warning(what, extra=names | {"client_order_id": request.client_order_id} | facts)
