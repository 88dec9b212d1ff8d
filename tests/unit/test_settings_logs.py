"""Log lines: one JSON object each, with the ids, and without a secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from config.logs import MASK, JsonFormatter, configure_logging

SECRET = 'p"ss-word-9'


def line(message: str = "hello", *args: Any, secrets: tuple[str, ...] = (), **extra: Any) -> dict[str, Any]:
    record = logging.getLogger("a.b").makeRecord("a.b", logging.INFO, __file__, 1, message, args, None, extra=extra)
    text = JsonFormatter(secrets).format(record)
    assert "\n" not in text
    entry: dict[str, Any] = json.loads(text)
    return entry


def test_a_line_has_time_level_logger_message_and_what_was_added() -> None:
    entry = line("filled %s of %s", 1, 2, symbol="BTC/USDT", bars=3)
    assert entry["message"] == "filled 1 of 2"
    assert (entry["level"], entry["logger"], entry["symbol"], entry["bars"]) == ("INFO", "a.b", "BTC/USDT", 3)
    assert entry["time"].endswith("Z")
    assert len(entry["time"]) == len("2026-01-01T00:00:00.000Z")


def test_temporal_ids_are_kept_as_they_are() -> None:
    ids = {"workflow_id": "w1", "run_id": "r1", "attempt": 1}
    assert line(temporal_workflow=ids)["temporal_workflow"] == ids


@pytest.mark.parametrize("name", ["api_key", "BINANCE_API_SECRET", "db_password", "Authorization", "token"])
def test_a_value_under_a_secret_name_is_masked_at_any_depth(name: str) -> None:
    entry = line(**{name: SECRET, "request": {"headers": [{name: SECRET}]}})
    assert entry[name] == MASK
    assert entry["request"] == {"headers": [{name: MASK}]}


def test_token_counts_are_no_secret() -> None:
    assert line(prompt_tokens=12)["prompt_tokens"] == 12


def test_a_known_secret_is_masked_wherever_it_appears() -> None:
    entry = line(f"url?key={SECRET}", secrets=(SECRET, "abc"), note=SECRET, short="abc")
    assert entry["message"] == f"url?key={MASK}"
    assert entry["note"] == MASK
    assert entry["short"] == "abc"


def test_what_json_cannot_hold_is_written_as_text() -> None:
    entry = line(ratio=float("nan"), thing=object, many={1, 2})
    assert entry["ratio"] == "nan"
    assert "object" in entry["thing"]
    assert sorted(entry["many"]) == [1, 2]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_configuring_twice_leaves_one_handler_and_quiet_libraries(stream: io.StringIO) -> None:
    configure_logging("INFO", stream=stream)
    configure_logging("INFO", stream=stream, secrets=(SECRET,))
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("x").exception("it failed")
    logging.getLogger("x").debug("not heard")
    logging.getLogger("httpx").info("GET /api?signature=abc")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    entry = json.loads(lines[0])
    assert entry["level"] == "ERROR"
    assert f"ValueError: {MASK}" in entry["exception"]
