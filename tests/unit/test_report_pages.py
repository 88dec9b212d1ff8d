"""Reports: their structure, their Markdown to the letter, and a page that no text can break out of."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from review_builders import DAY, D, a_trade, an_account, some_records

from activities.reports.charts import best_drawing, matplotlib_drawing
from activities.reports.drawing import plain_drawing
from activities.reports.rendering import TemplateRenderer
from trading.policy.model import Policy
from trading.reports.build import ReportExtras, StrategyRow, build_report
from trading.reports.figures import PoolPoint, equity_figure
from trading.reports.models import Column, Figure, Report, Section, Table, Text
from trading.reports.wording import moment, number, percent, price, usd
from trading.review.knowledge import model_knows_period
from trading.review.period import ReportKind, period_of
from trading.review.review import ModelUse, PeriodRecords, review_period

GOLDEN = Path(__file__).parent / "golden" / "daily-report.md"
SCRIPT = "<script>alert('x')</script> | `a` [b](javascript:c) <img src=x onerror=y>"

_TWO = (Column(title="a"), Column(title="b"))

drawings = pytest.mark.parametrize("draw", [plain_drawing, matplotlib_drawing])


def a_report(kind: ReportKind = ReportKind.DAILY, extras: ReportExtras | None = None, **changes: object) -> Report:
    records = some_records(**changes)
    review = review_period(records, period_of(kind, DAY.date()), Policy())
    return build_report(review, records, extras=extras)


def headings(report: Report) -> list[str]:
    return [section.heading for section in report.sections]


def test_the_markdown_of_a_small_day_is_the_golden_one() -> None:
    made = TemplateRenderer().markdown(a_report())
    assert made == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", list(ReportKind))
def test_every_kind_has_its_sections(kind: ReportKind) -> None:
    found = set(headings(a_report(kind)))
    assert {"Overview", "Curves", "Key findings", "Accounts", "Biases", "Changes", "Decisions", "Execution"} <= found
    assert ("Closed trades" in found) is (kind is ReportKind.DAILY)
    assert ("Lessons" in found) is (kind is ReportKind.DAILY)
    assert ("Best and worst five" in found) is (kind is not ReportKind.DAILY)
    assert ("Principles" in found) is (kind is not ReportKind.DAILY)
    assert ("Playbooks" in found) is (kind is ReportKind.QUARTERLY)


@pytest.mark.parametrize("kind", list(ReportKind))
def test_the_same_report_gives_the_same_bytes(kind: ReportKind) -> None:
    first, second = TemplateRenderer(), TemplateRenderer()
    assert first.html(a_report(kind)) == second.html(a_report(kind))
    assert first.markdown(a_report(kind)) == second.markdown(a_report(kind))


def test_matplotlib_draws_the_same_figure_to_the_same_bytes() -> None:
    figure = equity_figure([an_account("a", 100, 101), an_account("b", 99, 98)])
    drawn = matplotlib_drawing(figure)
    assert drawn == matplotlib_drawing(figure)
    assert "<dc:date" not in drawn, "no date of its making"


class Page(HTMLParser):
    """What a browser would take as elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href"}]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


@drawings
def test_no_text_becomes_markup(draw: Callable[[Figure], str]) -> None:
    hostile = a_report(
        account=SCRIPT, playbook_versions=(SCRIPT,), models=(ModelUse(name=SCRIPT, is_rule_based=False),),
        accounts=(an_account(SCRIPT, 100, 90, 95), an_account("b", 100, 101, 102)),
        trades=(a_trade(1, symbol=SCRIPT, exit_reason=SCRIPT, account=SCRIPT),),
        extras=ReportExtras(remarks=(SCRIPT,), strategies=(StrategyRow(name=SCRIPT, state=SCRIPT, note=SCRIPT),)),
    )  # fmt: skip
    renderer = TemplateRenderer(draw)
    page = Page(renderer.html(hostile))
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert page.handlers == []
    assert all(link.startswith("#") for link in page.links), "the page needs nothing else"
    markdown = renderer.markdown(hostile)
    assert "<script" not in markdown
    assert "<img" not in markdown
    assert re.search(r"(?<!\\)\]\(", markdown) is None, "no link"


_SMALL, _RENDERER = a_report(), TemplateRenderer()


@given(st.text(max_size=80))
def test_a_cell_of_any_text_stays_one_cell(text: str) -> None:
    report = _SMALL.model_copy(
        update={
            "sections": (
                Section(heading="x", blocks=(Table(columns=_TWO, rows=((text, "z"),)),)),
            )
        }
    )  # fmt: skip
    lines = _RENDERER.markdown(report).rstrip("\n").split("\n")
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", lines[-1])) == 3
    assert "<" not in lines[-1]


