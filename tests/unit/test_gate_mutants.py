"""Removing any single limit makes a scenario fail: `make mutants` prints the same run."""

from __future__ import annotations

import mutants
import pytest

SCENARIOS = [*mutants.gate_scenarios(), *mutants.ladder_scenarios()]


def test_the_house_itself_answers_as_it_should() -> None:
    assert mutants.wrong_answers(SCENARIOS) == []


@pytest.mark.parametrize("mutant", mutants.mutants(), ids=lambda mutant: mutant.name)
def test_somebody_notices_that_this_is_missing(mutant: mutants.Mutant) -> None:
    with mutant.alive():
        assert mutants.wrong_answers(SCENARIOS), f"without {mutant.name} every answer is the same"
    assert mutants.wrong_answers(SCENARIOS[:1]) == []
