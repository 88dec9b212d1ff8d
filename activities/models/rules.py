"""The keyless default: a `ChatModel` that follows a stated strategy instead of calling anybody.

It reads the same prompt and answers in the same schema as a language model, so everything behind it (verification,
fusion, cards) is one path. It never pretends: `is_rule_based` is true and its provider is `rules`.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal

from activities.models.failures import FailureKind, broken
from activities.models.port import ChatAnswer, ChatRequest


class RuleAnalyst:
    """A deterministic analyst: the same prompt gives the same answer, at no cost and with no tokens.

    `strategy` names the built-in strategy that it falls back on and leaves positions by; another name raises
    `LookupError` here, not at the first question. With `rests_below`, a fraction, its purchases wait so far under the
    price instead of taking. `think_s` makes the analyst as slow as a model, for benchmarks.
    """

    provider = "rules"
    is_rule_based = True

    def __init__(
        self, *, name: str, strategy: str, think_s: Decimal = Decimal(0), rests_below: Decimal = Decimal(0)
    ) -> None:
        from trading.strategies.library import strategy as strategy_named

        self.name = name
        self._strategy = strategy_named(strategy)
        self._think_s = think_s
        self._rests_below = rests_below

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """The proposal on the facts of the first user message, by the analyst's own strategy and those of its school in
        the playbook; without facts there it refuses for good."""
        from trading.decision.analysts import propose_by_set, resting
        from trading.decision.prompts import answer_text, facts_from_prompt

        if self._think_s > 0:
            await asyncio.sleep(float(self._think_s))
        shown = next((message.content for message in request.messages if message.role == "user"), "")
        try:
            facts = {fact.id: fact for fact in facts_from_prompt(shown)}
        except ValueError as error:
            raise broken(
                self.provider, FailureKind.BAD_REQUEST, f"the prompt holds no readable facts: {error}"
            ) from error
        proposal = propose_by_set(self._strategy, request.strategies, facts)
        if self._rests_below > 0:
            proposal = resting(proposal, facts, below=self._rests_below)
        return ChatAnswer(text=answer_text(proposal), model=self.name)

    async def aclose(self) -> None:
        """Nothing is open."""
