"""The house of one test: real workflows and activities, the simulated exchange in this process, models that are told.

Everything of a house carries its realm, so houses never meet. Workflows run in the strict sandbox. `replay_all` takes
what a house did through the replayer: each history from its first event, without a cache.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from fakes.coordinator import TestCoordinator
from fakes.scripted_models import ScriptedModel, holds
from fakes.told_market import ACCOUNT, OPENS_AT, SYMBOL, VENUE, Told, file_of, write_candles
from temporalio.client import Client, WorkflowHandle
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer, Worker, WorkerDeploymentConfig

from activities.asking import AskCalls
from activities.evolution.calls import EvolutionCalls, EvolutionRecordsCalls
from activities.evolution.processes import BenchProcesses
from activities.evolution.weekly import WeeklyEvolver
from activities.exchange.adopting import AdoptCalls
from activities.exchange.binance import BinanceExchange
from activities.exchange.binance_session import simulated_credential
from activities.exchange.calls import CampaignCalls, ExchangeCalls
from activities.exchange.port import ClockEvent, ClockStop, Level
from activities.exchange.quoting import QuoteCalls, QuoteRequest
from activities.exchange.reconcile import ReconcileCalls
from activities.exchange.resetting import ResettingCalls
from activities.exchange.simulated_clock import SimulatedClock
from activities.exchange.valuing import ValuingCalls
from activities.market.binance import BinanceMarketData
from activities.market.calls import MarketCalls
from activities.market.checking import SourceCalls
from activities.market.failover import RankedSources
from activities.market.watching import MarketWatchCalls
from activities.models.calls import ModelCalls
from activities.models.fusing import FusionCalls
from activities.models.verification import VerificationCalls
from activities.planning.binance_listing import BinanceListing
from activities.planning.calls import PlanningCalls
from activities.planning.surveying import SurveyCalls
from activities.planning.watching import WatchCalls
from activities.reports.calls import ReportCalls
from activities.reports.reflecting import ReflectionCalls
from activities.reports.rendering import TemplateRenderer
from activities.reports.reviewing import ReviewCalls
from activities.reports.source import StoreSource
from activities.store.answering import AnsweringCalls
from activities.store.arming import ArmingCalls
from activities.store.calls import StoreCalls
from activities.store.migrate import migrate
from activities.store.open import Store, open_store
from activities.store.revising import RevisingCalls
from trading.decision.models import DecisionHead, Role
from trading.ids import client_order_id, decision_id
from trading.orders.exits import with_exits
from trading.orders.models import Leg, OrderReport, OrderRequest, OrderType, Side, TimeInForce
from trading.orders.wishes import ExitPlan, ExitTerms
from trading.playbook import to_json
from trading.risk.models import GateAnswer, GateRequest, Permit
from workers.exchange_sim.app import create_app
from workers.exchange_sim.config import SimConfig
from workers.runtime.plugin import perennial_plugin
from workers.stack.temporal_admin import make_current
from workflows.account_desk import AccountDesk
from workflows.names import (
    PROTECTING_TASK_TIMEOUT,
    TASK_TIMEOUT,
    QueueRole,
    Signal,
    Update,
    campaign_workflow,
    decision_workflow,
    desk_workflow,
    exchange_queue,
    execution_workflow,
    guard_workflow,
    task_queue,
)
from workflows.order_execution import OrderExecution
from workflows.position_guard import PositionGuard
from workflows.protocol import (
    CampaignRequest,
    CampaignResult,
    DecisionRequest,
    DecisionResult,
    DeskRequest,
    ExecutionRequest,
    GuardState,
    Placed,
    Settled,
    Tick,
    Watched,
)
from workflows.registry import WORKFLOWS
from workflows.replay_campaign import ReplayCampaign
from workflows.trade_decision import TradeDecision

BUILD = "tests"


class SequenceHouse:
    """What a test does to its house, and asks of it."""

    def __init__(self, client: Client, realm: str, told: Told, store: Store, transport: httpx.ASGITransport) -> None:
        self.client = client
        self.realm = realm
        self.told = told
        self.store = store
        self.ledger = told.ledger or f"ledger-{realm}"
        self.transport = transport
        self.clock = SimulatedClock(realm=realm, base_url="http://venue", transport=transport)
        self.exchange = BinanceExchange(
            realm=realm,
            venue=VENUE,
            base_url="http://venue",
            credentials=simulated_credential,
            market_clock=self.clock,
            transport=transport,
        )
        self.source = BinanceMarketData(
            venue=VENUE,
            base_url="http://venue",
            base_timeframe="1h",
            market_time_is_replayed=True,
            transport=transport,
        )
        self.listing = BinanceListing(
            venue=VENUE, base_url="http://venue", market_time_is_replayed=True, transport=transport
        )
        self.benches = BenchProcesses(processes=1)
        self.primary = ScriptedModel("first-1", holds())
        self.secondary = ScriptedModel("second-1", holds())
        self.playbook_hash = ""
        self._number = 0
        self._step = 0
        self._bought = 0
        self.watched: dict[str, Watched] = {}

    # -- who is there ------------------------------------------------------------------------------------------------

    @property
    def coordinator_id(self) -> str:
        return f"{self.realm}/coordinator"

    @property
    def coordinator(self) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(self.coordinator_id)

    def desk(self, account: str = ACCOUNT) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(desk_workflow(self.realm, account))

    def guard(self, account: str = ACCOUNT, symbol: str = SYMBOL) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(guard_workflow(self.realm, account, symbol))

    async def guard_state(self) -> GuardState:
        state: GuardState = await self.guard().query(PositionGuard.state)
        return state

    # -- what is started ---------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Accounts, desks and the coordinator, as far as the test wants them."""
        told = self.told
        self.playbook_hash = await self.store.put(to_json(told.playbook), media_type="application/json")
        if told.coordinated:
            await self.client.start_workflow(
                TestCoordinator.run,
                id=self.coordinator_id,
                task_queue=self.queue(QueueRole.DECISIONS),
                task_timeout=TASK_TIMEOUT,
            )
        if not told.accounts_open:
            return
        for account in told.accounts:
            await self.clock.open_account(account, {"USDT": told.venue_capital or told.capital})
            await self.store.open_account(
                self.realm,
                venue=VENUE,
                ledger=self.ledger,
                account=account,
                opening=(("USDT", told.capital),),
                as_of=told.opens_at,
            )
            if told.desks:
                await self.start_desk(account)

    async def start_desk(self, account: str = ACCOUNT) -> WorkflowHandle[Any, Any]:
        request = DeskRequest(realm=self.realm, venue=VENUE, account=account, playbook_hash=self.playbook_hash)
        return await self.client.start_workflow(
            AccountDesk.run,
            request,
            id=desk_workflow(self.realm, account),
            task_queue=self.queue(QueueRole.DECISIONS),
            task_timeout=TASK_TIMEOUT,
        )

    def queue(self, role: QueueRole) -> str:
        return task_queue(self.realm, role)

    def head(self, **changed: Any) -> DecisionHead:
        as_of = changed.pop("as_of", self.told.opens_at)
        symbol = changed.pop("symbol", SYMBOL)
        fields: dict[str, Any] = {
            "decision_id": decision_id(ledger=self.ledger, symbol=symbol, as_of=as_of, cause="test"),
            "realm": self.realm,
            "venue": VENUE,
            "ledger": self.ledger,
            "symbol": symbol,
            "as_of": as_of,
            "cause": "test",
            "accounts": self.told.accounts,
            "playbook_version": self.told.playbook.version,
        }
        return DecisionHead.model_validate(fields | changed)

    async def decide(self, *, run: str = "", **changed: Any) -> DecisionResult:
        """Run a decision to its end. `run` makes another workflow id for the same decision."""
        head = self.head(**changed)
        result: DecisionResult = await self.client.execute_workflow(
            TradeDecision.run,
            DecisionRequest(head=head, playbook_hash=self.playbook_hash, coordinator=self._coordinator()),
            id=decision_workflow(self.realm, head.decision_id) + run,
            task_queue=self.queue(QueueRole.DECISIONS),
            task_timeout=TASK_TIMEOUT,
        )
        return result

    def _coordinator(self) -> str | None:
        return self.coordinator_id if self.told.coordinated else None

    async def permit(self, *, name: str = "wish", notional: str = "5000", **changed: Any) -> Permit:
        """A permit of the account's desk for a purchase of `notional` USD at the market."""
        answer = await self.reserve(self.wish(name, notional=notional, **changed))
        assert answer.permit is not None, answer.denials
        return answer.permit

    def wish(self, request_id: str, *, notional: str = "5000", now: datetime = OPENS_AT, **changed: Any) -> GateRequest:
        """A wish to open at the market with `notional` USD; anything else by keyword."""
        fields: dict[str, Any] = {
            "request_id": request_id,
            "account": ACCOUNT,
            "decision_id": request_id,
            "symbol": SYMBOL,
            "opens": True,
            "size_fraction": Decimal(notional) / self.told.capital,
            "price": Decimal("7000.70"),
            "stop_price": Decimal(6790),
            "target_price": Decimal(7430),
            "spread_fraction": Decimal("0.0002"),
            "atr_fraction": Decimal("0.003"),
            "taker_fee": Decimal("0.001"),
            "min_notional_usd": Decimal(5),
            "risk_regime": "normal",
            "confidence": Decimal("0.8"),
            "win_probability": Decimal("0.6"),
            "observed_at": now,
            "now": now,
        }
        return GateRequest.model_validate(fields | changed)

    async def reserve(self, wish: GateRequest, *, update_id: str | None = None) -> GateAnswer:
        return await self.desk(wish.account).execute_update(Update.RESERVE, wish, id=update_id, result_type=GateAnswer)

    def entry(self, permit: Permit, *, decision: str | None = None, **changed: Any) -> OrderRequest:
        """A market purchase under `permit`; a `price` makes it a resting limit."""
        decision = decision or permit.decision_id
        price = changed.pop("price", None)
        fields: dict[str, Any] = {
            "realm": self.realm,
            "venue": VENUE,
            "ledger": self.ledger,
            "account": permit.account,
            "symbol": SYMBOL,
            "decision_id": decision,
            "leg": Leg.ENTRY,
            "client_order_id": client_order_id(
                ledger=self.ledger, account=permit.account, decision=decision, leg=Leg.ENTRY.value
            ),
            "side": Side.BUY,
            "type": OrderType.MARKET if price is None else OrderType.LIMIT,
            "time_in_force": None if price is None else TimeInForce.GTC,
            "price": price,
            "quantity": permit.quantity,
            "as_of": OPENS_AT,
            "epoch": permit.epoch,
            "permit_id": permit.id,
            "expected_price": Decimal("7000.70"),
        }
        return OrderRequest.model_validate(fields | changed)

    async def execute(
        self,
        permit: Permit,
        order: OrderRequest,
        *,
        stop: str = "6790",
        target: str | None = "7430",
        exit_at: datetime | None = None,
        expires_at: datetime = OPENS_AT + timedelta(hours=6),
        plan: ExitPlan | None = None,
    ) -> WorkflowHandle[Any, OrderReport]:
        """Start the execution of an entry; the coordinator is its owner and hears when it is placed.

        With a `plan` its exits go to the venue with it, as the venue's rules allow; without one they follow it.
        """
        terms = ExitTerms()
        if plan is not None:
            quote = await QuoteCalls(self.exchange).quote(
                QuoteRequest(realm=self.realm, venue=VENUE, account=order.account, symbol=order.symbol)
            )
            levels = {"stop_price": Decimal(stop), "target_price": None if target is None else Decimal(target)}
            order = with_exits(order, quote, **levels, plan=plan)
            terms = ExitTerms(lot=quote.lot, oco_allowed=quote.oco_allowed, plan=plan)
        request = ExecutionRequest(
            order=order,
            permit=permit,
            stop_price=Decimal(stop),
            target_price=None if target is None else Decimal(target),
            exit_at=exit_at,
            expires_at=expires_at,
            terms=terms,
            owner=self.coordinator_id,
            coordinator=self._coordinator(),
        )
        return await self.client.start_workflow(
            OrderExecution.run,
            request,
            id=execution_workflow(self.realm, order.client_order_id),
            task_queue=self.queue(QueueRole.DECISIONS),
            task_timeout=PROTECTING_TASK_TIMEOUT,
        )

    async def bought(self, *, name: str = "wish", notional: str = "5000", **trade: Any) -> OrderReport:
        """A position bought at market, with its guard told of the fill."""
        now = await self.market_now()
        permit = await self.permit(name=name, notional=notional, now=now)
        handle = await self.execute(
            permit, self.entry(permit, as_of=now), **{"expires_at": now + timedelta(seconds=30), **trade}
        )
        await self.placed(self._bought + 1)
        self._bought += 1
        await self.settle(handle.id)
        await self.play(await self.market_now() + timedelta(seconds=2))
        return await handle.result()

    async def start_campaign(
        self, *, hours: int = 48, decide_every_h: int = 12, **changed: Any
    ) -> WorkflowHandle[Any, CampaignResult]:
        """Start a campaign over the hours after `OPENS_AT`; the house should have no accounts and desks of its own."""
        told = self.told
        fields: dict[str, Any] = {
            "realm": self.realm,
            "venue": VENUE,
            "ledger": self.ledger,
            "symbols": told.symbols,
            "accounts": told.accounts,
            "capital_usd": told.capital,
            "start": told.opens_at,
            "end": told.opens_at + timedelta(hours=hours),
            "decide_every_s": decide_every_h * 3600,
            "playbook_hash": self.playbook_hash,
            "playbook_version": told.playbook.version,
        }
        return await self.client.start_workflow(
            ReplayCampaign.run,
            CampaignRequest.model_validate(fields | changed),
            id=campaign_workflow(self.realm),
            task_queue=self.queue(QueueRole.DECISIONS),
            task_timeout=TASK_TIMEOUT,
        )

    async def placed(self, count: int = 1) -> list[Placed]:
        return await self.coordinator.execute_update(TestCoordinator.placed_orders, count, result_type=list[Placed])

    # -- market time -------------------------------------------------------------------------------------------------

    async def advance(self, to: datetime, *levels: Level) -> ClockStop:
        """Move the market to `to` or to the first event before it."""
        self._step += 1
        return await self.clock.advance(to, levels, request_id=f"test-{self._step}")

    async def market_now(self) -> datetime:
        return await self.clock.now()

    async def play(self, to: datetime) -> datetime:
        """Run the market to `to` as a campaign does: tick what events and times touch, and whom these told.

        Knows the entities that were settled before. Returns where the market stands.
        """
        while (now := await self.market_now()) < to:
            wakes = [w.wakes_at for w in self.watched.values() if w.wakes_at is not None and w.wakes_at > now]
            levels = [level for watched in self.watched.values() for level in watched.levels]
            stop = await self.advance(min([to, *wakes]), *levels)
            for event in stop.events:
                for entity in self._owners(event):
                    await self.settle(entity, event)
            for entity, watched in sorted(self.watched.items()):
                if watched.wakes_at is not None and watched.wakes_at <= stop.now:
                    await self.settle(entity)
        return now

    async def settle(self, entity: str, *events: ClockEvent) -> None:
        """Tick one entity and follow whom it told, until nobody has anything to do at this time."""
        try:
            answer = await self.tick(self.client.get_workflow_handle(entity), *events)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            self.watched.pop(entity, None)  # it ended by itself, on news that was no tick
            return
        if answer.closed:
            self.watched.pop(entity, None)
        else:
            self.watched[entity] = answer.watched
        for told in answer.also:
            await self.settle(told)

    def _owners(self, event: ClockEvent) -> list[str]:
        if event.level_id is not None:
            return [event.level_id.partition("#")[0]]
        return [entity for entity, w in self.watched.items() if event.client_order_id in w.orders]

    async def tick(self, entity: WorkflowHandle[Any, Any], *events: ClockEvent, at: datetime | None = None) -> Settled:
        """Tick an entity and return its answer."""
        number = await self.send_tick(entity, *events, at=at)
        return await self.answer_to(number)

    async def send_tick(self, entity: WorkflowHandle[Any, Any], *events: ClockEvent, at: datetime | None = None) -> int:
        self._number += 1
        now = at or await self.market_now()
        await entity.signal(Signal.TICK, Tick(number=self._number, as_of=now, events=events))
        return self._number

    async def answer_to(self, number: int) -> Settled:
        async with asyncio.timeout(20):
            return await self.coordinator.execute_update(TestCoordinator.answer_to, number, result_type=Settled)

    # -- rooms -------------------------------------------------------------------------------------------------------

    def workers(self, *, deployment: str, **options: Any) -> list[Worker]:
        """One worker a role, as a process has them; `options` are for the one with the workflows.

        Only that one is versioned: a server lets a hundred queues into one version, and a run has more than that.
        """
        store, source = self.store, StoreSource(self.store)
        models = {Role.PRIMARY: self.primary, Role.SECONDARY: self.secondary}
        watching = (
            MarketCalls(self.source, store),
            MarketWatchCalls(self.source),
            SourceCalls(RankedSources([("http://venue", self.source)], scores=store)),
            SurveyCalls(self.listing),
        )
        rooms: list[tuple[str, Sequence[type], Iterable[object]]] = [
            (
                self.queue(QueueRole.DECISIONS),
                (*WORKFLOWS, TestCoordinator),
                (
                    StoreCalls(store),
                    VerificationCalls(store, store),
                    FusionCalls(store, store, store),
                    PlanningCalls(store),
                    RevisingCalls(store),
                    AnsweringCalls(store),
                    ArmingCalls(store),
                    ReflectionCalls(source, store, ReportCalls(source, store, TemplateRenderer())),
                    WatchCalls(store),
                    ReviewCalls(StoreSource(store), store),
                    EvolutionRecordsCalls(store),
                    CampaignCalls(self.clock, self.exchange, store),
                ),
            ),
            (self.queue(QueueRole.CALLS), (), (AskCalls(),)),
            (self.queue(QueueRole.MODELS), (), (ModelCalls(models, store, store),)),
            (
                self.queue(QueueRole.MARKET),
                (),
                watching,
            ),
            (
                self.queue(QueueRole.COMPUTE),
                (),
                (EvolutionCalls(store, WeeklyEvolver(store, self.source, self.benches)),),
            ),
            (
                exchange_queue(self.realm, VENUE),
                (),
                (
                    ExchangeCalls(self.exchange, store),
                    QuoteCalls(self.exchange),
                    ReconcileCalls(self.exchange, store),
                    ResettingCalls(self.exchange, store),
                    ValuingCalls(self.exchange, store),
                    AdoptCalls(self.exchange, store),
                ),
            ),
        ]
        versioned = {
            "deployment_config": WorkerDeploymentConfig(
                version=WorkerDeploymentVersion(deployment_name=deployment, build_id=BUILD),
                use_worker_versioning=True,
                default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
            )
        }
        return [
            Worker(
                self.client,
                task_queue=queue,
                workflows=workflows,
                activities=[method for calls in all_calls for method in activities_of(calls)],
                max_heartbeat_throttle_interval=timedelta(milliseconds=500),
                default_heartbeat_throttle_interval=timedelta(milliseconds=500),
                **(versioned | options if workflows else {}),
            )
            for queue, workflows, all_calls in rooms
        ]

    async def replay_all(self) -> int:
        """Replay every workflow of this house from its history; raises what is not deterministic. Returns how many."""
        replayer = Replayer(workflows=WORKFLOWS, plugins=[perennial_plugin()])
        count = 0
        async for found in self.client.list_workflows(f"WorkflowId STARTS_WITH '{self.realm}/'"):
            if found.workflow_type == "TestCoordinator":
                continue
            history = await self.client.get_workflow_handle(found.id, run_id=found.run_id).fetch_history()
            await replayer.replay_workflow(history)
            count += 1
        return count

    async def aclose(self) -> None:
        await self.benches.aclose()
        await self.exchange.aclose()
        await self.source.aclose()
        await self.listing.aclose()
        await self.clock.aclose()
        await self.store.aclose()


