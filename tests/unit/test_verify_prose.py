"""Sentences as models write them: what is true passes without a flag, what is false does not."""

from __future__ import annotations

import pytest
from decision_builders import proposal, verified

TRUE = [
    "RSI(14) on the 1h chart is 34.3, close to the oversold mark of 30 but still above 30.",
    "RSI 34 on 1h and RSI 51.8 on 4h disagree.",
    "The 24h change of -2.1% is a normal pullback, not a crash.",
    "Price fell by 2.13% over the last 24 hours to $9,000.",
    "ADX at 27.9 is above 25, so the trend has strength.",
    "ADX is 28, above 25.",
    "Price (9000) sits near the lower band at 8,985.1.",
    "EMA(12) at 9105.5 is above EMA(26) at 9020.25 on the 4-hour chart.",
    "macd_histogram@1h = -12.4, momentum is still negative.",
    "macd_histogram@1h is -12.4; rsi_14@1h is 34.27; adx_14@4h reads 27.9.",
    "ATR is 63, that is 0.7% of the price, so a stop 1.33% below the entry is about two ATR away.",
    "Risk is 8990 - 8870 = 120 and reward is 9230 - 8990 = 240, a reward to risk ratio of 2.",
    "The reward/risk of 2.0 is above the required 1.2.",
    "With a win probability of 48% and a ratio of 2 the expected value is positive.",
    "I am 64% confident; below 60% this would be low certainty.",
    "Last time, on 2020-02-26 at 14:00, a similar dip earned 2.4% (m-similar-1).",
    "The lesson m-lesson-1 says 64% of 25 cases recovered.",
    "Three of 4 conditions hold; 2 do not.",
    "Size is 3% of equity, under the limit of 5%.",
    "Support at 8950 held, the range of the last 20 candles is intact.",
    "The stop at 8870 lies 120 below the entry, within 5%.",
    "P04 asks for caution without a similar success.",
    "If RSI drops below 30, the idea is stronger.",
]

FALSE = [
    ("RSI is 28.4 and oversold.", "number_contradicts_fact"),
    ("rsi_14@1h reads 43.27, which is weak.", "number_contradicts_fact"),
    ("macd_histogram@1h is 12.4, momentum turned up.", "number_contradicts_fact"),
    ("change_24h is 2.13%, a rise.", "number_contradicts_fact"),
    ("ADX at 45.0 shows a very strong trend.", "number_contradicts_fact"),
    ("Risk is 8990 - 8870 = 102 per unit.", "arithmetic_wrong"),
    ("The reward/risk is 4.", "arithmetic_wrong"),
    ("Support at 8650 held twice.", "uncited_number"),
    ("Open interest rose by 17%.", "uncited_number"),
    ("The 200-period average is at 8412.", "uncited_number"),
    ("Price fell by 3.4% today.", "uncited_number"),
]


def codes(sentence: str) -> set[str]:
    steps = [dict(step) for step in proposal()["steps"]]
    steps[1]["conclusion"] = sentence
    return {found.code for found in verified(proposal(steps=steps))[1]}


@pytest.mark.parametrize("sentence", TRUE)
def test_a_true_sentence_passes_without_a_flag(sentence: str) -> None:
    assert codes(sentence) == set()


@pytest.mark.parametrize(("sentence", "code"), FALSE)
def test_a_false_sentence_is_found(sentence: str, code: str) -> None:
    assert code in codes(sentence)


CLAIMS = [
    ("RSI at 34.27 is below 40", ["rsi_14@1h"], "34.27", None),
    ("RSI is not above 70", ["rsi_14@1h"], "34.3", None),
    ("price is over 8,950", ["last_price"], "$9,000", None),
    ("price was above 9,200 before", ["last_price"], "9000 USD", None),
    ("the day's change", ["change_24h"], "-2.1%", None),
    ("the day's change", ["change_24h"], "-2.13 percent", None),
    ("the day's change", ["change_24h"], "−2.13%", None),
    ("the trend on 4h", ["ema_trend@4h"], "Up", None),
    ("RSI on two timeframes", ["rsi_14@1h", "rsi_14@4h"], "51.8", None),
    ("a case and a reading", ["m-similar-1", "rsi_14@1h"], "33.1", None),
    ("a principle", ["P04"], None, None),
    ("RSI is below 30", ["rsi_14@1h"], "34.27", "claim_contradicts_fact"),
    ("price exceeds 9100", ["last_price"], "9000", "claim_contradicts_fact"),
    ("the day's change is less than -5%", ["change_24h"], "-2.13%", "claim_contradicts_fact"),
    ("the day's change", ["change_24h"], "2.13%", "value_wrong_sign"),
    ("RSI, rounded the wrong way", ["rsi_14@1h"], "35", "value_mismatch"),
    ("price in thousands", ["last_price"], "9.1k", "value_mismatch"),
    ("a hedge", ["rsi_14@1h"], "34 or 43", "value_not_comparable"),
]


@pytest.mark.parametrize(("statement", "cites", "value", "code"), CLAIMS)
def test_claims_are_held_against_what_they_cite(
    statement: str, cites: list[str], value: str | None, code: str | None
) -> None:
    claims = [{"statement": statement, "cites": cites, "value": value}]
    found = {item.code for item in verified(proposal(claims=claims))[1]} - {"uncited_number"}
    assert found == ({code} if code else set())
