"""Every name that more than one part must spell alike: queues, workflow ids, search attributes, updates and signals."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from temporalio.common import SearchAttributeKey

TASK_TIMEOUT = timedelta(seconds=5)
"""A workflow task in the hands of a killed worker is given to another after this long; the default is ten seconds."""

PROTECTING_TASK_TIMEOUT = timedelta(seconds=3)
"""The same for what stands between a fill and its stop: an entry's execution, and the guard of a position.

Not less: where the only worker comes back, a dozen guards are replayed at once.
"""

DEPLOYMENT = "perennial"
"""The worker deployment; the local stack runs its one version, `local`."""

LOCAL_BUILD = "local"


class QueueRole(StrEnum):
    """A worker role has the name of its queue. Exchange queues are one per venue: `exchange-<venue>`."""

    DECISIONS = "decisions"
    CALLS = "calls"
    MODELS = "models"
    MARKET = "market"
    COMPUTE = "compute"
    EXCHANGE = "exchange"


def task_queue(realm: str, role: QueueRole) -> str:
    """The queue of a role; the realm comes first, so that no worker of one realm ever takes another's work."""
    if role is QueueRole.EXCHANGE:
        raise ValueError("an exchange queue belongs to a venue: use exchange_queue(realm, venue)")
    return f"{realm}/{role.value}"


def exchange_queue(realm: str, venue: str) -> str:
    return f"{realm}/exchange-{venue}"


def decision_workflow(realm: str, decision_id: str) -> str:
    return f"{realm}/decision/{decision_id}"


def execution_workflow(realm: str, client_order_id: str) -> str:
    return f"{realm}/order/{client_order_id}"


def adoption_workflow(realm: str, client_order_id: str) -> str:
    return f"{realm}/adopt/{client_order_id}"


def guard_workflow(realm: str, account: str, symbol: str) -> str:
    return f"{realm}/guard/{account}/{symbol}"


def desk_workflow(realm: str, account: str) -> str:
    return f"{realm}/desk/{account}"


def watch_workflow(realm: str) -> str:
    return f"{realm}/watch"


def proposals_workflow(realm: str, job: str, period: str) -> str:
    return f"{realm}/proposals/{job}/{period}"


def campaign_workflow(realm: str) -> str:
    return f"{realm}/campaign"


REALM = SearchAttributeKey.for_keyword("PerennialRealm")
ACCOUNTS = SearchAttributeKey.for_keyword_list("PerennialAccounts")
SYMBOL = SearchAttributeKey.for_keyword("PerennialSymbol")
ACTION = SearchAttributeKey.for_keyword("PerennialAction")
OUTCOME = SearchAttributeKey.for_keyword("PerennialOutcome")
PLAYBOOK = SearchAttributeKey.for_keyword("PerennialPlaybook")
MODE = SearchAttributeKey.for_keyword("PerennialMode")
AS_OF = SearchAttributeKey.for_datetime("PerennialAsOf")

SEARCH_ATTRIBUTES = (REALM, ACCOUNTS, SYMBOL, ACTION, OUTCOME, PLAYBOOK, MODE, AS_OF)
"""What the Web UI can be asked for: `PerennialOutcome = "refused_by_gate" and PerennialSymbol = "BTC/USDT"`."""


class Update(StrEnum):
    """Names of updates; an update answers its caller, refusal included."""

    RESERVE = "reserve"
    CHANGE_MODE = "change_mode"
    APPROVE = "approve"
    REJECT = "reject"
    MODIFY = "modify"
    PAUSE = "pause"
    RESUME = "resume"
    MANUAL = "manual"
    HALT = "halt"
    FLATTEN = "flatten"
    ARM = "arm"
    DISARM = "disarm"
    RESOLVE = "resolve"
    LIFT = "lift"
    TEACH = "teach"
    SET_THRESHOLD = "set_threshold"


class Signal(StrEnum):
    """Names of signals; answers upward and ticks are signals, so that no handler waits."""

    TICK = "tick"
    SETTLED = "settled"
    READY = "ready"
    TURN = "turn"
    PLANNED = "planned"
    PLAYBOOK = "playbook"
    DEFEND = "defend"
    LIFT = "lift"
    PLACED = "placed"
    EXPECT = "expect"
    FILLED = "filled"
    REDUCE = "reduce"
    LEAVE = "leave"
    WITHDRAW = "withdraw"
    RESOLVE = "resolve"
    CANCEL = "cancel"
    SETTLE = "settle"
    VENUE_RESET = "venue_reset"
    PAUSE = "pause"
    RESUME = "resume"
    MANUAL = "manual"
    HALT = "halt"
    FLATTEN = "flatten"
    ARM = "arm"
    DISARM = "disarm"
    TEACH = "teach"
    SET_THRESHOLD = "set_threshold"
    APPROVE = "approve"
    REJECT = "reject"
    MODIFY = "modify"
