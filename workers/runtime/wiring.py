"""The only place that constructs adapters, and only those that a process's roles need."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from workers.runtime.site import ModelChoice, Site
from workflows.names import QueueRole, exchange_queue, task_queue

if TYPE_CHECKING:
    from activities.exchange.binance import BinanceExchange
    from activities.market.failover import RankedSources
    from activities.models.port import ChatModel
    from activities.store.open import Store
    from activities.store.ports.market import SourceScores

Activity = Callable[..., Any]


@dataclass(slots=True)
class Room:
    """One queue and what a worker on it can do."""

    role: QueueRole
    queue: str
    workflows: Sequence[type] = ()
    activities: list[Activity] = field(default_factory=list)


@contextlib.asynccontextmanager
async def furnished(site: Site) -> AsyncIterator[list[Room]]:
    """The rooms of the site's roles, with their adapters open; all are closed on leaving, last opened first."""
    async with contextlib.AsyncExitStack() as closing:
        store = await _open_store(site, closing)
        rooms = []
        for role in site.roles:
            rooms.append(await _BUILDERS[role](site, store, closing))
        yield rooms


async def _open_store(site: Site, closing: contextlib.AsyncExitStack) -> Store:
    from activities.store.open import open_store

    store = await open_store(site.database_url)
    closing.push_async_callback(store.aclose)
    return store


async def _decisions(site: Site, store: Store, closing: contextlib.AsyncExitStack) -> Room:
    from activities.evolution.calls import EvolutionRecordsCalls
    from activities.models.fusing import FusionCalls
    from activities.models.verification import VerificationCalls
    from activities.planning.calls import PlanningCalls
    from activities.planning.watching import WatchCalls
    from activities.reports.calls import ReportCalls
    from activities.reports.charts import best_drawing
    from activities.reports.reflecting import ReflectionCalls
    from activities.reports.rendering import TemplateRenderer
    from activities.reports.reviewing import ReviewCalls
    from activities.reports.source import StoreSource
    from activities.store.answering import AnsweringCalls
    from activities.store.arming import ArmingCalls
    from activities.store.calls import StoreCalls
    from activities.store.revising import RevisingCalls
    from workflows.registry import WORKFLOWS

    records = StoreCalls(store)
    checks = VerificationCalls(store, store)
    source = StoreSource(store, knowledge=site.knowledge)
    reports = ReportCalls(source, store, TemplateRenderer(best_drawing()), folder=site.report_folder)
    campaign = await _campaign_calls(site, store, closing) if site.market_is_replayed else []
    return Room(
        role=QueueRole.DECISIONS,
        queue=task_queue(site.realm, QueueRole.DECISIONS),
        workflows=WORKFLOWS,
        activities=[
            *_activities_of(records),
            *_activities_of(checks),
            *_activities_of(FusionCalls(store, store, store, knowledge=site.knowledge)),
            *_activities_of(PlanningCalls(store)),
            *_activities_of(EvolutionRecordsCalls(store)),
            *_activities_of(RevisingCalls(store)),
            *_activities_of(WatchCalls(store)),
            *_activities_of(reports),
            *_activities_of(ReviewCalls(source, store)),
            *_activities_of(ReflectionCalls(source, store, reports)),
            *_activities_of(AnsweringCalls(store)),
            *_activities_of(ArmingCalls(store)),
            *campaign,
        ],
    )


async def _campaign_calls(site: Site, store: Store, closing: contextlib.AsyncExitStack) -> list[Activity]:
    """What a campaign does to its exchange, as local calls: they belong where the campaign runs."""
    from activities.exchange.calls import CampaignCalls
    from activities.exchange.simulated_clock import SimulatedClock

    clock = SimulatedClock(realm=site.realm, base_url=site.venue_url)
    closing.push_async_callback(clock.aclose)
    exchange = open_exchange(site, market_clock=clock)
    closing.push_async_callback(exchange.aclose)
    return _activities_of(CampaignCalls(clock, exchange, store))


async def _calls(site: Site, store: Store, closing: contextlib.AsyncExitStack) -> Room:
    from activities.asking import AskCalls

    return Room(
        role=QueueRole.CALLS, queue=task_queue(site.realm, QueueRole.CALLS), activities=_activities_of(AskCalls())
    )


