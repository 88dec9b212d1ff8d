"""The Temporal service: the program of the local one, and whether the one in use is set up for us."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from workers.doctor.checks import Check, Purpose, failed, passed, skipped
from workers.stack.found import ServerUnavailableError
from workers.stack.home import StackState, attach
from workers.stack.temporal_server import ENABLE, find_temporal

if TYPE_CHECKING:
    from temporalio.client import Client

    from config.settings import Settings

ANSWERS_WITHIN = timedelta(seconds=3)
RETENTION_AT_LEAST = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The Temporal service that this machine would use, and whose realm is looked at there."""

    client: Client
    address: str
    found_in: str
    realm: str
    stack: StackState | None

    @property
    def flags(self) -> str:
        """What every command of the Temporal CLI needs to reach it."""
        return f"--address {self.address} --namespace {self.client.namespace}"


def program_check() -> Check:
    """Where the local server's program is; fetches nothing."""
    try:
        found = find_temporal(os.environ)
    except ServerUnavailableError as error:
        return failed("temporal.program", str(error), fix="unset PERENNIAL_TEMPORAL_BIN")
    if found is None:
        return failed("temporal.program", "neither on PATH nor in the cache", fix=ENABLE)
    return passed("temporal.program", str(found))


async def service_of(settings: Settings, purpose: Purpose) -> Service | None:
    """The running stack of the home, else what the SDK's environment configuration names; `None` where neither is.

    A worker follows the configuration first. Connects on its first call only.
    """
    from temporalio.client import Client
    from temporalio.envconfig import ClientConfig

    from workers.runtime.core_logs import forward_core_logs
    from workers.runtime.plugin import perennial_plugin

    forward_core_logs()
    stack = attach(settings.home)
    configured = dict(ClientConfig.load_client_connect_config())
    use_stack = stack is not None and not (purpose is Purpose.WORKER and "target_host" in configured)
    if use_stack and stack is not None:
        options: dict[str, object] = {"target_host": stack.temporal_address, "namespace": stack.namespace}
    elif "target_host" in configured:
        options, stack = configured, None
    else:
        return None
    active, keys = settings.codec()
    plugin = perennial_plugin(active_key=active, keys=keys)
    return Service(
        client=await Client.connect(lazy=True, plugins=[plugin], **options),  # type: ignore[arg-type]
        address=str(options["target_host"]),
        found_in="the running stack" if stack is not None else "the SDK's environment configuration",
        realm=stack.realm if stack is not None else settings.realm,
        stack=stack,
    )


def no_service(settings: Settings) -> Check:
    """What is said where there is nothing to ask."""
    return skipped(
        "temporal.service",
        f"no stack runs in {settings.home} and TEMPORAL_ADDRESS is not set",
        fix="perennial up",
    )


async def service_checks(service: Service) -> AsyncIterator[Check]:
    """Version, namespace and search attributes; ends after the first where nobody answers."""
    reached = await _reached(service)
    yield reached
    if reached.fix:
        return
    yield await _namespace(service)
    yield await _search_attributes(service)
    yield await _current_version(service)


async def _reached(service: Service) -> Check:
    from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
    from temporalio.service import RPCError

    from workers.runtime.starting import reason_of

    try:
        info = await service.client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=ANSWERS_WITHIN)
    except (RPCError, RuntimeError) as error:
        first = reason_of(error)
        fix = "perennial up" if service.stack is None else "perennial status"
        return failed("temporal.service", f"{service.address} does not answer: {first}", fix=fix)
    return passed("temporal.service", f"server {info.server_version} at {service.address}, found in {service.found_in}")


