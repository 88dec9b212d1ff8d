"""The exchange as a process: a listening socket, one line on standard output when ready, a graceful end on SIGTERM."""

from __future__ import annotations

import json
import logging
import signal
import socket
import sys

import uvicorn

from workers.exchange_sim.app import create_app
from workers.exchange_sim.config import SimConfig
from workers.exchange_sim.user_stream import UserStreamProtocol

_log = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """Announces itself once requests are accepted: `{"ready": true, "port": N}` on standard output, nothing else."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if sockets and self.started:
            port = sockets[0].getsockname()[1]
            sys.stdout.write(json.dumps({"ready": True, "port": port}) + "\n")
            sys.stdout.flush()


def _ended_gracefully(number: int, frame: object) -> None:
    """The server raises the signal once more after its shutdown; taken here, the process ends with status 0."""
    _log.info("ended by signal %s", number)


def serve(config: SimConfig) -> None:
    """Serve until SIGTERM or SIGINT; port 0 takes a free one. Raises `ValueError` (data) or `OSError` (port in use)."""
    app = create_app(config)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((config.host, config.port))
    options = uvicorn.Config(
        app,
        ws=UserStreamProtocol,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
    )
    _log.info("simulated exchange on %s:%s", config.host, listener.getsockname()[1])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ended_gracefully)
    try:
        _Server(options).run(sockets=[listener])
    finally:
        listener.close()
