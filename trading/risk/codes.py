"""Every code that the gate speaks, once: its sentence and the capability it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from types import MappingProxyType
from typing import Final

from trading.ids import stamp
from trading.money import plain
from trading.risk.models import Cap, Denial


@dataclass(frozen=True, slots=True)
class GateCode:
    """One row. `message` is the sentence of its denial; names in braces are the denial's numbers."""

    code: str
    capability: str
    message: str


_EXHAUSTED = "leaves nothing: limit {limit} of equity {equity_usd} USD"

_DENIALS: Final = (
    # Who and when
    GateCode("account_mismatch", "C16", "the request is for account {requested}, the desk is that of {account}"),
    GateCode("stale_observation", "C16", "the observation is {age_s} s old; at most {allowed_s} s are allowed"),
    GateCode("observation_from_future", "C16", "the observation is of {observed_at}, after the request at {now}"),
    # The account's mode
    GateCode("halted", "C20", "account {account} is halted until a person resumes it"),
    GateCode("defensive_mode", "C20", "account {account} is defensive: only reductions pass"),
    GateCode("manual_mode", "C14", "account {account} is manual: an entry needs a person's approval"),
    GateCode("not_armed", "C16", "account {account} is not armed: real money needs `perennial live arm` of a person"),
    GateCode("symbol_frozen", "C20", "{symbol} is frozen until {until} because of {why} (protection {protection})"),
    # What the account has lost
    GateCode("no_equity", "C16", "equity is {equity_usd} USD: there is nothing to trade with"),
    GateCode("daily_loss", "C20", "today's loss is {loss} of the day's start; entries stop at {limit}"),
    GateCode("drawdown_defence", "C20", "equity is {drawdown} below its peak; entries stop at {limit}"),
    GateCode("drawdown_halt", "C20", "equity is {drawdown} below its peak; the account halts at {limit}"),
    GateCode("symbol_loss", "C17", "the position in {symbol} has lost {loss}; from {limit} on it gets no more"),
    GateCode("systemic_risk", "C19", "{symbol} moves {volatility} a day; from {limit} on nothing is opened"),
    # How much is going on already
    GateCode("too_many_positions", "C21", "{positions} symbols are held or promised; {regime} allows {limit}"),
    GateCode("too_many_entries", "C16", "{entries} entries were permitted today; {limit} are allowed"),
    GateCode("order_rate", "C16", "{entries} entries were permitted within {window_s} s; {limit} are allowed"),
    # What the plan of the day leaves
    GateCode("plan_not_here", "C09", "the plan of {period} does not enter {symbol}: {reason}"),
    GateCode("plan_too_many_positions", "C09", "{positions} symbols are held; the plan of {period} allows {limit}"),
    GateCode("plan_too_many_entries", "C09", "{entries} entries were permitted; the plan of {period} allows {limit}"),
    GateCode("plan_daily_loss", "C09", "today's loss is {loss}; by the plan of {period} entries stop at {limit}"),
    # What the decision is worth
    GateCode(
        "bootstrap_confidence",
        "C04",
        "confidence {confidence} is below {limit}, the floor of the first {trades} trades",
    ),
    GateCode(
        "bootstrap_win_probability",
        "C04",
        "win probability {win_probability} is below {limit}, the floor of the first {trades} trades",
    ),
    # Levels
    GateCode(
        "price_collar",
        "C16",
        "limit {limit_price} lies {distance} from the market's {price}; at most {most} is allowed",
    ),
    GateCode("below_tick", "C16", "{level} {price} and entry {entry} are less than a tick of {tick} apart"),
    GateCode("stop_missing", "C16", "an entry needs a stop price"),
    GateCode("stop_wrong_side", "C16", "stop {stop} must be below entry {entry} for a long"),
    GateCode("stop_too_near", "C22", "the stop is {distance} of the entry away; at least {least} are needed"),
    GateCode("stop_too_far", "C22", "the stop is {distance} of the entry away; at most {most} are allowed"),
    GateCode("target_wrong_side", "C16", "target {target} must be above entry {entry} for a long"),
    GateCode("target_below_costs", "C16", "the target is {distance} of the entry away; costs ask for {least}"),
    # Size
    GateCode("nothing_proposed", "C16", "the proposed size is zero"),
    GateCode("below_min_notional", "C16", "{leaves_usd} USD are below the smallest workable order, {least_usd} USD"),
    GateCode("below_lot", "C16", "{quantity} on the venue's grid of {step} is below its smallest order, {least}"),
    # Reductions
    GateCode("short_unavailable", "C16", "there is no position in {symbol}: on spot a sell only reduces"),
    GateCode(
        "nothing_to_reduce", "C16", "the position in {symbol} is {held_usd} USD, below the venue's {least_usd} USD"
    ),
)

