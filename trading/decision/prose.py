"""Numbers and conclusions in a model's sentences: each number is a fact, a level, a limit or a flag (C03, C07)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal

from trading.decision.codes import finding
from trading.decision.geometry import smallest_stop_fraction
from trading.decision.ground import Ground
from trading.decision.models import Action, Finding, Proposal
from trading.decision.quantities import Quantity, difference, is_near, quantities
from trading.facts.models import Fact
from trading.money import ONE, ZERO, plain

_DATES = re.compile(r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?Z?)?\b|\b\d{1,2}:\d{2}\b")
_PARAMETERS = re.compile(
    r"\b(?:RSI|ADX|ATR|EMA|SMA|MACD|BB|Bollinger)\s?\((?:\d+(?:,\s?)?)+(?:\.\d+)?\)", re.IGNORECASE
)
_SPANS = re.compile(
    r"\b\d+[- ]?(?:h|hours?|days?|d|minutes?|min|m|weeks?|bars?|candles?|steps?|x|times)\b", re.IGNORECASE
)
_THRESHOLD = re.compile(
    r"\b(?:above|below|over|under|than|least|most|beyond|near|towards?|(?:threshold|mark|level|line)(?: of| at)?)"
    r"\s+[-+$€]?$",
    re.IGNORECASE,
)
_LINK = r"\s*(?:\(\d+\)|@\w+)?\s*(?:is|at|of|reads|stands at|equals|near|=|:)?\s*(?:about |around |~)?"
_ASSERTS = re.compile(r"\b(?:is|at|reads|equals)\b|[=:]", re.IGNORECASE)
_MARK_STEP = 5
_FAMILIES = {"rsi": "rsi_", "adx": "adx_"}
_EQUATION = re.compile(
    r"(?P<a>-?\d+(?:\.\d+)?)\s*(?P<op>[+\-\u2212*/\u00d7\u00f7])\s*(?P<b>\d+(?:\.\d+)?)\s*=\s*(?P<c>-?\d+(?:\.\d+)?)"
)
_REWARD_RISK = re.compile(
    r"(?:reward[ /:-]*(?:to[ -])?risk|risk[ /:-]*(?:to[ -])?reward)(?: ratio)?(?: is| of| =|:)?\s*"
    r"(?:about |around |~)?(?P<value>\d+(?:\.\d+)?)(?!\s*:\s*\d|%)",
    re.IGNORECASE,
)
_ACTION_WORDS = {
    Action.BUY: re.compile(r"\b(?:buy|go long|open a long|enter long)\b", re.IGNORECASE),
    Action.SELL: re.compile(r"\b(?:sell|exit the position|close the position|take profit now)\b", re.IGNORECASE),
    Action.HOLD: re.compile(r"\b(?:hold|stay out|do nothing|no trade|wait)\b", re.IGNORECASE),
}
_DENIAL = re.compile(
    r"\b(?:not|no|n't|never|rather than|instead of|neither|nor|avoid|against|too early to)\b[^.;]*$", re.IGNORECASE
)
_SMALL = 10
_HUNDRED = Decimal(100)


def check_prose(proposal: Proposal, ground: Ground) -> Iterator[Finding]:
    """Findings on sentences: contradicted facts, wrong arithmetic, conclusions against the action, uncited numbers."""
    known = _known_numbers(proposal, ground)
    uncited: list[Finding] = []
    for path, text in _sentences(proposal):
        contradictions = list(_contradictions(path, text, ground))
        yield from contradictions
        yield from _arithmetic(path, text, proposal, ground)
        named = {found.found for found in contradictions}
        uncited.extend(found for found in _uncited(path, text, known, ground) if found.found not in named)
    if len(uncited) > ground.policy.max_uncited_numbers:
        yield from uncited
    yield from _conclusion(proposal)
    yield from _repeats(proposal)


def _sentences(proposal: Proposal) -> Iterator[tuple[str, str]]:
    for at, step in enumerate(proposal.steps):
        yield f"steps.{at}.conclusion", step.conclusion
    for at, claim in enumerate(proposal.claims):
        yield f"claims.{at}.statement", claim.statement


def _known_numbers(proposal: Proposal, ground: Ground) -> tuple[tuple[str, Decimal], ...]:
    """Every number that a sentence may state: facts, the proposal's own, what follows, and the limits shown."""
    policy = ground.policy
    own = [
        (name, value)
        for name in ("size_fraction", "entry_price", "stop_price", "target_price", "confidence", "win_probability")
        if (value := getattr(proposal, name)) is not None
    ]
    own.append(("horizon_hours", Decimal(proposal.horizon_hours)))
    own += _derived(proposal, ground.snapshot.last_price)
    limits = [
        ("min_reward_risk", policy.min_reward_risk),
        ("max_trade_fraction", policy.max_trade_fraction),
        ("stop_max_fraction", policy.stop_max_fraction),
        ("smallest_stop_fraction", smallest_stop_fraction(ground)),
        ("price_tolerance_fraction", policy.price_tolerance_fraction),
        ("low_certainty_below", policy.low_certainty_below),
    ]
    return (*own, *ground.numbers, *limits, *ground.remembered)


