"""The one store behind all ports of the database."""

from __future__ import annotations

from activities.store.accounts import AccountRows
from activities.store.answers import AnswerRows
from activities.store.armings import ArmingRows
from activities.store.audit import AuditRows
from activities.store.blobs import BlobRows, RecentTexts
from activities.store.closings import ClosingRows
from activities.store.day_plans import DayPlanRows
from activities.store.decisions import DecisionRows
from activities.store.engine import Database
from activities.store.entry_plans import EntryPlanRows
from activities.store.exposures import ExposureRows
from activities.store.gene_pool import GenePoolRows
from activities.store.journal import JournalRows
from activities.store.kept_prices import PriceRows
from activities.store.ledger_reader import LedgerRows
from activities.store.market_memory import MarketMemoryRows
from activities.store.memory import MemoryRows
from activities.store.periods import PeriodRows
from activities.store.proposals import ProposalRows
from activities.store.protections import ProtectionRows


class Store(
    BlobRows,
    AnswerRows,
    JournalRows,
    AccountRows,
    ExposureRows,
    EntryPlanRows,
    DecisionRows,
    LedgerRows,
    PeriodRows,
    DayPlanRows,
    MemoryRows,
    GenePoolRows,
    ProposalRows,
    PriceRows,
    AuditRows,
    ProtectionRows,
    ArmingRows,
    ClosingRows,
    MarketMemoryRows,
):
    """All of `activities.store.ports`, over one migrated database and one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recent = RecentTexts()

    @property
    def database(self) -> Database:
        """For the read models of `activities.store.reading`."""
        return self._database

    async def aclose(self) -> None:
        """Close every connection; what was acknowledged is durable already."""
        await self._database.aclose()


async def open_store(url: str) -> Store:
    """Open the database at `sqlite+aiosqlite:///PATH` or `postgresql+psycopg://...`; `migrate(url)` must have run.

    Raises `ValueError` for another form. Connections are made when they are first needed.
    """
    return Store(Database(url))
