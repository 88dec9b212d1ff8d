"""Call options as a page reads them: where, what for, and under which rules."""

from __future__ import annotations

from temporalio import workflow


def at(queue: str, summary: str, call: workflow.ActivityConfig) -> workflow.ActivityConfig:
    """`call` on `queue`, with the line that the Web UI shows."""
    return {**call, "task_queue": queue, "summary": summary}
