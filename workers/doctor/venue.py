"""The venue: clock, keys, filters, and the smallest equity that its smallest orders leave workable."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from config.environment import KEY_PREFIX, venue_keys
from config.markets import DEFAULT_ACCOUNTS, DEFAULT_SYMBOLS, Profile
from trading.watching.quality import Answer, SourceQuality
from workers.doctor.checks import Check, failed, passed, skipped
from workers.stack.home import attach

if TYPE_CHECKING:
    from activities.exchange.binance import BinanceExchange
    from config.settings import Settings
    from trading.orders.symbols import SymbolRules
    from trading.orders.venue_account import VenueAccount

SKEW_ALLOWED_S = 1.0
"""A venue refuses a request that is dated more than this ahead of it, and one older than its window."""


async def venue_checks(settings: Settings) -> AsyncIterator[Check]:
    """All of this family, on the running stack's venue or the profile's; one sentence where there is none."""
    address = _address(settings)
    if address is None:
        yield skipped("exchange.clock", "no venue to ask: the simulated one runs with the stack", fix="perennial up")
        return
    exchange = _open(settings, address)
    try:
        clock = await _clock(exchange, address)
        yield clock
        if clock.fix and "does not answer" in clock.detail:
            return
        rules = await _rules(exchange)
        yield filters_check(rules)
        yield await _sources(settings, address)
        accounts, problem = await _accounts(exchange, settings)
        yield problem or key_check(accounts)
        yield equity_check(rules, accounts)
    finally:
        await exchange.aclose()


def _address(settings: Settings) -> str | None:
    stack = attach(settings.home)
    if stack is not None and "exchange" in stack.addresses:
        return stack.addresses["exchange"]
    return settings.venue_url or settings.venue_row.base_url


def _open(settings: Settings, address: str) -> BinanceExchange:
    from workers.runtime.starting import site_of
    from workers.runtime.wiring import open_exchange

    return open_exchange(site_of(settings, roles=(), venue_url=address))


async def _sources(settings: Settings, address: str) -> Check:
    """Every source of market data asked once: its score, and how it answered (C64)."""
    from activities.market.port import MarketUnavailable
    from workers.runtime.starting import site_of
    from workers.runtime.wiring import open_market

    market = open_market(site_of(settings, roles=(), venue_url=address))
    kept = await _kept_scores(settings)
    try:
        found = await market.check(DEFAULT_SYMBOLS[0], as_of=await market.market_time())
    except MarketUnavailable as silent:
        return failed("exchange.sources", f"no source says what time it is: {silent}", fix="perennial doctor")
    finally:
        await market.aclose()
    return sources_check(found, kept=kept)


async def _kept_scores(settings: Settings) -> tuple[SourceQuality, ...]:
    """What the workers found; nothing where there is no database yet."""
    from activities.store.open import open_store
    from activities.store.ports.faults import StoreUnavailable

    store = await open_store(settings.database)
    try:
        return await store.source_scores(settings.venue_row.venue)
    except StoreUnavailable:
        return ()
    finally:
        await store.aclose()


def sources_check(found: Sequence[SourceQuality], *, kept: Sequence[SourceQuality] = ()) -> Check:
    """Whether a source of market data answers in time with new candles; the others are named.

    `kept` are the scores that workers gave: of a source that they know, theirs is shown.
    """
    known = {one.name: one.score for one in kept}
    found = [one.model_copy(update={"score": known.get(one.name, one.score)}) for one in found]
    shown = ", ".join(f"{one.name} {one.last.value if one.last else 'refused'} ({one.score:.2f})" for one in found)
    if any(one.last is Answer.GOOD for one in found):
        return passed("exchange.sources", shown)
    return failed("exchange.sources", f"no source has new candles: {shown}", fix="perennial doctor")


async def _clock(exchange: BinanceExchange, address: str) -> Check:
    """The venue's clock against ours in the middle of the question."""
    from activities.exchange.port import VenueRefused, VenueUnavailable

    began, at = time.monotonic(), datetime.now(UTC)
    try:
        theirs = await exchange.venue_time()
    except (VenueUnavailable, VenueRefused) as error:
        return failed("exchange.clock", f"{address} does not answer: {error}", fix=f"curl -sS {address}/api/v3/time")
    took_s = time.monotonic() - began
    skew_s = (theirs - at).total_seconds() - took_s / 2
    told = f"{address} is {abs(skew_s):.2f} s {'ahead of' if skew_s > 0 else 'behind'} us, answered in {took_s:.2f} s"
    if abs(skew_s) > SKEW_ALLOWED_S:
        fix = "sudo sntp -sS time.apple.com" if sys.platform == "darwin" else "sudo timedatectl set-ntp true"
        return failed("exchange.clock", f"{told}; {SKEW_ALLOWED_S:.0f} s are allowed", fix=fix)
    return passed("exchange.clock", told)


