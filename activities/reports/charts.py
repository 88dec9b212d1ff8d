"""Drawings by matplotlib, where the `charts` extra is installed."""

from __future__ import annotations

import io
import threading
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from activities.reports.drawing import COLOURS, Draw, plain_drawing
from trading.reports.models import Figure

_ONE_AT_A_TIME = threading.Lock()
"""matplotlib's settings belong to the whole process."""

_SETTINGS: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e2e2e2",
    "axes.edgecolor": "#999999",
    "text.parse_math": False,
}


def best_drawing() -> Draw:
    """matplotlib's where it is installed, else our own. It is loaded when something is drawn, not before."""
    return plain_drawing if find_spec("matplotlib") is None else matplotlib_drawing


def matplotlib_drawing(figure: Figure) -> str:
    """`figure` as one SVG element without header, date or random ids: the same figure gives the same text."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    with _ONE_AT_A_TIME, matplotlib.rc_context({**_SETTINGS, "svg.hashsalt": f"figure-{figure.name}"}):
        canvas = Canvas(figsize=(7.5, 2.8), layout="constrained")
        FigureCanvasSVG(canvas)
        _plot(canvas.subplots(), figure)
        told = io.StringIO()
        canvas.savefig(told, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    drawn = told.getvalue()
    return "\n".join(line.rstrip() for line in drawn[drawn.index("<svg") :].strip().splitlines())


def _plot(axes: Any, figure: Figure) -> None:
    from matplotlib.ticker import FuncFormatter

    for place, series in enumerate(figure.series):
        xs: list[Any] = [float(point.x) for point in series.points]
        if figure.x_is_time:
            xs = [datetime.fromtimestamp(x, UTC) for x in xs]
        ys = [float(point.y) for point in series.points]
        style = {"marker": "o", "linestyle": "none"} if figure.style == "points" else {"linewidth": 1.5}
        axes.plot(xs, ys, color=COLOURS[place % len(COLOURS)], label=series.name, **style)
    if figure.diagonal:
        axes.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1)
    if figure.y_unit == "fraction":
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.4g} %"))
    else:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.7g}"))
    if figure.x_is_time:
        dates: Any = import_module("matplotlib.dates")
        locator = dates.AutoDateLocator(tz=UTC)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=UTC))
    if figure.x_label:
        axes.set_xlabel(figure.x_label)
    if figure.series:
        above: Any = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": len(figure.series)}
        axes.legend(frameon=False, **above)  # beside the lines, never over them
