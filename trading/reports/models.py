"""A report as data: headings, text, tables and figures. A renderer gives it a format and adds nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from trading.contract import Contract, Utc
from trading.review.period import Period


class Text(Contract):
    """A paragraph of plain text; renderers escape it."""

    kind: Literal["text"] = "text"
    text: str
    is_warning: bool = False


class Items(Contract):
    """A list of sentences."""

    kind: Literal["items"] = "items"
    items: tuple[str, ...]


class Column(Contract):
    title: str
    is_number: bool = False


class Table(Contract):
    """Rows of text as people read it, one cell a column; `empty` stands where there are no rows."""

    kind: Literal["table"] = "table"
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    empty: str = "none"

    @model_validator(mode="after")
    def _rows_fit(self) -> Self:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"a row of {len(row)} cells in a table of {len(self.columns)} columns: {row}")
        return self


class Point(Contract):
    """`x` is seconds since 1970 on a time axis."""

    x: Decimal
    y: Decimal


class Series(Contract):
    name: str
    points: tuple[Point, ...]


class Figure(Contract):
    """What is to be drawn; `y_unit` says what the numbers are: `USD`, `fraction`, `count`."""

    kind: Literal["figure"] = "figure"
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    x_is_time: bool = True
    x_label: str = ""
    y_unit: Literal["USD", "fraction", "count"]
    style: Literal["line", "points"] = "line"
    series: tuple[Series, ...]
    diagonal: bool = False
    """A reliability diagram shows where stated and observed would be equal."""


Block = Annotated[Text | Items | Table | Figure, Field(discriminator="kind")]


class Section(Contract):
    heading: str
    level: Literal[2, 3] = 2
    blocks: tuple[Block, ...]


class Report(Contract):
    """One account's period. `model_knows_period` marks history that a model may have read: such a report feeds no
    promotion and no trust weight (venue.md).
    """

    title: str
    realm: str
    profile: str
    account: str
    period: Period
    playbook_version: str
    is_complete: bool = Field(description="the records reach the end of the period")
    model_knows_period: bool
    sections: tuple[Section, ...]
    as_of: Utc = Field(description="the end of the period, or of the records where they end earlier")
