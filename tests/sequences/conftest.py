"""A house for each test: `house = await open_house(Told(...))`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from fakes.sequence_house import SequenceHouse, migrated_database, sequence_house
from fakes.told_market import Told
from temporalio.client import Client

OpenHouse = Callable[..., Awaitable[SequenceHouse]]


@pytest.fixture(scope="session")
def database_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("empty-database")


@pytest.fixture
async def open_house(
    temporal_client: Client, task_queue: str, tmp_path: Path, database_folder: Path, request: pytest.FixtureRequest
) -> AsyncIterator[OpenHouse]:
    """Opens houses that end with the test, each in a realm and folder of its own; then replays all that they did."""
    empty = await migrated_database(database_folder)
    async with AsyncExitStack() as opened:
        count = 0
        houses: list[SequenceHouse] = []

        async def open_(told: Told | None = None, **worker_options: Any) -> SequenceHouse:
            nonlocal count
            count += 1
            folder = tmp_path / f"house-{count}"
            folder.mkdir()
            realm = f"{task_queue}-{count}"
            house = await opened.enter_async_context(
                sequence_house(
                    temporal_client,
                    realm,
                    folder,
                    empty,
                    told or Told(),
                    deployment=request.node.path.stem,
                    **worker_options,
                )
            )
            houses.append(house)
            return house

        yield open_
        for house in houses:
            await house.replay_all()
