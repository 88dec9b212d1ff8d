"""What an answer to an order request means: one row an answer, read from the top, the first row that fits decides.

The rows are venue.md's table. Doubt is a class of its own: what no row names is `UNKNOWN`, never refused and never sent
again without asking. A duplicate-id refusal is doubt too: an order with this id is there, and only asking tells whether
it is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from trading.orders.models import OutcomeClass


class Transport(StrEnum):
    """How a request failed below HTTP; the first three failed before its first byte could leave."""

    CONNECT_REFUSED = "connect_refused"
    NAME_UNRESOLVED = "name_unresolved"
    NEVER_CONNECTED = "never_connected"
    TIMED_OUT = "timed_out"
    RESET = "reset"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Answered:
    """The outside of an answer: what is known before anyone decides what it means.

    `code` is the venue's error number where the body was an error; `is_order` says that the body was an order.
    """

    http_status: int | None = None
    code: int | None = None
    message: str = ""
    is_order: bool = False
    transport: Transport | None = None


@dataclass(frozen=True, slots=True)
class Meaning:
    """The class, whether the venue must hear nothing more from us, and the row that said so."""

    outcome: OutcomeClass
    stops_venue: bool
    row: str


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    fits: Callable[[Answered], bool]
    outcome: OutcomeClass
    stops_venue: bool = False


_BEFORE_FIRST_BYTE = frozenset({Transport.CONNECT_REFUSED, Transport.NAME_UNRESOLVED, Transport.NEVER_CONNECTED})
_EXECUTION_UNKNOWN = frozenset({-1000, -1001, -1006, -1007, -1008})
_REFUSED = frozenset({-1013, -1014, -1022, -2010, -2014})


def is_duplicate(code: int | None, message: str) -> bool:
    """True for the refusal that says an open order already carries this client id."""
    return code == -2010 and "duplicate" in message.lower()


def _is_code(*codes: int) -> Callable[[Answered], bool]:
    return lambda answer: answer.code in codes


def _is_status(*statuses: int) -> Callable[[Answered], bool]:
    return lambda answer: answer.http_status in statuses


def _is_client_error(answer: Answered) -> bool:
    return answer.http_status is not None and 400 <= answer.http_status < 500


ROWS: tuple[_Row, ...] = (
    _Row("no connection", lambda a: a.transport in _BEFORE_FIRST_BYTE, OutcomeClass.NOT_SENT),
    _Row("lost on the way", lambda a: a.transport is not None, OutcomeClass.UNKNOWN),
    _Row("an order", lambda a: a.http_status == 200 and a.is_order, OutcomeClass.ACCEPTED),
    _Row("5xx", lambda a: (a.http_status or 0) >= 500, OutcomeClass.UNKNOWN),
    _Row("-1000 -1001 -1006 -1007 -1008", lambda a: a.code in _EXECUTION_UNKNOWN, OutcomeClass.UNKNOWN),
    _Row("401 403 451", _is_status(401, 403, 451), OutcomeClass.REFUSED, stops_venue=True),
    _Row("418 429", _is_status(418, 429), OutcomeClass.NOT_PROCESSED),
    _Row("-1003 -1015 -1021", _is_code(-1003, -1015, -1021), OutcomeClass.NOT_PROCESSED),
    _Row("-2011", _is_code(-2011), OutcomeClass.UNKNOWN),
    _Row("duplicate id", lambda a: is_duplicate(a.code, a.message), OutcomeClass.UNKNOWN),
    _Row("-2015", lambda a: _is_client_error(a) and a.code == -2015, OutcomeClass.REFUSED, stops_venue=True),
    _Row("-1013 -1014 -1022 -2010 -2014", lambda a: _is_client_error(a) and a.code in _REFUSED, OutcomeClass.REFUSED),
    _Row(
        "-11xx",
        lambda a: _is_client_error(a) and a.code is not None and -1199 <= a.code <= -1100,
        OutcomeClass.REFUSED,
    ),
)


def classify(answer: Answered) -> Meaning:
    """The meaning of an answer to a new order or a cancel; anything that no row names is `UNKNOWN`."""
    for row in ROWS:
        if row.fits(answer):
            return Meaning(outcome=row.outcome, stops_venue=row.stops_venue, row=row.name)
    return Meaning(outcome=OutcomeClass.UNKNOWN, stops_venue=False, row="nothing that is known")
