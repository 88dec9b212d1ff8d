"""Turns a function with typed options into a command of the lazy group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer


def command(name: str, function: Callable[..., Any]) -> Any:
    """One verb from one function; its docstring is the help, shown as written."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name=name)(function)
    return typer.main.get_command(app)


def group(name: str, functions: dict[str, Callable[..., Any]], *, help_text: str) -> Any:
    """A verb with sub-verbs."""
    app = typer.Typer(
        name=name,
        add_completion=False,
        rich_markup_mode=None,
        no_args_is_help=True,
        help=help_text,
        pretty_exceptions_enable=False,
    )
    for verb, function in functions.items():
        app.command(name=verb)(function)
    if len(functions) == 1:
        app.callback()(lambda: None)
    return typer.main.get_command(app)
