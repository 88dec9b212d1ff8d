"""`perennial chaos`: real processes killed and frozen, requests lost and late; at the end, venue against ledger."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.command import command
from workers.cli.ending import NotWell, Refusal, emit, run, say
from workers.cli.inputs import check_period, day_end_of, files_of, histories_of, time_of
from workers.cli.progress import shown_progress

if TYPE_CHECKING:
    from workers.trials.campaign import CampaignSpec
    from workers.trials.chaos import Tally

MARKET_FROM = datetime(2024, 1, 1, tzinfo=UTC)
MARKET_SEED = 2
"""A market in which hardly an hour passes without an order; strikes and faults differ from round to round."""

MARKET_DAYS = 28
CRASH_DAY = 24
TRADED_FROM = timedelta(days=22, hours=12)
TRADED = timedelta(days=2, hours=4)
"""To the crash's afternoon. Once it has begun nothing is bought any more: strikes after that would hit little."""

SYMBOLS = ("ADA/USDT", "BNB/USDT", "BTC/USDT", "ETH/USDT")
ACCOUNTS = ("aggressive", "composite", "conservative")
POLICY = (("slice_volume_fraction", "0.0006"), ("slice_most", "3"), ("slice_window_s", "1800"))
"""Of the made market's symbols the two that trade least are bought in slices, the others as one list with exits."""

ALL = "all"


def chaos(
    kills: Annotated[int, typer.Option(min=0, max=2000, help="how many parts are killed with SIGKILL")] = 20,
    faults: Annotated[str, typer.Option(help="comma separated, all or none; see the message for a wrong one")] = ALL,
    targets: Annotated[str, typer.Option(help="what is killed and frozen: worker,exchange,temporal,database")] = ALL,
    seed: Annotated[int, typer.Option(min=0, help="seed of the strikes and the faults")] = 1,
    data: Annotated[list[str] | None, typer.Option(help="BTC/USDT=FILE: a recorded crash, else a made one")] = None,
    start: Annotated[str, typer.Option("--from", help="with --data: first day")] = "",
    end: Annotated[str, typer.Option("--to", help="with --data: last day, included")] = "",
    json: Annotated[bool, typer.Option("--json", help="one JSON object as the last line")] = False,
) -> None:
    """Kill and freeze a real stack at random instants over a crash, and compare venue with ledger at the end.

    Exit code 1 where an order is there twice, lost, nobody's, or different. Only parts of its own stacks are hit.
    Example: perennial chaos --kills 20 --seed 1 --json
    """
    from workers.stack.environment import trial_environment
    from workers.stack.postgres import find_postgres
    from workers.trials.chaos import FAULTS, PARTS, ChaosSpec, run_chaos
    from workers.trials.striking import DATABASE

    over = _over(data or [], start, end)
    parts = _names(targets, "--targets", PARTS)
    if not parts and kills:
        raise Refusal(f"--kills {kills} needs something to kill: --targets allows {', '.join(PARTS)}")
    if DATABASE in parts and find_postgres(os.environ) is None:
        if targets != ALL:
            raise Refusal("--targets database needs PostgreSQL: python -m workers.stack.provide postgres")
        parts = tuple(part for part in parts if part != DATABASE)
        say("no PostgreSQL on this machine: the database is embedded and is not killed")
    scrubbed = trial_environment(os.environ)
    if scrubbed.dropped:
        say(f"a private stack: ignored from the environment are {', '.join(scrubbed.dropped)}")
    spec = ChaosSpec(over=over, kills=kills, seed=seed, faults=_names(faults, "--faults", FAULTS), targets=parts)
    with shown_progress() as progress:
        tally = run(lambda: run_chaos(spec, env=dict(scrubbed.env), announce=say, progress=progress))
    emit(tally.summary(), as_json=json, text=_readable(tally))
    if not tally.is_well:
        for difference in tally.differences[:20]:
            say(f"difference: {difference}")
        raise NotWell


def _names(text: str, option: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    if text == ALL:
        return allowed
    if text == "none":
        return ()
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    wrong = [name for name in names if name not in allowed]
    if wrong or not names:
        raise Refusal(f"{option} {text!r}: allowed are all, none, or some of {', '.join(allowed)}")
    return tuple(dict.fromkeys(names))


def _over(data: list[str], start: str, end: str) -> CampaignSpec:
    """The campaign that is disturbed: over recorded candles, or over a made crash."""
    from workers.stack.house import MarketSource
    from workers.trials.campaign import CampaignSpec

    if not data:
        if start or end:
            raise Refusal("--from and --to belong to --data: the made crash has its own days")
        market = MarketSource(
            symbols=SYMBOLS,
            seed=MARKET_SEED,
            generated_from=MARKET_FROM,
            generated_days=MARKET_DAYS,
            crash_days=(CRASH_DAY,),
        )
        first = MARKET_FROM + TRADED_FROM
        return CampaignSpec(
            kind="chaos",
            market=market,
            symbols=SYMBOLS,
            accounts=ACCOUNTS,
            start=first,
            end=first + TRADED,
            decide_every=timedelta(hours=4),
            policy=POLICY,
        )
    if not start or not end:
        raise Refusal("--data needs --from and --to")
    files = files_of(data)
    first, last = time_of(start, "--from"), day_end_of(end, "--to")
    if first >= last:
        raise Refusal(f"--from {start} must be before --to {end}")
    check_period(histories_of(files), start=first, end=last)
    return CampaignSpec(
        kind="chaos",
        market=MarketSource(files=files),
        symbols=tuple(sorted(files)),
        start=first,
        end=last,
        decide_every=timedelta(hours=4),
        policy=POLICY,
    )


def _readable(tally: Tally) -> str:
    s = tally.summary()
    unprotected, while_up, resume = s["unprotected_s"], s["unprotected_while_up_s"], s["resume_s"]
    return "\n".join(
        (
            f"{s['rounds']} rounds, {s['kills']} kills, {s['freezes']} freezes, {s['lost_replies']} lost replies, "
            f"{s['late_requests']} late requests; {s['decisions']} decisions, {s['fills']} fills",
            f"{s['intended_orders']} intended orders, {s['venue_orders']} at the venue: {s['duplicates']} duplicates, "
            f"{s['orphans']} orphans, {s['lost']} lost, {s['differences']} differences, {s['frozen']} frozen",
            f"unprotected after an entry's fill: p50 {unprotected['p50']} s, p99 {unprotected['p99']} s, "
            f"max {unprotected['max']} s; where only workers were hit meanwhile: p99 {while_up['p99']} s, "
            f"max {while_up['max']} s",
            f"moving on after a kill: p50 {resume['p50']} s, p99 {resume['p99']} s, max {resume['max']} s",
        )
    )


COMMANDS = {"chaos": command("chaos", chaos)}
