"""Sets up the servers that tests and the demo need, and says what it does: `python -m workers.stack.provide NAME...`.

Installs no system package and asks for no root. With `--if-possible` a server that cannot be had is only reported.
"""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from workers.stack.found import Announce, ServerUnavailableError
from workers.stack.postgres import provide_postgres
from workers.stack.temporal_server import provide_temporal
from workers.stack.timeskip import provide_timeskip

PROVIDERS: Mapping[str, Callable[[Mapping[str, str], Announce], Path]] = {
    "temporal": provide_temporal,
    "timeskip": provide_timeskip,
    "postgres": provide_postgres,
}


def main(words: list[str]) -> int:
    """Provides the named servers; 0 when all are there (or with `--if-possible`), 2 otherwise."""
    if_possible = "--if-possible" in words
    names = [word for word in words if not word.startswith("--")] or list(PROVIDERS)
    unknown = [name for name in names if name not in PROVIDERS]
    if unknown:
        _say(f"no server is called {', '.join(unknown)}; there are {', '.join(PROVIDERS)}")
        return 2
    missing = 0
    for name in names:
        try:
            _say(f"{name}: {PROVIDERS[name](os.environ, _say)}")
        except ServerUnavailableError as error:
            _say(f"{name}: {error}")
            missing += 1
    return 2 if missing and not if_possible else 0


def _say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
