"""The policy as rows, for documents, prompts and people; changes that name the field; which way a change loosens."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

from annotated_types import Ge, Le
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from trading.contract import Contract
from trading.money import plain
from trading.policy.model import Policy
from trading.policy.thresholds import Looser


class PolicyRow(Contract):
    """One threshold. `code` is what a cap, denial or finding that comes from it carries; several rows may share one."""

    field: str
    code: str
    type: str
    default: str
    unit: str
    lowest: str
    highest: str
    capability: str
    looser: Looser
    message: str


class PolicyError(ValueError):
    """A change that the policy does not allow; the message names the field and the allowed values."""


def _row(name: str, info: FieldInfo) -> PolicyRow:
    extra = info.json_schema_extra
    if not isinstance(extra, dict):
        raise TypeError(f"policy field {name} is not declared as a threshold")
    bounds: dict[type, Any] = {type(mark): mark for mark in info.metadata}
    return PolicyRow(
        field=name,
        code=str(extra["code"]),
        type="integer" if info.annotation is int else "decimal",
        default=_text(info.default),
        unit=str(extra["unit"]),
        lowest=_text(bounds[Ge].ge),
        highest=_text(bounds[Le].le),
        capability=str(extra["capability"]),
        looser=_looser(name, str(extra["looser"])),
        message=info.description or "",
    )


def _looser(name: str, value: str) -> Looser:
    for allowed in get_args(Looser):
        if value == allowed:
            known: Looser = allowed
            return known
    raise TypeError(f"policy field {name}: looser {value!r} must be one of {get_args(Looser)}")


def _text(value: Decimal | int) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value)


ROWS: tuple[PolicyRow, ...] = tuple(_row(name, info) for name, info in Policy.model_fields.items())
"""Every threshold, in the order of its declaration."""

BY_FIELD = {row.field: row for row in ROWS}


def changed(policy: Policy, **values: Decimal | int | str) -> Policy:
    """`policy` with `values` in place, validated as a whole; `PolicyError` names the field and the allowed values."""
    for name in values:
        if name not in BY_FIELD:
            raise PolicyError(f"policy has no field {name!r}: allowed are {', '.join(sorted(BY_FIELD))}")
    try:
        return Policy.model_validate({**policy.model_dump(), **values})
    except ValidationError as error:
        raise PolicyError(
            "; ".join(_sentence(detail["loc"], detail["msg"], detail["input"]) for detail in error.errors())
        ) from error


def _sentence(loc: tuple[int | str, ...], message: str, value: object) -> str:
    if not loc:
        return message.removeprefix("Value error, ")
    row = BY_FIELD[str(loc[0])]
    return f"{row.field} {value} is not allowed: {row.type} from {row.lowest} to {row.highest} ({row.unit})"


def loosens(old: Policy, new: Policy) -> tuple[str, ...]:
    """The fields whose change from `old` to `new` admits more risk: these wait for a person (X52)."""
    return tuple(row.field for row in ROWS if _is_looser(row, getattr(old, row.field), getattr(new, row.field)))


def _is_looser(row: PolicyRow, old: Decimal | int, new: Decimal | int) -> bool:
    if row.looser == "up":
        return new > old
    return row.looser == "down" and new < old


def differences(old: Policy, new: Policy) -> tuple[tuple[str, str, str], ...]:
    """(field, old, new) of every threshold that differs, in the order of declaration."""
    return tuple(
        (row.field, _text(getattr(old, row.field)), _text(getattr(new, row.field)))
        for row in ROWS
        if getattr(old, row.field) != getattr(new, row.field)
    )
