"""Another playbook becomes active: the desk's next wish meets its limits, also after continue-as-new."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from eventually import eventually
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, Told
from temporalio import workflow
from temporalio.worker import Worker

from activities.store.ports.playbooks import ReviseRequest
from trading.playbook import first_playbook
from workflows.names import PLAYBOOK
from workflows.playbook_news import tell_playbook
from workflows.protocol import PlaybookNews

OpenHouse = Callable[..., Awaitable[SequenceHouse]]


@workflow.defn(sandboxed=False)
class Teller:
    """Whoever made another playbook active."""

    @workflow.run
    async def run(self, realm: str, accounts: list[str], news: PlaybookNews) -> None:
        await tell_playbook(realm, accounts, news)


async def tightened(house: SequenceHouse, to: str) -> PlaybookNews:
    done = await house.store.revise_playbook(
        ReviseRequest(
            realm=house.realm,
            operation_id=f"test-{to}",
            created_from="test",
            why="smaller",
            who="a test",
            policy_changes=(("max_trade_fraction", to),),
        )
    )
    assert done.is_active
    return PlaybookNews(version=done.version, playbook_hash=done.playbook_hash)


async def told(house: SequenceHouse, news: PlaybookNews, *accounts: str) -> None:
    queue = f"teller-{house.realm}"
    args: list[Any] = [house.realm, list(accounts), news]
    async with Worker(house.client, task_queue=queue, workflows=[Teller]):
        await house.client.execute_workflow(Teller.run, args=args, id=queue, task_queue=queue)


@pytest.mark.temporal
async def test_a_running_desk_takes_the_limits_of_the_new_playbook(open_house: OpenHouse) -> None:
    house = await open_house(Told())
    before = await house.reserve(house.wish("first", notional="50000"))
    assert before.permit is not None
    assert before.permit.notional_usd > house.told.capital / 50, "more than two percent may be traded at first"
    news = await tightened(house, "0.01")
    await told(house, news, ACCOUNT, "nobody")
    after = await house.reserve(house.wish("second", notional="50000"))
    assert after.permit is not None
    assert after.permit.notional_usd <= house.told.capital / 100
    assert await house.reserve(house.wish("first", notional="50000")) == before, "what was answered stays answered"
    described = await house.desk().describe()
    assert described.typed_search_attributes.get(PLAYBOOK) == news.version != first_playbook().version


@pytest.mark.temporal
async def test_a_desk_that_goes_on_as_new_keeps_the_playbook_it_was_told_of(
    monkeypatch: pytest.MonkeyPatch, open_house: OpenHouse
) -> None:
    """What the server suggests after thousands of events, suggested here after those of a first wish."""
    house = await open_house(Told())
    monkeypatch.setattr(workflow.Info, "is_continue_as_new_suggested", _from_event(45, house.desk().id))
    first_run = (await house.desk().describe()).run_id
    before = await house.reserve(house.wish("first", notional="50000"))
    news = await tightened(house, "0.01")
    await told(house, news, ACCOUNT)
    number = 0

    async def goes_on() -> bool:
        nonlocal number
        number += 1
        await house.reserve(house.wish(f"again-{number}", notional="1"))
        return (await house.desk().describe()).run_id != first_run

    await eventually(goes_on, what="the desk's next run")
    started = (await house.desk().fetch_history()).events[0].workflow_execution_started_event_attributes
    assert news.playbook_hash.encode() in started.input.payloads[0].data
    assert await house.reserve(house.wish("first", notional="50000")) == before
    after = await house.reserve(house.wish("second", notional="50000"))
    assert after.permit is not None
    assert after.permit.notional_usd <= house.told.capital / 100


def _from_event(count: int, desk: str) -> Callable[[workflow.Info], bool]:
    def suggested(info: workflow.Info) -> bool:
        return info.workflow_id == desk and info.get_current_history_length() > count and not info.continued_run_id

    return suggested
