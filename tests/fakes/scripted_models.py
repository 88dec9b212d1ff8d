"""Models that say exactly what a test wants, in the agent's own answer schema, grounded in the facts they see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from activities.models.port import ChatAnswer, ChatRequest, ModelFailure
from trading.decision.prompts import facts_from_prompt
from trading.facts.models import Fact

Speech = Callable[[Mapping[str, Fact]], str]


class ScriptedModel:
    """Says its speeches in order, the last one for ever; a `ModelFailure` is raised.

    `thinks_s` is how long it thinks when a word is in the question.
    """

    is_rule_based = False
    provider = "scripted"

    def __init__(self, name: str, *speeches: Speech | ModelFailure) -> None:
        self.name = name
        self.asked: list[ChatRequest] = []
        self.thinks_s: dict[str, float] = {}
        self._speeches = list(speeches)

    def say(self, *speeches: Speech | ModelFailure) -> None:
        """From now on say these."""
        self._speeches = list(speeches)

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        self.asked.append(request)
        said = self._speeches.pop(0) if len(self._speeches) > 1 else self._speeches[0]
        asked = request.messages[-1].content
        await asyncio.sleep(max((s for word, s in self.thinks_s.items() if word in asked), default=0.0))
        if isinstance(said, ModelFailure):
            raise said
        shown = next(message.content for message in request.messages if message.role == "user")
        text = said({fact.id: fact for fact in facts_from_prompt(shown)})
        return ChatAnswer(text=text, model=self.name, prompt_tokens=100, completion_tokens=10)

    async def aclose(self) -> None:
        self._speeches.clear()


def buys(
    *,
    size: str = "0.05",
    entry: str | None = None,
    stop: str = "6790",
    target: str = "7430",
    hours: int = 48,
    **changed: Any,
) -> Speech:
    """A grounded buy; prices as given, the rest as a careful model would say it."""
    return _answer(
        action="buy",
        size_fraction=size,
        entry_price=entry,
        stop_price=stop,
        target_price=target,
        horizon_hours=hours,
        **changed,
    )


def sells(*, size: str = "1", hours: int = 24, **changed: Any) -> Speech:
    """A grounded sale of a share of the position."""
    return _answer(action="sell", size_fraction=size, horizon_hours=hours, **changed)


def holds(**changed: Any) -> Speech:
    return _answer(action="hold", size_fraction="0", horizon_hours=24, **changed)


def nonsense(facts: Mapping[str, Fact]) -> str:
    """Not an answer at all."""
    return "I would rather not say."


def misquotes(speech: Speech) -> Speech:
    """The same answer with a cited value that the fact does not have: repairable."""

    def said(facts: Mapping[str, Fact]) -> str:
        answer = json.loads(speech(facts))
        answer["claims"] = [{"statement": "the last price", "cites": ["last_price"], "value": "12345.67"}]
        return json.dumps(answer)

    return said


def _answer(**fields: Any) -> Speech:
    def said(facts: Mapping[str, Fact]) -> str:
        answer = {
            "action": "hold",
            "size_fraction": "0",
            "entry_price": None,
            "stop_price": None,
            "target_price": None,
            "horizon_hours": 24,
            "confidence": "0.8",
            "win_probability": "0.6",
            "steps": [
                {"question": "What does the market do?", "conclusion": "The price stands where the fact says."},
                {"question": "What do the cases say?", "conclusion": "There is nothing on record that speaks against."},
                {"question": "What is the trade?", "conclusion": "The one that the fields state."},
                {"question": "What follows?", "conclusion": "A close beyond the stop would change the view."},
            ],
            "claims": [
                {"statement": "the last price", "cites": ["last_price"], "value": str(facts["last_price"].value)}
            ],
            **fields,
        }
        for name in ("size_fraction", "entry_price", "stop_price", "target_price", "confidence", "win_probability"):
            if answer[name] is not None:
                answer[name] = float(Decimal(str(answer[name])))
        return json.dumps(answer)

    return said
