"""What a run costs: the processor time of each part of its stack, through all its restarts. Needs /proc."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

PROC = Path("/proc")


class CpuTimes:
    """Processor seconds by part name. `look` often: what a killed process used since the last look is not seen."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], float] = {}

    def look(self, pids: Mapping[str, int]) -> None:
        """Take in what each part has used by now; a part that is gone keeps what was seen."""
        for name, pid in pids.items():
            used = _used_s(pid)
            if used is not None:
                self._seen[name, pid] = used

    def seconds(self) -> dict[str, float]:
        """Seconds by part name; empty where there is no /proc."""
        totals: dict[str, float] = {}
        for (name, _), used in sorted(self._seen.items()):
            totals[name] = totals.get(name, 0.0) + used
        return {name: round(used, 2) for name, used in totals.items()}


def _used_s(pid: int) -> float | None:
    """User and system time of a process and of its children that ended; nothing where there is no such process."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    utime, stime, children_utime, children_stime = (int(field) for field in fields[11:15])
    return (utime + stime + children_utime + children_stime) / os.sysconf("SC_CLK_TCK")
