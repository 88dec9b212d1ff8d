"""Settings as rows: where each value came from, what may be set, and the commented example file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from config.environment import KEY_PREFIX, READ_ELSEWHERE, SECRET_PREFIX, UnknownName, unknown_names, variables
from config.settings import Settings, variable_name

SHOWN_SECRET = "set, not shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingSource:
    """One setting as a person may see it: secrets are named, never shown."""

    variable: str
    value: str
    origin: str
    description: str


def sources(settings: Settings) -> tuple[SettingSource, ...]:
    """Every setting with its value and where it came from: `environment`, `file PATH` or `default` (C76)."""
    given = settings.given()
    rows = []
    for field, info in Settings.model_fields.items():
        variable = variable_name(field)
        origin = given[variable].origin if variable in given else "default"
        shown = _shown(field, getattr(settings, field))
        rows.append(SettingSource(variable=variable, value=shown, origin=origin, description=info.description or ""))
    for name in sorted(given):
        if name.startswith((KEY_PREFIX, SECRET_PREFIX)):
            rows.append(
                SettingSource(
                    variable=name, value=SHOWN_SECRET, origin=given[name].origin, description="key of an account"
                )
            )
    return tuple(rows)


def _shown(field: str, value: Any) -> str:
    if value is None:
        return ""
    if field == "database_url":
        return without_password(value.get_secret_value())
    return SHOWN_SECRET if isinstance(value, SecretStr) else str(value)


def without_password(url: str) -> str:
    """`url` with what stands before its host left out, and no query: both may hold a password."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def stray_names() -> tuple[UnknownName, ...]:
    """Variables with our prefix that nothing reads; a stray one never overrides anything in silence (C76)."""
    return unknown_names(variables(), known_names())


def known_names() -> frozenset[str]:
    """Every variable that settings read by a fixed name."""
    return frozenset(variable_name(field) for field in Settings.model_fields)


def env_example(settings_type: type[BaseSettings] = Settings) -> str:
    """The example file: every variable, commented out, with its default and what it means."""
    lines = [
        "# Settings of Perennial: every line is optional, and all are commented out.",
        "# Copy this file, edit the copy, and name it: PERENNIAL_ENV_FILE=.env perennial up",
        "# No file is read unless it is named so. Trading limits are not here: they live in the playbook.",
        "",
    ]
    for field, info in settings_type.model_fields.items():
        if field == "env_file":
            continue
        default = "" if info.default is None else str(info.default)
        lines += [f"# {info.description}", f"#{variable_name(field)}={default}", ""]
    lines += [
        "# Keys of accounts at a real venue; a pair without an account in its name belongs to composite.",
        f"#{KEY_PREFIX}_COMPOSITE=",
        f"#{SECRET_PREFIX}_COMPOSITE=",
        "",
        "# Temporal is configured by the SDK's own variables and profile file.",
        "#TEMPORAL_ADDRESS=",
        "#TEMPORAL_NAMESPACE=",
        "#TEMPORAL_API_KEY=",
        "",
    ]
    for name, reader in sorted(READ_ELSEWHERE.items()):
        lines += [f"# {reader}", f"#{name}=", ""]
    return "\n".join(lines)
