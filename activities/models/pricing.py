"""What an answer costs, from the tokens that the provider reports."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrice:
    """USD per million tokens. Without a price for cached prompt tokens they cost as much as the others."""

    prompt_usd: Decimal = Decimal(0)
    completion_usd: Decimal = Decimal(0)
    cached_prompt_usd: Decimal | None = None

    def cost_usd(self, *, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> Decimal:
        """The price of one answer; `cached_tokens` are those of `prompt_tokens` that the provider had in its cache."""
        cached = min(max(cached_tokens, 0), prompt_tokens) if self.cached_prompt_usd is not None else 0
        total = (
            self.prompt_usd * (prompt_tokens - cached)
            + (self.cached_prompt_usd or Decimal(0)) * cached
            + self.completion_usd * completion_tokens
        )
        return total / _MILLION
