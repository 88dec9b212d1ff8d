"""How the campaign of the chaos tests ends when nothing disturbs it."""

from __future__ import annotations

import pytest
from chaos_campaign import Ended, campaign


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """The campaign without a kill."""
    return campaign(tmp_path_factory.mktemp("undisturbed"))
