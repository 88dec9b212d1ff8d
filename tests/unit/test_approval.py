"""When a person is asked, what an answer is bound to, and what is wrong with one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from decision_builders import head, snapshot

from trading.decision.approval import (
    AnswerVerb,
    PersonAnswer,
    ProposedTrade,
    approval_reasons,
    decision_of,
    faults_of_answer,
    is_within_collar,
    modified,
    objections,
    proposal_card,
    proposed_trade,
)
from trading.decision.ground import Ground
from trading.decision.models import Fusion, FusionOutcome
from trading.policy.model import Policy
from trading.policy.table import changed


def view(**changes: Any) -> Fusion:
    """An entry that stands: 3 % of equity, 1.3 % risk, twice as much reward."""
    fields: dict[str, Any] = {
        "outcome": FusionOutcome.OPEN,
        "size_fraction": Decimal("0.03"),
        "stop_price": Decimal(8880),
        "target_price": Decimal(9240),
        "confidence": Decimal("0.7"),
        "win_probability": Decimal("0.5"),
    }
    return Fusion(**{**fields, **changes})


def trade(**changes: Any) -> ProposedTrade:
    asked: dict[str, Any] = {
        "account": "main",
        "price": Decimal("9000.5"),
        "because": ("size_above_approval",),
        "expires_s": 600,
    }
    return proposed_trade(head(), view(**changes.pop("view", {})), **{**asked, **changes})


def word(proposal: str, **changes: Any) -> PersonAnswer:
    return PersonAnswer(**{"proposal": proposal, "who": "ada", "reason": "I looked", **changes})


@pytest.mark.parametrize(
    ("policy", "fusion", "reasons"),
    [
        ({}, {"size_fraction": "1", "low_certainty": True}, ()),  # by default nobody is asked
        ({"approval_above_fraction": "0.03"}, {}, ()),  # at the mark it goes by itself
        ({"approval_above_fraction": "0.02"}, {}, ("size_above_approval",)),
        ({"approval_when_low_certainty": 1}, {}, ()),
        ({"approval_when_low_certainty": 1}, {"low_certainty": True}, ("low_certainty",)),
        (
            {"approval_when_low_certainty": 1, "approval_above_fraction": "0"},
            {"low_certainty": True},
            ("size_above_approval", "low_certainty"),
        ),
        ({"approval_above_fraction": "0"}, {"outcome": FusionOutcome.REDUCE}, ()),  # less risk needs nobody
    ],
)
def test_a_person_is_asked_when_the_policy_says_so(
    policy: dict[str, Any], fusion: dict[str, Any], reasons: tuple[str, ...]
) -> None:
    assert approval_reasons(view(**fusion), changed(Policy(), **policy)) == reasons


@pytest.mark.parametrize(
    "other",
    [
        {"price": Decimal(9001)},
        {"account": "other"},
        {"view": {"size_fraction": Decimal("0.031")}},
        {"view": {"stop_price": Decimal(8881)}},
        {"view": {"target_price": Decimal(9241)}},
        {"view": {"entry_price": Decimal(8990)}},
    ],
)
def test_the_id_is_bound_to_account_price_size_and_levels(other: dict[str, Any]) -> None:
    assert trade().id == trade().id
    assert trade(**other).id != trade().id
    assert decision_of(trade().id) == head().decision_id


@pytest.mark.parametrize(
    ("verb", "given", "fault"),
    [
        (AnswerVerb.APPROVE, {}, None),
        (AnswerVerb.REJECT, {}, None),
        (AnswerVerb.MODIFY, {"size_fraction": Decimal("0.01")}, None),
        (AnswerVerb.APPROVE, {"who": " "}, "both must be given"),
        (AnswerVerb.REJECT, {"reason": ""}, "both must be given"),
        (AnswerVerb.MODIFY, {}, "at least one of size_fraction"),
        (AnswerVerb.APPROVE, {"stop_price": Decimal(8900)}, "stop_price need `modify`"),
        (AnswerVerb.APPROVE, {"proposal": "d1-0"}, "waiting are"),
    ],
)
def test_what_is_wrong_with_an_answer(verb: AnswerVerb, given: dict[str, Any], fault: str | None) -> None:
    asked = trade()
    found = faults_of_answer(
        word(asked.id, **{k: v for k, v in given.items() if k != "proposal"}).model_copy(
            update={"proposal": given.get("proposal", asked.id)}
        ),
        verb=verb,
        waiting={asked.id: asked},
    )
    assert (found is None) if fault is None else (found is not None and fault in found)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"size_fraction": "0.01"}, None),
        ({"stop_price": "8900", "target_price": "9300"}, None),
        ({"size_fraction": "0.2"}, "the largest trade is 0.05"),  # limits bind people too
        ({"stop_price": "9100"}, "must be below entry"),
        ({"target_price": "8990"}, "must be above entry"),
        ({"stop_price": "8000"}, "expected at most"),
        ({"target_price": "9010"}, "reward over risk"),
        ({"entry_price": "9900"}, "entry_price is 9900"),
    ],
)
def test_a_changed_proposal_is_checked_like_a_models(changes: dict[str, str], sentence: str | None) -> None:
    ground = Ground(snapshot=snapshot(), recall=None, policy=Policy(), position=None)
    found = objections(modified(view(), {name: Decimal(value) for name, value in changes.items()}), ground)
    assert (found == ()) if sentence is None else any(sentence in one for one in found)


@pytest.mark.parametrize(("price", "holds"), [("100", True), ("100.2", True), ("99.8", True), ("100.21", False)])
def test_the_collar_is_around_what_was_approved(price: str, holds: bool) -> None:
    assert is_within_collar(Decimal(price), Decimal(100), Decimal("0.002")) is holds


def test_the_card_says_what_is_asked_and_how_to_answer() -> None:
    card = proposal_card(trade(), workflow_id="simulated/decision/d0")
    assert f"perennial approve {trade().id}" in card
    assert "temporal workflow signal -w simulated/decision/d0 --name approve" in card
    assert "buy 3 % of equity at market (ask 9000.5), stop 8880, target 9240" in card
