"""Where TEMPORAL_ADDRESS names a service, `decide` and `up` use it and start none of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import perennial
from temporalio.client import Client, WorkflowExecutionStatus

from workers.stack.temporal_server import TemporalServer

pytestmark = [pytest.mark.stack, pytest.mark.temporal]
AS_OF = "2024-02-02T08:00:00Z"


async def test_a_decision_runs_on_the_configured_service(
    tmp_path: Path, temporal_server: TemporalServer, temporal_client: Client
) -> None:
    home = tmp_path / "home"
    named = {"TEMPORAL_ADDRESS": temporal_server.address, "TEMPORAL_NAMESPACE": temporal_client.namespace}
    said = perennial(home, "decide", "BTC/USDT", "--as-of", AS_OF, "--json", **named)
    assert said.code == 0, said.err
    handle = temporal_client.get_workflow_handle(f"simulated/decision/{said.answer['decision_id']}")
    assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED
    assert not (home / "temporal.db").exists(), "no server of its own was started"
