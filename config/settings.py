"""Settings: the only reader of the environment. Addresses, keys, paths, zone and profile; never a trading number.

Names start with `PERENNIAL_`; the keys of vendors keep the names their vendors gave them. The environment wins over the
file that `PERENNIAL_ENV_FILE` names; no file is read unasked, so that a private stack that drops `PERENNIAL_*` from its
environment cannot be led to a real venue by a `.env` that lies about. `TEMPORAL_*` belongs to the SDK's own
configuration (`ClientConfig.load_client_connect_config`) and is not read here.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, DotEnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from config.environment import KEY_PREFIX, PREFIX, SECRET_PREFIX, Variable, env_file, variables, venue_keys
from config.markets import DEFAULT_ACCOUNTS, MARKETS, VENUES, Profile, VenueRow, check_venue_host
from config.models import ModelSettings, chosen_model
from config.providers import PROVIDERS, stated_knowledge

KEY_BYTES = 32


class SettingsError(ValueError):
    """A setting that is wrong or missing; the message names it and what is allowed. Handled by exit code 2."""


class VenueKeySettings(BaseModel):
    """One account's key at the venue of the chosen profile."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    api_key: SecretStr
    secret: SecretStr


class Settings(BaseSettings):
    """One process's settings, frozen. Shown as text, `repr` or JSON they never contain a secret."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    profile: Profile = Field(default=Profile.SIMULATED, description="simulated, paper, testnet, demo or live")
    home: Path = Field(default=Path("~/.local/share/perennial"), description="folder of the local stack's state")
    cache: Path | None = Field(default=None, description="folder of fetched and built servers; default: user's cache")
    env_file: Path | None = Field(default=None, description="file of settings that the environment does not have")
    database_url: SecretStr | None = Field(default=None, description="PostgreSQL or SQLite; default: SQLite in home")
    temporal_bin: Path | None = Field(default=None, description="the temporal program; default: PATH, cache, download")
    venue_url: str | None = Field(default=None, description="address of the venue; must belong to the profile")
    market_urls: str = Field(
        default="", description="further addresses of the venue's market data, comma separated; asked when one fails"
    )
    market: str = Field(default="crypto", description="market profile")
    zone: str | None = Field(default=None, description="time zone of days and schedules; default: the market's")
    build_id: str = Field(default="local", min_length=1, description="worker deployment build id")
    health_host: str = Field(default="127.0.0.1", description="address of the worker's probes")
    health_port: int = Field(default=0, ge=0, le=65_535, description="port of the worker's probes; 0 takes a free one")
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR")
    primary_provider: str = Field(default="rules-momentum", description="provider of the primary model")
    primary_model: str | None = Field(default=None, description="its model name; default: the provider's")
    primary_base_url: str | None = Field(default=None, description="its address; default: the provider's")
    primary_knowledge_until: date | None = Field(
        default=None, description="day until which it has read; default: what the provider states for its own model"
    )
    primary_timeout_s: Decimal | None = Field(default=None, gt=0, le=600, description="bound of one call to it")
    secondary_provider: str = Field(default="rules-reversion", description="provider of the secondary model")
    secondary_model: str | None = Field(default=None, description="its model name; default: the provider's")
    secondary_base_url: str | None = Field(default=None, description="its address; default: the provider's")
    secondary_knowledge_until: date | None = Field(
        default=None, description="day until which it has read; default: what the provider states for its own model"
    )
    secondary_timeout_s: Decimal | None = Field(default=None, gt=0, le=600, description="bound of one call to it")
    codec_keys: SecretStr | None = Field(
        default=None, description="payload keys as NAME:BASE64,...; the first seals, all open; none: readable payloads"
    )
    deepseek_api_key: SecretStr | None = Field(
        default=None, validation_alias="DEEPSEEK_API_KEY", description="key of DeepSeek"
    )
    dashscope_api_key: SecretStr | None = Field(
        default=None, validation_alias="DASHSCOPE_API_KEY", description="key of Qwen"
    )
    openai_api_key: SecretStr | None = Field(
        default=None, validation_alias="OPENAI_API_KEY", description="key of an OpenAI-compatible endpoint"
    )
    openai_base_url: str | None = Field(
        default=None, validation_alias="OPENAI_BASE_URL", description="address of an OpenAI-compatible endpoint"
    )
    siliconflow_api_key: SecretStr | None = Field(
        default=None, validation_alias="SILICONFLOW_API_KEY", description="key of SiliconFlow"
    )

    _given: dict[str, Variable] = PrivateAttr(default_factory=dict)
    _venue_keys: dict[str, VenueKeySettings] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, DotEnvSettingsSource(settings_cls, env_file=env_file())

    def model_post_init(self, context: object) -> None:
        """Keep what was given, and the keys of accounts: their names end with the account's, so they are no fields."""
        self._given.update(variables())
        pairs = venue_keys(self._given)
        self._venue_keys.update({name: VenueKeySettings.model_validate(pair) for name, pair in pairs.items()})

    @field_validator("home", "cache", "env_file", "temporal_bin")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, address: SecretStr | None) -> SecretStr | None:
        if address is not None:
            scheme, separator, rest = address.get_secret_value().partition("://")
            if not separator or not rest.strip("/") or scheme not in {*_DRIVERS, *_DRIVERS.values()}:
                raise ValueError(
                    f"database {scheme[:30]!r} is unknown: allowed are postgresql://USER@HOST/NAME and sqlite:///PATH"
                    if separator
                    else "must be postgresql://USER@HOST/NAME or sqlite:///PATH"
                )
        return address

    @field_validator("market")
    @classmethod
    def _known_market(cls, name: str) -> str:
        if name not in MARKETS:
            raise ValueError(f"{name!r} is unknown: allowed are {', '.join(sorted(MARKETS))}")
        return name

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str | None) -> str | None:
        if zone is not None:
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise ValueError(f"{zone!r} is no time zone: allowed are names like UTC and Europe/Berlin") from None
        return zone

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, level: str) -> str:
        if level.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError(f"{level!r} is unknown: allowed are DEBUG, INFO, WARNING and ERROR")
        return level.upper()

    @field_validator("primary_provider", "secondary_provider")
    @classmethod
    def _known_provider(cls, name: str) -> str:
        if name not in PROVIDERS:
            raise ValueError(f"{name!r} is unknown: allowed are {', '.join(sorted(PROVIDERS))}")
        return name

    @field_validator("codec_keys")
    @classmethod
    def _usable_codec_keys(cls, text: SecretStr | None) -> SecretStr | None:
        if text is not None:
            _codec_keys(text.get_secret_value())
        return text

    @model_validator(mode="after")
    def _venue_belongs_to_profile(self) -> Self:
        if self.venue_url is not None:
            check_venue_host(self.profile, self.venue_url)
        self.market_addresses()
        return self

    @property
    def venue_row(self) -> VenueRow:
        """The venue of the profile: its name, hosts, and whether its market is replayed."""
        return VENUES[self.profile]

    @property
    def realm(self) -> str:
        """The lasting realm of the profile; campaigns and trials have realms of their own."""
        return self.profile.value

    @property
    def zone_name(self) -> str:
        """The zone of days and schedules: the one set, else the market's."""
        return self.zone or MARKETS[self.market].zone

    @property
    def database(self) -> str:
        """The database's address with its driver; it may hold a password, so it is never shown."""
        if self.database_url is None:
            return f"sqlite+aiosqlite:///{self.home / 'perennial.sqlite'}"
        scheme, separator, rest = self.database_url.get_secret_value().partition("://")
        return _DRIVERS.get(scheme, scheme) + separator + rest

    def venue_address(self) -> str:
        """The venue's checked address. Raises `SettingsError` where the profile has no default and none is set."""
        address = self.venue_url or self.venue_row.base_url
        if address is None:
            hosts = ", ".join(sorted(self.venue_row.hosts))
            allowed = f"https:// and one of {hosts}" if hosts else "that of a running simulated exchange"
            raise SettingsError(
                f"profile {self.profile.value} has no default address: set {PREFIX}VENUE_URL to {allowed}"
            )
        return check_venue_host(self.profile, address)

    def market_addresses(self) -> tuple[str, ...]:
        """The checked addresses of further sources of market data. Raises `VenueHostError`."""
        names = (name.strip() for name in self.market_urls.split(","))
        return tuple(check_venue_host(self.profile, name) for name in names if name)

    def accounts(self) -> tuple[str, ...]:
        """The profile's accounts: those of a plan, or those that have a key where the venue needs one.

        Raises `SettingsError` where it needs one and none is set.
        """
        if not self.venue_row.needs_key:
            return DEFAULT_ACCOUNTS
        if not self._venue_keys:
            name = DEFAULT_ACCOUNTS[-1].upper()
            raise SettingsError(
                f"profile {self.profile.value} has no account: set {KEY_PREFIX}_ACCOUNT and {SECRET_PREFIX}_ACCOUNT "
                f"for each, for example {KEY_PREFIX}_{name} and {SECRET_PREFIX}_{name}"
            )
        return tuple(sorted(self._venue_keys))

    def venue_key(self, account: str) -> VenueKeySettings | None:
        """The key of `account`, or `None` where the venue needs none. Raises `SettingsError` where one is missing."""
        name = account.upper().replace("-", "_")
        found = self._venue_keys.get(name.lower())
        if found is None and self.venue_row.needs_key:
            raise SettingsError(
                f"account {account} has no key for profile {self.profile.value}: "
                f"set BINANCE_API_KEY_{name} and BINANCE_API_SECRET_{name}"
            )
        return found

    def primary(self) -> ModelSettings:
        """The primary model. Raises `SettingsError` where its key or address is missing or unsafe."""
        return self._model(
            self.primary_provider, self.primary_model, self.primary_base_url, timeout_s=self.primary_timeout_s
        )

    def secondary(self) -> ModelSettings:
        """The secondary model. Raises `SettingsError` where its key or address is missing or unsafe."""
        return self._model(
            self.secondary_provider, self.secondary_model, self.secondary_base_url, timeout_s=self.secondary_timeout_s
        )

    def knowledge(self) -> dict[str, datetime]:
        """Until when models have read, by name, as far as it is stated: of each provider's own model, and as set."""
        stated = stated_knowledge()
        for provider, name, until in (
            (self.primary_provider, self.primary_model, self.primary_knowledge_until),
            (self.secondary_provider, self.secondary_model, self.secondary_knowledge_until),
        ):
            if until is not None:
                stated[name or PROVIDERS[provider].model] = until
        return {name: datetime.combine(until, time(0), tzinfo=UTC) for name, until in stated.items()}

    def _model(
        self, provider: str, name: str | None, base_url: str | None, *, timeout_s: Decimal | None
    ) -> ModelSettings:
        vendors = {
            "DEEPSEEK_API_KEY": self.deepseek_api_key,
            "DASHSCOPE_API_KEY": self.dashscope_api_key,
            "OPENAI_API_KEY": self.openai_api_key,
            "SILICONFLOW_API_KEY": self.siliconflow_api_key,
        }
        try:
            return chosen_model(
                PROVIDERS[provider],
                name=name,
                base_url=base_url,
                timeout_s=timeout_s,
                keys=vendors,
                addresses={"OPENAI_BASE_URL": self.openai_base_url},
            )
        except ValueError as error:
            raise SettingsError(str(error)) from None

    def codec(self) -> tuple[str | None, dict[str, bytes]]:
        """The name of the sealing key and all keys by name; (None, {}) where payloads stay readable."""
        if self.codec_keys is None:
            return None, {}
        keys = _codec_keys(self.codec_keys.get_secret_value())
        return next(iter(keys)), keys

    def secrets(self) -> tuple[str, ...]:
        """Every secret value, for the log formatter to mask; nothing else asks for them together."""
        fields = [value for value in dict(self).values() if isinstance(value, SecretStr)]
        pairs = [value for pair in self._venue_keys.values() for value in (pair.api_key, pair.secret)]
        texts = [value.get_secret_value() for value in (*fields, *pairs)]
        password = urlsplit(self.database).password
        return (*texts, *([password, unquote(password)] if password else []))

    def given(self) -> Mapping[str, Variable]:
        """The variables that set something, by upper-case name: where each value came from."""
        return self._given


_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "sqlite": "sqlite+aiosqlite",
}


def _codec_keys(text: str) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for number, item in enumerate(text.split(","), start=1):
        name, _, encoded = item.strip().partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            key = b""
        if not name or len(key) != KEY_BYTES:
            raise ValueError(f"key {number} must be NAME:BASE64 of {KEY_BYTES} bytes")
        if name in keys:
            raise ValueError(f"key name {name!r} is given twice")
        keys[name] = key
    return keys


def load_settings() -> Settings:
    """The settings of this process. Raises `SettingsError`: one sentence that names each wrong variable."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(detail["loc"], detail["msg"]) for detail in error.errors())) from None
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _sentence(loc: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    return f"{variable_name(str(loc[0]))}: {text}" if loc else text


def variable_name(field: str) -> str:
    """The variable that sets `field`; a field with an alias is named by it."""
    info = Settings.model_fields.get(field)
    if info is None:
        return field
    return str(info.validation_alias) if info.validation_alias else PREFIX + field.upper()
