"""The keyless default: a `ChatModel` that follows a stated strategy instead of calling anybody.

It reads the same prompt and answers in the same schema as a language model, so everything behind it (verification,
fusion, cards) is one path. It never pretends: `is_rule_based` is true and its provider is `rules`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from activities.models.failures import FailureKind, broken
from activities.models.port import ChatAnswer, ChatRequest
from trading.decision.models import Proposal
from trading.facts.models import Fact

Propose = Callable[[str, Mapping[str, Fact]], Proposal]
ReadFacts = Callable[[str], Iterable[Fact]]


class RuleAnalyst:
    """A deterministic analyst: the same prompt gives the same answer, at no cost and with no tokens.

    `strategy` names a built-in strategy (`LookupError` for another). `think_s` makes it as slow as a model, for
    benchmarks. `propose` and `read_facts` replace the pure functions of `trading.decision` that it otherwise loads.
    """

    provider = "rules"
    is_rule_based = True

    def __init__(
        self,
        *,
        name: str,
        strategy: str,
        think_s: Decimal = Decimal(0),
        propose: Propose | None = None,
        read_facts: ReadFacts | None = None,
    ) -> None:
        self.name = name
        if propose is None:
            _check_strategy(strategy)
        self._strategy = strategy
        self._think_s = think_s
        self._propose = propose
        self._read_facts = read_facts

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """The strategy's proposal on the facts of the first user message; without facts there it refuses for good."""
        if self._think_s > 0:
            await asyncio.sleep(float(self._think_s))
        facts = self._facts(request)
        proposal = (self._propose or _built_in_propose())(self._strategy, facts)
        return ChatAnswer(text=_written(proposal), model=self.name)

    async def aclose(self) -> None:
        """Nothing is open."""

    def _facts(self, request: ChatRequest) -> dict[str, Fact]:
        shown = next((message.content for message in request.messages if message.role == "user"), "")
        try:
            return {fact.id: fact for fact in (self._read_facts or _built_in_reader())(shown)}
        except ValueError as error:
            raise broken(
                self.provider, FailureKind.BAD_REQUEST, f"the prompt holds no readable facts: {error}"
            ) from error


def _check_strategy(name: str) -> None:
    from trading.strategies.library import strategy

    strategy(name)


def _built_in_propose() -> Propose:
    from trading.decision.analysts import propose_by_rules

    return propose_by_rules


def _built_in_reader() -> ReadFacts:
    from trading.decision.prompts import facts_from_prompt

    return facts_from_prompt


def _written(proposal: Proposal) -> str:
    from trading.decision.prompts import answer_text

    return answer_text(proposal)
