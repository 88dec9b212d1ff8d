"""Two stances, one decision: a table of views and the properties that no pair of views can break."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from decision_builders import PRICE, record, stance
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.decision.credibility import NEUTRAL, credibility, weights_of
from trading.decision.cross import are_opposed, opposition
from trading.decision.fuse import fuse
from trading.decision.models import Action, Fusion, FusionOutcome, Role, Stance, TrackRecord, Verdict
from trading.decision.outcomes import OUTCOMES, outcome_of_fusion, outcome_of_insufficient, sentence_of
from trading.decision.reasons import REASONS
from trading.policy.model import Policy

POLICY = Policy()
NO_RECORDS = (record(Role.PRIMARY), record(Role.SECONDARY))


def fused(
    primary: Stance,
    secondary: Stance,
    *,
    records: tuple[TrackRecord, TrackRecord] = NO_RECORDS,
    closed_trades: int = 0,
    has_position: bool = True,
) -> Fusion:
    return fuse(
        primary,
        secondary,
        records=records,
        policy=POLICY,
        snapshot_price=PRICE,
        closed_trades=closed_trades,
        has_position=has_position,
    )


def view(says: str, role: Role) -> Stance:
    """`buy`, `sell`, `hold`, or `-` for a model that abstains."""
    if says == "-":
        return stance(role, verdict=Verdict.ABSTAINS, action=None)
    size = Decimal("0.04") if says == "buy" else Decimal(says == "sell")
    levels: dict[str, Any] = {} if says == "buy" else {"stop_price": None, "target_price": None}
    return stance(role, action=Action(says), size_fraction=size, **levels)


#    primary  secondary  with position  without        first reason with a position
TABLE = [
    ("buy", "buy", "open", "open", "agree_to_buy"),
    ("buy", "hold", "no_trade", "no_trade", "one_alone_never_opens"),
    ("buy", "sell", "no_trade", "no_trade", "opposite_directions"),
    ("buy", "-", "no_trade", "no_trade", "one_alone_never_opens"),
    ("hold", "hold", "hold", "hold", "agree_to_hold"),
    ("hold", "sell", "reduce", "no_trade", "one_reduces_other_holds"),
    ("hold", "-", "hold", "hold", "holds_alone"),
    ("sell", "sell", "reduce", "no_trade", "agree_to_sell"),
    ("sell", "-", "reduce", "no_trade", "one_alone_reduces"),
    ("-", "-", "abstain", "abstain", "both_abstain"),
]


@pytest.mark.parametrize(("one", "other", "held", "flat", "reason"), TABLE)
def test_each_pair_of_views_has_its_outcome(one: str, other: str, held: str, flat: str, reason: str) -> None:
    for first, second in ((one, other), (other, one)):
        views = view(first, Role.PRIMARY), view(second, Role.SECONDARY)
        with_position = fused(*views, has_position=True)
        assert (with_position.outcome, with_position.reasons[0]) == (held, reason)
        assert fused(*views, has_position=False).outcome == flat


def test_agreement_takes_the_smaller_size_the_tighter_stop_the_nearer_target_and_the_lower_confidence() -> None:
    cautious = stance(
        Role.SECONDARY,
        size_fraction=Decimal("0.03"),
        stop_price=Decimal(8850),
        target_price=Decimal(9300),
        confidence=Decimal("0.62"),
        win_probability=Decimal("0.48"),
        horizon_hours=24,
    )
    fusion = fused(stance(), cautious)
    assert fusion.outcome is FusionOutcome.OPEN
    assert fusion.size_fraction == Decimal("0.03")
    assert (fusion.stop_price, fusion.target_price) == (Decimal(8850), Decimal(9300))
    assert (fusion.confidence, fusion.win_probability, fusion.horizon_hours) == (Decimal("0.62"), Decimal("0.48"), 24)
    assert fusion.weights == {Role.PRIMARY: Decimal("0.5"), Role.SECONDARY: Decimal("0.5")}


def test_sizes_far_apart_cut_the_smaller_one_by_half() -> None:
    fusion = fused(stance(), stance(Role.SECONDARY, size_fraction=Decimal("0.01")))
    assert fusion.size_fraction == Decimal("0.005")
    assert "size_disagreement" in fusion.reasons


def test_stops_far_apart_cut_the_size_once_even_when_sizes_are_far_apart_too() -> None:
    near = stance(Role.SECONDARY, stop_price=Decimal(8940), target_price=Decimal(9120), size_fraction=Decimal("0.01"))
    fusion = fused(stance(), near)
    assert fusion.size_fraction == Decimal("0.005")
    assert {"size_disagreement", "levels_disagreement"} <= set(fusion.reasons)


def test_low_certainty_is_marked_from_the_start_and_halves_the_size_after_the_bootstrap() -> None:
    unsure = stance(Role.SECONDARY, confidence=Decimal("0.59"))
    early, late = fused(stance(), unsure, closed_trades=49), fused(stance(), unsure, closed_trades=50)
    assert early.low_certainty
    assert late.low_certainty
    assert early.size_fraction == Decimal("0.04")
    assert late.size_fraction == Decimal("0.02")
    assert "low_certainty_cap" in late.reasons


@pytest.mark.parametrize(
    ("confidence", "win_probability", "closed_trades", "outcome", "reason"),
    [
        ("0.25", "0.45", 0, "open", "agree_to_buy"),
        ("0.24", "0.45", 0, "no_trade", "bootstrap_confidence"),
        ("0.24", "0.45", 50, "open", "agree_to_buy"),
        ("0.70", "0.19", 0, "no_trade", "bootstrap_win_probability"),
        ("0.70", "0.20", 0, "open", "agree_to_buy"),
        ("0.70", "0.05", 50, "no_trade", "expected_value_negative"),
    ],
)
def test_the_bootstrap_floors_hold_for_the_first_fifty_trades(
    confidence: str, win_probability: str, closed_trades: int, outcome: str, reason: str
) -> None:
    far = {"stop_price": Decimal(8900), "target_price": Decimal(9500)}  # five to one: low odds can still pay
    odds = {"confidence": Decimal(confidence), "win_probability": Decimal(win_probability)}
    fusion = fused(stance(**far, **odds), stance(Role.SECONDARY, **far, **odds), closed_trades=closed_trades)
    assert (fusion.outcome, fusion.reasons[0]) == (outcome, reason)


def test_levels_without_room_between_them_end_in_no_trade() -> None:
    high = stance(entry_price=Decimal(9150), stop_price=Decimal(9050), target_price=Decimal(9400))
    low = stance(Role.SECONDARY, entry_price=Decimal(8900), stop_price=Decimal(8800), target_price=Decimal(9100))
    assert fused(high, low).reasons[0] == "levels_incompatible"


def test_a_limit_below_the_market_wins_over_an_entry_at_market() -> None:
    limit = stance(Role.SECONDARY, entry_price=Decimal(8950))
    assert fused(stance(), limit).entry_price == Decimal(8950)
    assert fused(stance(), stance(Role.SECONDARY, entry_price=Decimal(9050))).entry_price is None
    assert fused(stance(), stance(Role.SECONDARY)).entry_price is None


def test_a_poor_record_lowers_the_weight_and_the_confidence_and_a_good_one_never_raises_it() -> None:
    poor = record(Role.SECONDARY, decisions=40, failures=20, brier="0.35")
    good = record(Role.PRIMARY, decisions=40, brier="0.10")
    with_poor = fused(stance(), stance(Role.SECONDARY), records=(NO_RECORDS[0], poor))
    assert with_poor.weights[Role.SECONDARY] < with_poor.weights[Role.PRIMARY]
    assert with_poor.confidence < Decimal("0.7")
    assert "poor_record" in with_poor.reasons
    both_good = fused(
        stance(), stance(Role.SECONDARY), records=(good, record(Role.SECONDARY, decisions=40, brier="0.1"))
    )
    assert both_good.confidence == Decimal("0.7")


def test_a_model_without_a_record_is_as_credible_as_one_calibrated_like_a_coin() -> None:
    floor = POLICY.weight_floor
    assert credibility(record(Role.PRIMARY), floor=floor) == NEUTRAL
    assert credibility(record(Role.PRIMARY, decisions=100, brier="0.25"), floor=floor) == NEUTRAL
    assert credibility(record(Role.PRIMARY, decisions=100, failures=100, brier="1"), floor=floor) == floor


def test_the_playbooks_role_weights_count_before_the_record() -> None:
    even = {Role.PRIMARY: NEUTRAL, Role.SECONDARY: NEUTRAL}
    priors = {Role.PRIMARY: Decimal("0.75"), Role.SECONDARY: Decimal("0.25")}
    assert weights_of(even, floor=POLICY.weight_floor, priors=priors) == priors


def test_opposed_views_earn_a_finding_for_the_correction_round() -> None:
    buys, sells, holds = (view(says, Role.PRIMARY) for says in ("buy", "sell", "hold"))
    assert are_opposed(buys, sells)
    assert [found.code for found in opposition(buys, sells)] == ["opposes_other_model"]
    assert opposition(buys, holds) == ()
    assert opposition(buys, view("-", Role.SECONDARY)) == ()


def test_a_proposal_that_still_needs_repair_does_not_speak() -> None:
    unrepaired = stance(Role.SECONDARY, verdict=Verdict.REPAIRABLE)
    assert fused(stance(), unrepaired).reasons[:2] == ("one_alone_never_opens", "secondary_abstains")


prices = st.decimals(min_value=8000, max_value=10000, places=1)
shares = st.decimals(min_value=0, max_value=1, places=3)


@st.composite
def stances(draw: st.DrawFn, role: Role) -> Stance:
    action = draw(st.sampled_from(Action))
    optional = st.none() | prices
    return stance(
        role,
        verdict=draw(st.sampled_from([Verdict.ACCEPTED, Verdict.ACCEPTED, Verdict.ACCEPTED, *Verdict])),
        action=action,
        size_fraction=draw(shares),
        entry_price=draw(optional),
        stop_price=draw(st.decimals(min_value=8600, max_value=8999, places=1))
        if action is Action.BUY
        else draw(optional),
        target_price=draw(st.decimals(min_value=9001, max_value=9900, places=1)) if action is Action.BUY else None,
        confidence=draw(shares),
        win_probability=draw(shares),
    )


records = st.builds(
    lambda decisions, failures, brier: (decisions, min(failures, decisions), brier),
    st.integers(0, 200),
    st.integers(0, 200),
    st.none() | shares,
)


@settings(max_examples=200)
@given(stances(Role.PRIMARY), stances(Role.SECONDARY), records, records, st.integers(0, 100), st.booleans())
def test_a_model_can_only_shrink(
    primary: Stance, secondary: Stance, one: Any, other: Any, closed_trades: int, has_position: bool
) -> None:
    tracks = tuple(
        TrackRecord(role=role, decisions=d, grounding_failures=f, brier=b)
        for role, (d, f, b) in ((Role.PRIMARY, one), (Role.SECONDARY, other))
    )
    records = (tracks[0], tracks[1])
    conditions: dict[str, Any] = {"closed_trades": closed_trades, "has_position": has_position}
    fusion = fused(primary, secondary, records=records, **conditions)
    speaking = [view for view in (primary, secondary) if view.speaks]

    assert fusion == fused(primary, secondary, records=records, **conditions)
    assert all(fusion.confidence <= view.confidence for view in speaking)
    assert all(fusion.win_probability <= view.win_probability for view in speaking)
    assert sum(fusion.weights.values()) == (1 if speaking else 0)
    assert set(fusion.reasons) <= set(REASONS)
    assert fusion.reasons

    if fusion.outcome is FusionOutcome.OPEN:
        assert len(speaking) == 2
        assert {view.action for view in speaking} == {Action.BUY}
        assert fusion.stop_price is not None
        assert fusion.target_price is not None
        entry = fusion.entry_price or PRICE
        assert fusion.stop_price < entry < fusion.target_price
        for view in speaking:
            assert view.stop_price is not None
            assert view.target_price is not None
            own = view.entry_price or PRICE
            assert 0 < fusion.size_fraction <= view.size_fraction
            assert fusion.stop_price >= view.stop_price
            assert entry - fusion.stop_price <= own - view.stop_price
            assert fusion.target_price <= view.target_price
            assert entry <= own
    elif fusion.outcome is FusionOutcome.REDUCE:
        assert has_position
        selling = [view for view in speaking if view.action is Action.SELL]
        assert selling
        assert 0 < fusion.size_fraction <= min(view.size_fraction for view in selling)
        assert fusion.stop_price is None
    else:
        assert fusion.size_fraction == 0
        assert outcome_of_fusion(fusion) in OUTCOMES

    swapped = fused(
        secondary.model_copy(update={"role": Role.PRIMARY}),
        primary.model_copy(update={"role": Role.SECONDARY}),
        records=(
            records[1].model_copy(update={"role": Role.PRIMARY}),
            records[0].model_copy(update={"role": Role.SECONDARY}),
        ),
        **conditions,
    )
    same = {"outcome", "size_fraction", "entry_price", "stop_price", "target_price", "confidence", "win_probability"}
    assert fusion.model_dump(include=same) == swapped.model_dump(include=same)


def test_every_insufficient_snapshot_ends_with_a_named_outcome() -> None:
    for because in ("insufficient_history", "stale_data", "stranded"):
        code = outcome_of_insufficient(because)
        assert code == f"abstained_{because}"
        assert sentence_of(code).endswith(".")
    with pytest.raises(LookupError, match="allowed are"):
        outcome_of_insufficient("bad_weather")
    with pytest.raises(LookupError, match="allowed are"):
        sentence_of("won")
