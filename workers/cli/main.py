"""The `perennial` command: verbs are loaded when they are called, so that `--help` costs nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from workers.cli.ending import Refusal, end

VERBS: dict[str, tuple[str, str]] = {
    "demo": ("workers.cli.trials", "Trade a crash; one worker is killed in the middle"),
    "replay": ("workers.cli.trials", "Run history through the same workflows as live"),
    "chaos": ("workers.cli.chaos", "Kill and freeze a real stack, then hold venue to ledger"),
    "backtest": ("workers.cli.backtest", "Test one strategy over history"),
    "up": ("workers.cli.stack", "Start the local stack and keep it running until Ctrl-C"),
    "worker": ("workers.cli.worker", "Run worker roles against a Temporal service"),
    "exchange-sim": ("workers.cli.exchange", "Run the simulated exchange"),
    "decide": ("workers.cli.decide", "Take one trade decision and show its card"),
    "decisions": ("workers.cli.decisions", "List decisions, or show one card"),
    "orders": ("workers.cli.decisions", "List orders with what the venue said of them"),
    "positions": ("workers.cli.decisions", "List open positions"),
    "status": ("workers.cli.status", "What runs, what is held, what was decided last"),
    "approve": ("workers.cli.hands", "Let a proposal that waits for a person go on"),
    "reject": ("workers.cli.hands", "End a proposal that waits for a person"),
    "modify": ("workers.cli.hands", "Let a proposal go on with another size or other levels"),
    "pause": ("workers.cli.hands", "Open nothing by itself until resumed"),
    "resume": ("workers.cli.hands", "Back to automatic"),
    "manual": ("workers.cli.hands", "Every entry waits for a person"),
    "halt": ("workers.cli.hands", "Refuse new entries at once, cancel resting ones, keep stops"),
    "flatten": ("workers.cli.hands", "Sell all that an account holds"),
    "exit": ("workers.cli.hands", "Leave one symbol"),
    "resolve": ("workers.cli.hands", "Say what became of an order that is frozen"),
    "adopt": ("workers.cli.hands", "Make an order that another client placed ours"),
    "live": ("workers.cli.live", "Arm an account for real money, or disarm it"),
    "protections": ("workers.cli.protections", "List what breakers protect, and lift it"),
    "audit": ("workers.cli.hands", "List who did what, when and why"),
    "reconcile": ("workers.cli.reconcile", "Compare the ledger with the venue"),
    "plan": ("workers.cli.plan", "Show a day's plan"),
    "playbook": ("workers.cli.playbook", "List, show, compare, change and activate playbooks"),
    "pool": ("workers.cli.pool", "List the gene pool, or show one strategy of it"),
    "proposals": ("workers.cli.proposals", "What reflections ask of people"),
    "knowledge": ("workers.cli.teaching", "Teach the agent a principle of yours"),
    "schedules": ("workers.cli.schedules", "List, apply, pause, trigger and backfill schedules"),
    "memory": ("workers.cli.memory", "List lessons and experiences that reviews left, or show one"),
    "export": ("workers.cli.export", "Write the trades of the ledger as CSV"),
    "report": ("workers.cli.report", "Write the report of a day, week, month or quarter"),
    "doctor": ("workers.cli.doctor", "Check machine, settings, servers and keys; change nothing"),
    "db": ("workers.cli.db", "Database: migrate, info, digest"),
    "config": ("workers.cli.config", "Show settings and where each value came from"),
}
"""Verb to (module, one line of help). A module has `COMMANDS`, its verbs as commands by name."""


class LazyVerbs(TyperGroup):
    """A group whose commands are imported only when they run or show their own help."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Only a name and a line of help: what the overview shows."""
        return _named_only(cmd_name) if cmd_name in VERBS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The real command, loaded now. Raises `Refusal` for an unknown verb."""
        name = args[0]
        if name not in VERBS:
            raise Refusal(f"verb {name!r} is unknown: allowed are {', '.join(VERBS)}")
        module = importlib.import_module(VERBS[name][0])
        return name, module.COMMANDS[name], args[1:]


def _named_only(name: str) -> Any:
    stub = typer.Typer(add_completion=False)

    @stub.command(name=name, help=VERBS[name][1])
    def shown() -> None:
        raise Refusal(f"{name} was not loaded")

    return typer.main.get_command(stub)


app = typer.Typer(
    cls=LazyVerbs,
    name="perennial",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A self-evolving trading agent on durable workflows. Simulated unless told otherwise.",
)


@app.callback()
def _root() -> None:
    """A self-evolving trading agent on durable workflows. Simulated unless told otherwise."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exit code 0 done, 1 not well, 2 wrong request or something missing."""
    given = list(arguments if arguments is not None else sys.argv[1:])
    end(lambda: app(args=given, prog_name="perennial", standalone_mode=False))


if __name__ == "__main__":
    main()
