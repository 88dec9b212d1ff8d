"""What holds for every text and every corruption, not only for the named ones."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from decision_builders import NUMBERS, as_json, facts, proposal, snapshot, verified
from hypothesis import assume, given
from hypothesis import strategies as st

from trading.decision.codes import CODES, CONFIDENCE_KEPT_AT_LEAST
from trading.decision.models import Severity, Verdict
from trading.decision.quantities import difference, only_quantity, quantities

VALUE_CODES = {"value_mismatch", "value_wrong_sign", "value_unit_confused", "value_wrong_magnitude"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(st.text())
def test_any_text_is_answered_and_never_raises(text: str) -> None:
    stance, findings = verified(text)
    assert not stance.speaks
    assert findings


@given(st.integers(min_value=0), st.integers(min_value=0), st.characters())
def test_a_changed_byte_never_raises_and_keeps_severity_and_verdict_consistent(at: int, cut: int, put: str) -> None:
    text = as_json(proposal())
    at, cut = at % len(text), cut % 5
    stance, findings = verified(text[:at] + put + text[at + cut :])
    worst = {found.severity for found in findings}
    assert stance.speaks is (Severity.FATAL not in worst and Severity.REPAIRABLE not in worst)
    assert all(CODES[found.code].severity is found.severity for found in findings)


@given(st.sampled_from(sorted(proposal())), json_values)
def test_any_value_in_any_field_is_either_valid_or_found(field: str, value: Any) -> None:
    answer = proposal(**{field: value})
    stance, findings = verified(json.dumps(answer))
    if stance.speaks:
        assert stance.action is not None
        assert 0 <= stance.confidence <= 1
    else:
        assert stance.verdict is not Verdict.ACCEPTED
        assert findings


@given(
    st.sampled_from(sorted(name for name, (value, _) in NUMBERS.items() if Decimal(value) != 0)),
    st.decimals(min_value="-50", max_value="50", places=3),
)
def test_a_cited_value_that_is_off_by_more_than_the_tolerance_is_always_found(name: str, factor: Decimal) -> None:
    assume(abs(factor - 1) > Decimal("0.006"))
    actual, _ = NUMBERS[name]
    stated = format(Decimal(actual) * factor, "f")
    claims = [{"statement": "a statement", "cites": [name], "value": stated}]
    found = {item.code for item in verified(proposal(claims=claims))[1]}
    assume((quantity := only_quantity(stated)) is not None and abs(quantity.value - Decimal(actual)) > quantity.step)
    assert found & VALUE_CODES


@given(st.sampled_from(sorted(NUMBERS)), st.decimals(min_value="-0.004", max_value="0.004", places=4))
def test_a_cited_value_within_the_tolerance_is_never_found(name: str, off: Decimal) -> None:
    actual, _ = NUMBERS[name]
    claims = [{"statement": "a statement", "cites": [name], "value": format(Decimal(actual) * (1 + off), "f")}]
    found = {item.code for item in verified(proposal(claims=claims))[1]}
    assert not found & VALUE_CODES


@given(st.decimals(min_value="0.001", max_value="0.9", places=4), st.integers(min_value=0, max_value=2))
def test_a_percent_of_a_fraction_is_the_same_number(fraction: Decimal, places: int) -> None:
    stated = only_quantity(f"{format(fraction * 100, f'.{places + 2}f')}%")
    assert stated is not None
    assert difference(stated, fraction, tolerance=Decimal("0.005"), unit="fraction") == "equal"


@given(st.lists(st.decimals(min_value="0.01", max_value="99999", places=2), min_size=1, max_size=5))
def test_numbers_in_prose_are_read_back_in_order(numbers: list[Decimal]) -> None:
    prose = " and ".join(f"it was {number:,} USD on the 4h chart of rsi_14@1h" for number in numbers)
    assert [quantity.value for quantity in quantities(prose)] == numbers


@given(st.integers(min_value=0, max_value=12))
def test_notes_lower_confidence_and_never_by_more_than_half(notes: int) -> None:
    steps = [dict(step) for step in proposal()["steps"]]
    steps[1]["conclusion"] = " ".join(f"Analysts see {70000 + 1111 * at}." for at in range(notes)) or "Nothing more."
    stance, findings = verified(proposal(steps=steps))
    assert len([found for found in findings if found.code == "uncited_number"]) == notes
    stated = Decimal("0.64")
    kept = max(1 - notes * CODES["uncited_number"].lowers_confidence, CONFIDENCE_KEPT_AT_LEAST)
    assert stance.speaks
    assert stance.confidence == stated * kept


@given(st.sampled_from(sorted(fact.id for fact in facts())))
def test_a_fact_that_was_not_shown_cannot_be_cited(name: str) -> None:
    shown = snapshot(facts=tuple(fact for fact in facts() if fact.id != name))
    claims = [{"statement": "a statement", "cites": [name], "value": None}]
    assert "unknown_citation" in {found.code for found in verified(proposal(claims=claims), snapshot=shown)[1]}