async def _models(site: Site, store: Store, closing: contextlib.AsyncExitStack) -> Room:
    from activities.models.calls import ModelCalls

    models = {}
    for role, choice in site.models.items():
        model = build_model(choice)
        closing.push_async_callback(model.aclose)
        models[role] = model
    calls = ModelCalls(models, store, store)
    return Room(role=QueueRole.MODELS, queue=task_queue(site.realm, QueueRole.MODELS), activities=_activities_of(calls))


async def _market(site: Site, store: Store, closing: contextlib.AsyncExitStack) -> Room:
    from activities.market.calls import MarketCalls
    from activities.market.checking import SourceCalls
    from activities.market.remembering import RememberedMarket, RememberingMarket
    from activities.market.watching import MarketWatchCalls
    from activities.planning.binance_listing import BinanceListing
    from activities.planning.surveying import SurveyCalls

    ranked = open_market(site, scores=None if site.is_trial else store)
    closing.push_async_callback(ranked.aclose)
    # In a trial nothing is remembered: its market is replayed, and its source is this machine's own.
    remembered = RememberedMarket(store, venue=site.venue, base_timeframe=site.base_timeframe)
    source = ranked if site.is_trial else RememberingMarket(ranked, store)
    listing = BinanceListing(venue=site.venue, base_url=site.venue_url, market_time_is_replayed=site.market_is_replayed)
    closing.push_async_callback(listing.aclose)
    return Room(
        role=QueueRole.MARKET,
        queue=task_queue(site.realm, QueueRole.MARKET),
        activities=[
            *_activities_of(MarketCalls(source, store, remembered=None if site.is_trial else remembered)),
            *_activities_of(SourceCalls(source)),
            *_activities_of(MarketWatchCalls(source)),
            *_activities_of(SurveyCalls(listing)),
        ],
    )


async def _compute(site: Site, store: Store, closing: contextlib.AsyncExitStack) -> Room:
    from activities.evolution.calls import EvolutionCalls
    from activities.evolution.processes import BenchProcesses
    from activities.evolution.weekly import WeeklyEvolver

    source = open_market(site)
    closing.push_async_callback(source.aclose)
    benches = BenchProcesses()
    closing.push_async_callback(benches.aclose)
    calls = EvolutionCalls(store, WeeklyEvolver(store, source, benches))
    return Room(
        role=QueueRole.COMPUTE, queue=task_queue(site.realm, QueueRole.COMPUTE), activities=_activities_of(calls)
    )


async def _exchange(site: Site, store: Store, closing: contextlib.AsyncExitStack) -> Room:
    from activities.exchange.adopting import AdoptCalls
    from activities.exchange.calls import ExchangeCalls
    from activities.exchange.quoting import QuoteCalls
    from activities.exchange.reconcile import ReconcileCalls
    from activities.exchange.resetting import ResettingCalls
    from activities.exchange.simulated_clock import SimulatedClock
    from activities.exchange.valuing import ValuingCalls

    clock = SimulatedClock(realm=site.realm, base_url=site.venue_url) if site.market_is_replayed else None
    if clock is not None:
        closing.push_async_callback(clock.aclose)
    exchange = open_exchange(site, market_clock=clock)
    closing.push_async_callback(exchange.aclose)
    activities = [
        *_activities_of(ExchangeCalls(exchange, store)),
        *_activities_of(QuoteCalls(exchange)),
        *_activities_of(ReconcileCalls(exchange, store)),
        *_activities_of(ResettingCalls(exchange, store)),
        *_activities_of(AdoptCalls(exchange, store)),
        *_activities_of(ValuingCalls(exchange, store)),
    ]
    return Room(role=QueueRole.EXCHANGE, queue=exchange_queue(site.realm, site.venue), activities=activities)


_BUILDERS = {
    QueueRole.DECISIONS: _decisions,
    QueueRole.CALLS: _calls,
    QueueRole.MODELS: _models,
    QueueRole.MARKET: _market,
    QueueRole.COMPUTE: _compute,
    QueueRole.EXCHANGE: _exchange,
}