def _derived(proposal: Proposal, price: Decimal) -> list[tuple[str, Decimal]]:
    entry = proposal.entry_price or price
    stop, target = proposal.stop_price, proposal.target_price
    derived: list[tuple[str, Decimal]] = []
    if stop is not None and stop != entry:
        derived += [("stop distance", abs(entry - stop) / entry), ("stop distance in price", abs(entry - stop))]
    if target is not None and target != entry:
        derived += [("target distance", abs(target - entry) / entry), ("target distance in price", abs(target - entry))]
    if stop is not None and target is not None and stop != entry:
        derived.append(("reward over risk", (target - entry) / (entry - stop)))
    return derived


def _uncited(path: str, text: str, known: tuple[tuple[str, Decimal], ...], ground: Ground) -> Iterator[Finding]:
    masked = _masked(text, ground)
    for stated in quantities(masked):
        if _is_plain_count(stated) or _is_round_threshold(stated, masked):
            continue
        if not any(_states(stated, value, ground) for _, value in known):
            near = min(known, key=lambda item: abs(item[1] - stated.value), default=None)
            expected = "a fact" if near is None else f"{near[0]} = {plain(near[1])}"
            yield finding("uncited_number", path=path, expected=expected, found=stated.text)


def _masked(text: str, ground: Ground) -> str:
    """`text` with ids, dates, spans and indicator parameters blanked out: their digits state nothing."""
    for at, shown_id in ground.ids_in(text):
        text = text[:at] + " " * len(shown_id) + text[at + len(shown_id) :]
    for pattern in (_DATES, _PARAMETERS, _SPANS):
        text = pattern.sub(lambda match: " " * len(match.group()), text)
    return text


def _is_plain_count(stated: Quantity) -> bool:
    return stated.is_integer and abs(stated.value) <= _SMALL


def _is_round_threshold(stated: Quantity, text: str) -> bool:
    """`below 30`: a whole number up to 100 after a comparing word is a mark on an indicator's scale, not a reading."""
    return stated.is_integer and abs(stated.value) <= _HUNDRED and bool(_THRESHOLD.search(text[: stated.start]))


def _states(stated: Quantity, value: Decimal, ground: Ground) -> bool:
    """Whether prose that says `stated` may mean `value`: a loss of 2 % may be written without its sign."""
    tolerance = ground.policy.value_tolerance_fraction
    if is_near(stated, value, tolerance=tolerance) or is_near(stated, -value, tolerance=tolerance):
        return True
    return stated.is_percent and difference(stated, value, tolerance=tolerance, unit="index") == "equal"


def _contradictions(path: str, text: str, ground: Ground) -> Iterator[Finding]:
    """A fact named with a number right behind it that is not its value.

    An indicator's bare name may mean any of its timeframes or a recalled case, and `RSI 30` may be a mark on its scale.
    """
    for cited in dict.fromkeys(shown_id for _, shown_id in ground.ids_in(text)):
        fact = ground.facts.get(cited)
        if fact is not None and isinstance(fact.value, Decimal):
            for stated, _ in _stated_after(re.escape(cited) + r"(?!\w)", text):
                yield from _unless_stated(stated, (fact,), path, ground)
    for word, prefix in _FAMILIES.items():
        family = ground.family(prefix) if word in text.casefold() else ()
        for stated, link in _stated_after(rf"(?<!\w){word}(?!\w)", text) if family else ():
            is_mark = stated.is_integer and stated.value % _MARK_STEP == 0 and not _ASSERTS.search(link)
            if not is_mark and not any(value == stated.value for _, value in ground.remembered):
                yield from _unless_stated(stated, family, path, ground)


