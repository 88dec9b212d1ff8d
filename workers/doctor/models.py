"""The two models: whether each can be asked, and, only where money may be spent, whether it answers."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from config.settings import Settings, SettingsError
from workers.doctor.checks import Check, failed, passed

if TYPE_CHECKING:
    from config.models import ModelSettings

ASK_WITHIN_S = 20


async def model_checks(settings: Settings, *, spend: bool) -> AsyncIterator[Check]:
    """All of this family; with `spend` each model with a key is asked for one token."""
    for role in ("primary", "secondary"):
        name = f"models.{role}"
        try:
            model: ModelSettings = getattr(settings, role)()
        except SettingsError as missing:
            setting = settings_key(settings, role)
            yield failed(name, str(missing), fix=f"export {setting}=..." if setting else "perennial config show")
            continue
        yield await _model(name, model, spend=spend)


def settings_key(settings: Settings, role: str) -> str | None:
    """The variable that the chosen provider's key is read from."""
    from config.providers import provider

    return provider(getattr(settings, f"{role}_provider")).key_setting


async def _model(name: str, model: ModelSettings, *, spend: bool) -> Check:
    if model.spec.kind == "rules":
        return passed(name, f"{model.name}: rules, no language model and no key")
    told = f"{model.spec.id}, {model.name} at {model.base_url}, key is set"
    if not spend:
        return passed(name, f"{told}; not asked (--spend asks for one token)")
    return await _asked(name, told, model)


async def _asked(name: str, told: str, model: ModelSettings) -> Check:
    from decimal import Decimal

    from activities.models.failures import FailureKind
    from activities.models.port import ChatRequest, ModelFailure
    from trading.decision.models import Message
    from workers.runtime.site import ModelChoice
    from workers.runtime.wiring import build_model

    key = model.api_key.get_secret_value() if model.api_key else None
    chat = build_model(ModelChoice(spec=model.spec, name=model.name, base_url=model.base_url, api_key=key))
    request = ChatRequest(
        messages=(Message(role="user", content="Answer with the JSON object {}."),),
        schema_name="nothing",
        json_schema='{"type": "object", "properties": {}, "additionalProperties": false}',
        max_tokens=1,
        timeout_s=Decimal(ASK_WITHIN_S),
    )
    began = time.monotonic()
    try:
        answer = await chat.complete(request)
    except ModelFailure as error:
        if error.kind in {FailureKind.UNREADABLE, FailureKind.EMPTY}:  # reached and paid; one token says no more
            return passed(name, f"{told}; reached in {time.monotonic() - began:.1f} s")
        return failed(name, f"{told}; asked for one token: {error}", fix="perennial doctor --spend")
    finally:
        await chat.aclose()
    return passed(name, f"{told}; answered in {time.monotonic() - began:.1f} s for {answer.cost_usd} USD")
