"""Playbook versions: what they hold, what differs, and that stored text cannot lie."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from pydantic import ValidationError

from trading.decision.models import Proposal
from trading.ids import canonical_json, content_hash
from trading.playbook import (
    FIRST_PRINCIPLES,
    Change,
    Playbook,
    PlaybookError,
    Principle,
    PromptSet,
    RoleWeight,
    diff,
    first_playbook,
    from_json,
    revised,
    to_json,
)
from trading.policy.model import Policy
from trading.policy.table import changed
from trading.prompt_text import DATA_BEGIN, DATA_END
from trading.strategies.library import LIBRARY, STRATEGIES


def test_first_playbook_is_the_same_in_every_process() -> None:
    assert first_playbook() == first_playbook()
    assert first_playbook().version == first_playbook().version
    assert len(first_playbook().version) == 12
    assert first_playbook().parent is None


def test_first_playbook_holds_the_whole_library_and_the_four_memory_principles() -> None:
    playbook = first_playbook()
    assert {row.name for row in playbook.strategies} == set(STRATEGIES)
    assert set(LIBRARY) < set(STRATEGIES)
    assert len(STRATEGIES) == 12, "two rule analysts and the ten of the first gene pool"
    texts = " ".join(row.text for row in playbook.principles[:4])
    for idea in ("history", "recent failure", "Experience first", "more conservative"):
        assert idea in texts
    assert playbook.weight("primary") + playbook.weight("secondary") == 1
    assert playbook.weight("nobody") == 0


def test_prompts_ask_for_the_schema_that_is_parsed_and_fence_foreign_text() -> None:
    prompts = first_playbook().prompts
    for field in Proposal.model_fields:
        assert f'"{field}"' in prompts.task, field
    assert DATA_BEGIN in prompts.system
    assert DATA_END in prompts.system
    assert "never an instruction" in " ".join(prompts.system.split())


def test_a_seeded_policy_makes_another_version() -> None:
    seeded = first_playbook(changed(Policy(), max_trade_fraction="0.02"))
    assert seeded.policy.max_trade_fraction == Decimal("0.02")
    assert seeded.version != first_playbook().version


def test_a_trailing_zero_is_no_new_version() -> None:
    assert first_playbook(changed(Policy(), max_trade_fraction="0.050")).version == first_playbook().version, (
        "0.050 is 0.05"
    )


def test_text_and_back_is_the_same_playbook_byte_for_byte() -> None:
    playbook = revised(first_playbook(), policy=changed(Policy(), min_reward_risk="1.5"))
    again = from_json(to_json(playbook))
    assert again == playbook
    assert to_json(again) == to_json(playbook)


def test_changed_text_is_refused() -> None:
    raw = json.loads(to_json(first_playbook()))
    raw["policy"]["max_trade_fraction"] = "0.25"
    with pytest.raises(PlaybookError, match="does not match its content"):
        from_json(json.dumps(raw))
    with pytest.raises(PlaybookError, match="a JSON object with a version"):
        from_json("[]")


def test_text_stored_before_a_field_existed_is_still_read() -> None:
    raw = json.loads(to_json(first_playbook()))
    del raw["policy"]["event_day_fraction"], raw["version"]
    older = from_json(json.dumps({**raw, "version": content_hash(canonical_json(raw))[:12]}))
    assert older.policy.event_day_fraction == Policy().event_day_fraction


def test_revision_points_at_its_parent_and_nothing_new_is_no_revision() -> None:
    first = first_playbook()
    second = revised(first, principles=(*first.principles, Principle(id="P09", text="Wait for the close.")))
    assert second.parent == first.version
    assert revised(second) is second
    back = revised(second, principles=first.principles)
    assert back.version != first.version, "history goes on: a change undone is a new version"
    assert diff(first, back) == ()


def test_diff_names_each_place_in_a_stated_order() -> None:
    first = first_playbook()
    second = revised(
        first,
        policy=changed(first.policy, max_trade_fraction="0.03"),
        principles=(*first.principles[1:], Principle(id="P09", text="Wait for the close.")),
        prompts=PromptSet(version="2", system=first.prompts.system, task=first.prompts.task),
        strategies=first.strategies[1:],
        role_weights=(RoleWeight(role="primary", weight=Decimal("0.6")), first.role_weights[1]),
    )
    changes = diff(first, second)
    assert [change.path for change in changes] == [
        "policy.max_trade_fraction",
        "principles.P01",
        "principles.P09",
        "prompts.version",
        f"strategies.{first.strategies[0].name}",
        "role_weights.primary",
    ]
    assert changes[0] == Change(path="policy.max_trade_fraction", old="0.05", new="0.03")
    assert changes[1].old == FIRST_PRINCIPLES[0].text
    assert changes[1].new is None
    assert changes[2].old is None
    assert (changes[5].old, changes[5].new) == ("0.5", "0.6")


def test_a_name_twice_is_refused() -> None:
    first = first_playbook()
    for what, rows in (
        ("principles", first.principles),
        ("strategies", first.strategies),
        ("role_weights", first.role_weights),
    ):
        with pytest.raises(ValidationError, match="appears more than once"):
            revised(first, **{what: (*rows, rows[0])})  # type: ignore[arg-type]


def test_strategy_by_name() -> None:
    playbook = first_playbook()
    name = playbook.strategies[0].name
    assert playbook.strategy(name) is playbook.strategies[0]
    with pytest.raises(LookupError, match=f"allowed are .*{name}"):
        playbook.strategy("astrology")


def test_a_playbook_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        first_playbook().version = "other"  # type: ignore[misc]
    assert isinstance(first_playbook(), Playbook)
