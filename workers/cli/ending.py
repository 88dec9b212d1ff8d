"""How a verb ends: one JSON line or readable text, an exit code, and one sentence instead of a traceback."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

DONE, NOT_WELL, WRONG_REQUEST = 0, 1, 2


class Refusal(Exception):
    """The request was wrong or something needed is missing: one sentence, exit code 2."""


class NotWell(Exception):
    """The thing asked about is not well: the answer was printed, exit code 1."""


def emit(answer: dict[str, Any], *, as_json: bool, text: str) -> None:
    """The answer: with `as_json` one JSON object as the last line on stdout, else readable text."""
    line = json.dumps(answer, ensure_ascii=False, default=str) if as_json else text
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def say(sentence: str) -> None:
    """Progress and remarks go to stderr, so that stdout stays the answer."""
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run an asynchronous verb."""
    import asyncio

    return asyncio.run(work())


def end(verb: Callable[[], Any]) -> NoReturn:
    """Run the verb and leave the process without interpreter teardown, which the SDK's bridge can crash."""
    code = DONE
    try:
        outcome = verb()
        if isinstance(outcome, int):
            code = outcome
    except NotWell:
        code = NOT_WELL
    except Refusal as refusal:
        say(f"perennial: {refusal}")
        code = WRONG_REQUEST
    except KeyboardInterrupt:
        say("perennial: interrupted")
        code = 130
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else WRONG_REQUEST
    except Exception as error:
        code = _told(error)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _told(error: Exception) -> int:
    """One sentence for what users cause; everything else is our defect and shows its traceback."""
    module = type(error).__module__
    if module.startswith("typer._click") or module.startswith("click"):
        shown = getattr(error, "format_message", lambda: str(error))()
        say(shown if type(error).__name__ == "NoArgsIsHelpError" else f"perennial: {shown}")
        return WRONG_REQUEST
    if type(error).__name__ in _OUTSIDE:
        say(f"perennial: {' '.join(str(error).split())}")
        return WRONG_REQUEST
    if isinstance(error, OSError):  # a folder that cannot be written, a full disk, a port that is taken
        where = f": {error.filename}" if error.filename else ""
        say(f"perennial: {error.strerror or error}{where}")
        return WRONG_REQUEST
    import traceback

    traceback.print_exception(error, file=sys.stderr)
    return 70


_OUTSIDE = {
    "HomeBusyError",
    "PartError",
    "ServerUnavailableError",
    "SettingsError",
    "StoreRefused",
    "StoreUnavailable",
    "TemporalSetupError",
    "TemporalUnreachableError",
    "VenueHostError",
    "VenueRefused",
    "VenueUnavailable",
}
"""Errors from outside this program that already say in one sentence what is wrong or missing."""