def test_the_page_needs_nothing_else() -> None:
    made = TemplateRenderer(best_drawing()).html(a_report())
    assert "default-src 'none'" in made
    assert made.count("<svg") == 3  # equity, drawdown, calibration
    assert "http://" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", made)
    assert "@import" not in made


def test_matplotlib_is_used_where_it_is_installed() -> None:
    assert best_drawing() is matplotlib_drawing


@drawings
def test_a_flat_line_and_an_empty_series_can_be_drawn(draw: Callable[[Figure], str]) -> None:
    flat = equity_figure([an_account("a", 100, 100), an_account("b")])
    assert draw(flat).startswith("<svg")
    none = Figure(name="none", title="none", y_unit="USD", series=())
    assert draw(none).rstrip().endswith("</svg>")


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    figure = equity_figure([an_account("a", *range(1000, 4000))])
    points = figure.series[0].points
    assert (len(points), points[0].y, points[-1].y) == (500, 1000, 3999)


def test_the_pool_is_drawn_where_it_is_given() -> None:
    pool = tuple(PoolPoint(at=DAY + timedelta(days=7 * n), active=10 + n, culled=n) for n in range(3))
    extras = ReportExtras(pool=pool, strategies=(StrategyRow(name="breakout", state="active", score=D(71)),))
    report = a_report(ReportKind.WEEKLY, extras)
    section = next(each for each in report.sections if each.heading == "Strategies")
    assert [block.kind for block in section.blocks] == ["table", "text", "figure"]
    assert "breakout" in TemplateRenderer().html(report)


def test_a_report_of_an_unfinished_day_says_so() -> None:
    report = a_report(last_record_at=DAY + timedelta(hours=6))
    assert not report.is_complete
    assert report.as_of == DAY + timedelta(hours=6)
    assert "The records end at 2024-01-24 06:00Z" in TemplateRenderer().markdown(report)
    assert a_report().is_complete


LLM = ModelUse(name="deepseek-chat", is_rule_based=False)


@pytest.mark.parametrize(
    ("model", "realm", "knows"),
    [
        (ModelUse(name="rules-momentum", is_rule_based=True), "replay-1", False),
        (LLM, "replay-1", True),  # no cut-off is stated: it may have read everything
        (LLM, "paper", False),  # the world's own time
        (LLM.model_copy(update={"knowledge_until": DAY + timedelta(days=1)}), "replay-1", True),
        (LLM.model_copy(update={"knowledge_until": DAY}), "replay-1", False),
        (LLM.model_copy(update={"knowledge_until": DAY + timedelta(days=1)}), "paper", True),
    ],
)
def test_history_that_a_model_may_have_read_is_marked(model: ModelUse, realm: str, knows: bool) -> None:
    period = period_of(ReportKind.DAILY, DAY.date())
    assert model_knows_period([model], period, realm=realm).knows is knows
    report = a_report(models=(model,), realm=realm)
    assert report.model_knows_period is knows
    marked = any(
        isinstance(block, Text) and block.is_warning and block.text.startswith("model_knows_period")
        for section in report.sections
        for block in section.blocks
    )
    assert marked is knows


def test_a_report_without_any_record_still_renders() -> None:
    nothing = PeriodRecords(realm="demo-empty", account="main")
    review = review_period(nothing, period_of(ReportKind.MONTHLY, DAY.date()), Policy())
    report = build_report(review, nothing)
    made = TemplateRenderer(best_drawing()).html(report)
    assert "the account was never marked" in made
    assert "Too few points for a curve." in made


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (usd(D("-0.001"), signed=True), "0.00"),
        (usd(D("1234567.891")), "1,234,567.89"),
        (usd(D(5), signed=True), "+5.00"),
        (usd(None), "n/a"),
        (percent(D("0.0123")), "1.23 %"),
        (percent(D("-0.00001")), "0.00 %"),
        (percent(D("0.5"), places=0, signed=True), "+50 %"),
        (number(D("1.005")), "1.00"),
        (price(D("28547.920001")), "28547.92"),
        (price(D("0.0000034900")), "0.00000349"),
        (moment(datetime(2024, 1, 24, 1, 2, 3, tzinfo=UTC)), "2024-01-24 01:02:03Z"),
    ],
)
def test_numbers_read_as_a_trader_expects(shown: str, text: str) -> None:
    assert shown == text


def test_a_row_that_does_not_fit_its_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="a row of 1 cells in a table of 2 columns"):
        Table(columns=(Column(title="a"), Column(title="b")), rows=(("1",),))


def test_decimals_never_turn_into_exponents() -> None:
    assert "E" not in price(Decimal("1E+7"))
