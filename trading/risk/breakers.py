"""What a breaker's word makes of an account: a freeze, a defence, and the one rule that reduces holdings (C19, C20)."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Context, Decimal

from trading.ids import content_hash
from trading.money import ONE
from trading.policy.model import Policy
from trading.risk.models import Exposure, Protection, ProtectionKind

SYSTEMIC = "systemic_risk"
"""The one code that lowers holdings (S2-71); every other breaker only keeps new exposure out."""

CASH_SHORT = "cash_short"

_UP = Context(prec=12, rounding=ROUND_CEILING)


def protection_of(
    *, account: str, operation_id: str, reason: str, symbol: str | None, as_of: datetime, who: str, policy: Policy
) -> Protection:
    """A symbol's breaker freezes it for the policy's time; one without a symbol defends the account until a person.

    `reason` begins with its code (`flash_crash: ...`). The id is a function of account and operation: told again, it is
    the same protection.
    """
    code = reason.partition(":")[0].strip().replace(" ", "_") or "breaker"
    name = "b" + content_hash(f"protection|{account}|{operation_id}")[:23]
    if symbol is None:
        kind, until = ProtectionKind.ACCOUNT_DEFENCE, None
    else:
        kind, until = ProtectionKind.SYMBOL_FREEZE, as_of + timedelta(seconds=policy.freeze_s)
    return Protection(id=name, kind=kind, code=code, symbol=symbol, since=as_of, until=until, reason=reason, who=who)


def is_short_of_cash(exposure: Exposure, policy: Policy) -> bool:
    """Whether available funds are below the floor while more is held than is safe (S2-70)."""
    equity = exposure.equity_usd
    held = equity - exposure.cash_usd
    floor, safe = policy.cash_floor_fraction * equity, policy.systemic_safe_fraction * equity
    return equity > 0 and exposure.cash_usd < floor and held > safe


def safe_sales(exposure: Exposure, policy: Policy) -> tuple[tuple[str, Decimal], ...]:
    """What to sell of each holding, in base units, so that all of them together are at the safe level (S2-71).

    Every position keeps the same share. Nothing where the level is kept already.
    """
    held = sum((one.notional_usd for one in exposure.holdings), Decimal(0))
    safe = policy.systemic_safe_fraction * exposure.equity_usd
    if held <= safe or held <= 0:
        return ()
    share = _UP.divide(held - safe, held)
    return tuple((one.symbol, one.quantity * min(share, ONE)) for one in exposure.holdings if one.quantity > 0)
