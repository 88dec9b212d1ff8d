"""Two stances to one view, weighted by how each model did before: pure code of `trading.decision` on stored records."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from temporalio import activity

from activities.models.texts import StoredTexts
from activities.store.ports.accounts import AccountBook
from activities.store.ports.blobs import Blobs
from activities.store.ports.decisions import Decisions
from trading.contract import Contract
from trading.decision.models import DecisionHead, Fusion, Role, Stance, TrackRecord
from trading.facts.models import TrendRegime
from trading.review.knowledge import may_have_read


class FuseRequest(Contract):
    """Both verified stances, and where the market and the account stand."""

    head: DecisionHead
    primary: Stance
    secondary: Stance
    regime: TrendRegime
    playbook_hash: str
    last_price: Decimal
    has_position: bool


class FusionCalls:
    """The activity that fuses; asks no model and no venue. `knowledge` is until when models have read, by name."""

    def __init__(
        self,
        blobs: Blobs,
        decisions: Decisions,
        accounts: AccountBook,
        *,
        knowledge: Mapping[str, datetime] | None = None,
    ) -> None:
        self._knowledge = knowledge or {}
        self._texts = StoredTexts(blobs)
        self._decisions = decisions
        self._accounts = accounts

    @activity.defn
    async def fuse(self, request: FuseRequest) -> Fusion:
        """One view of two stances (C05). Deterministic on what was recorded before the decision's time.

        The lead account's closed trades decide whether the floors of the first trades hold (X43).
        """
        from trading.decision.approval import approval_reasons
        from trading.decision.fuse import fuse

        head = request.head
        playbook = await self._texts.playbook(request.playbook_hash)
        told = await self._decisions.track_records(head.realm, regime=request.regime.value, before=head.as_of)
        primary, secondary = (
            self._earned(record, stance, head)
            for record, stance in zip(told, (request.primary, request.secondary), strict=True)
        )
        exposure = await self._accounts.exposure(head.realm, head.accounts[0])
        fused = fuse(
            request.primary,
            request.secondary,
            records=(primary, secondary),
            policy=playbook.policy,
            snapshot_price=request.last_price,
            closed_trades=exposure.closed_trades if exposure is not None else 0,
            has_position=request.has_position,
            role_weights={role: playbook.weight(role.value) for role in Role},
        )
        return fused.model_copy(update={"approval_because": approval_reasons(fused, playbook.policy)})

    def _earned(self, record: TrackRecord, stance: Stance, head: DecisionHead) -> TrackRecord:
        """The record without what proves nothing: how a model that may have read the outcome forecast it."""
        knows = may_have_read(
            head.as_of,
            is_rule_based=stance.is_rule_based,
            knowledge_until=self._knowledge.get(stance.model),
            realm=head.realm,
        )
        return record.model_copy(update={"brier": None}) if knows else record
