"""One model as settings choose it: a provider's row, what overrides it, and its key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import urlsplit

from pydantic import SecretStr

from config.markets import is_private_host
from config.providers import ProviderSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """Everything an adapter needs; the key shows only where it is asked for by name."""

    spec: ProviderSpec
    name: str
    base_url: str | None
    timeout_s: Decimal
    api_key: SecretStr | None = field(default=None, repr=False)


def chosen_model(
    spec: ProviderSpec,
    *,
    name: str | None,
    base_url: str | None,
    timeout_s: Decimal | None,
    keys: Mapping[str, SecretStr | None],
    addresses: Mapping[str, str | None],
) -> ModelSettings:
    """`spec` with what is given over it. Raises `ValueError` for a missing key and for a key over plain http."""
    key = keys.get(spec.key_setting) if spec.key_setting else None
    if spec.needs_key and key is None:
        raise ValueError(f"provider {spec.id} needs a key: set {spec.key_setting}, or choose a rules-... provider")
    by_setting = addresses.get(spec.base_url_setting) if spec.base_url_setting else None
    address = base_url or by_setting or spec.base_url
    if address is not None and spec.kind != "rules":
        _check_address(spec.id, address)
    return ModelSettings(
        spec=spec,
        name=name or spec.model,
        base_url=None if spec.kind == "rules" else address,
        timeout_s=timeout_s or spec.timeout_s,
        api_key=key,
    )


def _check_address(provider: str, address: str) -> None:
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not host or parts.username or parts.query:
        raise ValueError(
            f"provider {provider}: its address must be http(s)://HOST[:PORT][/PATH], without user or query"
        )
    if parts.scheme == "http" and not is_private_host(host):
        raise ValueError(f"provider {provider}: address {address!r} must use https, or its key travels in clear")
