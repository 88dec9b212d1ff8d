"""Reviews leave experiences and lessons once; later decisions are offered them by id, and no earlier one is."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

from store_rows import NOON, REALM, a_head

from activities.reports.source import StoreSource
from activities.store.memory_list import memory_item, memory_list
from activities.store.open import Store
from trading.decision.models import MemoryItem
from trading.ids import canonical_json
from trading.policy.model import Policy
from trading.review.baseline import PriceRun
from trading.review.day import DayReview, review_the_day
from trading.review.period import Period, ReportKind, period_of

D = Decimal
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
ACCOUNTS = ("main", "other")


def day_of(at: datetime) -> Period:
    return period_of(ReportKind.DAILY, at.date())


async def opened(store: Store) -> None:
    for account in ACCOUNTS:
        await store.open_account(
            REALM,
            venue="simulated",
            ledger="main",
            account=account,
            opening=[("USDT", D(10_000))],
            as_of=NOON - 3 * DAY,
        )


async def closed(store: Store, number: int, at: datetime, *, pnl: int = 10, account: str = "main") -> None:
    await store.record_outcome(
        REALM,
        account,
        "BTC/USDT",
        f"d{number}",
        pnl_usd=D(pnl),
        return_fraction=D(pnl) / 1000,
        exit_reason="target",
        closed_at=at,
    )


async def judged(store: Store, at: datetime) -> DayReview:
    records = await StoreSource(store).day_records(REALM, ACCOUNTS, day_of(at))
    return review_the_day(records, day_of(at), Policy(), playbook_version="v1")


async def reviewed(store: Store, at: datetime) -> DayReview:
    return (await store.keep_day_review(REALM, await judged(store, at))).review


async def recalled(store: Store, at: datetime, **changed: object) -> list[MemoryItem]:
    head = a_head(as_of=at, accounts=("main", "other"), **changed)
    recall_hash, _ = await store.recall(head)
    return [item for item in (await store.load_recall(recall_hash)).items if item.kind == "lesson"]


async def test_two_reviews_of_a_day_keep_the_first_and_its_memory_once(store: Store) -> None:
    await opened(store)
    await closed(store, 1, NOON)
    first = await judged(store, NOON)
    await closed(store, 2, NOON + HOUR, pnl=-4)
    second = await judged(store, NOON)
    assert first != second
    kept = await asyncio.gather(store.keep_day_review(REALM, first), store.keep_day_review(REALM, second))
    assert kept[0].content_hash == kept[1].content_hash
    assert sorted(each.was_kept_before for each in kept) == [False, True]
    found = await store.find_day_review(REALM, day_of(NOON).name)
    assert found is not None
    assert found.review == kept[0].review
    rows = await memory_list(store, REALM)
    told = sum(len(each.experiences) + len(each.learned) for each in found.review.accounts)
    assert len(rows) == len({row["id"] for row in rows}) == told
    assert await store.find_day_review("paper", day_of(NOON).name) is None


async def test_a_decision_is_offered_what_was_learned_before_it_and_nothing_later(store: Store) -> None:
    await opened(store)
    midnight = day_of(NOON).end
    await closed(store, 1, NOON)
    review = await reviewed(store, NOON)
    await closed(store, 2, midnight + HOUR)
    await reviewed(store, midnight + HOUR)
    assert await recalled(store, NOON) == []
    assert await recalled(store, midnight) == [], "strictly before the decision"
    lesson, experience = await recalled(store, midnight + HOUR)
    assert lesson.text.startswith("In a unknown market, buy BTC/USDT: pnl 10.00 USD (1 sample, confidence 50%)")
    assert experience.text.startswith(review.accounts[0].lessons[0])
    assert {lesson.as_of, experience.as_of} == {midnight}
    later = await recalled(store, midnight + 2 * DAY)
    assert "(2 samples, confidence 60%" in later[0].text
    assert [item.as_of for item in later] == [midnight + DAY] * 2, "the newest of each lesson, the newest day"
    assert len(await recalled(store, midnight + HOUR, symbol="ETH/USDT")) == 0, "what BTC taught is BTC's"


async def test_memory_is_found_by_the_id_that_a_decision_quotes(store: Store) -> None:
    await opened(store)
    await closed(store, 1, NOON)
    await reviewed(store, NOON)
    lesson, experience = await recalled(store, NOON + DAY)
    whole = await memory_item(store, REALM, lesson.id)
    assert whole is not None
    assert (whole["memory"], whole["text"], whole["evidence"]) == ("lesson", lesson.text, ["d1"])
    assert (whole["sample_count"], whole["validated"]) == (1, False)
    told = await memory_item(store, REALM, experience.id.removeprefix("les:"))
    assert told is not None
    assert (told["memory"], told["is_lesson_of_the_day"], told["evidence"]) == ("experience", True, ["d1"])
    assert await memory_item(store, REALM, "L00000000000") is None
    assert {row["account"] for row in await memory_list(store, REALM, account="main")} == {"main"}
    assert [row["memory"] for row in await memory_list(store, REALM, symbol="BTC/USDT", limit=1)] == ["experience"]


async def test_a_day_that_nobody_reviewed_is_learned_from_by_the_next(store: Store) -> None:
    await opened(store)
    await closed(store, 1, NOON - 2 * DAY)
    await reviewed(store, NOON - 2 * DAY)
    await closed(store, 2, NOON - DAY)
    await closed(store, 3, NOON)
    (lesson,) = (await reviewed(store, NOON)).accounts[0].learned
    assert (lesson.sample_count, lesson.validation_trades) == (3, 2)
    late = await store.keep_day_review(REALM, await judged(store, NOON - DAY))
    assert not late.is_newest
    assert [lesson.sample_count for lesson in late.review.accounts[0].learned] == [2], "as it stood then"


async def test_accounts_learn_apart(store: Store) -> None:
    await opened(store)
    await closed(store, 1, NOON)
    await closed(store, 1, NOON, pnl=-3, account="other")
    review = await reviewed(store, NOON)
    assert [[lesson.kind for lesson in each.learned] for each in review.accounts] == [["success"], ["failure"]]
    assert "pnl 10.00" in (await recalled(store, NOON + DAY))[0].text, "the lead account's"


async def test_prices_are_asked_for_where_a_day_traded_or_a_report_ends_and_only_once(store: Store) -> None:
    await opened(store)
    symbols = ("BTC/USDT", "ETH/USDT")
    thursday = day_of(NOON)
    assert thursday.last_day.isoweekday() == 4
    assert await store.missing_prices(REALM, thursday, symbols=symbols) == ()
    sunday = day_of(NOON + 3 * DAY)
    wished = await store.missing_prices(REALM, sunday, symbols=symbols)
    assert [(wish.symbol, wish.since) for wish in wished] == [(symbol, NOON - 3 * DAY) for symbol in symbols]
    await closed(store, 1, NOON)
    assert await store.missing_prices(REALM, thursday, symbols=()) == (), "nothing was ever held"
    assert len(await store.missing_prices(REALM, thursday, symbols=symbols)) == 2
    run = PriceRun(symbol="BTC/USDT", first_at=thursday.start, step_s=3600, closes=tuple(map(D, range(1, 26))))
    name = await store.put(canonical_json((run,)), media_type="application/json")
    for _ in range(2):
        await store.keep_prices(REALM, thursday.name, as_of=thursday.end, prices_hash=name)
    assert await store.prices(REALM, since=thursday.start, until=thursday.end) == (run,)
    assert await store.prices(REALM, since=thursday.end, until=thursday.end + DAY) == ()
    wished = await store.missing_prices(REALM, sunday, symbols=symbols)
    assert [wish.since for wish in wished] == [thursday.end, NOON - 3 * DAY]
