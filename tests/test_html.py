"""The report is one file that holds everything, and hostile names stay text in it."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import io
import json
import pathlib
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evaluation.predictions import Scores
from report.html import write_html
from report.page import Mistake, Page, Table
from tests.tolerances import near
from tests.tolerances import written as to_digits
from util.drawing import Drawing, Picture
from util.errors import WorkError

HOSTILE = [
    '"><img src=x onerror=alert(1)>.png',
    "</script><script>alert(2)</script>.png",
    "{{ 7*7 }}{% raw %}.png",
    "line\u2028separator & <b>bold</b> 'quoted'.png",
    "</script x.png",
    "<!--<script>.png",
    "日本語 😀.png",
]


def image(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, "PNG")
    return buffer.getvalue()


def scores(paths: list[str], seed: int = 0) -> Scores:
    rng = np.random.default_rng(seed)
    return Scores(
        paths, rng.integers(0, 2, len(paths)).astype(np.uint8), rng.normal(size=len(paths))
    )


def drawing(title: str) -> Drawing:
    pictures = [Picture(f"{title}: {n}", image("white"), image("black"), 4, 4) for n in "12"]
    return Drawing("bars", title, pictures)


def make_page(**changes: Any) -> Page:  # noqa: ANN401 - any field of the page
    paths = [f"{i}.png" for i in range(5)]
    page = Page(
        title="A title",
        notes=["a first note", "a second"],
        tables=[
            Table("table one", ["test set", "AP"], [["crn", "98.5"], ["mean", ""]], "what it is")
        ],
        drawings=[drawing("AP by generator")],
        models={"model": {"crn": scores(paths)}},
        threshold=0.0,
        thresholds={"equal error": 0.25},
        mistakes=[Mistake("model", "crn", "1.png", 0, 1.5, image())],
        unreadable=[],
    )
    return page._replace(**changes)


class Reader(html.parser.HTMLParser):
    """Elements with their attributes, the text of each script, and all other text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text: list[str] = []
        self.inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == self.inside:
            self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts[-1] += data
        elif not self.inside:
            self.text.append(data)

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def written(tmp_path: pathlib.Path, page: Page) -> tuple[str, Reader, dict[str, Any]]:
    path = tmp_path / "report.html"
    write_html(str(path), page)
    text = path.read_bytes().decode("utf-8")  # strictly
    reader = Reader(text)
    return text, reader, json.loads(reader.scripts[0])


def test_the_file_asks_for_nothing_else(tmp_path: pathlib.Path) -> None:
    text, reader, _ = written(tmp_path, make_page())
    for tag, attributes in reader.elements:
        for name in ("src", "href", "srcset", "action", "poster", "background"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, name, value)
        assert tag not in ("iframe", "object", "embed", "base", "form")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert not re.search(r"https?:|@import|url\(|fetch\(|XMLHttpRequest|innerHTML|eval\(", text)


