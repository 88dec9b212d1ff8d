"""One plugin for client, worker and replayer alike: the same converter, the same codec, the same strict sandbox."""

from __future__ import annotations

from collections.abc import Mapping

from temporalio.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    StorageDriverStoreContext,
)
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

from workers.runtime.codec import Payloads, SealingCodec


def data_converter(*, active_key: str | None = None, keys: Mapping[str, bytes] | None = None) -> DataConverter:
    """Pydantic models as JSON; readable without a key, sealed (error texts too) with one."""
    if not keys:
        return DataConverter(payload_converter_class=Payloads)
    return DataConverter(
        payload_converter_class=Payloads,
        payload_codec=SealingCodec(active=active_key or sorted(keys)[-1], keys=keys),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


_NOWHERE = StorageDriverStoreContext(target=None)


class _LeanRunner(SandboxedWorkflowRunner):
    """A sandbox that is not entered for each payload to ask in which workflow it is converted, and where it is stored.

    Neither our converter nor our codec has a use for the one, and nothing is stored outside the history; asking takes
    a tenth of a millisecond a payload, twice.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = super().create_instance(det)
        instance.get_serialization_context = _no_context  # type: ignore[method-assign,assignment]
        instance.get_external_store_context = _no_target  # type: ignore[method-assign,assignment]
        return instance


def _no_context(_command: object) -> None:
    return None


def _no_target(_command: object) -> StorageDriverStoreContext:
    return _NOWHERE


def strict_runner() -> WorkflowRunner:
    """A sandbox in which a module that a workflow did not name as passed through is an error."""
    policy = (
        SandboxImportNotificationPolicy.WARN_ON_DYNAMIC_IMPORT
        | SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    )
    return _LeanRunner(restrictions=SandboxRestrictions.default.with_import_notification_policy(policy))


def perennial_plugin(*, active_key: str | None = None, keys: Mapping[str, bytes] | None = None) -> SimplePlugin:
    """The plugin that makes a client, a worker or a replayer ours."""
    return SimplePlugin(
        "perennial",
        data_converter=data_converter(active_key=active_key, keys=keys),
        workflow_runner=strict_runner(),
    )
