"""The environment of a private stack: nothing in it can lead a child to a real service, account or paid model."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

_PREFIXES = (
    "TEMPORAL_",
    "PERENNIAL_",
    "BINANCE_",
    "OPENAI_",
    "DEEPSEEK_",
    "DASHSCOPE_",
    "QWEN_",
    "ANTHROPIC_",
    "WEAVIATE_",
    "OTEL_",
    "DATABASE_",
    "PG",  # libpq fills what a URL leaves open from PGHOST, PGUSER, PGPASSWORD, PGSERVICE, ...
    "CCXT_",
)
_SUFFIXES = ("_API_KEY", "_API_SECRET", "_SECRET_KEY", "_API_TOKEN", "_PROXY", "_PROXY_URL", "_BASE_URL")


@dataclass(frozen=True, slots=True)
class TrialEnvironment:
    """What the children of a private stack get, and the names of what they do not get, for the verb to say so."""

    env: Mapping[str, str]
    dropped: tuple[str, ...]


def trial_environment(env: Mapping[str, str]) -> TrialEnvironment:
    """The environment without addresses, profiles, keys, proxies and settings, whatever their spelling in case.

    The SDK's profile file is pointed at an empty one, because it is also read from its default place.
    """
    dropped = tuple(sorted(name for name in env if _leads_outside(name.upper())))
    kept = {name: value for name, value in env.items() if name not in dropped}
    return TrialEnvironment({**kept, "TEMPORAL_CONFIG_FILE": os.devnull}, dropped)


def _leads_outside(name: str) -> bool:
    return name.startswith(_PREFIXES) or name.endswith(_SUFFIXES)
