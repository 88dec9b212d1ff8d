"""What a Temporal service must know before work starts: namespaces, search attributes, the current version.

Everything here may be repeated: it looks first, and what is there already stays.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
    ListSearchAttributesResponse,
)
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeWorkerDeploymentRequest,
    DescribeWorkerDeploymentResponse,
    RegisterNamespaceRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

from workers.runtime.core_logs import forward_core_logs

_PREFIX = "INDEXED_VALUE_TYPE_"


WAIT_FOR_SERVER = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.RESOURCE_EXHAUSTED)


class TemporalSetupError(RuntimeError):
    """The Temporal service could not be brought into the wanted state. Handled by verbs: shown, exit code 2."""


async def connect(address: str, namespace: str = "default") -> Client:
    """A client that connects on its first call; no converter, no plugin: for set-up calls only."""
    forward_core_logs()
    return await Client.connect(address, namespace=namespace, lazy=True)


async def is_healthy(client: Client) -> bool:
    """Whether the front end serves. False also while nothing listens yet."""
    try:
        return await client.service_client.check_health(timeout=timedelta(seconds=2))
    except (RPCError, RuntimeError):  # RuntimeError: the lazy connection was refused
        return False


async def ensure_namespace(client: Client, namespace: str, *, retention: timedelta, timeout_s: float = 30.0) -> None:
    """Makes the namespace exist with this retention, and waits until the service answers for it.

    Raises `TemporalSetupError` when it does not in time.
    """
    wanted = Duration()
    wanted.FromTimedelta(retention)
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            found = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
            await _list_search_attributes(client, namespace)  # through the cache that also serves workflows
            break
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                await _register(client, namespace, wanted)
            elif error.status is not RPCStatusCode.UNAVAILABLE:
                raise
            if time.monotonic() > deadline:
                raise TemporalSetupError(f"namespace {namespace} did not appear within {timeout_s:.0f} s") from error
            await asyncio.sleep(0.05)
    if found.config.workflow_execution_retention_ttl != wanted:
        config = NamespaceConfig(workflow_execution_retention_ttl=wanted)
        await client.workflow_service.update_namespace(UpdateNamespaceRequest(namespace=namespace, config=config))


async def ensure_search_attributes(client: Client, namespace: str, wanted: Mapping[str, str]) -> list[str]:
    """Registers what is missing and returns those names. `wanted` maps a name to its type, such as `Keyword`.

    Raises `TemporalSetupError` when a name is registered with another type: the service cannot change it.
    """
    if not wanted:
        return []
    listed = await _list_search_attributes(client, namespace)
    present = {**listed.system_attributes, **listed.custom_attributes}
    for name, kind in wanted.items():
        if name in present and present[name] != _type_code(kind):
            raise TemporalSetupError(
                f"search attribute {name} is {IndexedValueType.Name(present[name]).removeprefix(_PREFIX)} in namespace"
                f" {namespace}, {kind} is needed"
            )
    missing = {name: kind for name, kind in wanted.items() if name not in present}
    if missing:
        await add_search_attributes(client, namespace, missing)
    return sorted(missing)


async def add_search_attributes(client: Client, namespace: str, wanted: Mapping[str, str]) -> None:
    """Registers these without looking first, which the time-skipping test server cannot; known ones stay."""
    codes = {name: _type_code(kind) for name, kind in wanted.items()}
    request = AddSearchAttributesRequest(namespace=namespace, search_attributes=codes)
    try:
        await client.operator_service.add_search_attributes(request)
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise


def type_names(keys: Iterable[SearchAttributeKey[Any]]) -> dict[str, str]:
    """Name to server type (`Keyword`, `Datetime`, …) of the SDK's typed keys."""
    enum = IndexedValueType.DESCRIPTOR.values_by_number
    names = {key.name: enum[int(key.indexed_value_type)].name.removeprefix(_PREFIX) for key in keys}
    return {name: "".join(word.title() for word in kind.split("_")) for name, kind in names.items()}


async def make_current(client: Client, *, deployment: str, build_id: str, timeout_s: float = 30.0) -> None:
    """Makes this build the deployment's current version; waits until a worker has registered it.

    A versioned worker without a current version gets no work. Idempotent; a change made by someone else in between is
    seen through the conflict token, and the attempt repeated. Raises `TemporalSetupError` when no worker of this build
    registers in time.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            found = await _describe_deployment(client, deployment)
            current = found.worker_deployment_info.routing_config.current_deployment_version
            if current.build_id == build_id:
                return
            await client.workflow_service.set_worker_deployment_current_version(
                SetWorkerDeploymentCurrentVersionRequest(
                    namespace=client.namespace,
                    deployment_name=deployment,
                    build_id=build_id,
                    conflict_token=found.conflict_token,
                    identity="perennial-stack",
                    ignore_missing_task_queues=True,
                )
            )
            return
        except RPCError as error:
            if error.status not in _WAIT_FOR_WORKER:
                raise
            if time.monotonic() > deadline:
                raise TemporalSetupError(
                    f"no worker of {deployment}, build {build_id}, registered within {timeout_s:.0f} s: {error}"
                ) from error
        await asyncio.sleep(0.05)


_WAIT_FOR_WORKER = (
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.FAILED_PRECONDITION,
    RPCStatusCode.ABORTED,
    *WAIT_FOR_SERVER,
)


async def _list_search_attributes(client: Client, namespace: str) -> ListSearchAttributesResponse:
    return await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace=namespace))


async def _describe_deployment(client: Client, deployment: str) -> DescribeWorkerDeploymentResponse:
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=deployment)
    return await client.workflow_service.describe_worker_deployment(request)


async def _register(client: Client, namespace: str, retention: Duration) -> None:
    request = RegisterNamespaceRequest(namespace=namespace, workflow_execution_retention_period=retention)
    try:
        await client.workflow_service.register_namespace(request)
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise


def _type_code(kind: str) -> IndexedValueType.ValueType:
    return IndexedValueType.Value(_PREFIX + ("KEYWORD_LIST" if kind == "KeywordList" else kind.upper()))
