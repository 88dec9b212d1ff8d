"""The reference says what the code says, every link in the documents leads somewhere, and no capability is lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workers.reference.capabilities import ROWS, Capability
from workers.reference.markdown import table
from workers.reference.metrics import metrics
from workers.reference.pages import pages

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PAGES = pages()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_generated_page_is_current(name: str) -> None:
    kept = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert kept == PAGES[name], f"docs/reference/{name} is not what the code says: run `make docs`"


def test_reference_holds_nothing_that_is_not_generated() -> None:
    assert {path.name for path in (ROOT / "docs" / "reference").iterdir()} == set(PAGES)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_to_something(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [target for target in LINK.findall(text) if "://" not in target and not target.startswith("mailto:")]
    broken = [target for target in targets if not _leads(document, target)]
    assert not broken, f"{document.name}: no such target: {', '.join(broken)}"


def _leads(document: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    found = (document.parent / path).resolve() if path else document
    if not found.exists():
        return False
    return not anchor or found.suffix != ".md" or anchor in _anchors(found)


def _anchors(document: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_capability_has_one_row_in_order() -> None:
    assert [row.id for row in ROWS] == [f"C{number:02}" for number in range(1, 90)]


@pytest.mark.parametrize("capability", ROWS, ids=lambda row: row.id)
def test_a_capability_that_is_built_names_its_module_and_its_test(capability: Capability) -> None:
    if capability.state == "not built yet":
        assert capability.module == capability.test == capability.missing == ""
        return
    assert (ROOT / capability.module).is_file()
    assert (ROOT / capability.test).is_file()
    assert bool(capability.missing) == (capability.state == "in part")


def test_every_capability_that_the_code_cites_is_a_known_one() -> None:
    known = {row.id for row in ROWS}
    cited = {
        number
        for package in ("trading", "activities", "workflows", "workers", "config")
        for path in (ROOT / package).rglob("*.py")
        for number in re.findall(r"\bC\d\d\b", path.read_text(encoding="utf-8"))
    }
    assert cited <= known
    assert "C16" in cited


def test_refusals_of_the_journal_are_the_ones_on_the_page() -> None:
    source = (ROOT / "activities" / "store" / "journal.py").read_text(encoding="utf-8")
    raised = set(re.findall(r'IntentRefused\(\s*"(\w+)"', source))
    listed = PAGES["codes.md"].partition("## Orders that the journal refuses")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", listed, flags=re.MULTILINE)) == raised


def test_metrics_are_found_in_the_source() -> None:
    names = [metric.name for metric in metrics()]
    assert "perennial_model_calls" in names
    assert all(metric.meaning for metric in metrics())


def test_a_cell_with_a_bar_stays_one_cell() -> None:
    assert table(("a",), [("one | two",)]).splitlines()[-1] == "| one \\| two |"
