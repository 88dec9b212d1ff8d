"""Logging: the standard library's, one JSON object a line on stderr, without secrets."""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, TextIO

MASK: Final = "***"
SHORTEST_SECRET: Final = 6
"""Shorter texts are not masked: they would blot out ordinary words."""

QUIET: Final = ("httpx", "httpcore", "openai", "dashscope", "aiosqlite", "urllib3", "asyncio")
"""Libraries that log each request, some with its signed query: heard from WARNING on."""

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SECRET_WORDS: Final = ("api_key", "apikey", "secret", "password", "token", "authorization", "signature")
_COUNTED_TOKENS: Final = ("tokens",)


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: time (UTC), level, logger, message, what `extra` added, and the exception.

    Temporal's loggers add `temporal_workflow` and `temporal_activity` with the ids. Values of `secrets`, and whatever
    stands under a name that speaks of one, are masked wherever they appear.
    """

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        super().__init__()
        known = sorted({secret for secret in secrets if len(secret) >= SHORTEST_SECRET}, key=len, reverse=True)
        self._secrets = [json.dumps(secret, ensure_ascii=False)[1:-1] for secret in known]

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD and not name.startswith("_"):
                entry.setdefault(name, _plain(name, value))
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            entry["stack"] = self.formatStack(record.stack_info)
        line = json.dumps(entry, ensure_ascii=False, default=str, allow_nan=False)
        for secret in self._secrets:
            line = line.replace(secret, MASK)
        return line


def _plain(name: str, value: Any) -> Any:
    lowered = name.lower()
    if any(word in lowered for word in _SECRET_WORDS) and not lowered.endswith(_COUNTED_TOKENS):
        return MASK
    if isinstance(value, dict):
        return {str(key): _plain(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain("", item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def configure_logging(
    level: str = "INFO", *, secrets: Sequence[str] = (), stream: TextIO | None = None
) -> logging.Handler:
    """One handler on the root logger, to stderr, in place of those there; calling it again replaces it."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(secrets))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    return handler