def test_the_policy_lets_only_the_pages_own_script_run(tmp_path: pathlib.Path) -> None:
    _, reader, _ = written(tmp_path, make_page())
    policy = next(
        str(meta["content"])
        for meta in reader.attributes("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; img-src data:;")
    digest = base64.b64encode(hashlib.sha256(reader.scripts[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    assert len(reader.scripts) == 2
    assert reader.attributes("script")[0] == {"type": "application/json", "id": "data"}


def test_tables_notes_and_drawings_are_there(tmp_path: pathlib.Path) -> None:
    page = make_page()
    _, reader, _ = written(tmp_path, page)
    for words in ("A title", *page.notes, "table one", "98.5", "what it is", "AP by generator"):
        assert words in reader.text
    pictures = page.drawings[0].pictures
    for shown, source, its in zip(
        reader.attributes("img"), reader.attributes("source"), pictures, strict=False
    ):
        light, dark = (
            f"data:image/png;base64,{base64.b64encode(data).decode()}"
            for data in (its.light, its.dark)
        )
        assert shown == {"src": light, "alt": its.words, "width": "4", "height": "4"}
        assert source["srcset"] == dark
    assert len(reader.attributes("source")) == len(pictures) == 2


def page_of(name: str) -> Page:
    """A page with `name` wherever a name can be."""
    return make_page(
        title=name,
        notes=[name],
        tables=[Table(name, [name, name], [[name, name]], name)],
        drawings=[drawing(name)],
        models={name: {name: scores([name])}},
        thresholds={name: 1.0},
        mistakes=[Mistake(name, name, name, 1, -1.0, image())],
        unreadable=[(name, name, name)],
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text_everywhere(tmp_path: pathlib.Path, name: str) -> None:
    harmless = written(tmp_path, page_of("harmless.png"))[1]
    _, reader, data = written(tmp_path, page_of(name))
    assert [tag for tag, _ in reader.elements] == [tag for tag, _ in harmless.elements]
    assert reader.text.count(name) == harmless.text.count("harmless.png") >= 10
    assert not set("<>&\u2028") & set(reader.scripts[0])
    assert data["models"] == [name]
    assert data["sets"][0]["name"] == name
    assert data["sets"][0]["paths"] == [name]
    assert data["thresholds"][1] == [name, 1.0]


@pytest.mark.parametrize("name", ["undecodable \udcff\udc80.png", "lone \ud800.png"])
def test_undecodable_bytes_are_shown_as_an_escape(tmp_path: pathlib.Path, name: str) -> None:
    page = make_page(
        title=name,
        models={name: {name: scores([name, "z.png"])}},
        mistakes=[Mistake(name, name, name, 1, -1.0, None)],
    )
    _, reader, data = written(tmp_path, page)
    shown = name.encode("utf-8", "backslashreplace").decode()
    assert "\\ud" in shown
    assert reader.text.count(shown) >= 3
    assert data["sets"][0]["paths"] == [shown, "z.png"]


def test_the_embedded_scores_are_the_input(tmp_path: pathlib.Path) -> None:
    paths = [f"{i:04d}.png" for i in range(3000)]
    sets = {"crn": scores(paths, 1), "own": scores(paths[:7], 2)}
    text, _, data = written(tmp_path, make_page(models={"model": sets}))
    assert [entry["name"] for entry in data["sets"]] == list(sets)
    for entry, expected in zip(data["sets"], sets.values(), strict=True):
        assert entry["paths"] == expected.paths
        assert [int(label) for label in entry["labels"]] == expected.labels.tolist()
        (logits,) = entry["logits"]
        assert logits == near(expected.logits, 1.01e-4, "4 decimals, on one side of a threshold")
        assert (
            np.mean([a == to_digits(b, 4) for a, b in zip(logits, expected.logits, strict=True)])
            > 0.99
        )
    assert not re.search(r"\d\.\d{5}", text[text.index('id="data"') :].partition("</script>")[0])
    assert data["thresholds"] == [["0.5", 0.0], ["equal error", 0.25]]


def test_rounding_moves_no_image_over_a_threshold(tmp_path: pathlib.Path) -> None:
    """Else the page would contradict the tables at the very thresholds they were made for."""
    limits = (0.0, 0.25, -0.123456)
    values = [limit + by for limit in limits for by in (-4e-5, -1e-9, 0, 1e-9, 4e-5)]
    scored = Scores([f"{i:02d}" for i in range(15)], np.zeros(15, np.uint8), np.array(values))
    page = make_page(models={"m": {"s": scored}}, threshold=limits[2])
    logits = np.array(written(tmp_path, page)[2]["sets"][0]["logits"][0])
    for limit in limits:
        np.testing.assert_array_equal(logits > limit, scored.logits > limit)
    assert logits == near(scored.logits, 1.01e-4, "4 decimals, on one side of a threshold")


def test_infinite_thresholds_do_not_break_the_page(tmp_path: pathlib.Path) -> None:
    page = make_page(threshold=np.inf, thresholds={"never": np.inf, "some": 1.5})
    data = written(tmp_path, page)[2]
    assert data["threshold"] > 1e6
    assert data["thresholds"] == [["0.5", 0.0], ["some", 1.5]]


def test_several_models_are_joined_by_test_set_and_path(tmp_path: pathlib.Path) -> None:
    first = Scores(["a", "c"], np.array([0, 1], np.uint8), np.array([-1.0, 1.0]))
    second = Scores(["b", "c"], np.array([1, 1], np.uint8), np.array([2.0, 3.0]))
    models = {"one": {"crn": first, "only": first}, "two": {"crn": second, "own": second}}
    data = written(tmp_path, make_page(models=models))[2]
    assert data["models"] == ["one", "two"]
    assert {entry.pop("name"): entry for entry in data["sets"]} == {
        "crn": {
            "paths": ["a", "b", "c"],
            "labels": "011",
            "logits": [[-1.0, None, 1.0], [None, 2.0, 3.0]],
        },
        "only": {"paths": ["a", "c"], "labels": "01", "logits": [[-1.0, 1.0], [None, None]]},
        "own": {"paths": ["b", "c"], "labels": "11", "logits": [[None, None], [2.0, 3.0]]},
    }


def test_the_gallery_shows_images_heatmaps_and_what_is_not_at_hand(tmp_path: pathlib.Path) -> None:
    jpeg = b"\xff\xd8\xff\xe0 not looked into"
    mistakes = [
        Mistake("model", "crn", "near.png", 0, 1.256, image("blue"), image("green")),
        Mistake("model", "crn", "gone.png", 1, -2.0, None),
        Mistake("model", "own", "photo.jpg", 1, -3.0, jpeg),
    ]
    _, reader, _ = written(tmp_path, make_page(mistakes=mistakes, drawings=[]))
    sources = [str(attributes["src"]) for attributes in reader.attributes("img")]
    kinds = [source.partition(";")[0] for source in sources]
    assert kinds == ["data:image/png", "data:image/png", "data:image/jpeg"]
    decoded = [base64.b64decode(source.partition(",")[2]) for source in sources]
    assert decoded == [image("blue"), image("green"), jpeg]
    text = [words.strip() for words in reader.text if words.strip()]
    gallery = text[text.index("Misclassified", 5) :]
    order = ["crn", "Real, called fake", "logit 1.26, probability 0.778", "near.png"]
    order += [
        "Fake, called real",
        "image not at hand",
        "logit -2.00, probability 0.119",
        "gone.png",
    ]
    order += ["own", "Fake, called real", "logit -3.00, probability 0.047", "photo.jpg"]
    places = []
    for words in order:
        places.append(gallery.index(words, places[-1] + 1 if places else 0))
    assert text.count("Real, called fake") == 1


def test_no_mistakes_and_no_unreadable_files_are_said_or_left_out(tmp_path: pathlib.Path) -> None:
    _, reader, _ = written(tmp_path, make_page(mistakes=[]))
    assert "None: no image is on the wrong side." in reader.text
    assert "Unreadable" not in reader.text
    page = make_page(unreadable=[("crn", "bad.png", "truncated file")])
    _, reader, _ = written(tmp_path, page)
    assert {"Unreadable", "crn", "bad.png", "truncated file"} <= set(reader.text)
    assert "None: no image is on the wrong side." not in reader.text


def test_every_control_has_a_label_and_every_link_a_target(tmp_path: pathlib.Path) -> None:
    _, reader, _ = written(tmp_path, make_page(unreadable=[("s", "p", "r")]))
    named = {label["for"] for label in reader.attributes("label")}
    controls = reader.attributes("input") + reader.attributes("select")
    assert {control["id"] for control in controls} == named
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {str(a["href"])[1:] for a in reader.attributes("a")} <= set(ids)
    assert all("alt" in attributes for attributes in reader.attributes("img"))


def test_the_papers_benchmark_with_two_models_stays_below_40_megabytes(
    tmp_path: pathlib.Path,
) -> None:
    paths = [f"category_name/0_real/image_{i:013d}.png" for i in range(90_329)]
    assert len(paths[0]) == 44
    models = {name: {"all": scores(paths, seed)} for seed, name in enumerate(("one", "two"))}
    write_html(str(tmp_path / "report.html"), make_page(models=models))
    assert (tmp_path / "report.html").stat().st_size < 40e6


def test_a_failed_write_leaves_the_old_report(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WorkError, match="no space"):
        write_html(str(path), make_page())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
