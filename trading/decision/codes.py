"""Every code that verification can find, once: its severity, its sentence, its capability and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from trading.decision.models import Finding, Severity

MAX_SHOWN = 160
"""Characters of an answer that a finding repeats."""


@dataclass(frozen=True, slots=True)
class FindingCode:
    """One row. `message` may use `{path}`, `{expected}` and `{found}`.

    `lowers_confidence` is the share of confidence that one note of this code takes; the codes that ask for a correction
    or end the answer take none, because such an answer does not speak.
    """

    code: str
    severity: Severity
    capability: str
    message: str
    lowers_confidence: Decimal = Decimal(0)

    @property
    def is_repairable(self) -> bool:
        """Whether the finding earns the one correction round."""
        return self.severity is Severity.REPAIRABLE


def _fatal(code: str, capability: str, message: str) -> FindingCode:
    return FindingCode(code, Severity.FATAL, capability, message)


def _repairable(code: str, capability: str, message: str) -> FindingCode:
    return FindingCode(code, Severity.REPAIRABLE, capability, message)


def _note(code: str, capability: str, message: str, *, lowers: str = "0") -> FindingCode:
    return FindingCode(code, Severity.NOTE, capability, message, Decimal(lowers))


_ROWS: Final = (
    # What the answer is
    _repairable("answer_empty", "C08", "the answer is empty; expected {expected}"),
    _fatal("answer_too_long", "C08", "the answer has {found} characters; at most {expected} are read"),
    _repairable("not_json", "C08", "the answer is not one JSON object: {found}; expected {expected}"),
    _repairable("several_answers", "C08", "the answer holds {found}; expected {expected}"),
    _repairable("duplicate_key", "C08", "{path} is given twice; expected it once"),
    _repairable("not_a_number", "C03", "{path} is {found}; expected {expected}"),
    _note("fenced_answer", "C08", "the JSON stands in a code fence; expected bare JSON"),
    _note("prose_around_json", "C08", "text stands around the JSON: {found}"),
    _note("number_as_text", "C08", "{path} is the text {found}; expected a JSON number"),
    _note("value_as_number", "C08", "{path} is the number {found}; expected text"),
    # Schema
    _repairable("field_missing", "C08", "{path} is missing; expected {expected}"),
    _repairable("field_unknown", "C08", "{path} is not part of the schema; allowed are {expected}"),
    _repairable("wrong_type", "C08", "{path} is {found}; expected {expected}"),
    _repairable("wrong_choice", "C08", "{path} is {found}; allowed are {expected}"),
    _repairable("out_of_range", "C03", "{path} is {found}; expected {expected}"),
    _repairable("wrong_length", "C08", "{path} has the wrong length: {found}; expected {expected}"),
    _repairable(
        "percent_for_fraction", "C03", "{path} is {found}, which reads as percent; expected the fraction {expected}"
    ),
    # Citations
    _repairable("unknown_citation", "C03", "{path} cites {found}, which was not shown; near it: {expected}"),
    _repairable("uncited_decision", "C03", "the proposal to {found} makes no claim; expected {expected}"),
    _repairable("value_mismatch", "C03", "{path} states {found}; the cited fact says {expected}"),
    _repairable("value_wrong_sign", "C03", "{path} states {found}; the cited fact has the other sign: {expected}"),
    _repairable(
        "value_unit_confused",
        "C03",
        "{path} states {found}; percent and fraction are confused, the fact says {expected}",
    ),
    _repairable(
        "value_wrong_magnitude", "C03", "{path} states {found}; a power of ten is wrong, the fact says {expected}"
    ),
    _repairable("value_not_comparable", "C03", "{path} states {found}; the cited fact is {expected}"),
    _repairable(
        "memory_lacks_value", "C03", "{path} states {found}, which the cited memory does not contain: {expected}"
    ),
    _note("stale_fact", "C03", "{path} leans on {found}; expected {expected}", lowers="0.05"),
    _note("repeated_claim", "C03", "{path} repeats {found}", lowers="0.02"),
    # Prose
    _repairable("number_contradicts_fact", "C03", "{path} says {found}; the fact says {expected}"),
    _repairable("claim_contradicts_fact", "C03", "{path} says {found}; the fact says {expected}"),
    _repairable("arithmetic_wrong", "C03", "{path} computes {found}; the result is {expected}"),
    _repairable("conclusion_contradicts_action", "C03", "{path} concludes {found}; the action is {expected}"),
    _note("uncited_number", "C03", "{path} states {found}, which matches no fact; nearest: {expected}", lowers="0.05"),
    _note("repeated_step", "C07", "{path} repeats an earlier step: {found}", lowers="0.05"),
    _note(
        "failures_not_addressed",
        "C03",
        "similar failures were recalled and none is mentioned: {expected}",
        lowers="0.05",
    ),
    # Geometry
    _repairable("size_zero", "C03", "a proposal to {found} needs a size above zero"),
    _repairable("size_above_limit", "C16", "{path} is {found}; the largest trade is {expected}"),
    _repairable("stop_missing", "C03", "a buy needs a stop price"),
    _repairable("target_missing", "C03", "a buy needs a target price"),
    _repairable("stop_wrong_side", "C03", "stop {found} must be below entry {expected} for a long"),
    _repairable("target_wrong_side", "C03", "target {found} must be above entry {expected} for a long"),
    _repairable("stop_too_near", "C16", "the stop is {found} of the entry away; expected at least {expected}"),
    _repairable("stop_too_far", "C16", "the stop is {found} of the entry away; expected at most {expected}"),
    _repairable("reward_risk_too_low", "C03", "reward over risk is {found}; expected at least {expected}"),
    _repairable("price_out_of_range", "C03", "{path} is {found}; expected within {expected}"),
    _repairable("price_wrong_magnitude", "C03", "{path} is {found}, a power of ten away from the price {expected}"),
    _note("levels_ignored", "C03", "{path} is given and has no meaning for a {found}"),
    _note("size_ignored", "C03", "a hold has no size; found {found}"),
    # Common sense
    _repairable(
        "expected_value_negative",
        "C04",
        "at its own win probability the trade loses {found} of its risk; expected {expected}",
    ),
    _note("certainty_claimed", "C04", "{path} is {found}; nothing in a market is certain", lowers="0.10"),
    _repairable("nothing_to_sell", "C03", "there is no position to sell; allowed are {expected}"),
    # The ground it stands on
    _fatal("insufficient_history", "C01", "the snapshot cannot carry a decision: {found}; expected {expected}"),
    _fatal("stale_data", "C03", "the newest price is too old: {found}; expected {expected}"),
    _fatal("stranded", "C01", "the symbol's data has ended: {found}; expected {expected}"),
    _fatal("fact_from_future", "C03", "{path} is known only from {found}, after {expected}"),
    # Injection
    _fatal("echoes_markers", "C03", "the answer repeats a marker of the prompt: {found}"),
    _fatal("echoes_instruction", "C03", "{path} repeats an instruction found in data: {found}"),
    # Between the two
    _repairable("opposes_other_model", "C02", "the other model proposes {expected}; this one {found}"),
)

CODES: Final[Mapping[str, FindingCode]] = MappingProxyType({row.code: row for row in _ROWS})
"""The table by code; the reference in the docs is generated from it."""

CONFIDENCE_KEPT_AT_LEAST: Final = Decimal("0.5")
"""However many notes there are, this share of the stated confidence is kept."""


def finding(code: str, *, path: str, expected: object, found: object) -> Finding:
    """A finding of a known code; `LookupError` for a code that is not in the table."""
    row = CODES[code]
    return Finding(code=code, severity=row.severity, path=path, expected=_shown(expected), found=_shown(found))


def sentence(found: Finding) -> str:
    """The finding as one sentence for a person and for the correction round."""
    return CODES[found.code].message.format(path=found.path or "the answer", expected=found.expected, found=found.found)


def _shown(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."
