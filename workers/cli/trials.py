"""`perennial demo` and `perennial replay`: history through the real workflows, on a private stack."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.command import command
from workers.cli.ending import NotWell, Refusal, emit, run, say
from workers.cli.inputs import (
    account_of,
    amount_of,
    check_period,
    day_end_of,
    duration_of,
    files_of,
    histories_of,
    time_of,
)
from workers.cli.progress import shown_progress

if TYPE_CHECKING:
    from workers.stack.home import Home
    from workers.trials.campaign import CampaignOutcome, CampaignSpec

DEMO_FROM = datetime(2024, 3, 7, tzinfo=UTC)
"""Chosen so that the third traded day is a Sunday and the last day of a month and of a quarter."""

DEMO_WARM_UP = timedelta(days=22)
DEMO_DAYS = 4
DEMO_DECIDES_EVERY = timedelta(hours=8)
DEMO_CRASH_DAY = 24
DEMO_SYMBOLS = ("ADA/USDT", "BNB/USDT", "BTC/USDT", "ETH/USDT")


def demo(
    json: Annotated[bool, typer.Option("--json", help="one JSON object as the last line")] = False,
    seed: Annotated[int, typer.Option(help="seed of the generated market")] = 2,
    keep: Annotated[str, typer.Option(help="keep the run's home in this new folder")] = "",
) -> None:
    """Trade a generated crash on a private stack; one worker is killed in the middle.

    Example: perennial demo --json
    """
    from workers.stack.house import MarketSource
    from workers.trials.campaign import CampaignSpec

    start = DEMO_FROM + DEMO_WARM_UP
    days = DEMO_WARM_UP.days + DEMO_DAYS + 1
    market = MarketSource(
        symbols=DEMO_SYMBOLS, seed=seed, generated_from=DEMO_FROM, generated_days=days, crash_days=(DEMO_CRASH_DAY,)
    )
    spec = CampaignSpec(
        kind="demo",
        market=market,
        symbols=DEMO_SYMBOLS,
        start=start,
        end=start + timedelta(days=DEMO_DAYS),
        decide_every=DEMO_DECIDES_EVERY,
        kills=1,
    )
    _conclude(_trial(spec, keep=keep), as_json=json)


def replay(
    data: Annotated[list[str], typer.Option(help="BTC/USDT=FILE, repeatable; CSV, CSV.gz or Parquet")],
    start: Annotated[str, typer.Option("--from", help="first day, for example 2020-03-01")],
    end: Annotated[str, typer.Option("--to", help="last day, included")],
    json: Annotated[bool, typer.Option("--json", help="one JSON object as the last line")] = False,
    accounts: Annotated[str, typer.Option(help="comma separated names")] = "aggressive,conservative,composite",
    capital: Annotated[str, typer.Option(help="quote units for each account")] = "1000000",
    decide_every: Annotated[str, typer.Option(help="decide each symbol this often too: 1h, 4h, 1d")] = "",
    kills: Annotated[int, typer.Option(min=0, help="how often a worker is killed on the way")] = 0,
    seed: Annotated[int, typer.Option(help="seed of liquidity and of the kill plan")] = 1,
    approvals: Annotated[str, typer.Option(help="what answers for people: expire or grant")] = "expire",
    keep: Annotated[str, typer.Option(help="keep the run's home in this new folder")] = "",
    web_ui: Annotated[bool, typer.Option("--web-ui", help="serve the Temporal Web UI while it runs")] = False,
) -> None:
    """Run history through the same workflows as live, on the simulated exchange.

    Example: perennial replay --data BTC/USDT=btc-1h.csv.gz --from 2020-03-01 --to 2020-03-31 --json
    """
    from workers.stack.house import MarketSource
    from workers.trials.campaign import CampaignSpec

    files = files_of(data)
    first, last = time_of(start, "--from"), day_end_of(end, "--to")
    if first >= last:
        raise Refusal(f"--from {start} must be before --to {end}")
    names = tuple(account_of(name, "--accounts") for name in accounts.split(",") if name.strip())
    if not names or len(set(names)) != len(names):
        raise Refusal(f"--accounts {accounts!r} must name at least one account, each once")
    if approvals not in {"expire", "grant"}:
        raise Refusal(f"--approvals {approvals!r}: allowed are expire, grant")
    every = duration_of(decide_every, "--decide-every") if decide_every else None
    capital_usd = amount_of(capital, "--capital")
    check_period(histories_of(files), start=first, end=last)
    spec = CampaignSpec(
        kind="replay",
        market=MarketSource(files=files, seed=seed),
        symbols=tuple(sorted(files)),
        start=first,
        end=last,
        accounts=names,
        capital_usd=capital_usd,
        decide_every=every,
        kills=kills,
        kill_seed=seed,
        grants_approvals=approvals == "grant",
        web_ui=web_ui,
    )
    _conclude(_trial(spec, keep=keep), as_json=json)


def _trial(spec: CampaignSpec, *, keep: str) -> CampaignOutcome:
    """Run on a private stack, in a scrubbed environment; what was dropped from it is said."""
    from workers.stack.environment import trial_environment
    from workers.trials.campaign import run_campaign

    scrubbed = trial_environment(os.environ)
    if scrubbed.dropped:
        say(f"a private stack: ignored from the environment are {', '.join(scrubbed.dropped)}")
    with _home(keep) as home, shown_progress() as progress:
        return run(lambda: run_campaign(home, spec, env=dict(scrubbed.env), announce=say, progress=progress))


def _home(keep: str) -> AbstractContextManager[Home]:
    from workers.stack.home import claim, throw_away_home

    if not keep:
        return throw_away_home()
    folder = Path(keep).expanduser()
    if folder.exists() and any(folder.iterdir()):
        raise Refusal(f"--keep {keep}: the folder must be new or empty, for a run starts from nothing")
    return claim(folder)


def _conclude(outcome: CampaignOutcome, *, as_json: bool) -> None:
    emit(outcome.summary, as_json=as_json, text=_readable(outcome))
    if outcome.differences:
        for difference in outcome.differences[:20]:
            say(f"difference: {difference}")
        raise NotWell


def _readable(outcome: CampaignOutcome) -> str:
    s: dict[str, Any] = outcome.summary
    verdict = (
        "ledger and exchange are equal"
        if not outcome.differences
        else f"ledger and exchange differ in {len(outcome.differences)} places"
    )
    return "\n".join(
        (
            f"{_counted(s['days'], 'day')}, {_counted(s['decisions'], 'decision')} "
            f"({_counted(s['abstentions'], 'abstention')}), {_counted(s['orders'], 'order')}, "
            f"{_counted(s['fills'], 'fill')}, {_counted(s['model_calls'], 'model call')}",
            f"{_counted(s['daily_plans'], 'daily plan')}, {_counted(s['daily_reviews'], 'review')}, "
            f"{_counted(s['weekly_evolutions'], 'weekly evolution')}, "
            f"{_counted(s['monthly_reflections'], 'monthly reflection')}, "
            f"{_counted(s['quarterly_reflections'], 'quarterly reflection')}",
            f"equity {_money(s['equity_start_usd'])} to {_money(s['equity_end_usd'])} USD, "
            f"greatest drawdown {Decimal(str(s['max_drawdown'])) * 100:.2f} %; "
            f"buy and hold {_money(s['buy_and_hold_usd'])} USD",
            *([KNOWN] if s["model_knows_period"] else []),
            f"workers killed on the way: {s['kills']}",
            f"{verdict}: {_counted(s['orders_checked'], 'order')} and {_counted(s['fills_checked'], 'fill')} compared",
            f"digest {s['digest']}",
            f"{s['wall_s']} s in all, {s['ready_s']} s of it to start Temporal, exchange and worker",
        )
    )


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _money(text: str) -> str:
    return f"{Decimal(text):,.2f}"


KNOWN = "model_knows_period: a model may have read about these days; nothing here says how it does on new ones"

COMMANDS = {"demo": command("demo", demo), "replay": command("replay", replay)}
