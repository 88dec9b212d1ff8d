"""`perennial backtest`: one strategy over recorded candles, in this process; nothing is started and nothing written."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.command import command
from workers.cli.ending import Refusal, emit
from workers.cli.inputs import amount_of, day_end_of, files_of, histories_of, time_of

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from trading.backtest.metrics import Metrics
    from trading.backtest.models import BacktestPlan, BacktestResult
    from trading.strategies.models import Strategy


def backtest(
    strategy: Annotated[str, typer.Option(help="name of a built-in strategy")],
    data: Annotated[list[str], typer.Option(help="BTC/USDT=FILE, repeatable; CSV, CSV.gz or Parquet")],
    start: Annotated[str, typer.Option("--from", help="first day; earlier candles are its past")] = "",
    end: Annotated[str, typer.Option("--to", help="last day, included")] = "",
    json: Annotated[bool, typer.Option("--json", help="one JSON object as the last line")] = False,
    capital: Annotated[str, typer.Option(help="quote units for each symbol")] = "1000000",
    seed: Annotated[int, typer.Option(help="seed of liquidity and of the random baseline")] = 1,
    days_per_year: Annotated[int, typer.Option(min=1, max=366, help="trading days of this market in a year")] = 365,
) -> None:
    """Test one strategy over history with the facts, the gate and the fills of a campaign.

    Example: perennial backtest --strategy momentum-pullback --data BTC/USDT=btc-1h.csv.gz --from 2020-03-01 --json
    """
    from trading.backtest.metrics import combined
    from trading.backtest.models import BacktestPlan
    from trading.backtest.run import backtest as run_backtest
    from trading.matching.fills import FillModel

    row = _strategy(strategy)
    capital_usd = amount_of(capital, "--capital")
    first = time_of(start, "--from") if start else None
    last = day_end_of(end, "--to") if end else None
    if first is not None and last is not None and first >= last:
        raise Refusal(f"--from {start} must be before --to {end}")
    histories = histories_of(files_of(data))
    plans = [
        BacktestPlan(
            strategy=row,
            series=series,
            start=first,
            end=last,
            capital_usd=capital_usd,
            model=FillModel(seed=seed),
            days_per_year=days_per_year,
        )
        for _, series in sorted(histories.items())
    ]
    began = time.perf_counter()
    try:
        results = [run_backtest(plan) for plan in plans]
    except ValueError as error:
        raise Refusal(str(error)) from None
    wall_s = time.perf_counter() - began
    whole = results[0].metrics if len(results) == 1 else combined(results, days_per_year=days_per_year)
    bars = sum(result.bars for result in results)
    answer = {
        "strategy": row.name,
        "from": _iso(min(result.closes[0] for result in results)),
        "to": _iso(max(result.closes[-1] for result in results)),
        **_figures(whole),
        "random_percentile": None,
        "bars": bars,
        "wall_s": round(wall_s, 3),
        "bars_per_s": round(bars / wall_s),
        "symbols": [_of_symbol(plan, result, seed=seed) for plan, result in zip(plans, results, strict=True)],
    }
    if len(results) == 1:
        answer["random_percentile"] = answer["symbols"][0]["random_percentile"]
    emit(answer, as_json=json, text=_readable(answer, whole))


def _strategy(name: str) -> Strategy:
    from trading.strategies.library import strategy

    try:
        return strategy(name)
    except LookupError as error:
        raise Refusal(f"--strategy: {error.args[0]}") from None


def _figures(metrics: Metrics) -> dict[str, Any]:
    return {
        "trades": metrics.trades,
        "days": metrics.days,
        "return": _ratio(metrics.total_return),
        "sharpe": _ratio(metrics.sharpe),
        "sortino": _ratio(metrics.sortino),
        "max_drawdown": _ratio(metrics.max_drawdown),
        "win_rate": _ratio(metrics.win_rate),
        "profit_factor": _ratio(metrics.profit_factor),
        "expectancy": _ratio(metrics.expectancy),
        "exposure": _ratio(metrics.exposure),
        "turnover": _ratio(metrics.turnover),
        "fees_usd": f"{metrics.fees_usd:.2f}",
        "buy_and_hold_return": _ratio(metrics.buy_and_hold_return),
        "ambiguous_candles": metrics.ambiguous_candles,
    }


def _of_symbol(plan: BacktestPlan, result: BacktestResult, *, seed: int) -> dict[str, Any]:
    from collections import Counter

    from trading.backtest.baseline import random_baseline
    from trading.evolution.examine import round_trip_cost

    baseline = random_baseline(
        result,
        plan.series,
        cost_fraction=round_trip_cost(plan.model),
        runs=plan.policy.baseline_runs,
        seed=seed,
    )
    return {
        "symbol": result.symbol,
        **_figures(result.metrics),
        "random_percentile": None if baseline is None else _ratio(baseline.percentile),
        "exits": dict(sorted(Counter(trade.reason.value for trade in result.trades).items())),
        "denials": dict(result.denials),
        "open_at_end": result.is_open_at_end,
    }


def _ratio(value: Decimal | None) -> float | None:
    return None if value is None else round(float(value), 6)


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _readable(answer: dict[str, Any], metrics: Metrics) -> str:
    def percent(value: Decimal | None) -> str:
        return "none" if value is None else f"{value * 100:.2f} %"

    def plain_number(value: Decimal | None) -> str:
        return "none" if value is None else f"{value:.2f}"

    return "\n".join(
        (
            f"{answer['strategy']}: {metrics.trades} trades in {metrics.days} days, {answer['from']} to {answer['to']}",
            f"return {percent(metrics.total_return)} (buy and hold {percent(metrics.buy_and_hold_return)}), "
            f"greatest drawdown {percent(metrics.max_drawdown)}",
            f"Sharpe {plain_number(metrics.sharpe)}, Sortino {plain_number(metrics.sortino)}, "
            f"win rate {percent(metrics.win_rate)}, profit factor {plain_number(metrics.profit_factor)}",
            f"a trade earns {percent(metrics.expectancy)} after costs; in the market {percent(metrics.exposure)} "
            f"of the time",
            f"{answer['bars']} bars in {answer['wall_s']} s, {answer['bars_per_s']} bars/s",
        )
    )


COMMANDS = {"backtest": command("backtest", backtest)}
