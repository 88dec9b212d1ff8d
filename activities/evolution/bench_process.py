"""The process of one workbench: reads jobs from its input and writes results to its output until the input ends.

Started by `processes.BenchProcesses`, never by hand. Each message is eight bytes of length and a pickle; both ends are
processes of one build. The worker's death ends the input, and with it this process.
"""

from __future__ import annotations

import pickle
import signal
import struct
import sys
from typing import BinaryIO

LENGTH = struct.Struct(">Q")


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer `(job, arguments, keywords)` with `(True, result)` or `(False, error)`."""
    from trading.evolution.workbench import Workbench

    bench = Workbench()
    while header := source.read(LENGTH.size):
        (size,) = LENGTH.unpack(header)
        job, arguments, keywords = pickle.loads(source.read(size))
        try:
            answer = (True, getattr(bench, job)(*arguments, **keywords))
        except ValueError as refused:
            answer = (False, f"{type(refused).__name__}: {refused}")
        packed = pickle.dumps(answer, protocol=pickle.HIGHEST_PROTOCOL)
        sink.write(LENGTH.pack(len(packed)) + packed)
        sink.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(sys.stdin.buffer, sys.stdout.buffer)
