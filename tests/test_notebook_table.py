"""An evaluation as a notebook and print show it."""

from __future__ import annotations

import html.parser

from IPython.lib.pretty import pretty

from evaluation.evaluation import Evaluation, Provenance
from evaluation.measure import Measuring
from report.tables import model_tables
from tests.test_rows import evaluation_of, random_scores

HOSTILE = "<script>alert(1)</script>&amp;\" onload='x'\n|\udcff"


class Page(html.parser.HTMLParser):
    """The table's cells by row, the paragraphs, and every tag that there is."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []
        self.paragraphs: list[str] = []
        self.place: list[str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not attrs
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th", "p"):
            self.place = self.paragraphs if tag == "p" else self.rows[-1]
            self.place.append("")

    def handle_data(self, data: str) -> None:
        if self.place and data.strip():
            self.place[-1] += data


def test_the_table_is_that_of_the_report() -> None:
    evaluation = evaluation_of({"progan": random_scores(1), "crn": random_scores(2)})
    page = Page(evaluation._repr_html_())
    results = model_tables(evaluation, "")[0]
    assert page.rows == [list(row) for row in (results.headings, *results.cells)]
    assert page.rows[1][page.rows[0].index("AP")] == f"{100 * evaluation.rows()[0]['ap']:.2f}"
    assert page.paragraphs[0].startswith("m: From p.csv. In per cent")
    assert page.paragraphs[1].startswith("Warning: progan: 2 images could not be read")
    assert page.paragraphs[-1] == results.note
    assert "**" not in str(evaluation) + evaluation._repr_html_()


def test_print_and_a_console_show_the_same_as_text() -> None:
    evaluation = evaluation_of({"progan": random_scores(1)})
    text = str(evaluation)
    page = Page(evaluation._repr_html_())
    assert pretty(evaluation) == text
    table = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    assert [cells[0], *cells[2:]] == page.rows
    for paragraph in page.paragraphs:
        assert paragraph in text


def test_hostile_names_are_text() -> None:
    evaluation = evaluation_of({HOSTILE: random_scores(1)}, name=HOSTILE)
    evaluation.provenance.note = f"**{HOSTILE}**"
    page = Page(evaluation._repr_html_())
    assert page.tags == {"p", "b", "table", "thead", "tbody", "tr", "th", "td"}
    shown = HOSTILE.replace("\n", " ").replace("\udcff", "\\udcff")
    assert page.rows[1][0] == shown
    assert shown in page.paragraphs[0]
    evaluation._repr_html_().encode()  # a notebook is UTF-8
    lines = str(evaluation).splitlines()
    assert len({len(line) for line in lines if line.startswith("|")}) == 1
    str(evaluation).encode()


def test_one_that_has_no_scores_yet_says_so() -> None:
    evaluation = Evaluation(f"{HOSTILE}x", Provenance(), Measuring())
    assert str(evaluation).endswith("x: nothing was scored yet")
    assert Page(evaluation._repr_html_()).tags == {"p"}


def test_an_undefined_metric_is_an_empty_cell() -> None:
    evaluation = evaluation_of({"progan": random_scores(1, labels=(1, 1))})
    page = Page(evaluation._repr_html_())
    assert page.rows[1][page.rows[0].index("AP")] == ""
    assert "nan" not in evaluation._repr_html_().lower()
    assert any("holds fake images only" in paragraph for paragraph in page.paragraphs)
