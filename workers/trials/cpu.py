"""What a run costs: the processor time of each part of its stack, through all its restarts. Needs /proc."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

PROC = Path("/proc")

_GROUP = 2
_TIMES = slice(11, 13)
"""User and system time; those of children that ended were seen while they ran."""


class CpuTimes:
    """Processor seconds by part name, with all that a part started in its process group.

    `look` often: what a killed process used since the last look is not seen.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], float] = {}

    def look(self, pids: Mapping[str, int]) -> None:
        """Take in what each part has used by now; what is gone keeps what was seen."""
        names = {pid: name for name, pid in pids.items()}
        for process in PROC.glob("[0-9]*"):
            fields = _stat(process)
            if fields is None or (name := names.get(int(fields[_GROUP]))) is None:
                continue
            ticks = sum(int(field) for field in fields[_TIMES])
            self._seen[name, int(process.name)] = ticks / os.sysconf("SC_CLK_TCK")

    def seconds(self) -> dict[str, float]:
        """Seconds by part name; empty where there is no /proc."""
        totals: dict[str, float] = {}
        for (name, _), used in sorted(self._seen.items()):
            totals[name] = totals.get(name, 0.0) + used
        return {name: round(used, 2) for name, used in totals.items()}


def _stat(process: Path) -> list[str] | None:
    """The fields of `/proc/PID/stat` after the name in brackets; nothing where the process is gone."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
