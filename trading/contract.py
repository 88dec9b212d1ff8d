"""The one base of every contract: frozen, without NaN, tolerant of fields that a newer version added."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field


def _to_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


Utc = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""An aware time, held in UTC."""

Fraction = Annotated[Decimal, Field(ge=Decimal(0), le=Decimal(1))]
"""A ratio between 0 and 1: 0.05 is five percent."""


class Contract(BaseModel):
    """A value that crosses a boundary between our own parts; unknown fields are ignored so that deploys may roll."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Answer(BaseModel):
    """A value that comes from outside and is not trusted: an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
