"""The port to market data: closed candles and the top of the book, as they were known at a time."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Protocol

from pydantic import Field

from activities.store.ports.reviews import PriceWish
from trading.candles import CandleSeries
from trading.contract import Contract, Utc
from trading.decision.models import PositionView
from trading.facts.models import DailyCloses, RiskRegime, TrendRegime
from trading.orders.symbols import BookTop
from trading.planning.models import Unwatched
from trading.policy.regimes import RegimePolicy


class MarketUnavailable(Exception):
    """The source did not answer: retried; when it stays away the decision abstains with `market_unavailable`."""

    def __init__(self, message: str, *, retry_after_s: Decimal | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class MarketRefused(Exception):
    """The source said no for good: an unknown symbol, a wrong key. Never retried; the decision abstains."""


class TimeframeNotOffered(MarketRefused):
    """The source has no such timeframe for the symbol: where it is a coarser one, the base is resampled."""


class MarketData(Protocol):
    """A source of closed candles. Nothing it returns was unknown at `as_of`."""

    venue: str
    base_timeframe: str

    async def candles(self, symbol: str, timeframe: str, *, as_of: datetime, limit: int) -> CandleSeries:
        """The newest `limit` candles of `timeframe` that had closed at `as_of`, oldest first.

        Raises `MarketUnavailable`, `MarketRefused`, and `TimeframeNotOffered` where the source lacks the timeframe.
        """
        ...

    async def book_top(self, symbol: str, *, as_of: datetime) -> BookTop | None:
        """The book's top now, or `None` where the source has none at `as_of`."""
        ...

    async def aclose(self) -> None: ...


class ObserveRequest(Contract):
    realm: str
    venue: str
    symbol: str
    as_of: Utc
    position: PositionView | None = Field(default=None, description="the lead account's position, stated as facts")
    regimes: RegimePolicy | None = Field(default=None, description="the playbook's thresholds; else the first ones")


class ObserveAllRequest(Contract):
    """Many symbols at one time. After `patience_s` what still does not answer is left unwatched; without it, never."""

    realm: str
    venue: str
    symbols: tuple[str, ...]
    as_of: Utc
    patience_s: int | None = None


class Observed(Contract):
    """Content hashes of the snapshots, in the order asked for, and the symbols of which there is none."""

    snapshots: tuple[str, ...] = ()
    unobserved: tuple[Unwatched, ...] = ()


class ClosesRequest(Contract):
    """Closes of some symbols that were known at `as_of`: of each those after its own time. `now` is the market's."""

    realm: str
    venue: str
    wishes: tuple[PriceWish, ...]
    as_of: Utc
    now: Utc


class ClosesRef(Contract):
    """Where the closes are kept: a blob of `PriceRun`s."""

    prices_hash: str


class Observation(Contract):
    """What a workflow carries of a snapshot: its content hash and the numbers it branches on."""

    snapshot_hash: str
    symbol: str
    as_of: Utc
    last_price: Decimal
    bid: Decimal | None = None
    ask: Decimal | None = None
    spread_fraction: Decimal = Decimal(0)
    atr_fraction: Decimal | None = None
    trend_regime: TrendRegime
    risk_regime: RiskRegime
    bars: int
    facts: int
    insufficient: str | None = None
    history: DailyCloses | None = Field(default=None, description="the newest daily closes, for limits (C17)")
    hour_volumes_usd: tuple[Decimal, ...] = ()