async def _namespace(service: Service) -> Check:
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
    from temporalio.service import RPCError

    name = service.client.namespace
    try:
        found = await service.client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=name), timeout=ANSWERS_WITHIN
        )
    except RPCError as error:
        fix = f"temporal operator namespace create --namespace {name} --retention 90d --address {service.address}"
        return failed("temporal.namespace", f"{name}: {error.message}", fix=fix)
    kept = found.config.workflow_execution_retention_ttl.ToTimedelta()
    if kept < RETENTION_AT_LEAST:
        fix = f"temporal operator namespace update --namespace {name} --retention 90d --address {service.address}"
        return failed("temporal.namespace", f"{name} forgets closed workflows after {kept}", fix=fix)
    return passed("temporal.namespace", f"{name}, closed workflows stay {kept.days} days")


async def _search_attributes(service: Service) -> Check:
    from temporalio.api.enums.v1 import IndexedValueType
    from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
    from temporalio.service import RPCError

    from workers.stack.temporal_admin import type_names
    from workflows.names import SEARCH_ATTRIBUTES

    try:
        listed = await service.client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=service.client.namespace), timeout=ANSWERS_WITHIN
        )
    except RPCError as error:
        return skipped("temporal.search_attributes", f"this service does not list them: {error.message}")
    wanted = type_names(SEARCH_ATTRIBUTES)
    codes = {key.name: int(key.indexed_value_type) for key in SEARCH_ATTRIBUTES}
    missing = [name for name in wanted if name not in listed.custom_attributes]
    if missing:
        pairs = " ".join(f"--name {name} --type {wanted[name]}" for name in missing)
        fix = f"temporal operator search-attribute create {pairs} {service.flags}"
        return failed("temporal.search_attributes", f"not registered: {', '.join(missing)}", fix=fix)
    wrong = [name for name in wanted if listed.custom_attributes[name] != codes[name]]
    if wrong:
        shown = ", ".join(
            f"{name} is {IndexedValueType.Name(listed.custom_attributes[name])}, {wanted[name]} is needed"
            for name in wrong
        )
        fix = f"temporal operator search-attribute remove --name {wrong[0]} {service.flags}"
        return failed("temporal.search_attributes", shown, fix=fix)
    return passed("temporal.search_attributes", f"all {len(wanted)} are registered")


async def _current_version(service: Service) -> Check:
    """A versioned worker without a current version gets no work."""
    from temporalio.api.workflowservice.v1 import DescribeWorkerDeploymentRequest
    from temporalio.service import RPCError, RPCStatusCode

    from workflows.names import DEPLOYMENT

    name = "temporal.current_version"
    request = DescribeWorkerDeploymentRequest(namespace=service.client.namespace, deployment_name=DEPLOYMENT)
    try:
        found = await service.client.workflow_service.describe_worker_deployment(request, timeout=ANSWERS_WITHIN)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            return failed(name, f"{DEPLOYMENT}: {error.message}", fix="perennial up")
        return failed(name, f"no worker of {DEPLOYMENT} has ever registered here", fix="perennial worker")
    current = found.worker_deployment_info.routing_config.current_deployment_version.build_id
    if not current:
        fix = f"temporal worker deployment set-current-version --deployment-name {DEPLOYMENT} --build-id local"
        return failed(
            name, f"{DEPLOYMENT} has no current version: its workers get no work", fix=f"{fix} {service.flags}"
        )
    return passed(name, f"{DEPLOYMENT}, build {current}")


async def codec_check(settings: Settings) -> Check:
    """A small and a big payload there and back through the codec, without a server."""
    from workers.runtime.plugin import data_converter

    active, keys = settings.codec()
    converter = data_converter(active_key=active, keys=keys)
    sent = ["a small payload", "x" * 40_000]
    sealed = await converter.encode(sent)
    returned = await converter.decode(sealed)
    if returned != sent:
        return failed("temporal.codec", "payloads do not come back as they went", fix="unset PERENNIAL_CODEC_KEYS")
    if active is None:
        return passed("temporal.codec", "no key: payloads are readable, those above 16 KB compressed")
    return passed("temporal.codec", f"AES-256-GCM under key {active}; {len(keys)} keys open")