def open_market(site: Site, *, scores: SourceScores | None = None) -> RankedSources:
    """The venue's market data over all its sources, the venue's own address first; `scores` are shared with others."""
    from activities.market.binance import BinanceMarketData
    from activities.market.failover import RankedSources

    return RankedSources(
        [
            (
                address,
                BinanceMarketData(
                    venue=site.venue,
                    base_url=address,
                    base_timeframe=site.base_timeframe,
                    market_time_is_replayed=site.market_is_replayed,
                ),
            )
            for address in dict.fromkeys((site.venue_url, *site.market_urls))
        ],
        scores=scores,
    )


def open_exchange(site: Site, *, market_clock: Any = None) -> BinanceExchange:
    """The venue's adapter; simulated accounts have derived keys, real ones those of the site."""
    from activities.exchange.binance import ENGINE_TIMEOUT_S, READ_LAG_S, BinanceExchange
    from activities.exchange.binance_session import Credential, simulated_credential

    def credential(account: str) -> Credential:
        if site.venue_key is None:
            raise ValueError(f"venue {site.venue} takes no keys, so account {account} has none")
        key = site.venue_key(account)
        return Credential(api_key=key.api_key, secret=key.secret)

    # A simulated venue checks the receive window when a request arrives and reads its own writes: doubt ends sooner.
    doubt = (Decimal(1), Decimal(0)) if site.market_is_replayed else (ENGINE_TIMEOUT_S, READ_LAG_S)
    return BinanceExchange(
        realm=site.realm,
        venue=site.venue,
        base_url=site.orders_url or site.venue_url,
        credentials=simulated_credential if site.market_is_replayed or site.orders_url else credential,
        hosts=frozenset() if site.orders_url else site.venue_hosts,
        market_clock=market_clock,
        engine_timeout_s=doubt[0],
        read_lag_s=doubt[1],
    )


def build_model(choice: ModelChoice) -> ChatModel:
    """The adapter of one model. Raises `ValueError` where the provider needs a key and there is none."""
    spec = choice.spec
    if spec.kind == "rules":
        from activities.models.rules import RuleAnalyst

        assert spec.strategy is not None  # a rules row names its strategy
        return RuleAnalyst(
            name=choice.name, strategy=spec.strategy, think_s=choice.think_s, rests_below=spec.rests_below
        )
    if not choice.api_key:
        raise ValueError(f"provider {spec.id} needs a key: set {spec.key_setting}, or choose a rules-… provider")
    from activities.models.json_output import JsonOutput
    from activities.models.pricing import TokenPrice

    price = TokenPrice(
        prompt_usd=spec.prompt_usd_per_million,
        completion_usd=spec.completion_usd_per_million,
        cached_prompt_usd=spec.cached_prompt_usd_per_million,
    )
    address = choice.base_url or spec.base_url
    if address is None:
        raise ValueError(f"provider {spec.id} has no address: set {spec.base_url_setting}")
    if spec.kind == "dashscope":
        from activities.models.dashscope_chat import DashscopeChatModel

        return DashscopeChatModel(
            provider=spec.id, name=choice.name, api_key=choice.api_key, base_url=address, price=price
        )
    from activities.models.openai_chat import OpenAIChatModel

    extra: dict[str, object] = {}
    if "thinking_object_off" in spec.quirks:
        extra["thinking"] = {"type": "disabled"}
    if "enable_thinking_off" in spec.quirks:
        extra["enable_thinking"] = False
    return OpenAIChatModel(
        provider=spec.id,
        name=choice.name,
        api_key=choice.api_key,
        base_url=address,
        price=price,
        json_output=JsonOutput(spec.json_support),
        extra_body=extra,
        quota_is_throttling="quota_is_throttling" in spec.quirks,
    )


def _activities_of(calls: object) -> list[Activity]:
    """Every method of `calls` that is defined as an activity, in a stated order."""
    methods = (getattr(calls, name) for name in sorted(dir(type(calls))) if not name.startswith("_"))
    return [method for method in methods if hasattr(method, "__temporal_activity_definition")]
