"""Settings: where each value came from, names that nothing reads, and whether the profile and the venue agree."""

from __future__ import annotations

import re
from collections.abc import Iterator

from config.environment import PREFIX, variables
from config.markets import VENUES, Profile
from config.reference import sources, stray_names
from config.settings import Settings, SettingsError
from workers.doctor.checks import Check, Purpose, failed, passed

WANTED: dict[Purpose, frozenset[Profile]] = {
    Purpose.PAPER: frozenset({Profile.PAPER}),
    Purpose.LIVE: frozenset({Profile.LIVE, Profile.TESTNET, Profile.DEMO}),
}
"""Which profiles serve a purpose; purposes that are not here are served by every profile."""


def settings_checks(settings: Settings, purpose: Purpose) -> Iterator[Check]:
    """All of this family, of settings that could be read."""
    yield _values(settings)
    yield _unknown()
    yield _profile(settings, purpose)


def unreadable(wrong: SettingsError) -> Check:
    """The check of settings that could not be read; its fix takes away the variable that the sentence names."""
    named = re.search(rf"\b({PREFIX}[A-Z_]+|BINANCE_[A-Z_]+|[A-Z]+_API_KEY)\b", str(wrong))
    return failed("settings.values", str(wrong), fix=_fix(named[1] if named else f"{PREFIX}VENUE_URL"))


def _fix(variable: str) -> str:
    try:
        found = variables().get(variable)
    except ValueError:  # the named file is not there: then its own variable is the wrong one
        found = None
    if found is not None and found.origin.startswith("file "):
        return f"sed -i.bak '/^{variable}=/d' {found.origin.removeprefix('file ')}"
    return f"unset {variable}"


def _values(settings: Settings) -> Check:
    rows = sources(settings)
    given = [row for row in rows if row.origin != "default"]
    shown = ", ".join(f"{row.variable}={row.value} ({row.origin})" for row in given)
    return passed("settings.values", f"{len(rows) - len(given)} defaults, {len(given)} given: {shown or 'none'}")


def _unknown() -> Check:
    strays = stray_names()
    if strays:
        return failed("settings.unknown", "; ".join(str(stray) for stray in strays), fix=_fix(strays[0].name))
    return passed("settings.unknown", f"every {PREFIX} name that is set is known")


def _profile(settings: Settings, purpose: Purpose) -> Check:
    profile = settings.profile
    allowed = WANTED.get(purpose, frozenset(Profile))
    if profile not in allowed:
        names = ", ".join(sorted(one.value for one in allowed))
        return failed(
            "settings.profile",
            f"profile is {profile.value}; {purpose.value} needs {names}",
            fix=f"export {PREFIX}PROFILE={purpose.value}",
        )
    if profile is Profile.SIMULATED and settings.venue_url is None:
        return passed("settings.profile", "simulated; the local stack starts its own venue")
    try:
        return passed("settings.profile", f"{profile.value} at {settings.venue_address()}")
    except SettingsError as missing:
        host = sorted(VENUES[profile].hosts)[0]
        return failed("settings.profile", str(missing), fix=f"export {PREFIX}VENUE_URL=https://{host}")
