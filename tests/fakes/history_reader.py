"""What a recorded history says: the calls in their order, each with its input, its time-outs and its result."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Call:
    """One activity, local or not: values as their JSON; time-outs as the history states them."""

    name: str
    queue: str = ""
    given: Any = None
    result: Any = None
    failure: str = ""
    timeouts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded history."""

    workflow_id: str
    text: str
    calls: tuple[Call, ...]
    signals_sent: tuple[tuple[str, Any], ...]
    signals_heard: tuple[tuple[str, Any], ...]
    children: tuple[str, ...]
    updates: tuple[tuple[Any, Any], ...]
    result: Any

    @property
    def order(self) -> tuple[str, ...]:
        return tuple(call.name for call in self.calls)

    def the(self, name: str) -> list[Call]:
        return [call for call in self.calls if call.name == name]


TIMEOUTS = ("scheduleToCloseTimeout", "startToCloseTimeout", "heartbeatTimeout")


def read_history(path: Path) -> Recorded:
    """Local activities stand where their result was written, the others where they were scheduled."""
    text = path.read_text()
    events = json.loads(text)["events"]
    workflow_id = ""
    calls: list[Call] = []
    by_event: dict[str, Call] = {}
    sent: list[tuple[str, Any]] = []
    heard: list[tuple[str, Any]] = []
    children: list[str] = []
    asked: dict[str, Any] = {}
    answered: list[tuple[Any, Any]] = []
    result: Any = None
    for event in events:
        kind, said = _kind(event)
        match kind:
            case "workflowExecutionStarted":
                workflow_id = said["workflowId"]
            case "activityTaskScheduled":
                call = Call(
                    name=said["activityType"]["name"],
                    queue=said["taskQueue"]["name"],
                    given=_value(said.get("input")),
                    timeouts={name: said[name] for name in TIMEOUTS if said.get(name, "0s") != "0s"},
                )
                calls.append(call)
                by_event[event["eventId"]] = call
            case "activityTaskCompleted":
                by_event[said["scheduledEventId"]].result = _value(said.get("result"))
            case "activityTaskFailed":
                by_event[said["scheduledEventId"]].failure = said["failure"]["applicationFailureInfo"]["type"]
            case "markerRecorded" if said["markerName"] == "core_local_activity":
                made = _value(said["details"]["data"])
                failure = said.get("failure", {}).get("applicationFailureInfo", {}).get("type", "")
                calls.append(
                    Call(name=made["activity_type"], result=_value(said["details"].get("result")), failure=failure)
                )
            case "signalExternalWorkflowExecutionInitiated":
                sent.append((said["signalName"], _value(said.get("input"))))
            case "workflowExecutionSignaled":
                heard.append((said["signalName"], _value(said.get("input"))))
            case "startChildWorkflowExecutionInitiated":
                children.append(said["workflowType"]["name"])
            case "workflowExecutionUpdateAccepted":
                asked[event["eventId"]] = _value(said["acceptedRequest"]["input"]["args"])
            case "workflowExecutionUpdateCompleted":
                answered.append((asked[said["acceptedEventId"]], _value(said["outcome"].get("success"))))
            case "workflowExecutionCompleted":
                result = _value(said.get("result"))
    return Recorded(
        workflow_id, text, tuple(calls), tuple(sent), tuple(heard), tuple(children), tuple(answered), result
    )


def _kind(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    name = next(key for key in event if key.endswith("EventAttributes"))
    return name.removesuffix("EventAttributes"), event[name]


def _value(payloads: Any) -> Any:
    """The first value of some payloads, as JSON."""
    if not payloads or not payloads.get("payloads"):
        return None
    payload = payloads["payloads"][0]
    raw = base64.b64decode(payload.get("data", ""))
    encoding = base64.b64decode(payload["metadata"]["encoding"]).decode()
    if encoding == "binary/null":
        return None
    if encoding != "json/plain":
        raise ValueError(f"a payload of encoding {encoding} is not read here: a recorded history holds readable JSON")
    return json.loads(raw)
