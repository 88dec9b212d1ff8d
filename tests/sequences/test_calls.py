"""Questions between workflows, and what every workflow module may load."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, Told
from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.asking import ASK_CALL, AskCalls, Question
from trading.risk.models import GateAnswer
from workers.runtime.plugin import strict_runner
from workflows.account_desk import AccountDesk
from workflows.names import Update, desk_workflow
from workflows.registry import WORKFLOWS

OpenHouse = Callable[..., Awaitable[SequenceHouse]]
ROOT = Path(__file__).resolve().parents[2]


def question(house: SequenceHouse, *, account: str = ACCOUNT, of: str | None = None) -> Question:
    wish = house.wish("w1", account=of or account)
    return Question(
        entity=desk_workflow(house.realm, account),
        name=Update.RESERVE,
        request_id=wish.request_id,
        body=wish.model_dump(mode="json"),
    )


async def asked(house: SequenceHouse, of_whom: Question) -> GateAnswer:
    reply = await ActivityEnvironment(client=house.client).run(AskCalls().ask, of_whom)
    return GateAnswer.model_validate(reply.body)


@pytest.mark.temporal
async def test_asked_twice_is_answered_once(open_house: OpenHouse) -> None:
    house = await open_house()
    first, again = await asyncio.gather(asked(house, question(house)), asked(house, question(house)))
    assert first.permit is not None
    assert again == first
    state = await house.desk().query(AccountDesk.state)
    assert state is not None
    assert len(state.exposure.reservations) == 1


@pytest.mark.temporal
async def test_a_missing_entity_is_worth_asking_again(open_house: OpenHouse) -> None:
    house = await open_house(Told(desks=False))
    with pytest.raises(ApplicationError) as missing:
        await asked(house, question(house))
    assert (missing.value.type, missing.value.non_retryable) == ("EntityMissing", False)
    await house.start_desk()
    assert (await asked(house, question(house))).permit is not None


@pytest.mark.temporal
async def test_a_refusal_is_final(open_house: OpenHouse) -> None:
    house = await open_house()
    with pytest.raises(ApplicationError) as refused:
        await asked(house, question(house, of="somebody-else"))
    assert (refused.value.type, refused.value.non_retryable) == ("AskRefused", True)
    assert "somebody-else" in str(refused.value), "the entity's own sentence comes along"


def test_asking_goes_on_until_answered_and_ends_on_a_refusal() -> None:
    policy = ASK_CALL["retry_policy"]
    assert policy is not None
    assert policy.maximum_attempts == 0
    assert "AskRefused" in (policy.non_retryable_error_types or ())


VENDORS = ("httpx", "openai", "dashscope", "weaviate", "sqlalchemy", "numpy", "talib", "aiohttp")


def test_workflows_load_no_vendor() -> None:
    program = (
        "import importlib, pathlib, sys\n"
        "for path in sorted(pathlib.Path('workflows').glob('*.py')):\n"
        "    importlib.import_module('workflows' if path.stem == '__init__' else f'workflows.{path.stem}')\n"
        f"print([name for name in {VENDORS!r} if name in sys.modules])\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", WORKFLOWS, ids=lambda kind: kind.__name__)
async def test_every_workflow_passes_the_strict_sandbox(kind: type) -> None:
    strict_runner().prepare_workflow(workflow._Definition.must_from_class(kind))


def test_every_workflow_file_is_in_the_registry() -> None:
    defined = {path.stem for path in (ROOT / "workflows").glob("*.py") if "@workflow.defn" in path.read_text()}
    assert {kind.__module__.rpartition(".")[2] for kind in WORKFLOWS} == defined
