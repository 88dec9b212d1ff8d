"""Reflections as an activity: reviews and reports of all accounts, and what the playbook is to learn (C12, C13)."""

from __future__ import annotations

from typing import Protocol

from pydantic import Field
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.reports.calls import BuiltReport, ReportCalls, ReportRequest, ReportStore, build, zone_of
from activities.reports.port import ReviewSource
from activities.store.calls import BLOB_MISSING, STORE_REFUSED, STORE_UNAVAILABLE
from activities.store.ports.faults import StoreRefused, StoreUnavailable
from activities.store.ports.playbooks import PlaybookRegistry, RegisteredPlaybook
from activities.store.ports.proposals import Proposals
from trading.contract import Contract, Utc
from trading.ids import canonical_json
from trading.playbook import Playbook, from_json
from trading.reports.build import build_report
from trading.reports.wording import moment
from trading.review.period import Period, ReportKind, next_end, period_until
from trading.review.proposals import ProposalStatus, ReflectionProposal
from trading.review.reflecting import Candidate, Reflection, reflect_on, reflection_story

ALL = "all"
"""The account of the row that holds a period's whole reflection."""

CANDIDATE = "candidate"


class ReflectionStore(ReportStore, PlaybookRegistry, Proposals, Protocol):
    """What a reflection reads and keeps."""


class ReflectOrder(Contract):
    """Which period is reflected on: the one that `as_of` lies in, up to `as_of`, for all accounts together."""

    realm: str
    job: str
    kind: ReportKind
    as_of: Utc
    zone: str = "UTC"
    accounts: tuple[str, ...] = Field(min_length=1)
    keep_files: bool = True
    with_architecture: bool = False


class Reflected(Contract):
    """What is to be done with it: tighten by itself, ask the rest. `open_proposals` nobody has answered yet."""

    period: str
    report_hash: str
    already_done: bool
    policy_changes: tuple[tuple[str, str], ...] = ()
    principles: tuple[str, ...] = ()
    open_proposals: tuple[ReflectionProposal, ...] = ()
    expires_s: int
    story: str


class ReflectionCalls:
    """May be repeated: the first reflection of a period is the one that is kept and whose questions are put.

    Error types as of `StoreCalls`; `ReflectionRefused` is final.
    """

    def __init__(self, source: ReviewSource, store: ReflectionStore, reports: ReportCalls) -> None:
        self._source = source
        self._store = store
        self._reports = reports

    @activity.defn
    async def reflect(self, order: ReflectOrder) -> Reflected:
        """Review the period of every account by the active playbook, keep the reports, put the questions."""
        try:
            return await self._reflect(order)
        except StoreUnavailable as silent:
            raise ApplicationError(str(silent), type=STORE_UNAVAILABLE) from silent
        except StoreRefused as refused:
            raise ApplicationError(str(refused), type=STORE_REFUSED, non_retryable=True) from refused
        except KeyError as missing:
            raise ApplicationError(str(missing.args[0]), type=BLOB_MISSING, non_retryable=True) from missing
        except ValueError as wrong:
            raise ApplicationError(str(wrong), type="ReflectionRefused", non_retryable=True) from wrong

    async def _reflect(self, order: ReflectOrder) -> Reflected:
        period = period_until(order.kind, order.as_of, zone=zone_of(order.zone))
        active = await self._store.active_playbook(order.realm)
        playbook = from_json(await self._store.get(active.content_hash))
        name = await self._store.find_report(order.realm, kind=order.job, account=ALL, period=period.name)
        already = name is not None
        is_late = await self._is_late(order, period)
        if name is None:
            built = {account: await self._built(order, account, period, playbook) for account in order.accounts}
            reflection = reflect_on(
                [each.review for each in built.values()],
                playbook,
                job=order.job,
                period=period.name,
                candidates=await self._candidates(order.realm, active),
                with_architecture=order.with_architecture,
                is_late=is_late,
                model_knows_period=any(each.report.model_knows_period for each in built.values()),
            )
            reports = [
                (account, await self._report(order, account, each, reflection)) for account, each in built.items()
            ]
            text = canonical_json(reflection.model_copy(update={"reports": tuple(reports)}))
            name = await self._keep(order, period.name, text)
        reflection = Reflection.model_validate_json(await self._store.get(name))
        kept = await self._store.keep_proposals(
            order.realm, reflection.proposals, job=order.job, period=period.name, as_of=order.as_of
        )
        return Reflected(
            period=period.name,
            report_hash=name,
            already_done=already,
            policy_changes=() if is_late else tuple((change.field, change.new) for change in reflection.applied),
            principles=() if is_late else reflection.principles,
            open_proposals=tuple(each.proposal for each in kept if each.status is ProposalStatus.OPEN),
            expires_s=playbook.policy.reflection_expires_s,
            story=reflection_story(reflection),
        )

    async def _built(self, order: ReflectOrder, account: str, period: Period, playbook: Playbook) -> BuiltReport:
        return await build(self._source, _report_request(order, account), period=period, playbook=playbook)

    async def _is_late(self, order: ReflectOrder, period: Period) -> bool:
        """Whether the realm has gone on for a whole period since: what an old one asks for is no longer today's."""
        until = next_end(order.kind, period.first_day, zone=zone_of(order.zone))
        return await self._store.is_behind(order.realm, kind=order.job, account=ALL, period=period.name, until=until)

    async def _candidates(self, realm: str, active: RegisteredPlaybook) -> tuple[Candidate, ...]:
        """What was made over the active version and never activated."""
        return tuple(
            Candidate(version=row.version, created_from=row.created_from, why=row.why)
            for row in await self._store.playbooks(realm)
            if row.status == CANDIDATE and row.parent == active.version
        )

    async def _report(self, order: ReflectOrder, account: str, built: BuiltReport, reflection: Reflection) -> str:
        hours = f"Made at {moment(order.as_of)}: what its last day brings after that belongs to the next period."
        extras = built.extras.model_copy(
            update={"proposals": reflection.proposals, "answers": {}, "remarks": (hours, *reflection.left_out)}
        )
        report = build_report(built.review, built.records, extras=extras)
        return (await self._reports.kept_report(_report_request(order, account), report)).content_hash

    async def _keep(self, order: ReflectOrder, period: str, text: str) -> str:
        return await self._store.keep_report(
            order.realm,
            kind=order.job,
            account=ALL,
            period=period,
            as_of=order.as_of,
            content_hash=await self._store.put(text, media_type="application/json"),
        )


def _report_request(order: ReflectOrder, account: str) -> ReportRequest:
    return ReportRequest(
        realm=order.realm,
        account=account,
        kind=order.kind,
        day=order.as_of.astimezone(zone_of(order.zone)).date(),
        zone=order.zone,
        keep_files=order.keep_files,
    )
