"""Waiting for something to become true, instead of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.02


async def eventually(question: Callable[[], Awaitable[T] | T], *, timeout_s: float = 10.0, what: str = "") -> T:
    """Asks until the answer is truthy and returns it; an `AssertionError` in the question counts as not yet.

    Fails with the last answer or assertion when the time is over.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            asked = question()
            answer: T = await asked if isawaitable(asked) else asked
            if answer:
                return answer
            last: object = answer
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or 'it'} did not come true within {timeout_s} s; last seen: {last!r}")
        await asyncio.sleep(POLL_S)


def eventually_now(question: Callable[[], T], *, timeout_s: float = 10.0, what: str = "") -> T:
    """`eventually` for tests without an event loop."""

    async def asked() -> T:
        return await eventually(question, timeout_s=timeout_s, what=what)

    return asyncio.run(asked())