_CAPS: Final = (
    GateCode("proposed_size", "C16", "the proposed size {limit} of equity {equity_usd} USD"),
    GateCode("regime_size_cap", "C21", f"the regime's share of the proposal {_EXHAUSTED}"),
    GateCode("trade_cap", "C16", f"one trade {_EXHAUSTED}"),
    GateCode("low_certainty_cap", "C04", f"one trade of low certainty {_EXHAUSTED}"),
    GateCode("volatility_cap", "C22", f"one trade of so volatile a symbol {_EXHAUSTED}"),
    GateCode("risk_budget_cap", "C22", f"the loss at the stop {_EXHAUSTED}"),
    GateCode("venue_order_cap", "C16", "the venue's largest order {limit} leaves nothing"),
    GateCode("event_day_cap", "C16", f"a position on an event day {_EXHAUSTED}"),
    GateCode("position_cap", "C16", f"the position {_EXHAUSTED}"),
    GateCode("win_rate_cap", "C22", f"the position after so few wins {_EXHAUSTED}"),
    GateCode("symbol_cap", "C16", f"the symbol over all accounts {_EXHAUSTED}"),
    GateCode("correlated_cap", "C17", f"all that moves together {_EXHAUSTED}"),
    GateCode("leverage_cap", "C16", f"leverage {_EXHAUSTED}"),
    GateCode("regime_total_cap", "C21", f"the regime's total {_EXHAUSTED}"),
    GateCode("armed_cap", "C16", "the armed capital of {limit} USD leaves nothing"),
    GateCode("cash_floor", "C19", f"the cash floor {_EXHAUSTED}"),
    GateCode("var_cap", "C17", f"the value at risk {_EXHAUSTED}"),
    GateCode("cvar_cap", "C17", f"the conditional value at risk {_EXHAUSTED}"),
    GateCode("plan_trade_cap", "C09", f"one trade by the plan of the day {_EXHAUSTED}"),
    GateCode("plan_position_cap", "C09", f"the position by the plan of the day {_EXHAUSTED}"),
    GateCode("plan_total_cap", "C09", f"the total by the plan of the day {_EXHAUSTED}"),
)

CODES: Final[Mapping[str, GateCode]] = MappingProxyType({row.code: row for row in (*_DENIALS, *_CAPS)})
"""The table by code, denials in the order they are looked at, then caps in the order they are."""

CAP_CODES: Final = frozenset(row.code for row in _CAPS)
"""Codes that shrink a size; where one leaves nothing, its code is the denial's too."""

_SHOWN: Final = Context(prec=8, rounding=ROUND_HALF_EVEN)


def denial(code: str, **numbers: Decimal | int | str | datetime) -> Denial:
    """A denial of a known code, its sentence filled with `numbers`; `KeyError` for a code that is not in the table."""
    shown = {name: _text(value) for name, value in numbers.items()}
    return Denial(code=code, message=CODES[code].message.format(**shown), numbers=shown)


def cap(code: str, *, limit: Decimal, leaves_usd: Decimal, unit: str = "fraction") -> Cap:
    """A cap of a known code; what it leaves is never negative."""
    return Cap(
        code=code, capability=CODES[code].capability, limit=limit, unit=unit, leaves_usd=max(leaves_usd, Decimal(0))
    )


def _text(value: Decimal | int | str | datetime) -> str:
    if isinstance(value, datetime):
        return stamp(value)
    return plain(_SHOWN.plus(value)) if isinstance(value, Decimal) else str(value)
