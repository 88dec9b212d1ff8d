"""Free ports on the loopback interface."""

import secrets
import socket

LOOPBACK = "127.0.0.1"

_BELOW_EPHEMERAL = range(15_000, 32_000)
"""Where no system takes ports for outgoing connections: a port found free stays free until its part listens."""

_given: set[int] = set()


def free_port() -> int:
    """A port nobody listens on now, never the same twice in one process."""
    while True:
        port = secrets.choice(_BELOW_EPHEMERAL)
        if port in _given:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        _given.add(port)
        return port


def answers(port: int, host: str = LOOPBACK) -> bool:
    """Whether something accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False
