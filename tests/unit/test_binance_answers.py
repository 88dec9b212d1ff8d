"""The table of venue.md, "What an answer means", row by row."""

from __future__ import annotations

import pytest

from trading.orders.answers import Answered, Transport, classify
from trading.orders.models import OutcomeClass

ACCEPTED, REFUSED, UNKNOWN = OutcomeClass.ACCEPTED, OutcomeClass.REFUSED, OutcomeClass.UNKNOWN
NOT_PROCESSED, NOT_SENT = OutcomeClass.NOT_PROCESSED, OutcomeClass.NOT_SENT


def error(status: int, code: int, message: str = "") -> Answered:
    return Answered(http_status=status, code=code, message=message)


def lost(how: Transport) -> Answered:
    return Answered(transport=how)


@pytest.mark.parametrize(
    ("answer", "outcome", "stops_venue"),
    [
        # accepted: any status of the order, told by its body
        (Answered(http_status=200, is_order=True), ACCEPTED, False),
        # definitely refused
        (error(400, -1013, "Filter failure: LOT_SIZE"), REFUSED, False),
        (error(400, -1014, "Unsupported order combination."), REFUSED, False),
        (error(400, -1100, "Illegal characters found in a parameter."), REFUSED, False),
        (error(400, -1111, "Parameter 'quantity' has too much precision."), REFUSED, False),
        (error(400, -1121, "Invalid symbol."), REFUSED, False),
        (error(400, -1199), REFUSED, False),
        (error(400, -2010, "Account has insufficient balance for requested action."), REFUSED, False),
        (error(400, -2010, "Stop price would trigger immediately."), REFUSED, False),
        (error(400, -1022, "Signature for this request is not valid."), REFUSED, False),
        (error(400, -2014, "API-key format invalid."), REFUSED, False),
        # ... and nothing more is sent to this venue
        (error(400, -2015, "Invalid API-key, IP, or permissions for action."), REFUSED, True),
        (error(401, -2015), REFUSED, True),
        (error(401, -1002), REFUSED, True),
        (Answered(http_status=401), REFUSED, True),
        (Answered(http_status=403, message="<html>forbidden</html>"), REFUSED, True),
        (Answered(http_status=451), REFUSED, True),
        # not processed
        (error(429, -1003, "Too many requests."), NOT_PROCESSED, False),
        (Answered(http_status=429), NOT_PROCESSED, False),
        (Answered(http_status=418), NOT_PROCESSED, False),
        (error(400, -1015, "Too many new orders."), NOT_PROCESSED, False),
        (error(400, -1021, "Timestamp for this request is outside of the recvWindow."), NOT_PROCESSED, False),
        # not sent: no byte left
        (lost(Transport.CONNECT_REFUSED), NOT_SENT, False),
        (lost(Transport.NAME_UNRESOLVED), NOT_SENT, False),
        (lost(Transport.NEVER_CONNECTED), NOT_SENT, False),
        # unknown
        (lost(Transport.TIMED_OUT), UNKNOWN, False),
        (lost(Transport.RESET), UNKNOWN, False),
        (lost(Transport.CANCELLED), UNKNOWN, False),
        (Answered(http_status=500), UNKNOWN, False),
        (Answered(http_status=502, message="<html>bad gateway</html>"), UNKNOWN, False),
        (error(503, -1016, "This service is no longer available."), UNKNOWN, False),
        (error(504, -1007, "Timeout waiting for response from backend server."), UNKNOWN, False),
        (error(400, -1000), UNKNOWN, False),
        (error(400, -1001), UNKNOWN, False),
        (error(400, -1006), UNKNOWN, False),
        (error(400, -1007), UNKNOWN, False),
        (error(503, -1008), UNKNOWN, False),
        (error(500, -2010), UNKNOWN, False),  #     a 5xx outweighs every code
        (error(502, -1021), UNKNOWN, False),
        (Answered(http_status=200, message="half a body"), UNKNOWN, False),
        (error(200, -2010), UNKNOWN, False),
        (Answered(http_status=302), UNKNOWN, False),
        (Answered(http_status=404, message="<html>"), UNKNOWN, False),
        (error(409, -2021, "Order cancel-replace partially failed."), UNKNOWN, False),
        (error(400, -9999, "a code of tomorrow"), UNKNOWN, False),
        (Answered(), UNKNOWN, False),
        # a duplicate is there already: ask whose it is
        (error(400, -2010, "Duplicate order sent."), UNKNOWN, False),
        # a cancel answered "unknown order" is not "gone"
        (error(400, -2011, "Unknown order sent."), UNKNOWN, False),
    ],
)
def test_an_answer_means(answer: Answered, outcome: OutcomeClass, stops_venue: bool) -> None:
    meaning = classify(answer)
    assert (meaning.outcome, meaning.stops_venue) == (outcome, stops_venue), meaning.row
