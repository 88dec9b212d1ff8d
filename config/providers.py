"""The providers of language models: one row each, plain data. Adding an endpoint is adding a row.

Model names, addresses and prices are starting values that settings override. Prices are USD per million tokens as the
providers' pages listed them in 2026-11; they are indicative and serve cost accounting and budgets, not billing. Where a
provider has two prices by the hour or by the prompt's length, the row has the higher of those that a decision meets.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

ProviderKind = Literal["openai", "dashscope", "rules"]
JsonSupport = Literal["json_schema", "json_object", "prompt"]
Quirk = Literal["thinking_object_off", "enable_thinking_off", "quota_is_throttling"]
"""What an endpoint needs beside its protocol.

`thinking_object_off`: its thinking mode is on by default and is switched off with `{"thinking": {"type": "disabled"}}`.
`enable_thinking_off`: the same with `{"enable_thinking": false}`; JSON output exists only without thinking.
`quota_is_throttling`: it answers `insufficient_quota` for a limit per minute.
"""

CHAT_TIMEOUT_S = Decimal(60)
REASONING_TIMEOUT_S = Decimal(180)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSpec:
    """One provider. `key_setting` names the environment variable of its key, `None` where it needs none.

    `base_url` is `None` for rule analysts, and `strategy` is set for them only. `base_url_setting` names the setting
    that is expected to move it. The timeout bounds one call in all; with thinking switched on it should be
    `REASONING_TIMEOUT_S`. `knowledge_until` is what the provider states for the row's own model; without it a language
    model is taken to know all of history. Rule analysts have read nothing; `rests_below` is how far
    under the price, as a fraction, the entries of one wait.
    """

    id: str
    kind: ProviderKind
    model: str
    base_url: str | None = None
    base_url_setting: str | None = None
    key_setting: str | None = None
    prompt_usd_per_million: Decimal = Decimal(0)
    completion_usd_per_million: Decimal = Decimal(0)
    cached_prompt_usd_per_million: Decimal | None = None
    timeout_s: Decimal = CHAT_TIMEOUT_S
    json_support: JsonSupport = "json_object"
    quirks: frozenset[Quirk] = frozenset()
    strategy: str | None = None
    rests_below: Decimal = Decimal(0)
    knowledge_until: date | None = None

    @property
    def needs_key(self) -> bool:
        return self.key_setting is not None


_ROWS = (
    ProviderSpec(
        id="rules-momentum",
        kind="rules",
        model="rules-momentum",
        strategy="rules-momentum",
    ),
    ProviderSpec(
        id="rules-reversion",
        kind="rules",
        model="rules-reversion",
        strategy="rules-reversion",
    ),
    ProviderSpec(
        id="rules-patient",
        kind="rules",
        model="rules-patient",
        strategy="rules-momentum",
        rests_below=Decimal("0.001"),
    ),
    ProviderSpec(
        id="deepseek",
        kind="openai",
        model="deepseek-flash",  # deepseek-chat and deepseek-reasoner were retired in 2026-07
        base_url="https://api.deepseek.com",
        key_setting="DEEPSEEK_API_KEY",
        prompt_usd_per_million=Decimal("0.30"),  # peak hours; half of it outside them
        completion_usd_per_million=Decimal("1.20"),
        cached_prompt_usd_per_million=Decimal("0.006"),
        json_support="json_object",
        quirks=frozenset({"thinking_object_off"}),
    ),
    ProviderSpec(
        id="openai-compatible",
        kind="openai",
        model="gpt-4.1-mini",
        base_url="https://api.openai.com/v1",
        base_url_setting="OPENAI_BASE_URL",
        key_setting="OPENAI_API_KEY",
        prompt_usd_per_million=Decimal("0.40"),  # of the default model; another endpoint has its own
        completion_usd_per_million=Decimal("1.60"),
        json_support="json_schema",
        knowledge_until=date(2024, 6, 1),  # as its model page says
    ),
    ProviderSpec(
        id="siliconflow",
        kind="openai",
        model="deepseek-ai/DeepSeek-V4-Pro",
        base_url="https://api.siliconflow.com/v1",
        key_setting="SILICONFLOW_API_KEY",
        prompt_usd_per_million=Decimal("1.32"),  # DeepSeek's own price for the same model
        completion_usd_per_million=Decimal("3.96"),
        json_support="json_object",
        quirks=frozenset({"enable_thinking_off"}),
    ),
    ProviderSpec(
        id="qwen",
        kind="dashscope",
        model="qwen-plus",
        base_url="https://dashscope-intl.aliyuncs.com/api/v1",  # a key of mainland China: https://dashscope.aliyuncs.com/api/v1
        key_setting="DASHSCOPE_API_KEY",
        prompt_usd_per_million=Decimal("0.40"),
        completion_usd_per_million=Decimal("1.20"),
        json_support="json_object",
        quirks=frozenset({"enable_thinking_off"}),
    ),
    ProviderSpec(
        id="qwen-compatible",
        kind="openai",
        model="qwen-plus",
        base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        key_setting="DASHSCOPE_API_KEY",
        prompt_usd_per_million=Decimal("0.40"),
        completion_usd_per_million=Decimal("1.20"),
        json_support="json_object",
        quirks=frozenset({"enable_thinking_off", "quota_is_throttling"}),
    ),
)

PROVIDERS: dict[str, ProviderSpec] = {row.id: row for row in _ROWS}


def stated_knowledge() -> dict[str, date]:
    """Until when the rows' own models have read, by name, as far as their providers state it."""
    return {row.model: row.knowledge_until for row in PROVIDERS.values() if row.knowledge_until is not None}


def provider(id: str) -> ProviderSpec:
    """The row of that id, or `ValueError` with the ids there are."""
    try:
        return PROVIDERS[id]
    except KeyError:
        raise ValueError(f"model provider {id!r} is unknown: allowed are {', '.join(sorted(PROVIDERS))}") from None
