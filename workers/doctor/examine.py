"""Asks every family side by side, hides secrets, and judges by the purpose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.environment import PREFIX, variables
from config.settings import Settings, SettingsError, load_settings
from workers.doctor.checks import Check, Purpose, State, counts, is_well
from workers.stack.home import DEFAULT_HOME

FAMILY_WITHIN_S = 15
HIDDEN = "***"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Every check in a stated order, judged for one purpose."""

    purpose: Purpose
    checks: tuple[Check, ...]

    @property
    def is_well(self) -> bool:
        return all(is_well(check, self.purpose) for check in self.checks)

    def as_rows(self) -> list[dict[str, Any]]:
        """`ok` is false only where the check counts; `state` says whether it was asked at all."""
        return [
            {
                "name": check.name,
                "ok": is_well(check, self.purpose),
                "detail": check.detail,
                "fix": check.fix,
                "state": check.state.value,
                "counts": counts(check, self.purpose),
            }
            for check in self.checks
        ]


async def examine(purpose: Purpose, *, spend: bool = False) -> Examination:
    """Look at everything that `purpose` needs. Raises nothing: what cannot be asked is a check that says so."""
    from workers.doctor.configured import settings_checks, unreadable
    from workers.doctor.machine import machine_checks
    from workers.doctor.service import codec_check, program_check

    try:
        settings = load_settings()
    except SettingsError as wrong:
        checks = [*machine_checks(_home_anyway(), None), unreadable(wrong), program_check()]
        return Examination(purpose=purpose, checks=tuple(checks))
    here = [*machine_checks(settings.home, settings), *settings_checks(settings, purpose)]
    served, stored, traded, asked = await asyncio.gather(
        _within("temporal.service", _temporal(settings, purpose)),
        _within("database.revision", _records(settings)),
        _within("exchange.clock", _venue(settings, here)),
        _within("models.primary", _models(settings, spend=spend)),
    )
    found = [*here, program_check(), await codec_check(settings), *served, *stored, *traded, *asked]
    return Examination(purpose=purpose, checks=tuple(_hidden(check, settings.secrets()) for check in found))


def _home_anyway() -> Path:
    """The home of settings that cannot be read as a whole."""
    try:
        named = variables().get(f"{PREFIX}HOME")
    except ValueError:  # the settings file that is named is not there
        named = None
    return (Path(named.value) if named is not None else DEFAULT_HOME).expanduser().absolute()


async def _within(name: str, family: AsyncIterator[Check]) -> list[Check]:
    """The family's checks; one that hangs is a failure of its own, and those before it are kept."""
    checks: list[Check] = []
    try:
        async with asyncio.timeout(FAMILY_WITHIN_S):
            async for check in family:
                checks.append(check)
    except TimeoutError:
        last = checks[-1].name if checks else name
        told = (
            f"no answer within {FAMILY_WITHIN_S} s after {last}" if checks else f"no answer within {FAMILY_WITHIN_S} s"
        )
        checks.append(Check(name=f"{name.split('.')[0]}.time", state=State.FAILED, detail=told, fix="perennial status"))
    return checks


async def _temporal(settings: Settings, purpose: Purpose) -> AsyncIterator[Check]:
    from workers.doctor.service import no_service, service_checks, service_of
    from workers.doctor.working import working_checks

    service = await service_of(settings, purpose)
    if service is None:
        yield no_service(settings)
        return
    answered = True
    async for check in service_checks(service):
        answered = answered and not (check.name == "temporal.service" and check.state is not State.OK)
        answered = answered and not (check.name == "temporal.namespace" and "forgets" not in check.detail and check.fix)
        yield check
    if answered:
        async for check in working_checks(service, settings):
            yield check


async def _records(settings: Settings) -> AsyncIterator[Check]:
    from workers.doctor.records import database_checks

    async for check in database_checks(settings):
        yield check


async def _venue(settings: Settings, before: Sequence[Check]) -> AsyncIterator[Check]:
    """Nothing is asked at an address that does not belong to the profile."""
    from workers.doctor.venue import venue_checks

    if any(check.name == "settings.profile" and "no default address" in check.detail for check in before):
        return
    async for check in venue_checks(settings):
        yield check


async def _models(settings: Settings, *, spend: bool) -> AsyncIterator[Check]:
    from workers.doctor.models import model_checks

    async for check in model_checks(settings, spend=spend):
        yield check


def _hidden(check: Check, secrets: Sequence[str]) -> Check:
    """The check without any secret, whatever an error message repeated."""
    detail, fix = check.detail, check.fix
    for secret in sorted((one for one in secrets if len(one) >= 4), key=len, reverse=True):
        detail, fix = detail.replace(secret, HIDDEN), fix.replace(secret, HIDDEN)
    return Check(name=check.name, state=check.state, detail=detail, fix=fix)
