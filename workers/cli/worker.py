"""`perennial worker`: run roles against a Temporal service until SIGTERM."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.cli.command import command
from workers.cli.ending import Refusal, run


def worker(
    roles: Annotated[str, typer.Option(help="comma separated: decisions,calls,models,market,compute,exchange")] = "",
    realm: Annotated[str, typer.Option(help="realm of the queues; default: the profile's")] = "",
    venue: Annotated[str, typer.Option(help="name of the venue; default: the profile's")] = "",
    venue_url: Annotated[str, typer.Option(help="base URL of the venue; default: the profile's")] = "",
    orders_url: Annotated[str, typer.Option(help="base URL of the paper venue, where profile paper fills")] = "",
    database_url: Annotated[str, typer.Option(help="default: SQLite in PERENNIAL_HOME")] = "",
    temporal: Annotated[str, typer.Option(help="host:port; default: TEMPORAL_ADDRESS and the SDK's profile")] = "",
    namespace: Annotated[str, typer.Option(help="Temporal namespace")] = "",
    health_port: Annotated[int, typer.Option(help="port of /livez and /readyz; 0 takes a free one")] = 0,
    primary: Annotated[str, typer.Option(help="provider of the primary model")] = "",
    secondary: Annotated[str, typer.Option(help="provider of the secondary model")] = "",
    build_id: Annotated[str, typer.Option(help="worker deployment build id")] = "",
    think_s: Annotated[str, typer.Option(help="latency of rule analysts, for benchmarks", hidden=True)] = "0",
) -> None:
    """Run worker roles; one process may hold all of them.

    Example: perennial worker --roles decisions,calls
    """
    from workers.runtime.site import chosen_roles
    from workers.runtime.starting import serve_from_settings

    try:
        wanted = chosen_roles(roles)
    except ValueError as wrong:
        raise Refusal(str(wrong)) from None
    run(
        lambda: serve_from_settings(
            roles=wanted,
            realm=realm,
            venue=venue,
            venue_url=venue_url,
            orders_url=orders_url,
            database_url=database_url,
            temporal=temporal,
            namespace=namespace,
            health_port=health_port,
            primary=primary,
            secondary=secondary,
            build_id=build_id,
            think_s=think_s,
        )
    )


COMMANDS = {"worker": command("worker", worker)}
