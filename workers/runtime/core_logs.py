"""What the SDK's core says, as log records of ours: left alone it writes to stdout, where a verb's answer goes."""

from __future__ import annotations

import functools
import logging

LOGGER = "temporalio.core"


@functools.cache
def forward_core_logs() -> None:
    """Give the core's warnings to Python's logging. Once a process, before its first client is made."""
    from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

    logs = LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        forwarding=LogForwardingConfig(logger=logging.getLogger(LOGGER), append_target_to_name=False),
    )
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=logs)), error_if_already_set=False)
