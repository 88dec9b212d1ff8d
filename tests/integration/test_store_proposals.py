"""Proposals on both databases: asked once, answered once, applied with their answer; what is behind changes nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from activities.reports.calls import ReportRequest, build
from activities.reports.source import StoreSource
from activities.store.open import Store
from activities.store.ports.playbooks import PlaybookRefused, ReviseRequest
from activities.store.ports.proposals import KeptProposal
from trading.playbook import first_playbook, from_json, revised
from trading.policy.table import changed
from trading.review.period import ReportKind
from trading.review.proposals import ProposalStatus, ReflectionAnswer, ReflectionProposal, ReflectionVerb

REALM = "simulated"
TIGHTENED = revised(first_playbook(), policy=changed(first_playbook().policy, max_trade_fraction="0.03"))
EVENING = datetime(2020, 1, 31, 20, tzinfo=UTC)
MONTH = {"job": "monthly-reflection", "period": "2020-01", "as_of": EVENING}
LARGER = ReflectionProposal(
    id="p1", kind="threshold", subject="max_trade_fraction", old="0.03", new="0.035", reason="24 trades went well"
)
SENTENCE = ReflectionProposal(id="p2", kind="principle", subject="x1", new="Buy dips.", reason="9 trades")
REBUILD = ReflectionProposal(id="p3", kind="architecture", subject="memory", new="Question it.", reason="it wins less")
ASKED = (LARGER, SENTENCE, REBUILD)


def answer(proposal: str, **more: str) -> ReflectionAnswer:
    return ReflectionAnswer(proposal=proposal, who="anna", reason="I looked", **more)


async def asked(store: Store) -> tuple[KeptProposal, ...]:
    await store.active_playbook(REALM, first=TIGHTENED)
    return await store.keep_proposals(REALM, ASKED, **MONTH)


async def size(store: Store) -> str:
    active = await store.active_playbook(REALM)
    return str(from_json(await store.get(active.content_hash)).policy.max_trade_fraction)


async def test_a_question_is_put_once_and_keeps_its_answer(store: Store) -> None:
    assert [kept.status for kept in await asked(store)] == [ProposalStatus.OPEN] * 3
    await store.answer_proposal(REALM, answer("p2"), ReflectionVerb.REJECT)
    assert [kept.status.value for kept in await asked(store)] == ["open", "rejected", "open"]
    assert [kept.proposal.id for kept in await store.proposals(REALM)] == ["p1", "p2", "p3"]
    assert [kept.proposal.id for kept in await store.proposals(REALM, status=ProposalStatus.OPEN)] == ["p1", "p3"]
    assert await store.proposals("paper") == ()
    with pytest.raises(KeyError, match="'p9' is unknown"):
        await store.answer_proposal(REALM, answer("p9"), ReflectionVerb.APPROVE)


async def test_of_three_answers_at_once_one_counts_and_is_applied(store: Store) -> None:
    await asked(store)
    verbs = (ReflectionVerb.APPROVE, ReflectionVerb.REJECT, ReflectionVerb.EXPIRE)
    ruled = await asyncio.gather(*(store.answer_proposal(REALM, answer("p1"), verb) for verb in verbs))
    (first,) = [each for each in ruled if each.is_this]
    assert {each.kept for each in ruled} == {first.kept}
    approved = first.kept.status is ProposalStatus.APPROVED
    assert await size(store) == ("0.035" if approved else "0.03")
    assert len(await store.playbooks(REALM)) == (2 if approved else 1)
    assert [entry.who for entry in await store.audit(REALM, subject="p1")] == ["anna"]


async def test_a_value_that_no_policy_allows_leaves_the_question_open(store: Store) -> None:
    await asked(store)
    with pytest.raises(PlaybookRefused, match="max_trade_fraction 7 is not allowed"):
        await store.answer_proposal(REALM, answer("p1", value="7"), ReflectionVerb.MODIFY)
    assert (await store.proposals(REALM))[0].status is ProposalStatus.OPEN
    assert await store.audit(REALM, subject="p1") == ()
    ruled = await store.answer_proposal(REALM, answer("p1", value="0.032"), ReflectionVerb.MODIFY)
    assert (ruled.kept.answered_with, ruled.kept.version) == ("0.032", (await store.active_playbook(REALM)).version)
    assert await size(store) == "0.032"


async def test_what_people_must_build_makes_no_playbook(store: Store) -> None:
    await asked(store)
    ruled = await store.answer_proposal(REALM, answer("p3"), ReflectionVerb.APPROVE)
    assert (ruled.kept.status.value, ruled.revised, ruled.kept.version) == ("approved", None, None)
    assert len(await store.playbooks(REALM)) == 1


async def test_a_report_made_later_says_what_was_asked_and_how_it_ended(store: Store) -> None:
    await asked(store)
    await store.answer_proposal(REALM, answer("p1", value="0.032"), ReflectionVerb.MODIFY)
    source = StoreSource(store)
    found = await source.asked(REALM, kind=ReportKind.MONTHLY, period="2020-01")
    assert [(proposal.id, stands) for proposal, stands in found] == [
        ("p1", "modified to 0.032 by anna: I looked"),
        ("p2", "open"),
        ("p3", "open"),
    ]
    assert await source.asked(REALM, kind=ReportKind.QUARTERLY, period="2020-01") == ()
    await store.open_account(
        REALM, venue="simulated", ledger="main", account="main", opening=[], as_of=EVENING - timedelta(days=9)
    )
    month = ReportRequest(realm=REALM, account="main", kind=ReportKind.MONTHLY, day=EVENING.date())
    report = (await build(source, month)).report
    (section,) = [each for each in report.sections if each.heading == "Proposals to people"]
    assert "modified to 0.032 by anna" in str(section)


@pytest.mark.parametrize(
    ("kind", "period", "days", "is_behind"),
    [
        ("monthly-reflection", "2019-12", -31, False),
        ("monthly-reflection", "2020-01", 0, False),
        ("monthly-reflection", "2020-02", 29, True),
        ("daily-review", "2020-02-28", 28, False),
        ("daily-review", "2020-03-02", 31, True),
    ],
)
async def test_a_month_is_behind_once_later_ones_are_on_record(
    store: Store, kind: str, period: str, days: int, is_behind: bool
) -> None:
    row = {"kind": kind, "period": period, "as_of": EVENING + timedelta(days=days), "content_hash": "0" * 64}
    await store.keep_report(REALM, account="all", **row)
    await store.keep_report("paper", account="all", **(row | {"period": "2031-01", "as_of": EVENING.replace(2031)}))
    until = datetime(2020, 3, 1, tzinfo=UTC)
    asked_of = {"kind": "monthly-reflection", "account": "all", "period": "2020-01", "until": until}
    assert await store.is_behind(REALM, **asked_of) is is_behind


async def test_an_approval_after_another_change_keeps_both(store: Store) -> None:
    await asked(store)
    tighter = ReviseRequest(
        realm=REALM, operation_id="day", created_from="daily-review 2020-02-01", why="losses", who="perennial",
        policy_changes=(("stop_max_fraction", "0.03"),),
    )  # fmt: skip
    await store.revise_playbook(tighter)
    await store.answer_proposal(REALM, answer("p1"), ReflectionVerb.APPROVE)
    active = await store.active_playbook(REALM)
    policy = from_json(await store.get(active.content_hash)).policy
    assert (str(policy.stop_max_fraction), str(policy.max_trade_fraction)) == ("0.03", "0.035")
