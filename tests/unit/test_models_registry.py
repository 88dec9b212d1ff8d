"""The rows of providers, what their tokens cost, and that no vendor is loaded before it is wired."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

import pytest

from activities.models.json_output import JsonOutput
from activities.models.pricing import TokenPrice
from config.providers import PROVIDERS, ProviderSpec, provider
from trading.strategies.library import LIBRARY


@pytest.mark.parametrize("row", PROVIDERS.values(), ids=lambda row: str(row.id))
def test_each_row_can_be_wired(row: ProviderSpec) -> None:
    if row.kind == "rules":
        assert row.strategy in LIBRARY
        assert not row.needs_key
        assert row.prompt_usd_per_million == row.completion_usd_per_million == 0
    else:
        assert row.base_url is not None
        assert row.base_url.startswith("https://")
        assert row.needs_key
        assert row.prompt_usd_per_million > 0
        assert row.completion_usd_per_million >= row.prompt_usd_per_million
    assert row.json_support in set(JsonOutput)
    assert row.timeout_s > 0


def test_there_are_keyless_analysts_and_both_named_vendors() -> None:
    keyless = [row.id for row in PROVIDERS.values() if not row.needs_key]
    assert keyless == ["rules-momentum", "rules-reversion", "rules-patient"]
    assert (provider("deepseek").kind, provider("qwen").kind) == ("openai", "dashscope")


def test_an_unknown_provider_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'gpt' is unknown: allowed are deepseek, openai-compatible, qwen"):
        provider("gpt")


@pytest.mark.parametrize(
    ("price", "prompt", "completion", "cached", "cost"),
    [
        (TokenPrice(), 10_000, 10_000, 0, "0"),
        (TokenPrice(prompt_usd=Decimal(3), completion_usd=Decimal(15)), 1_000_000, 100_000, 0, "4.5"),
        (TokenPrice(prompt_usd=Decimal(3), completion_usd=Decimal(15)), 1_000_000, 0, 900_000, "3"),  # no cached price
        (TokenPrice(prompt_usd=Decimal(3), cached_prompt_usd=Decimal("0.3")), 1_000_000, 0, 900_000, "0.57"),
        (TokenPrice(prompt_usd=Decimal(3), cached_prompt_usd=Decimal("0.3")), 1_000_000, 0, 2_000_000, "0.3"),
        (TokenPrice(prompt_usd=Decimal(3), cached_prompt_usd=Decimal(0)), 1_000_000, 0, 1_000_000, "0"),
    ],
)
def test_tokens_cost_what_the_row_says(price: TokenPrice, prompt: int, completion: int, cached: int, cost: str) -> None:
    assert price.cost_usd(prompt_tokens=prompt, completion_tokens=completion, cached_tokens=cached) == Decimal(cost)


def test_calls_verification_and_rules_load_no_vendor() -> None:
    vendors = {"openai", "dashscope", "aiohttp", "httpx", "httpx2", "requests", "numpy", "talib", "sqlalchemy"}
    rooms = "activities.models.calls, activities.models.verification, activities.models.rules, config.providers"
    probe = f"import sys, {rooms}; print(*{{name.partition('.')[0] for name in sys.modules}} & {vendors})"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr
