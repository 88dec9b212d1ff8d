"""Records the histories beside this file anew: each path of `tests/recordings`, on a private dev server
(`make histories`).

Run it after a deliberate change of a workflow, look at what differs, and commit it with the change. What stays is what
replay and the golden assertions read: no stack traces, no names of this machine; times and run ids differ each time.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from fakes.sequence_house import migrated_database, sequence_house  # noqa: E402
from recordings import days, decisions, desks, evolution, executions, guards, reflections, reviews, watches  # noqa: E402
from recordings.path import RecordedPath  # noqa: E402
from temporalio.client import Client  # noqa: E402

from workers.runtime.plugin import perennial_plugin  # noqa: E402
from workers.stack import temporal_server  # noqa: E402
from workers.stack.environment import trial_environment  # noqa: E402
from workers.stack.home import throw_away_home  # noqa: E402
from workers.stack.temporal_admin import type_names  # noqa: E402
from workflows.names import SEARCH_ATTRIBUTES  # noqa: E402

NAMESPACE = "histories"
RECORDINGS = (evolution, reflections, days, watches, reviews, decisions, executions, guards, desks)


async def record(names: list[str]) -> None:
    """Record the named paths, or all of them."""
    environment = trial_environment(dict(os.environ))
    program = temporal_server.find_temporal(os.environ)
    if program is None:
        raise SystemExit(f"no temporal program: {temporal_server.ENABLE}")
    options = temporal_server.TemporalOptions(
        namespaces=(NAMESPACE,), search_attributes=type_names(SEARCH_ATTRIBUTES), ui=False
    )
    with throw_away_home() as home, tempfile.TemporaryDirectory() as folder:
        server = temporal_server.launch_temporal(program, home.path, environment.env, options, grace_s=0.0)
        try:
            await temporal_server.temporal_ready(server)
            client = await Client.connect(
                server.address, namespace=NAMESPACE, plugins=[perennial_plugin()], identity="recorder"
            )
            empty = await migrated_database(Path(folder))
            for path in (path for recordings in RECORDINGS for path in recordings.PATHS):
                if not names or path.name in names:
                    await _record_one(client, path, Path(folder), empty)
        finally:
            server.stop()


async def _record_one(client: Client, path: RecordedPath, folder: Path, empty: Path) -> None:
    place = folder / path.name
    place.mkdir()
    async with sequence_house(client, f"test-{path.name}", place, empty, path.told) as house:
        async with asyncio.timeout(60):
            workflow_id = await path.play(house)
        history = await client.get_workflow_handle(workflow_id).fetch_history()
    kept = _without_traces(json.loads(history.to_json()))
    lines = ",\n".join(json.dumps(event, sort_keys=True, separators=(",", ":")) for event in kept["events"])
    text = f'{{"events":[\n{lines}\n]}}\n'
    (HERE / f"{path.name}.json").write_text(text)
    sys.stdout.write(f"{path.name}: {len(kept['events'])} events, {len(text) // 1024} KiB\n")


def _without_traces(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_traces(inner) for name, inner in value.items() if name != "stackTrace"}
    if isinstance(value, list):
        return [_without_traces(inner) for inner in value]
    return value


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:]))
