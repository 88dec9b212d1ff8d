"""The one renderer: Markdown and one self-contained HTML page, from templates, with everything escaped."""

from __future__ import annotations

import re
from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from activities.reports.drawing import Draw, plain_drawing
from trading.reports.models import Figure, Report, Series
from trading.reports.wording import UNKNOWN, moment, number, percent, usd

_SPECIAL = re.compile(r"([\\`*_\[\]|#~])")
_WORDS: dict[str, Callable[..., str]] = {
    "USD": usd,
    "fraction": percent,
    "count": lambda value: number(value, places=0),
}


class TemplateRenderer:
    """`Renderer` over the templates of this package. `draw` makes the inline drawings of the page.

    The same report gives the same Markdown everywhere; the page's bytes also depend on `draw` alone.
    """

    def __init__(self, draw: Draw = plain_drawing) -> None:
        self._draw = draw
        self._environment = Environment(
            loader=PackageLoader("activities.reports", "templates"),
            autoescape=lambda name: name is not None and name.endswith(".html.j2"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.filters |= {"md": _markdown, "moment": moment, "figure_rows": _figure_rows}

    def markdown(self, report: Report) -> str:
        return self._environment.get_template("report.md.j2").render(report=report)

    def html(self, report: Report) -> str:
        return self._environment.get_template("report.html.j2").render(report=report, drawing=self._drawing)

    def _drawing(self, figure: Figure) -> Markup:
        """The drawing is ours: every text in it was escaped where it was made."""
        return Markup(self._draw(figure))


def _markdown(text: str) -> str:
    """`text` as Markdown shows it letter by letter: no markup, no HTML, no cell of a table ends in it."""
    line = " ".join(text.split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", line)


def _figure_rows(figure: Figure) -> list[tuple[str, str, str, str, str, str]]:
    """A drawing in words, a row a series: name, points, first, last, lowest, highest."""
    return [_figure_row(figure, series) for series in figure.series]


def _figure_row(figure: Figure, series: Series) -> tuple[str, str, str, str, str, str]:
    shown = _WORDS[figure.y_unit]
    values = [point.y for point in series.points]
    if not values:
        return series.name, "0", UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN
    ends = (values[0], values[-1], min(values), max(values))
    first, last, lowest, highest = (shown(value) for value in ends)
    return series.name, str(len(values)), first, last, lowest, highest