def activities_of(calls: object) -> list[Callable[..., Any]]:
    """Every activity of a class of calls."""
    methods = (getattr(calls, name) for name in sorted(dir(type(calls))) if not name.startswith("_"))
    return [method for method in methods if hasattr(method, "__temporal_activity_definition")]


async def migrated_database(folder: Path) -> Path:
    """An empty migrated database in `folder`, to be copied: made once."""
    made = folder / "empty.sqlite"
    if not made.exists():
        await migrate(f"sqlite+aiosqlite:///{made}")
    return made


@asynccontextmanager
async def sequence_house(
    client: Client,
    realm: str,
    folder: Path,
    empty_database: Path,
    told: Told,
    *,
    deployment: str = "sequences",
    **worker_options: Any,
) -> AsyncIterator[SequenceHouse]:
    """A running house in `folder`; it ends with its workers, and what it left at the server waits for nobody."""
    for symbol in told.symbols:
        write_candles(folder / file_of(symbol), told)
    database = folder / "perennial.sqlite"
    shutil.copyfile(empty_database, database)
    config = SimConfig(
        db_path=str(folder / "venue.sqlite"),
        files={symbol: str(folder / file_of(symbol)) for symbol in told.symbols},
        start_at=told.opens_at,
        enforce_limits=False,
        without_lists=frozenset() if told.takes_lists else frozenset(told.symbols),
        without_stop_loss=frozenset() if told.takes_stop_loss else frozenset(told.symbols),
    )
    app = create_app(config)
    async with AsyncExitStack() as opened:
        await opened.enter_async_context(app.router.lifespan_context(app))
        store = await open_store(f"sqlite+aiosqlite:///{database}")
        house = SequenceHouse(client, realm, told, store, httpx.ASGITransport(app))
        opened.push_async_callback(house.aclose)
        for worker in house.workers(deployment=deployment, **worker_options):
            await opened.enter_async_context(worker)
        await make_current(client, deployment=deployment, build_id=BUILD)
        await house.begin()
        yield house
