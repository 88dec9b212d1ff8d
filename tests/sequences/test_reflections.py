"""Reflections on real activities and the real server: due on the last day only, made once, people answer elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from fakes.months import LAST_EVENING, TIGHTENED, a_bad_month, a_good_month, closed
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, VENUE, Told
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from activities.store.ports.playbooks import ReviseRequest
from activities.store.ports.proposals import KeptProposal
from trading.playbook import Playbook, from_json, revised
from trading.policy.table import changed
from trading.review.proposals import ProposalStatus, ReflectionAnswer
from trading.review.reflecting import Reflection
from workflows.monthly_reflection import MonthlyReflection
from workflows.names import TASK_TIMEOUT, QueueRole, Signal, Update, proposals_workflow
from workflows.periods import PeriodDone, PeriodKind, PeriodRequest, period_workflow
from workflows.protocol import HandDone
from workflows.quarterly_reflection import QuarterlyReflection

OpenHouse = Callable[..., Awaitable[SequenceHouse]]
MONTH = PeriodKind.MONTHLY_REFLECTION


async def opened(open_house: OpenHouse, playbook: Playbook = TIGHTENED) -> SequenceHouse:
    """A house in real time whose realm begins with a playbook that was tightened before."""
    house = await open_house(Told(coordinated=False, playbook=playbook))
    await house.store.active_playbook(house.realm, first=playbook)
    return house


def request(house: SequenceHouse, **given: Any) -> PeriodRequest:
    fields: dict[str, Any] = {
        "realm": house.realm,
        "venue": VENUE,
        "ledger": house.ledger,
        "accounts": house.told.accounts,
        "as_of": LAST_EVENING,
    }
    return PeriodRequest.model_validate(fields | given)


async def reflected(house: SequenceHouse, *, kind: PeriodKind = MONTH, run: str = "", **given: Any) -> PeriodDone:
    job = MonthlyReflection.run if kind is MONTH else QuarterlyReflection.run
    done: PeriodDone = await house.client.execute_workflow(
        job,
        request(house, **given),
        id=period_workflow(house.realm, kind, "test") + run,
        task_queue=house.queue(QueueRole.DECISIONS),
        task_timeout=TASK_TIMEOUT,
    )
    return done


def asked_at(house: SequenceHouse, done: PeriodDone) -> WorkflowHandle[Any, Any]:
    return house.client.get_workflow_handle(proposals_workflow(house.realm, done.kind.value, done.period))


async def proposals(house: SequenceHouse) -> dict[str, KeptProposal]:
    """By kind: the good month asks one of each."""
    return {kept.proposal.kind: kept for kept in await house.store.proposals(house.realm)}


async def active(house: SequenceHouse) -> Playbook:
    return from_json(await house.store.get((await house.store.active_playbook(house.realm)).content_hash))


def answer(kept: KeptProposal, **more: str) -> ReflectionAnswer:
    return ReflectionAnswer(proposal=kept.proposal.id, who="anna", reason="I looked", **more)


async def said(handle: WorkflowHandle[Any, Any], verb: Update, word: ReflectionAnswer) -> HandDone:
    return await handle.execute_update(verb, word, result_type=HandDone)


@pytest.mark.temporal
async def test_a_reflection_is_due_only_where_the_markets_next_day_begins_another_period(open_house: OpenHouse) -> None:
    house = await opened(open_house)
    quarter = PeriodKind.QUARTERLY_REFLECTION
    shanghai = request(house).hours.model_copy(update={"zone": "Asia/Shanghai"})
    for run, (kind, as_of, given, is_due) in enumerate(
        (
            (MONTH, LAST_EVENING - timedelta(days=1), {}, False),
            (MONTH, LAST_EVENING, {"hours": shanghai}, False),  # there it is the 1st already
            (MONTH, LAST_EVENING, {}, True),
            (quarter, LAST_EVENING, {}, False),
            (quarter, datetime.fromisoformat("2020-03-31T20:00:00Z"), {}, True),
        )
    ):
        done = await reflected(house, kind=kind, run=f"-{run}", as_of=as_of, **given)
        assert (done.is_due, done.report_hash is not None) == (is_due, is_due)


@pytest.mark.temporal
async def test_a_bad_month_tightens_by_itself_and_the_desk_knows(open_house: OpenHouse) -> None:
    house = await opened(open_house)
    await a_bad_month(house.store, house.realm)
    done = await reflected(house)
    now = await active(house)
    assert done.playbook_version == now.version != TIGHTENED.version
    assert now.policy.max_trade_fraction < TIGHTENED.policy.max_trade_fraction
    assert any("has failed, in 6 of 6 trades" in principle.text for principle in now.principles)
    assert await house.store.proposals(house.realm) == (), "nothing is asked"
    answered = await house.reserve(house.wish("next", notional="50000"))
    assert answered.permit is not None
    assert answered.permit.notional_usd <= now.policy.max_trade_fraction * house.told.capital
    report = Reflection.model_validate_json(await house.store.get(done.report_hash or ""))
    (account, markdown), *_ = report.reports
    assert account == ACCOUNT
    assert "Best and worst five" in await house.store.get(markdown)


@pytest.mark.temporal
async def test_a_month_that_comes_late_is_reported_and_neither_tightens_nor_asks(open_house: OpenHouse) -> None:
    house = await opened(open_house)
    await a_bad_month(house.store, house.realm)
    later = LAST_EVENING + timedelta(days=29)
    await reflected(house, as_of=later, run="-later")
    before = await active(house)
    done = await reflected(house)
    assert (done.period, done.playbook_version) == ("2020-01", None)
    assert await active(house) == before, "January's losses tighten nothing in March"
    assert await house.store.proposals(house.realm) == ()
    report = Reflection.model_validate_json(await house.store.get(done.report_hash or ""))
    assert (report.is_late, report.applied, report.principles) == (True, (), ())
    ((_, markdown),) = report.reports
    assert "nothing of it changes the playbook" in await house.store.get(markdown)


@pytest.mark.temporal
async def test_a_month_is_late_once_the_days_after_the_next_are_reviewed(open_house: OpenHouse) -> None:
    """A back-fill into a realm whose days went on, where no month was reflected on yet."""
    for days, is_late in ((20, False), (31, True)):
        house = await opened(open_house)
        await a_bad_month(house.store, house.realm)
        day = LAST_EVENING + timedelta(days=days)
        await house.store.keep_report(
            house.realm, kind="daily-review", account="all", period=f"{day:%Y-%m-%d}", as_of=day, content_hash="0" * 64
        )
        done = await reflected(house)
        assert (done.playbook_version is None) is is_late, days


@pytest.mark.temporal
async def test_a_good_month_makes_its_report_and_leaves_the_asking_to_another_workflow(open_house: OpenHouse) -> None:
    house = await opened(open_house)
    await a_good_month(house.store, house.realm)
    done = await reflected(house)
    assert done.report_hash is not None
    assert done.playbook_version is None, "nothing that loosens is applied"
    waiting = await proposals(house)
    assert set(waiting) == {"threshold", "principle"}
    assert {kept.status for kept in waiting.values()} == {ProposalStatus.OPEN}
    text = await house.store.get(dict(Reflection.model_validate_json(
        await house.store.get(done.report_hash)).reports)[ACCOUNT])  # fmt: skip
    assert all(kept.proposal.id in text for kept in waiting.values())
    details = (await asked_at(house, done).describe()).status
    assert details is not None
    await said(asked_at(house, done), Update.REJECT, answer(waiting["threshold"]))
    await said(asked_at(house, done), Update.REJECT, answer(waiting["principle"]))
    await asked_at(house, done).result()
    assert await active(house) == TIGHTENED


@pytest.mark.temporal
async def test_answers_by_update_and_by_signal_are_applied_once_and_told(open_house: OpenHouse) -> None:
    house = await opened(open_house)
    await a_good_month(house.store, house.realm)
    done = await reflected(house)
    waiting, asked = await proposals(house), asked_at(house, done)
    approved = await said(asked, Update.APPROVE, answer(waiting["threshold"]))
    assert (approved.accepted, approved.state) == (True, "approved")
    late = await said(asked, Update.REJECT, answer(waiting["threshold"]))
    assert (late.accepted, late.state) == (False, "approved")
    assert late.reason == "answered before: approved by anna: I looked"
    await asked.signal(Signal.MODIFY, answer(waiting["principle"], text="Trade less on Sundays."))
    await asked.result()
    now = await active(house)
    assert str(now.policy.max_trade_fraction) == waiting["threshold"].proposal.new
    assert [(each.text, each.author) for each in now.principles[-1:]] == [("Trade less on Sundays.", "anna")]
    audited = await house.store.audit(house.realm, subject=waiting["threshold"].proposal.id)
    assert [(entry.who, entry.reason) for entry in audited] == [("anna", "I looked")]
    permit = (await house.reserve(house.wish("next", notional="50000"))).permit
    assert permit is not None
    assert permit.notional_usd > TIGHTENED.policy.max_trade_fraction * house.told.capital, "the desk was told"


@pytest.mark.temporal
async def test_what_cannot_be_taken_is_refused_and_leaves_the_proposal_open(open_house: OpenHouse) -> None:
    house = await opened(open_house)
    await a_good_month(house.store, house.realm)
    done = await reflected(house)
    waiting, asked = await proposals(house), asked_at(house, done)
    threshold = waiting["threshold"]
    for verb, word, why in (
        (Update.APPROVE, ReflectionAnswer(proposal="p0", who="anna", reason="x"), "does not wait here"),
        (Update.APPROVE, ReflectionAnswer(proposal=threshold.proposal.id, who="anna"), "names who and why"),
        (Update.MODIFY, answer(threshold), "states value"),
        (Update.APPROVE, answer(threshold, value="0.04"), "needs modify"),
    ):
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await said(asked, verb, word)
        assert why in str(refused.value.cause)
    too_much = await said(asked, Update.MODIFY, answer(threshold, value="7"))
    assert not too_much.accepted
    assert "max_trade_fraction 7 is not allowed" in too_much.reason
    modified = await said(asked, Update.MODIFY, answer(threshold, value="0.032"))
    assert (modified.accepted, modified.state) == (True, "modified")
    assert str((await active(house)).policy.max_trade_fraction) == "0.032"
    await asked.signal(Signal.REJECT, ReflectionAnswer(proposal=waiting["principle"].proposal.id))
    await asked.signal(Signal.REJECT, answer(waiting["principle"]))
    await asked.result()


@pytest.mark.temporal
async def test_silence_expires_unapplied(open_house: OpenHouse) -> None:
    soon = revised(TIGHTENED, policy=changed(TIGHTENED.policy, reflection_expires_s=1))
    house = await opened(open_house, soon)
    await a_good_month(house.store, house.realm)
    done = await reflected(house)
    result = await asked_at(house, done).result()
    assert {state for _, state in result["ended"]} == {"expired"}
    assert {kept.status for kept in await house.store.proposals(house.realm)} == {ProposalStatus.EXPIRED}
    assert {(kept.who, kept.reason) for kept in await house.store.proposals(house.realm)} == {
        ("clock", "nobody answered in time")
    }
    assert await active(house) == soon


@pytest.mark.temporal
async def test_a_second_start_reports_the_first_and_asks_what_is_still_open(open_house: OpenHouse) -> None:
    house = await opened(open_house)
    await a_good_month(house.store, house.realm)
    first = await reflected(house)
    await house.client.get_workflow_handle(asked_at(house, first).id).terminate("its server was lost")
    again = await reflected(house, run="-again")
    assert (again.already_done, again.report_hash) == (True, first.report_hash)
    for kept in (await proposals(house)).values():
        await said(asked_at(house, again), Update.REJECT, answer(kept))
    await asked_at(house, again).result()
    third = await reflected(house, run="-third")
    assert third.already_done
    assert len(await house.store.proposals(house.realm)) == 2


@pytest.mark.temporal
async def test_a_candidate_is_proposed_and_its_approval_keeps_what_was_tightened_meanwhile(
    open_house: OpenHouse,
) -> None:
    house = await opened(open_house)
    fewer = TIGHTENED.strategies[:3]
    await house.store.revise_playbook(
        ReviseRequest(
            realm=house.realm,
            operation_id="week",
            created_from="weekly-evolution 2020-W05",
            why="three did better",
            who="evolution",
            strategies=fewer,
            activate=False,
        )
    )
    await a_bad_month(house.store, house.realm)
    done = await reflected(house)
    kept = (await proposals(house))["version"]
    assert kept.proposal.reason == "three did better"
    await said(asked_at(house, done), Update.APPROVE, answer(kept))
    now = await active(house)
    assert now.strategies == fewer
    assert now.policy.max_trade_fraction < TIGHTENED.policy.max_trade_fraction
    await asked_at(house, done).result()


@pytest.mark.temporal
@pytest.mark.parametrize(("approvals", "status"), [("expire", "expired"), ("grant", "approved")])
async def test_in_a_campaign_the_policy_answers_at_once(open_house: OpenHouse, approvals: str, status: str) -> None:
    house = await opened(open_house)
    await a_good_month(house.store, house.realm)
    done = await reflected(house, in_campaign=True, approvals=approvals)
    assert {kept.status.value for kept in await house.store.proposals(house.realm)} == {status}
    assert {kept.who for kept in await house.store.proposals(house.realm)} == {"policy"}
    granted = approvals == "grant"
    assert (done.playbook_version is not None) is granted
    assert ((await active(house)).version == done.playbook_version) is granted


@pytest.mark.temporal
async def test_a_quarter_asks_for_what_people_must_build(open_house: OpenHouse) -> None:
    """Three weeks that win less and less: no threshold helps, so the question is how memory is made."""
    house = await opened(open_house)
    evening = datetime.fromisoformat("2020-03-31T20:00:00Z")
    for week, gains in enumerate((3, 2, 1)):
        pnl = [Decimal(50)] * gains + [Decimal(-50)] * (4 - gains)
        await closed(house.store, house.realm, pnl=pnl, until=evening - timedelta(weeks=3 - week), name=f"week-{week}")
    asked = {"kind": PeriodKind.QUARTERLY_REFLECTION, "as_of": evening, "in_campaign": True, "approvals": "grant"}
    done = await reflected(house, **asked)
    assert done.period == "2020-Q1"
    (kept,) = await house.store.proposals(house.realm)
    assert (kept.proposal.kind, kept.proposal.subject, kept.status.value) == ("architecture", "memory", "approved")
    assert (done.playbook_version, kept.version) == (None, None), "people carry it out, code does not"
