"""The triggers of a day's plan as a watch waits for them: shared by accounts, fired once, capped by the policy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trading.money import plain
from trading.planning.models import AccountPlan, DayPlan, PriceTrigger, TriggerKind
from trading.watching.models import Direction, WatchedTrigger, Watchlist

_DIRECTIONS: dict[str, Direction] = {"down_to": "below", "up_to": "above"}


def watched_triggers(plan: DayPlan) -> tuple[WatchedTrigger, ...]:
    """What to wait for, defence first, then by symbol and id.

    An entry trigger counts for the accounts that have an idea at it; one that nobody would act on is not watched. A
    defence counts for the accounts that held the symbol when the plan was made. Accounts keep the plan's order.
    """
    found: dict[str, WatchedTrigger] = {}
    for part in plan.plans:
        for trigger in part.triggers:
            if not _is_acted_on(trigger, part):
                continue
            name = f"{plan.day.isoformat()}:{trigger.symbol}:{trigger.kind.value}:{plain(trigger.level.price)}"
            known = found.get(name)
            found[name] = WatchedTrigger(
                id=name,
                symbol=trigger.symbol,
                direction=_DIRECTIONS[trigger.crosses],
                price=trigger.level.price,
                kind=trigger.kind.value,
                accounts=(*(known.accounts if known else ()), part.account),
            )
    return tuple(sorted(found.values(), key=gate_order))


def gate_order(trigger: WatchedTrigger) -> tuple[bool, str, str]:
    """Defence passes the gate first: what it frees may be used by those after it."""
    return (not trigger.defends, trigger.symbol, trigger.id)


def _is_acted_on(trigger: PriceTrigger, part: AccountPlan) -> bool:
    return trigger.kind is TriggerKind.DEFEND or any(idea.trigger == trigger for idea in part.ideas)


def awaited(plan: Watchlist, fired: Sequence[WatchedTrigger]) -> tuple[WatchedTrigger, ...]:
    """The triggers that may still ask for a decision: none twice, entries within the caps of symbol and day."""
    done = {one.id for one in fired}
    entries = [one for one in fired if not one.defends]
    return tuple(
        one
        for one in plan.triggers
        if one.id not in done and (one.defends or _is_within_caps(one, entries=entries, plan=plan))
    )


def _is_within_caps(trigger: WatchedTrigger, *, entries: Sequence[WatchedTrigger], plan: Watchlist) -> bool:
    of_symbol = sum(1 for one in entries if one.symbol == trigger.symbol)
    return of_symbol < plan.triggers_per_symbol and len(entries) < plan.triggers_per_day


def firing(plan: Watchlist, fired: Sequence[WatchedTrigger], crossed: Iterable[str]) -> tuple[WatchedTrigger, ...]:
    """Which of the triggers whose ids were `crossed` ask for a decision now, in gate order and within the caps."""
    names = set(crossed)
    asking: list[WatchedTrigger] = []
    for trigger in plan.triggers:
        if trigger.id in names and trigger in awaited(plan, (*fired, *asking)):
            asking.append(trigger)
    return tuple(asking)
