"""The sections about what a period taught: lessons, biases, calibration, principles, changes, progress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trading.reports.models import Block, Items, Section, Text
from trading.reports.sections import table
from trading.reports.wording import number, percent, words, yes_no
from trading.review.calibration import Calibration
from trading.review.day import DayReview
from trading.review.proposals import ReflectionProposal
from trading.review.review import PeriodReview


def lessons(review: PeriodReview) -> Section:
    """The three lessons, and the experiences that they were chosen from (X34)."""
    rows = [
        (each.kind, each.title, each.text, ", ".join(each.evidence[:3]) + (" ..." if len(each.evidence) > 3 else ""))
        for each in review.experiences
    ]
    chosen = tuple(f"{each.title}: {each.text}" for each in review.lessons)
    blocks: list[Block] = [Items(items=chosen) if chosen else Text(text="Nothing happened to learn from.")]
    if rows:
        blocks.append(table(("knowledge", "experience", "what happened", "evidence"), rows))
    return Section(heading="Lessons", blocks=tuple(blocks))


def lesson_book(review: PeriodReview, *, shown: int = 20) -> Section:
    """What all trades up to now have taught, the surest first."""
    ranked = sorted(review.book, key=lambda lesson: (-lesson.confidence, -lesson.sample_count, lesson.title))[:shown]
    rows = [
        (
            lesson.title,
            lesson.description,
            str(lesson.sample_count),
            percent(lesson.confidence, places=0),
            percent(lesson.success_rate, places=0),
            yes_no(lesson.validated),
        )
        for lesson in ranked
    ]
    titles = ("lesson", "newest", "#samples", "#confidence", "#came true", "validated")
    return Section(heading="Lesson book", blocks=(table(titles, rows, empty="No lesson yet."),))


def biases(review: PeriodReview) -> Section:
    """The five checks with what they measured (C49)."""
    rows = [
        (
            words(each.name),
            "not judged" if each.found is None else "found" if each.found else "not found",
            number(each.measured),
            number(each.threshold),
            str(each.sample),
            each.sentence,
        )
        for each in review.biases
    ]
    return Section(
        heading="Biases", blocks=(table(("bias", "verdict", "#measured", "#limit", "#sample", "what was seen"), rows),)
    )


def calibration(seen: Calibration, *, heading: str = "Calibration") -> Section:
    """Brier score and reliability bins (C12)."""
    if not seen.forecasts:
        return Section(heading=heading, blocks=(Text(text="No forecast has come out yet."),))
    said = (
        f"{seen.forecasts} forecasts: Brier score {number(seen.brier, places=4)}, calibration error "
        f"{number(seen.error, places=4)}, stated less observed {percent(seen.bias, places=1, signed=True)}, "
        f"accuracy {percent(seen.accuracy, places=1)}."
    )
    rows = [
        (
            f"{percent(each.low, places=0)} to {percent(each.high, places=0)}",
            str(each.forecasts),
            percent(each.mean_probability, places=1),
            percent(each.observed_rate, places=1),
        )
        for each in seen.bins
    ]
    return Section(
        heading=heading, blocks=(Text(text=said), table(("stated", "#forecasts", "#mean stated", "#came true"), rows))
    )


def changes(review: PeriodReview) -> Section:
    """What changes from here on: by itself where it tightens, by a person where it loosens (S2-247, X52)."""
    made = review.changes
    rows = [("applies by itself", c.field, c.old, c.new, c.reason) for c in made.applied]
    rows += [
        (f"waits for a person ({p.id})", p.change.field, p.change.old, p.change.new, p.change.reason)
        for p in made.proposals
    ]
    blocks: list[Block] = [
        table(("how", "threshold", "#now", "#then", "because"), rows, empty="Nothing asks for a change.")
    ]
    if made.checkpoints:
        blocks.append(Text(text="Questions to ask of each decision from here on:"))
        blocks.append(Items(items=tuple(f"{each.question} ({each.because})" for each in made.checkpoints)))
    if made.left_out:
        blocks.append(Items(items=tuple(f"left out: {each}" for each in made.left_out)))
    return Section(heading="Changes", blocks=tuple(blocks))


def reviewed_changes(kept: DayReview, *, into: str | None) -> Section:
    """What the day's review found and did for all accounts, as it was kept; nothing is judged anew (S2-247, X52)."""
    if into is not None:
        said = f"The day's review, made under playbook {kept.playbook_version}, activated playbook {into}."
    elif kept.applied:
        said = f"The day's review, made under playbook {kept.playbook_version}, activated nothing: see below."
    else:
        said = f"The day's review, made under playbook {kept.playbook_version}, asked for no tighter limit."
    how = "wanted, not applied" if into is None else "applied by itself"
    rows = [(how, c.field, c.old, c.new, c.reason) for c in kept.applied]
    rows += [
        ("left to people's reflection", p.change.field, p.change.old, p.change.new, p.change.reason)
        for p in kept.proposals
    ]
    blocks: list[Block] = [Text(text=said)]
    if rows:
        blocks.append(table(("how", "threshold", "#before", "#then", "because"), rows))
    if kept.applied and into is None:
        reason = "A later day had been reviewed before, or the limits in force were as tight already."
        blocks.append(Text(text=reason))
    if kept.checkpoints:
        blocks.append(Text(text="Questions to ask of each decision from here on:"))
        blocks.append(Items(items=tuple(f"{each.question} ({each.because})" for each in kept.checkpoints)))
    if kept.left_out:
        blocks.append(Items(items=tuple(f"left out: {each}" for each in kept.left_out)))
    return Section(heading="Changes", blocks=tuple(blocks))


def proposals(asked: Sequence[ReflectionProposal], *, answers: Mapping[str, str]) -> Section:
    """What all accounts together ask of people; nothing of it is applied before somebody says so (X52)."""
    rows = [
        (each.id, answers.get(each.id, "open"), each.kind, each.sentence, each.reason, ", ".join(each.evidence[:5]))
        for each in asked
    ]
    titles = ("proposal", "state", "kind", "what", "because", "evidence")
    return Section(heading="Proposals to people", blocks=(table(titles, rows, empty="Nothing is asked."),))


def principles(review: PeriodReview) -> Section:
    """Principles proposed from lessons, each with its evidence (S2-88)."""
    rows = [
        (each.text, str(each.samples), percent(each.success_rate, places=0), ", ".join(each.evidence[:5]))
        for each in review.principles
    ]
    titles = ("proposed principle", "#trades", "#came true", "evidence")
    return Section(
        heading="Principles", blocks=(table(titles, rows, empty="No lesson has enough evidence for a principle."),)
    )


def metrics(review: PeriodReview) -> Section:
    """Progress against the targets; they are reported, never asserted (C57)."""
    rows = [(each.name, number(each.value, places=4), each.target, yes_no(each.reached)) for each in review.metrics]
    slope = (
        "Learning curve: fewer than three weeks with trades, no slope."
        if review.learning_slope is None
        else f"Learning curve: the win rate changes by {percent(review.learning_slope, signed=True)} a week."
    )
    return Section(
        heading="Evolution", blocks=(table(("measure", "#value", "target", "reached"), rows), Text(text=slope))
    )
