"""The list of all workflows: workers serve it, the replayer checks it, documents are generated from it."""

from __future__ import annotations

from workflows.account_desk import AccountDesk
from workflows.daily_planning import DailyPlanning
from workflows.daily_review import DailyReview
from workflows.maintenance import Maintenance
from workflows.market_watch import MarketWatch
from workflows.monthly_reflection import MonthlyReflection
from workflows.order_adoption import OrderAdoption
from workflows.order_execution import OrderExecution
from workflows.position_guard import PositionGuard
from workflows.proposal_review import ProposalReview
from workflows.quarterly_reflection import QuarterlyReflection
from workflows.replay_campaign import ReplayCampaign
from workflows.trade_decision import TradeDecision
from workflows.weekly_evolution import WeeklyEvolution

WORKFLOWS: tuple[type, ...] = (
    MarketWatch,
    TradeDecision,
    OrderExecution,
    OrderAdoption,
    PositionGuard,
    AccountDesk,
    DailyPlanning,
    DailyReview,
    WeeklyEvolution,
    MonthlyReflection,
    QuarterlyReflection,
    ProposalReview,
    Maintenance,
    ReplayCampaign,
)
