"""The random baseline of an account: what chance would have made of the same trades (C58).

Two hundred runs with equal turnover and costs: the same symbols, amounts and holding times, entered at random times of
the same market, paying the same fees and the spread. Stops and targets are not imitated: they are part of the skill
that is measured. Floats, for these are statistics over prices; no money is booked from them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from pydantic import Field

from trading.contract import Contract, Fraction, Utc
from trading.money import ZERO
from trading.policy.model import Policy
from trading.review.comparison import AccountPeriod
from trading.review.models import ClosedTrade
from trading.review.period import Period


class PriceRun(Contract):
    """Closes of one symbol, a step apart. `first_at` is when the first one closed; `spread_fraction` as last seen."""

    symbol: str
    first_at: Utc
    step_s: int
    closes: tuple[Decimal, ...]
    spread_fraction: Decimal | None = None

    @property
    def until(self) -> datetime:
        """When the last of them closed."""
        return self.first_at + timedelta(seconds=self.step_s * (len(self.closes) - 1))


class RandomBaseline(Contract):
    """What the account made of `trades` of its closed trades, against the runs; the others found no room or no price.

    `percentile` is the share of the runs that it beat; ties count half.
    """

    account: str
    runs: int
    trades: int
    left_out: int = Field(description="closed trades without a known entry, or without room in the known prices")
    own_usd: Decimal
    mean_usd: Decimal
    percentile: Fraction


class _Leg(Contract):
    steps: int
    notional: float
    cost: float
    pnl: Decimal


def random_baseline(
    trades: Sequence[ClosedTrade], prices: Sequence[PriceRun], *, start: datetime, end: datetime, runs: int, seed: str
) -> RandomBaseline | None:
    """`trades` against `runs` random runs between `start` (or the first entry, where that is earlier) and `end`.

    In each run the trades of a symbol come in another order and never overlap, as they did not. The same input and
    seed give the same result. `None` where there is no trade with a known entry and prices to place it in.
    """
    known = [trade for trade in trades if trade.opened_at is not None and trade.entries]
    first = min([start, *(trade.opened_at for trade in known if trade.opened_at is not None)])
    markets: list[tuple[list[float], list[_Leg]]] = []
    for run in merged_runs(prices):
        mine = [trade for trade in known if trade.symbol == run.symbol]
        closes = _between(run, first, end)
        legs = [_leg(trade, run) for trade in mine]
        if legs and sum(leg.steps for leg in legs) < len(closes):
            markets.append((closes, legs))
    count = sum(len(legs) for _, legs in markets)
    if not count:
        return None
    own = sum((leg.pnl for _, legs in markets for leg in legs), ZERO)
    chance = random.Random(seed)
    plain = [(closes, [(leg.steps, leg.notional, leg.cost) for leg in legs]) for closes, legs in markets]
    results = [_one_run(plain, chance) for _ in range(runs)]
    below = sum(result < own for result in results) + sum(result == own for result in results) / 2
    return RandomBaseline(
        account=known[0].account,
        runs=runs,
        trades=count,
        left_out=len(trades) - count,
        own_usd=own,
        mean_usd=Decimal(f"{sum(results) / runs:.2f}"),
        percentile=Decimal(f"{below / runs:.4f}"),
    )


def baselines_of(
    accounts: Sequence[AccountPeriod], prices: Sequence[PriceRun], period: Period, policy: Policy
) -> tuple[RandomBaseline, ...]:
    """The baseline of each account that has one; the same chance for all, so that equal trades are ranked as equal."""
    found = [
        random_baseline(
            each.trades,
            prices,
            start=period.start,
            end=period.end,
            runs=policy.baseline_runs,
            seed=period.name,
        )
        for each in accounts
    ]
    return tuple(each for each in found if each is not None)


def measured(accounts: Sequence[AccountPeriod], baselines: Sequence[RandomBaseline]) -> tuple[AccountPeriod, ...]:
    """The accounts with the share of random runs that each beat; a share that the caller told stays."""
    beaten = {each.account: each.percentile for each in baselines}
    return tuple(
        each
        if each.random_percentile is not None
        else each.model_copy(update={"random_percentile": beaten.get(each.account)})
        for each in accounts
    )


def merged_runs(prices: Sequence[PriceRun]) -> tuple[PriceRun, ...]:
    """One run a symbol, by symbol: what was kept day by day, put together in its order; what is told twice counts once.

    Over steps that nobody kept the price stands still. The newest spread is the one.
    """
    whole: dict[str, PriceRun] = {}
    for run in sorted((each for each in prices if each.closes), key=lambda each: (each.symbol, each.first_at)):
        before = whole.get(run.symbol)
        if before is None or before.step_s != run.step_s:
            whole[run.symbol] = run
            continue
        known = round((before.until - run.first_at).total_seconds()) // run.step_s + 1
        spread = before.spread_fraction if run.spread_fraction is None else run.spread_fraction
        whole[run.symbol] = before.model_copy(
            update={
                "closes": before.closes + before.closes[-1:] * -min(known, 0) + run.closes[max(known, 0) :],
                "spread_fraction": spread,
            }
        )
    return tuple(whole.values())


def _between(run: PriceRun, first: datetime, end: datetime) -> list[float]:
    step = timedelta(seconds=run.step_s)
    low = max(0, -((run.first_at - first) // step))
    high = max(0, (end - run.first_at) // step + 1)
    return [float(close) for close in run.closes[low:high]]


def _leg(trade: ClosedTrade, run: PriceRun) -> _Leg:
    """One trade as chance would repeat it: for as many steps as it was held, at least one."""
    notional = sum((order.executed_quote for order in trade.entries), ZERO)
    fees = sum((order.commission_usd for order in trade.orders), ZERO)
    held = trade.held or timedelta(0)
    return _Leg(
        steps=max(1, round(held.total_seconds() / run.step_s)),
        notional=float(notional),
        cost=float(fees + notional * (run.spread_fraction or ZERO)),
        pnl=trade.pnl_usd,
    )


def _one_run(markets: Sequence[tuple[list[float], list[tuple[int, float, float]]]], chance: random.Random) -> float:
    """One run's result; of each leg steps, notional and cost."""
    total = 0.0
    for closes, legs in markets:
        room = len(closes) - 1 - sum(steps for steps, _, _ in legs)
        offsets = sorted([chance.randrange(room + 1) for _ in legs])
        passed = 0
        for offset, (steps, notional, cost) in zip(offsets, chance.sample(legs, len(legs)), strict=True):
            enters = offset + passed
            gain = closes[enters + steps] / closes[enters] - 1.0
            total += notional * gain - cost
            passed += steps
    return total
