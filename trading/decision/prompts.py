"""The memory-augmented prompt: five blocks, limits from policy, text from outside as data (C08).

Deterministic: the same inputs give the same bytes, so a stored answer is found by the hash of its prompt.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from pydantic import Field, TypeAdapter

from trading.contract import Contract
from trading.decision.answer_schema import PROPOSAL_SCHEMA, PROPOSAL_SCHEMA_NAME
from trading.decision.codes import sentence
from trading.decision.exact_json import exact_json
from trading.decision.geometry import smallest_stop_fraction
from trading.decision.ground import Ground
from trading.decision.markers import fenced, unfenced
from trading.decision.models import (
    DecisionHead,
    Finding,
    MemoryItem,
    Message,
    PositionView,
    Proposal,
    Recall,
)
from trading.facts.models import Fact, MarketSnapshot
from trading.money import plain
from trading.playbook import Playbook, Principle
from trading.policy.model import Policy

__all__ = [
    "PROPOSAL_SCHEMA",
    "PROPOSAL_SCHEMA_NAME",
    "Correction",
    "answer_text",
    "build_messages",
    "facts_from_prompt",
]

FACTS_HEADING = "## 1. Market facts"
DECISIONS_HEADING = "## 2. Last decisions"
CASES_HEADING = "## 3. Similar situations that worked"
FAILURES_HEADING = "### Similar situations that failed"
LESSONS_HEADING = "## 4. Lessons"
PRINCIPLES_HEADING = "## 5. Principles and task"
NOTHING_YET = {
    DECISIONS_HEADING: "There is no earlier decision on record: this is a fresh start.",
    CASES_HEADING: "No similar situation that worked is on record.",
    FAILURES_HEADING: "No similar situation that failed is on record.",
    LESSONS_HEADING: "No lesson on this regime is on record.",
}
MAX_RECENT, MAX_CASES, MAX_LESSONS = 10, 5, 5
"""C08: ten recent decisions, five similar situations of each kind, five lessons."""

_FACTS = TypeAdapter(tuple[Fact, ...])


class Correction(Contract):
    """What the one correction round needs: the earlier answer and what code found in it."""

    answer: str
    findings: tuple[Finding, ...] = Field(min_length=1)


def build_messages(
    *,
    head: DecisionHead,
    snapshot: MarketSnapshot,
    recall: Recall | None,
    playbook: Playbook,
    position: PositionView | None,
    correction: Correction | None = None,
) -> tuple[Message, ...]:
    """The messages of one question: system, the five blocks, and for a correction the earlier answer and its findings.

    Facts and memories stand as JSON between marker lines and cannot close them. The limits that verification will
    apply are stated with their numbers. The order of facts and memories is the snapshot's and the recall's.
    """
    ground = Ground(snapshot=snapshot, recall=recall, policy=playbook.policy, position=position)
    blocks = [
        _facts_block(head.symbol, snapshot),
        _position_line(position),
        *_memory_blocks(recall),
        _task_block(playbook, ground, recall),
    ]
    messages = (
        Message(role="system", content=playbook.prompts.system),
        Message(role="user", content="\n\n".join(blocks)),
    )
    return messages if correction is None else (*messages, *_correction(correction))


def facts_from_prompt(text: str) -> tuple[Fact, ...]:
    """The facts that `build_messages` wrote into `text`, equal to the snapshot's; `ValueError` where there are none."""
    data = unfenced(FACTS_HEADING, text)
    if not isinstance(data, dict) or not isinstance(data.get("facts"), list):
        raise ValueError(f"the block {FACTS_HEADING!r} must hold an object with a list of facts")
    return _FACTS.validate_python([{**row, "name": row.get("name", _name_in(row["id"]))} for row in data["facts"]])


def answer_text(proposal: Proposal) -> str:
    """`proposal` as a model would write it: one JSON object, decimals as JSON numbers, exact to the last digit."""
    return exact_json(proposal.model_dump(mode="python"))


