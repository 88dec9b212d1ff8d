"""A port that nothing may ever connect to, and an environment that would lead every known client there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Trap:
    """Listens and writes down the first bytes of whoever came."""

    port: int
    caught: list[bytes] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def environment(self, folder: Path) -> dict[str, str]:
        """Addresses, profiles, proxies and keys, in the spellings that clients read; all of them lead into the trap."""
        profile = folder / "temporal.toml"
        profile.write_text(f'[profile.default]\naddress = "{self.address}"\nnamespace = "elsewhere"\n')
        url = f"http://{self.address}"
        return {
            "TEMPORAL_ADDRESS": self.address,
            "TEMPORAL_NAMESPACE": "elsewhere",
            "TEMPORAL_API_KEY": "hostile",
            "TEMPORAL_CONFIG_FILE": str(profile),
            "PERENNIAL_PROFILE": "live",
            "PERENNIAL_DATABASE_URL": f"postgresql+psycopg://hostile:hostile@{self.address}/hostile",
            "PERENNIAL_PRIMARY_PROVIDER": "deepseek",
            "PERENNIAL_SECONDARY_PROVIDER": "openai-compatible",
            "PERENNIAL_LOG_LEVEL": "DEBUG",
            "DEEPSEEK_API_KEY": "hostile",
            "DEEPSEEK_BASE_URL": url,
            "OPENAI_API_KEY": "hostile",
            "OPENAI_BASE_URL": url,
            "DASHSCOPE_API_KEY": "hostile",
            "BINANCE_API_KEY": "hostile",
            "BINANCE_API_SECRET": "hostile",
            "HTTP_PROXY": url,
            "HTTPS_PROXY": url,
            "ALL_PROXY": url,
            "http_proxy": url,
            "https_proxy": url,
            "all_proxy": url,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "DATABASE_URL": f"postgresql://{self.address}/hostile",
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        }


@contextmanager
def trap() -> Iterator[Trap]:
    """A trap on a free port, until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        set_up = Trap(server.getsockname()[1])
        watching = threading.Thread(target=_watch, args=(server, set_up), daemon=True)
        watching.start()
        yield set_up
        server.shutdown(socket.SHUT_RDWR)
        watching.join(timeout=5)


def _watch(server: socket.socket, set_up: Trap) -> None:
    while True:
        try:
            came, _ = server.accept()
        except OSError:
            return
        with came:
            came.settimeout(1)
            try:
                set_up.caught.append(came.recv(200))
            except OSError:
                set_up.caught.append(b"")
