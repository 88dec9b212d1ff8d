"""Judging answers on stored texts: findings are recorded, two stances become one view, the policy is read."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from fakes.model_room import AS_OF, HEAD, Room, SaidModel
from temporalio.testing import ActivityEnvironment

from activities.models.fusing import FuseRequest, FusionCalls
from activities.models.verification import PlaybookRequest
from trading.decision.models import Action, Fusion, FusionOutcome, Role, Stance, TrackRecord, Verdict
from trading.facts.models import TrendRegime
from trading.playbook import RoleWeight, first_playbook, revised, to_json


async def test_a_verified_answer_leaves_its_findings_and_names_its_text() -> None:
    room = Room(SaidModel("not JSON"))
    ref = await room.propose()
    stance = await room.verify(ref)
    assert stance.verdict is not Verdict.ACCEPTED
    assert (stance.answer_hash, stance.model, stance.is_rule_based) == (ref.answer_hash, "said-1", False)
    [(decision, role, step, codes)] = room.record.rows
    assert (decision, role, step) == ("d1", Role.PRIMARY, "proposal")
    assert set(codes) == set(stance.finding_codes)


def a_buyer(role: Role, confidence: str = "0.7") -> Stance:
    return Stance(
        role=role,
        model=role.value,
        is_rule_based=False,
        verdict=Verdict.ACCEPTED,
        action=Action.BUY,
        size_fraction=Decimal("0.04"),
        stop_price=Decimal(7800),
        target_price=Decimal(8600),
        confidence=Decimal(confidence),
        win_probability=Decimal("0.5"),
    )


async def fusion_of(room: Room, *, confidence: str = "0.7", account: str = "a1") -> Fusion:
    request = FuseRequest(
        head=HEAD.model_copy(update={"accounts": (account,)}),
        primary=a_buyer(Role.PRIMARY, confidence),
        secondary=a_buyer(Role.SECONDARY, confidence),
        regime=TrendRegime.BULL_RUN,
        playbook_hash=room.playbook_hash,
        last_price=Decimal(8000),
        has_position=False,
    )
    return await ActivityEnvironment().run(room.fusing.fuse, request)


async def test_two_buyers_become_one_view_on_records_of_before_the_decision() -> None:
    room = Room(SaidModel())
    fusion = await fusion_of(room)
    assert fusion.outcome is FusionOutcome.OPEN
    assert (fusion.stop_price, fusion.target_price) == (Decimal(7800), Decimal(8600))
    assert room.record.asked == [("test-models", "bull_run", AS_OF)]


async def test_a_poor_record_costs_a_model_weight() -> None:
    room = Room(SaidModel())
    even = await fusion_of(room)
    room.record.records = (
        TrackRecord(role=Role.PRIMARY, decisions=40, grounding_failures=30),
        TrackRecord(role=Role.SECONDARY, decisions=40),
    )
    assert (await fusion_of(room)).weights[Role.PRIMARY] < even.weights[Role.PRIMARY]


async def test_the_certainty_cut_comes_only_after_the_first_trades() -> None:
    room = Room(SaidModel())
    young = await fusion_of(room, confidence="0.4")
    unknown = await fusion_of(room, confidence="0.4", account="a2")
    room.record.closed_trades = first_playbook().policy.bootstrap_trades
    grown = await fusion_of(room, confidence="0.4")
    assert young.size_fraction == unknown.size_fraction
    assert grown.size_fraction < young.size_fraction
    assert "low_certainty_cap" in grown.reasons


async def test_the_policy_of_a_playbook_is_read_from_its_text() -> None:
    room = Room(SaidModel())
    policy = await ActivityEnvironment().run(
        room.verification.policy, PlaybookRequest(playbook_hash=room.playbook_hash)
    )
    assert policy == first_playbook().policy


async def test_the_playbook_says_how_much_a_role_weighs_before_its_record_speaks() -> None:
    room = Room(SaidModel())
    even = await fusion_of(room)
    weights = (RoleWeight(role="primary", weight=Decimal("0.7")), RoleWeight(role="secondary", weight=Decimal("0.3")))
    room.playbook_hash = await room.blobs.put(
        to_json(revised(first_playbook(), role_weights=weights)), media_type="application/json"
    )
    assert even.weights[Role.PRIMARY] == Decimal("0.5")
    assert (await fusion_of(room)).weights[Role.PRIMARY] == Decimal("0.7")


async def test_a_forecast_of_what_a_model_may_have_read_earns_no_trust() -> None:
    room = Room(SaidModel())
    even = await fusion_of(room)
    room.record.records = (
        TrackRecord(role=Role.PRIMARY, decisions=40, brier=Decimal("0.01")),
        TrackRecord(role=Role.SECONDARY, decisions=40, brier=Decimal("0.30")),
    )
    assert (await fusion_of(room)).weights == even.weights, "no cut-off is stated: it is taken to know all of history"
    names = {role.value: AS_OF - timedelta(days=1) for role in (Role.PRIMARY, Role.SECONDARY)}
    room.fusing = FusionCalls(room.blobs, room.record, room.record, knowledge=names)  # type: ignore[arg-type]
    assert (await fusion_of(room)).weights[Role.PRIMARY] > even.weights[Role.PRIMARY], "what came later it forecast"
