"""What evolution is given and what it answers: a strategy's record, and reasons with their numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from pydantic import Field

from trading.backtest.metrics import daily_equity
from trading.backtest.models import BacktestResult
from trading.contract import Contract, Utc
from trading.money import ONE, ZERO, plain
from trading.policy.model import Policy
from trading.portfolio import returns_of, stated


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What may be known: candles of these symbols that had closed at `as_of`, and by which policy they are judged."""

    symbols: tuple[str, ...]
    as_of: datetime
    policy: Policy


class Reason(Contract):
    """Why something was or was not done: a stable code, a sentence, and the numbers behind it."""

    code: str
    message: str
    numbers: dict[str, str] = Field(default_factory=dict)


def reason(code: str, message: str, **numbers: Decimal | int | None) -> Reason:
    """A reason whose numbers are written as text."""
    return Reason(
        code=code,
        message=message,
        numbers={
            name: plain(stated(float(value))) if isinstance(value, Decimal) else str(value)
            for name, value in numbers.items()
            if value is not None
        },
    )


class TradeReturn(Contract):
    """One closed trade as evolution sees it: when, and the return after costs on what it cost."""

    entry_at: Utc
    exit_at: Utc
    return_fraction: Decimal

    @property
    def hold(self) -> timedelta:
        return self.exit_at - self.entry_at


class Record(Contract):
    """What a strategy did from `start` to `end`: closed trades and the return of each day, after all costs."""

    strategy: str
    start: Utc
    end: Utc
    trades: tuple[TradeReturn, ...]
    daily_returns: tuple[tuple[Utc, Decimal], ...]

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    @property
    def returns(self) -> tuple[Decimal, ...]:
        return tuple(trade.return_fraction for trade in self.trades)

    @property
    def daily(self) -> tuple[Decimal, ...]:
        return tuple(value for _, value in self.daily_returns)

    @property
    def wins(self) -> int:
        return sum(value > 0 for value in self.returns)

    @property
    def win_rate(self) -> Decimal | None:
        return Decimal(self.wins) / len(self.trades) if self.trades else None

    @property
    def expectancy(self) -> Decimal | None:
        """The mean return of a trade, after costs."""
        return sum(self.returns, ZERO) / len(self.trades) if self.trades else None

    @property
    def equity(self) -> tuple[Decimal, ...]:
        """One unit at the start, grown by each day's return."""
        values = [ONE]
        for value in self.daily:
            values.append(values[-1] * (ONE + value))
        return tuple(values)

    @property
    def longest_hold(self) -> timedelta:
        return max((trade.hold for trade in self.trades), default=timedelta(0))

    def within(self, start: datetime, end: datetime) -> Record:
        """The part from `start` to `end`: trades entered and closed inside it, days that began in it."""
        return self.model_copy(
            update={
                "start": start,
                "end": end,
                "trades": tuple(trade for trade in self.trades if start <= trade.entry_at and trade.exit_at <= end),
                "daily_returns": tuple((at, value) for at, value in self.daily_returns if start <= at < end),
            }
        )


def record_of(result: BacktestResult) -> Record:
    """The record of a back-test; a day's return stands at the day's beginning, in UTC."""
    days = daily_equity(result.closes, result.equity)
    returns = returns_of((result.capital_usd, *days.values()))
    zone = result.closes[0].tzinfo
    return Record(
        strategy=result.strategy,
        start=result.closes[0],
        end=result.closes[-1],
        trades=tuple(
            TradeReturn(entry_at=trade.entry_at, exit_at=trade.exit_at, return_fraction=trade.return_fraction)
            for trade in result.trades
        ),
        daily_returns=tuple(
            (datetime(day.year, day.month, day.day, tzinfo=zone), value)
            for day, value in zip(days, returns, strict=True)
        ),
    )
