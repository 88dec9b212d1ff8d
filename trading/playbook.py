"""The playbook: one immutable version of policy, principles, prompts, strategies and role weights.

A version is a short hash of all that it holds, its parent included: equal versions are equal playbooks, and the chain
of parents is the history of what the agent believed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any, Self

from pydantic import BaseModel, Field, model_validator

from trading.contract import Contract, Fraction
from trading.ids import canonical_json, content_hash
from trading.money import plain
from trading.policy.model import Policy
from trading.policy.table import differences
from trading.prompt_text import SYSTEM, TASK
from trading.strategies.library import STRATEGIES
from trading.strategies.models import Strategy

VERSION_LENGTH = 12


class Principle(Contract):
    """A sentence the agent decides by; models quote it by id (C08). `author` is the person who gave it, if one did."""

    id: str = Field(pattern=r"^P[0-9]{2,4}$")
    text: str = Field(min_length=1, max_length=400, pattern=r"^[^\r\n]*$")
    author: str | None = Field(default=None, min_length=1, max_length=80, pattern=r"^[^\r\n]*$")


class PromptSet(Contract):
    """The words that the two models are asked with; the blocks of data are added by the caller."""

    version: str
    system: str = Field(min_length=1)
    task: str = Field(min_length=1)


class RoleWeight(Contract):
    """The weight of a role before its track record speaks (C05, C56)."""

    role: str
    weight: Fraction


class Playbook(Contract):
    """One version of everything the agent decides by. Never changed: `revised` makes the next version."""

    version: str
    parent: str | None = None
    policy: Policy
    principles: tuple[Principle, ...]
    prompts: PromptSet
    strategies: tuple[Strategy, ...]
    role_weights: tuple[RoleWeight, ...]

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for what, names in (
            ("principle", [p.id for p in self.principles]),
            ("strategy", [s.name for s in self.strategies]),
            ("role", [w.role for w in self.role_weights]),
        ):
            repeated = sorted({name for name in names if names.count(name) > 1})
            if repeated:
                raise ValueError(f"{what} {', '.join(repeated)} appears more than once in the playbook")
        return self

    def strategy(self, name: str) -> Strategy:
        """The strategy `name`, or `LookupError` that names the known ones."""
        for row in self.strategies:
            if row.name == name:
                return row
        raise LookupError(f"strategy {name!r} is unknown: allowed are {', '.join(s.name for s in self.strategies)}")

    def weight(self, role: str) -> Decimal:
        """The weight of `role`; a role that the playbook does not name weighs nothing."""
        return next((row.weight for row in self.role_weights if row.role == role), Decimal(0))


class PlaybookError(ValueError):
    """Stored text that is not the playbook it says it is."""


class Change(Contract):
    """One difference between two playbooks: where, and the value before and after (`None` where there was none)."""

    path: str
    old: str | None
    new: str | None


FIRST_PRINCIPLES: tuple[Principle, ...] = (
    Principle(
        id="P01", text="Learn from history: before deciding, look at what the recalled cases led to, and say which."
    ),
    Principle(
        id="P02", text="Do not repeat a recent failure: if the same setup lost lately, name what is different now."
    ),
    Principle(
        id="P03", text="Experience first: where the record clearly shows that a setup works, prefer it to a new idea."
    ),
    Principle(id="P04", text="Without a similar success on record be more conservative: a smaller size, or no trade."),
    Principle(id="P05", text="No trade is a decision. When the facts disagree or are missing, hold and say which."),
    Principle(
        id="P06",
        text="Know the exit before the entry: where the idea is wrong is the stop, not what one can bear to lose.",
    ),
    Principle(id="P07", text="Costs are certain and gains are not: a target that fees and spread eat is no target."),
    Principle(
        id="P08", text="Confidence is a forecast that will be scored: state the probability at which you would bet."
    ),
)
"""The first four are the memory principles of C08; the others keep a first day honest."""


def first_playbook(policy: Policy | None = None) -> Playbook:
    """The version every fresh account starts from; `policy` seeds other thresholds."""
    return _versioned(
        parent=None,
        policy=policy or Policy(),
        principles=FIRST_PRINCIPLES,
        prompts=PromptSet(version="1", system=SYSTEM, task=TASK),
        strategies=tuple(STRATEGIES.values()),
        role_weights=(
            RoleWeight(role="primary", weight=Decimal("0.5")),
            RoleWeight(role="secondary", weight=Decimal("0.5")),
        ),
    )


def revised(
    playbook: Playbook,
    *,
    policy: Policy | None = None,
    principles: tuple[Principle, ...] | None = None,
    prompts: PromptSet | None = None,
    strategies: tuple[Strategy, ...] | None = None,
    role_weights: tuple[RoleWeight, ...] | None = None,
) -> Playbook:
    """The next version after `playbook`, with what is given in place; without a change, `playbook` itself."""
    following = _versioned(
        parent=playbook.version,
        policy=playbook.policy if policy is None else policy,
        principles=playbook.principles if principles is None else principles,
        prompts=playbook.prompts if prompts is None else prompts,
        strategies=playbook.strategies if strategies is None else strategies,
        role_weights=playbook.role_weights if role_weights is None else role_weights,
    )
    return following if diff(playbook, following) else playbook


def with_principles(playbook: Playbook, texts: Iterable[str], *, author: str | None = None) -> tuple[Principle, ...]:
    """The principles of `playbook` and after them those of `texts` that it does not have, under the next free ids."""
    known = list(playbook.principles)
    number = max((int(each.id[1:]) for each in known), default=0)
    for text in texts:
        if all(each.text != text for each in known):
            number += 1
            known.append(Principle(id=f"P{number:02d}", text=text, author=author))
    return tuple(known)


def _versioned(**content: Any) -> Playbook:
    unversioned = Playbook(version="", **content)
    return unversioned.model_copy(update={"version": _version(_content(unversioned))})


def _content(playbook: Playbook) -> dict[str, Any]:
    content: dict[str, Any] = _plain_values(playbook.model_dump(mode="python", exclude={"version"}))
    return content


def _version(content: dict[str, Any]) -> str:
    return content_hash(canonical_json(content))[:VERSION_LENGTH]


def _plain_values(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dict):
        return {str(key): _plain_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_values(item) for item in value]
    return value


def to_json(playbook: Playbook) -> str:
    """The one canonical text of `playbook`: equal playbooks have equal text, byte for byte."""
    return canonical_json({**_content(playbook), "version": playbook.version})


@lru_cache(maxsize=8)
def from_json(text: str) -> Playbook:
    """The playbook behind `to_json`; raises `PlaybookError` where the text does not hash to the version it names.

    The hash is taken over the text as it was stored, so a playbook stays readable after the policy gains a field. The
    last few are remembered: everything that a day does begins with the same playbook.
    """
    raw = json.loads(text)
    if not isinstance(raw, dict) or "version" not in raw:
        raise PlaybookError("a playbook is a JSON object with a version")
    stated = str(raw.pop("version"))
    found = _version(raw)
    if stated != found:
        raise PlaybookError(f"playbook {stated} does not match its content, which hashes to {found}")
    return Playbook.model_validate({**raw, "version": stated})


def diff(old: Playbook, new: Playbook) -> tuple[Change, ...]:
    """What differs in content, in a stated order: policy, principles, prompts, strategies, role weights."""
    policy = (Change(path=f"policy.{name}", old=a, new=b) for name, a, b in differences(old.policy, new.policy))
    return (
        *policy,
        *_named("principles", _texts(old.principles, "id"), _texts(new.principles, "id")),
        *_named("prompts", _prompt_texts(old.prompts), _prompt_texts(new.prompts)),
        *_named("strategies", _texts(old.strategies, "name"), _texts(new.strategies, "name")),
        *_named("role_weights", _texts(old.role_weights, "role"), _texts(new.role_weights, "role")),
    )


def _texts(rows: Iterable[BaseModel], key: str) -> dict[str, str]:
    texts = {}
    for row in rows:
        values = {
            key: value for key, value in _plain_values(row.model_dump(mode="python")).items() if value is not None
        }
        name = values.pop(key)
        texts[name] = next(iter(values.values())) if len(values) == 1 else canonical_json(values)
    return texts


def _prompt_texts(prompts: PromptSet) -> dict[str, str]:
    return dict(prompts.model_dump())


def _named(where: str, old: dict[str, str], new: dict[str, str]) -> tuple[Change, ...]:
    names = [*old, *(name for name in new if name not in old)]
    return tuple(
        Change(path=f"{where}.{name}", old=old.get(name), new=new.get(name))
        for name in names
        if old.get(name) != new.get(name)
    )
