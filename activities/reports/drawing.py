"""Inline SVG of our own: lines and points on two labelled axes, for where matplotlib is not installed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from xml.sax.saxutils import escape, quoteattr

from trading.reports.models import Figure, Point
from trading.reports.wording import number, percent

Draw = Callable[[Figure], str]
"""One figure as an SVG element; the same figure gives the same text."""

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 86, 16, 14, 34
COLOURS = ("#1b6ca8", "#c2571a", "#2e7d4f", "#7a4fa3", "#8a6d1d", "#555555")
TICKS = 4


def plain_drawing(figure: Figure) -> str:
    """`figure` as an SVG element of 720 by 260, with a title for screen readers and a legend of its series."""
    points = [point for series in figure.series for point in series.points]
    frame = _Frame(figure, points)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label={quoteattr(figure.title)} '
        'xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="11">',
        *frame.grid(),
        *([frame.diagonal()] if figure.diagonal else []),
    ]
    for place, series in enumerate(figure.series):
        colour = COLOURS[place % len(COLOURS)]
        parts.extend(frame.drawn(series.points, colour, as_line=figure.style == "line"))
        parts.append(f'<text x="{LEFT + 8 + place * 130}" y="{TOP + 10}" fill="{colour}">{escape(series.name)}</text>')
    parts.append("</svg>")
    return "\n".join(parts)


class _Frame:
    """Where a number lies on the drawing."""

    def __init__(self, figure: Figure, points: list[Point]) -> None:
        self._figure = figure
        xs, ys = [point.x for point in points], [point.y for point in points]
        if figure.diagonal:
            xs, ys = [*xs, Decimal(0), Decimal(1)], [*ys, Decimal(0), Decimal(1)]
        self._x = _spread(xs)
        self._y = _spread(ys)

    def x(self, value: Decimal) -> str:
        low, high = self._x
        return f"{LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / (high - low):.2f}"

    def y(self, value: Decimal) -> str:
        low, high = self._y
        return f"{HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low):.2f}"

    def grid(self) -> list[str]:
        parts = []
        for place in range(TICKS + 1):
            share = Decimal(place) / TICKS
            value = self._y[0] + (self._y[1] - self._y[0]) * share
            at, label = self.y(value), escape(_amount(value, self._figure.y_unit))
            parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at}" y2="{at}" stroke="#e2e2e2"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{at}" dy="4" text-anchor="end" fill="#555">{label}</text>')
        for value, anchor in ((self._x[0], "start"), (self._x[1], "end")):
            label = escape(self._x_label(value))
            parts.append(
                f'<text x="{self.x(value)}" y="{HEIGHT - 12}" text-anchor="{anchor}" fill="#555">{label}</text>'
            )
        if self._figure.x_label:
            parts.append(
                f'<text x="{(LEFT + WIDTH - RIGHT) // 2}" y="{HEIGHT - 12}" text-anchor="middle" fill="#555">'
                f"{escape(self._figure.x_label)}</text>"
            )
        return parts

    def diagonal(self) -> str:
        zero, one = Decimal(0), Decimal(1)
        return (
            f'<line x1="{self.x(zero)}" y1="{self.y(zero)}" x2="{self.x(one)}" y2="{self.y(one)}" '
            'stroke="#999" stroke-dasharray="4 4"/>'
        )

    def drawn(self, points: tuple[Point, ...], colour: str, *, as_line: bool) -> list[str]:
        if as_line and len(points) > 1:
            path = " ".join(f"{self.x(point.x)},{self.y(point.y)}" for point in points)
            return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>']
        return [f'<circle cx="{self.x(point.x)}" cy="{self.y(point.y)}" r="4" fill="{colour}"/>' for point in points]

    def _x_label(self, value: Decimal) -> str:
        if self._figure.x_is_time:
            return f"{datetime.fromtimestamp(float(value), UTC):%Y-%m-%d %H:%M}"
        return number(value)


def _spread(values: list[Decimal]) -> tuple[Decimal, Decimal]:
    """Lowest and highest, never the same: a flat line lies in the middle."""
    if not values:
        return Decimal(0), Decimal(1)
    low, high = min(values), max(values)
    if low == high:
        margin = abs(low) / 100 or Decimal(1)
        return low - margin, high + margin
    return low, high


def _amount(value: Decimal, unit: str) -> str:
    if unit == "fraction":
        return percent(value)
    return number(value, places=0 if abs(value) >= 1000 or unit == "count" else 2)
