"""Real databases for the integration tests: a file for SQLite, a fresh database on a private PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from activities.store.migrate import migrate
from activities.store.open import Store, open_store

POSTGRES = pytest.param("postgresql", marks=pytest.mark.postgres)


@pytest.fixture
def empty_database_url(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """An address where nothing was migrated yet, on the database that the test is parametrised with."""
    if database == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return f"sqlite+aiosqlite:///{tmp_path / 'perennial.db'}"


@pytest.fixture(params=["sqlite", POSTGRES])
def database(request: pytest.FixtureRequest) -> str:
    """Which database this run of the test uses."""
    name: str = request.param
    return name


@pytest.fixture
async def database_url(empty_database_url: str) -> str:
    """A migrated database."""
    await migrate(empty_database_url)
    return empty_database_url


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    opened = await open_store(database_url)
    yield opened
    await opened.aclose()