def _stated_after(name: str, text: str) -> Iterator[tuple[Quantity, str]]:
    """Each number right behind `name`, and the words between."""
    for match in re.finditer(name + _LINK + r"(?=[-+$€]?\d)", text, re.IGNORECASE):
        stated = next((q for q in quantities(text) if q.start >= match.end()), None)
        if stated is not None and stated.start <= match.end() + 1:
            yield stated, match.group()


def _unless_stated(stated: Quantity, facts: tuple[Fact, ...], path: str, ground: Ground) -> Iterator[Finding]:
    tolerance = ground.policy.value_tolerance_fraction
    values = [(fact, fact.value) for fact in facts if isinstance(fact.value, Decimal)]
    if not any(difference(stated, value, tolerance=tolerance, unit=fact.unit) == "equal" for fact, value in values):
        shown = ", ".join(f"{fact.id} = {plain(value)}" for fact, value in values)
        yield finding("number_contradicts_fact", path=path, expected=shown, found=stated.text)


def _arithmetic(path: str, text: str, proposal: Proposal, ground: Ground) -> Iterator[Finding]:
    for match in _EQUATION.finditer(text):
        result = _computed(Decimal(match["a"]), match["op"], Decimal(match["b"]))
        stated = next(iter(quantities(match["c"])), None)
        if result is not None and stated is not None and not _rounds_to(stated, result, ground):
            yield finding(
                "arithmetic_wrong",
                path=path,
                expected=plain(result.quantize(Decimal("1e-8"), rounding=ROUND_HALF_EVEN)),
                found=match.group(),
            )
    actual = dict(_derived(proposal, ground.snapshot.last_price)).get("reward over risk")
    if proposal.action is not Action.BUY or actual is None or actual <= 0:
        return
    for match in _REWARD_RISK.finditer(text):
        stated = next(iter(quantities(match["value"])), None)
        limit = stated is not None and is_near(stated, ground.policy.min_reward_risk, tolerance=ZERO)
        if stated is not None and not limit and not _rounds_to(stated, actual, ground):
            yield finding(
                "arithmetic_wrong",
                path=path,
                expected=plain(actual.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)),
                found=match.group(),
            )


def _computed(a: Decimal, op: str, b: Decimal) -> Decimal | None:
    if op == "+":
        return a + b
    if op in "-\u2212":
        return a - b
    if op in "*\u00d7":
        return a * b
    return a / b if b else None


def _rounds_to(stated: Quantity, actual: Decimal, ground: Ground) -> bool:
    """A result may be rounded to any digit it shows, and to a tenth."""
    slack = max(abs(actual) * ground.policy.value_tolerance_fraction, min(stated.step, ONE) / 2)
    return abs(stated.value - actual) <= slack


def _conclusion(proposal: Proposal) -> Iterator[Finding]:
    """The last step names one action, plainly and without denying it, and it is not the proposal's."""
    text = proposal.steps[-1].conclusion
    named = {
        action
        for action, words in _ACTION_WORDS.items()
        if any(not _DENIAL.search(text[: match.start()]) for match in words.finditer(text))
    }
    if len(named) == 1 and proposal.action not in named:
        path = f"steps.{len(proposal.steps) - 1}.conclusion"
        yield finding("conclusion_contradicts_action", path=path, expected=proposal.action, found=next(iter(named)))


def _repeats(proposal: Proposal) -> Iterator[Finding]:
    seen: set[str] = set()
    for at, step in enumerate(proposal.steps):
        key = " ".join(step.conclusion.casefold().split())
        if key in seen:
            yield finding(
                "repeated_step", path=f"steps.{at}.conclusion", expected="a new conclusion", found=step.conclusion
            )
        seen.add(key)
