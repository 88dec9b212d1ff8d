"""Another playbook becomes active: the desk's next wish meets its limits, also after continue-as-new."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, Told
from temporalio import workflow
from temporalio.worker import Worker

from activities.store.port import ReviseRequest
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