async def _rules(exchange: BinanceExchange) -> dict[str, SymbolRules]:
    """The filters of the usual symbols that this venue lists."""
    from activities.exchange.port import VenueRefused, VenueUnavailable

    rules = {}
    for symbol in DEFAULT_SYMBOLS:
        try:
            rules[symbol] = await exchange.rules(symbol)
        except (VenueRefused, VenueUnavailable):
            continue
    return rules


def filters_check(rules: dict[str, SymbolRules]) -> Check:
    from trading.orders.models import OrderType

    name = "exchange.filters"
    if not rules:
        listed = ", ".join(DEFAULT_SYMBOLS)
        return skipped(name, f"this venue lists none of {listed}")
    idle = [symbol for symbol, rule in rules.items() if not rule.is_trading]
    without_stop = [symbol for symbol, rule in rules.items() if OrderType.STOP_LOSS not in rule.order_types]
    if without_stop:
        return failed(
            name,
            f"no STOP_LOSS orders on {', '.join(without_stop)}: positions there could not be protected at the venue",
            fix="perennial config show",
        )
    shown = ", ".join(f"{symbol} from {rule.min_notional_usd:f} USD" for symbol, rule in rules.items())
    halted = f"; not trading now: {', '.join(idle)}" if idle else ""
    return passed(name, f"{shown}{halted}")


async def _accounts(exchange: BinanceExchange, settings: Settings) -> tuple[list[VenueAccount], Check | None]:
    """What the venue says of each account, or the check that says why it was not asked or did not answer."""
    from activities.exchange.port import VenueRefused, VenueUnavailable

    row = settings.venue_row
    if settings.profile is Profile.PAPER:
        return [], skipped("exchange.key", "public data only: paper needs no key")
    names = sorted(venue_keys(settings.given())) if row.needs_key else list(DEFAULT_ACCOUNTS)
    if not names:
        fix = f"export {KEY_PREFIX}_COMPOSITE=... BINANCE_API_SECRET_COMPOSITE=..."
        return [], failed("exchange.key", f"no account has a key for profile {settings.profile.value}", fix=fix)
    found = []
    for name in names:
        try:
            found.append(await exchange.account(name))
        except (VenueRefused, VenueUnavailable) as error:
            fix = "perennial config show" if row.needs_key else "perennial up"
            return found, failed("exchange.key", f"account {name}: {error}", fix=fix)
    return found, None


def key_check(accounts: list[VenueAccount]) -> Check:
    """A key must trade and must not withdraw: what it cannot do, nobody who steals it can."""
    for account in accounts:
        if account.can_withdraw:
            return failed(
                "exchange.key",
                f"the key of {account.account} may withdraw; switch that off at the venue, or take another key",
                fix=f"unset {KEY_PREFIX}_{account.account.upper()}",
            )
        if not account.can_trade:
            return failed(
                "exchange.key",
                f"the key of {account.account} may not trade; allow spot trading for it at the venue",
                fix=f"unset {KEY_PREFIX}_{account.account.upper()}",
            )
    names = ", ".join(account.account for account in accounts)
    return passed("exchange.key", f"{names}: can trade, cannot withdraw")


def equity_check(rules: dict[str, SymbolRules], accounts: list[VenueAccount]) -> Check:
    """Below this equity the smallest order that can still be sold after a stop is larger than a trade may be."""
    from decimal import Decimal

    from trading.playbook import first_playbook
    from trading.risk.levels import least_workable_equity_usd

    name = "exchange.equity"
    if not rules:
        return skipped(name, "needs the filters of a symbol")
    policy = first_playbook().policy
    fee = max((account.fees.taker for account in accounts), default=Decimal("0.001"))
    notional = max(rule.min_notional_usd for rule in rules.values())
    least = least_workable_equity_usd(policy, min_notional_usd=notional, fee=fee)
    told = f"an account needs {least:.2f} USD for orders of {notional:f} USD at {policy.max_trade_fraction} a trade"
    poor = [account for account in accounts if account.balance("USDT").total < least and not _holds_more(account)]
    if poor:
        shown = ", ".join(f"{account.account} has {account.balance('USDT').total:.2f} USDT" for account in poor)
        return failed(name, f"{told}; {shown}", fix="perennial positions")
    return passed(name, told)


def _holds_more(account: VenueAccount) -> bool:
    """Whether anything but cash is held: then cash alone says little about equity."""
    return any(balance.asset != "USDT" and balance.total > 0 for balance in account.balances)
