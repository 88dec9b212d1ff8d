"""How far a trial is, shown on stderr."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from workers.cli.ending import say

if TYPE_CHECKING:
    from workers.trials.campaign import Progress


@contextlib.contextmanager
def shown_progress() -> Iterator[Progress]:
    """A bar on a terminal, a line now and then elsewhere; always on stderr."""
    if not sys.stderr.isatty():
        last, began = [Decimal(-1)], time.monotonic()

        def line(fraction: Decimal, text: str) -> None:
            if fraction - last[0] >= Decimal("0.1") or "killed" in text:
                last[0] = fraction
                say(f"{time.monotonic() - began:6.1f} s  {fraction * 100:5.1f} %  {text}")

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(
        TextColumn("{task.percentage:>5.1f} %"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("starting the stack", total=1.0)
        yield lambda fraction, text: bar.update(task, completed=float(fraction), description=text)