@lru_cache(maxsize=8)
def _facts_block(symbol: str, snapshot: MarketSnapshot) -> str:
    """The longest block, and the same for both roles and their corrections: written once."""
    return fenced(
        FACTS_HEADING,
        {
            "symbol": symbol,
            "as_of": snapshot.as_of,
            "base_timeframe": snapshot.base_timeframe,
            "gaps": list(snapshot.gaps),
            "facts": [_row(fact) for fact in snapshot.facts],
        },
    )


def _row(fact: Fact) -> dict[str, Any]:
    """A fact as a row; the name is left out where the id says it."""
    row = {"id": fact.id, "value": fact.value, "unit": fact.unit, "as_of": fact.as_of}
    return row if fact.name == _name_in(fact.id) else {**row, "name": fact.name}


def _name_in(fact_id: str) -> str:
    return fact_id.partition("@")[0]


def _position_line(position: PositionView | None) -> str:
    if position is None:
        return "Position: not known. A sell needs a position."
    if not position.is_open:
        return "Position: none. A sell is not possible."
    average = "unknown" if position.average_price is None else plain(position.average_price)
    return f"Position: {plain(position.quantity)} units at an average price of {average}. A sell reduces it."


def _memory_blocks(recall: Recall | None) -> Iterable[str]:
    items = () if recall is None else recall.items
    for heading, kind, most in (
        (DECISIONS_HEADING, "decision", MAX_RECENT),
        (CASES_HEADING, "similar", MAX_CASES),
        (FAILURES_HEADING, "failure", MAX_CASES),
        (LESSONS_HEADING, "lesson", MAX_LESSONS),
    ):
        chosen = [_memory(item) for item in items if item.kind == kind][:most]
        yield fenced(heading, chosen) if chosen else f"{heading}\n{NOTHING_YET[heading]}"


def _memory(item: MemoryItem) -> dict[str, Any]:
    return {"id": item.id, "as_of": item.as_of, "text": item.text}


def _task_block(playbook: Playbook, ground: Ground, recall: Recall | None) -> str:
    known = {principle.id for principle in playbook.principles}
    items = () if recall is None else recall.items
    learned = [item for item in items if item.kind == "principle" and item.id not in known]
    lines = [PRINCIPLES_HEADING, *(_principle(each) for each in playbook.principles)]
    if learned:
        lines.append(fenced("Principles from memory", [_memory(item) for item in learned]))
    lines += ["", *_limits(playbook.policy, ground), "", playbook.prompts.task]
    return "\n".join(lines)


def _principle(principle: Principle) -> str:
    said_by = "" if principle.author is None else f" (given by {principle.author})"
    return f"- {principle.id}: {principle.text}{said_by}"


def _limits(policy: Policy, ground: Ground) -> list[str]:
    return [
        "Limits, checked by code:",
        f"- size_fraction of a buy: at most {plain(policy.max_trade_fraction)} of equity",
        f"- entry_price: within {plain(policy.price_tolerance_fraction)} of the last price, or null for at market",
        f"- stop distance: {plain(smallest_stop_fraction(ground))} to {plain(policy.stop_max_fraction)} of the entry",
        f"- reward over risk of a buy: at least {plain(policy.min_reward_risk)}",
        f"- a cited value: within {plain(policy.value_tolerance_fraction)} of the fact, relative",
        f"- confidence below {plain(policy.low_certainty_below)} is low certainty and trades smaller",
    ]


def _correction(correction: Correction) -> tuple[Message, Message]:
    findings = [
        {
            "code": found.code,
            "severity": found.severity,
            "path": found.path,
            "expected": found.expected,
            "found": found.found,
            "sentence": sentence(found),
        }
        for found in correction.findings
    ]
    return (
        Message(role="assistant", content=correction.answer or "(no answer)"),
        Message(
            role="user",
            content=(
                "Code checked this answer. Correct every finding below that is repairable and answer again with the "
                "one JSON object, complete. This is the only correction round: what stays wrong is no answer.\n\n"
                + fenced("## Findings", findings)
            ),
        ),
    )
