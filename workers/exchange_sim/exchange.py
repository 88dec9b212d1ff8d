"""One simulated exchange: its markets, state, engine, clock and counters, put together from a configuration."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import Any

from trading.matching.fills import FillModel
from trading.matching.model import ZERO, Refusal
from workers.exchange_sim.clock import MarketClock
from workers.exchange_sim.config import SimConfig
from workers.exchange_sim.data import load_series
from workers.exchange_sim.engine import Engine
from workers.exchange_sim.klines import Resampled
from workers.exchange_sim.limits import Limits
from workers.exchange_sim.listeners import Listeners
from workers.exchange_sim.market import Market, to_ms
from workers.exchange_sim.quoted import quoted_markets
from workers.exchange_sim.state import State
from workers.exchange_sim.store import Store


def wall_ms() -> int:
    """The wall clock, which signatures and `/api/v3/time` use."""
    return time.time_ns() // 1_000_000


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


@dataclass(slots=True)
class Exchange:
    """Everything a request handler needs. Handlers run one after the other, on one thread."""

    config: SimConfig
    markets: dict[str, Market]
    store: Store
    state: State
    engine: Engine
    clock: MarketClock
    limits: Limits
    started_ms: int
    listeners: Listeners
    _klines: dict[tuple[str, str], Resampled] = field(default_factory=dict)
    _by_api_symbol: dict[str, Market] = field(default_factory=dict)

    @property
    def now_ms(self) -> int:
        return self.state.now_ms

    @property
    def ends_ms(self) -> int:
        return max(market.end_ms for market in self.markets.values())

    def market(self, api_symbol: str) -> Market:
        """The market of `BTCUSDT`; raises `Refusal` (-1121) where it does not exist, or not yet on this day."""
        market = self._by_api_symbol.get(api_symbol)
        if market is None or not market.is_listed(self.now_ms):
            raise Refusal(-1121, "Invalid symbol.")
        return market

    def listed(self) -> list[Market]:
        return [market for market in self.markets.values() if market.is_listed(self.now_ms)]

    def klines(self, market: Market, interval: str) -> Resampled:
        key = (market.symbol, interval)
        if key not in self._klines:
            self._klines[key] = Resampled(market, interval)
        return self._klines[key]

    def commit(self, *, answer: tuple[str, str] | None = None, meta: dict[str, str] | None = None) -> None:
        """Write every change in one transaction, then tell it to those who listen to the user data stream."""
        self.state.commit(answer=answer, meta=meta)
        for account, report in self.engine.reports.take():
            self.listeners.tell(account, report)

    def catch_up(self) -> None:
        """Bring a running market clock to the present."""
        try:
            if self.clock.catch_up():
                self.commit()
        except BaseException:
            self.abandon_changes()
            raise

    def abandon_changes(self) -> None:
        """Put memory back to what the store holds: after a request that failed half-way."""
        self.engine.reports.take()
        self.state.reload()
        self.clock.forget()

    def close(self) -> None:
        self.clock.catch_up()
        self.commit()
        self.store.close()


def open_exchange(config: SimConfig) -> Exchange:
    """Load candles and state. Raises `ValueError` for unusable data or a database of another market or seed."""
    if config.quotes_url is not None:
        return _open_paper(config, config.quotes_url)
    markets = {symbol: Market(series) for symbol, series in sorted(load_series(config).items())}
    first_ms = min(market.first_ms for market in markets.values())
    start_ms = first_ms if config.start_at is None else to_ms(config.start_at)
    last_ms = max(market.end_ms for market in markets.values())
    if not first_ms <= start_ms < last_ms:
        raise ValueError(f"the start {config.start_at} lies outside the candles")
    model = FillModel(seed=config.seed, maker_fee=config.maker_fee, taker_fee=config.taker_fee)
    return _opened(config, markets, model, start_ms=start_ms, fingerprint=_fingerprint(config, markets))


def _open_paper(config: SimConfig, url: str) -> Exchange:
    """Live quotes on the wall clock: what was missed while nobody ran it is not made up."""
    now_ms = wall_ms()
    markets: dict[str, Market] = dict(quoted_markets(url, config.quoted_symbols, at_ms=now_ms))
    fees = {"maker_fee": config.maker_fee, "taker_fee": config.taker_fee}
    model = FillModel(seed=config.seed, slippage=ZERO, impact=ZERO, **fees)
    exchange = _opened(config, markets, model, start_ms=now_ms, fingerprint=_hash("live quotes"))
    if exchange.now_ms < now_ms:
        exchange.state.now_ms = now_ms
        exchange.clock.forget()
    return exchange


def _opened(
    config: SimConfig, markets: dict[str, Market], model: FillModel, *, start_ms: int, fingerprint: str
) -> Exchange:
    store = Store(config.db_path)
    known = store.meta("fingerprint")
    if known is not None and known != fingerprint:
        store.close()
        raise ValueError(
            f"{config.db_path} belongs to an exchange with other candles, fees or seed: "
            "give another database, or the same market"
        )
    state = State(store, now_ms=start_ms)
    started = store.meta("started_ms")
    if started is None:
        state.commit(meta={"fingerprint": fingerprint, "started_ms": str(start_ms)})
    engine = Engine(markets, state, model)
    return Exchange(
        config=config,
        markets=markets,
        store=store,
        state=state,
        engine=engine,
        clock=MarketClock(engine, config.clock_mode),
        limits=Limits(config),
        started_ms=start_ms if started is None else int(started),
        listeners=Listeners(engine.reports.watched),
        _by_api_symbol={market.api_symbol: market for market in markets.values()},
    )


def _fingerprint(config: SimConfig, markets: dict[str, Market]) -> str:
    facts = [f"seed {config.seed} maker {config.maker_fee} taker {config.taker_fee}"]
    for symbol, market in markets.items():
        candles = ";".join(f"{b.open_ms},{b.open},{b.high},{b.low},{b.close},{b.volume}" for b in market.bars)
        facts.append(f"{symbol} {market.timeframe} {_hash(candles)}")
    return _hash("|".join(facts))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
