"""What an answer is held against: the facts and memories that the model was shown, the policy and the position."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cached_property

from trading.candles import TIMEFRAMES
from trading.decision.models import MemoryItem, PositionView, Recall
from trading.decision.quantities import quantities
from trading.facts.models import Fact, MarketSnapshot
from trading.policy.model import Policy

PRINCIPLE_ID = re.compile(r"P[0-9]{2,4}")
_WORD = re.compile(r"(?<![\w@])[A-Za-z][\w:./#-]*(?:@\w+)?")


@dataclass(frozen=True)
class Ground:
    """The ground of one verification; everything in it was in the prompt or is a rule of the house."""

    snapshot: MarketSnapshot
    recall: Recall | None
    policy: Policy
    position: PositionView | None
    principle_ids: frozenset[str] | None = None
    """The playbook's principles; `None` means that they were not given, and any id of their form counts as known."""

    @cached_property
    def facts(self) -> Mapping[str, Fact]:
        return self.snapshot.by_id()

    @cached_property
    def memories(self) -> Mapping[str, MemoryItem]:
        return {} if self.recall is None else {item.id: item for item in self.recall.items}

    @cached_property
    def numbers(self) -> tuple[tuple[str, Decimal], ...]:
        """Every numeric fact, as id and value."""
        return tuple((fact.id, fact.value) for fact in self.snapshot.facts if isinstance(fact.value, Decimal))

    def ids_in(self, text: str) -> Iterator[tuple[int, str]]:
        """Every id of a fact or memory that stands in `text` as a word of its own, with its place."""
        for match in _WORD.finditer(text):
            word = match.group().rstrip(".:/#-")
            if word in self.facts or word in self.memories:
                yield match.start(), word

    @cached_property
    def remembered(self) -> tuple[tuple[str, Decimal], ...]:
        """Every number in a recalled text, with the memory's id."""
        return tuple((item.id, said.value) for item in self.memories.values() for said in quantities(item.text))

    def family(self, prefix: str) -> tuple[Fact, ...]:
        """The numeric facts whose id starts with `prefix`: one indicator on its timeframes."""
        return tuple(self.facts[fact_id] for fact_id, _ in self.numbers if fact_id.startswith(prefix))

    @property
    def step(self) -> timedelta:
        return TIMEFRAMES.get(self.snapshot.base_timeframe, timedelta(hours=1))

    def is_known(self, cited: str) -> bool:
        """Whether `cited` is the id of something that the model was shown."""
        if cited in self.facts or cited in self.memories:
            return True
        if self.principle_ids is None:
            return PRINCIPLE_ID.fullmatch(cited) is not None
        return cited in self.principle_ids

    def quantity_held(self) -> Decimal | None:
        """The position in base units, from the account or from the facts; `None` where neither says."""
        if self.position is not None:
            return self.position.sellable
        fact = self.facts.get("position_quantity")
        return fact.value if fact is not None and isinstance(fact.value, Decimal) else None
