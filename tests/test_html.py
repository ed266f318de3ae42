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
from report.page import Fact, HeatMap, Mark, Overview, Page, Picture, Table
from tests.tolerances import near
from tests.tolerances import written as to_digits
from util.drawing import Drawing, Plot
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
    pictures = [Plot(f"{title}: {n}", image("white"), image("black"), 4, 4) for n in "12"]
    return Drawing("bars", title, pictures)


def marks(models: dict[str, dict[str, Scores]], **logits: float) -> dict[str, Mark]:
    """Marks with one threshold for all models and test sets."""
    return {
        name: Mark(f"about {name}", {m: dict.fromkeys(its, logit) for m, its in models.items()})
        for name, logit in {"0.5": 0.0, **logits}.items()
    }


def make_page(**changes: Any) -> Page:  # noqa: ANN401 - any field of the page
    models = changes.get("models") or {"model": {"crn": scores([f"{i}.png" for i in range(5)])}}
    first = next(iter(models))
    page = Page(
        title="A title",
        overviews=[Overview("model", [Fact("mean AP", "98.76", "over all", "tables")])],
        captions=["a first note", "a second"],
        warnings=["beware"],
        heat_maps=[HeatMap("in colour", ["test set", "AP"], [("crn", [("98.5", 9)])])],
        tables=[
            Table("table one", ["test set", "AP"], [["crn", "98.5"], ["mean", ""]], "what it is")
        ],
        drawings=[drawing("AP by generator")],
        models=models,
        marks=marks(models, other=0.25),
        mean_over=[],
        start="0.5",
        pictures={s: {its.paths[0]: Picture(image(), 8, 9)} for s, its in models[first].items()},
        unreadable=[],
        provenance=[Table("model", ["", ""], [["weights", "w.pth"]])],
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


def pictures_in(reader: Reader) -> list[list[list[Any]]]:
    """What the page's script knows of the pictures."""
    its: list[list[list[Any]]] = json.loads(reader.scripts[1])
    return its


def test_the_file_asks_for_nothing_else(tmp_path: pathlib.Path) -> None:
    text, reader, _ = written(tmp_path, make_page())
    for tag, attributes in reader.elements:
        for name in ("src", "href", "srcset", "action", "poster", "background"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, name, value)
        assert tag not in ("iframe", "object", "embed", "base", "form")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    text = text.replace('"http://www.w3.org/2000/svg"', "")  # the name of SVG: nothing is fetched
    assert not re.search(r"https?:|@import|url\(|fetch\(|XMLHttpRequest|innerHTML|eval\(", text)


def test_the_policy_lets_only_the_pages_own_script_run(tmp_path: pathlib.Path) -> None:
    _, reader, _ = written(tmp_path, make_page())
    policy = next(
        str(meta["content"])
        for meta in reader.attributes("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; img-src data:; style-src")
    digest = base64.b64encode(hashlib.sha256(reader.scripts[2].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    assert len(reader.scripts) == 3
    assert reader.attributes("script")[0] == {"type": "application/json", "id": "data"}


def test_tables_notes_and_drawings_are_there(tmp_path: pathlib.Path) -> None:
    page = make_page()
    _, reader, _ = written(tmp_path, page)
    told = (
        "A title",
        *page.captions,
        "98.76",
        "beware",
        "table one",
        "98.5",
        "what it is",
        "w.pth",
    )
    for words in (*told, "AP by generator"):
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
    wrong = Scores([name, "z"], np.array([1, 0], np.uint8), np.array([-1.0, -1.0]))
    models = {name: {name: wrong}}
    return make_page(
        title=name,
        overviews=[Overview(name, [Fact(name, name, name)])],
        captions=[name],
        warnings=[name],
        heat_maps=[HeatMap(name, [name, name], [(name, [(name, 3)])])],
        tables=[Table(name, [name, name], [[name, name]], name)],
        drawings=[drawing(name)],
        models=models,
        marks={"0.5": Mark(name, {}), name: Mark(name, {name: {name: 1.0}})},
        pictures={name: {name: Picture(image(), 1, 1, {name: image()})}},
        unreadable=[(name, name, name)],
        provenance=[Table(name, ["", ""], [[name, name]])],
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
    assert data["sets"][0]["paths"] == [name, "z"]
    assert data["marks"][1] == {"name": name, "about": name, "of": [[1.0]]}


@pytest.mark.parametrize("name", ["undecodable \udcff\udc80.png", "lone \ud800.png"])
def test_undecodable_bytes_are_shown_as_an_escape(tmp_path: pathlib.Path, name: str) -> None:
    _, reader, data = written(tmp_path, page_of(name))
    shown = name.encode("utf-8", "backslashreplace").decode()
    assert "\\ud" in shown
    assert reader.text.count(shown) >= 3
    assert data["sets"][0]["paths"] == [shown, "z"]


def test_the_embedded_scores_are_the_input(tmp_path: pathlib.Path) -> None:
    paths = [f"{i:04d}.png" for i in range(3000)]
    sets = {"crn": scores(paths, 1), "own": scores(paths[:7], 2)}
    text, _, data = written(tmp_path, make_page(models={"model": sets}))
    assert [entry["name"] for entry in data["sets"]] == list(sets)
    for entry, expected in zip(data["sets"], sets.values(), strict=True):
        assert entry["paths"] == expected.paths
        assert [int(label) for label in entry["labels"]] == expected.labels.tolist()
        (logits,) = entry["logits"]
        assert logits == near(expected.logits, 0.51e-4, "4 decimals")
        assert (
            np.mean([a == to_digits(b, 4) for a, b in zip(logits, expected.logits, strict=True)])
            > 0.99
        )
    long = re.findall(r"\d\.\d{5}", text[text.index('id="data"') :].partition("</script>")[0])
    assert len(long) < 3
    assert [mark["of"] for mark in data["marks"]] == [[[0.0, 0.0]], [[0.25, 0.25]]]


def test_rounding_moves_no_image_over_a_threshold(tmp_path: pathlib.Path) -> None:
    """Else the page would contradict the tables at the very thresholds they were made for."""
    limits = (0.0, 0.25, -0.123456, -0.123458)
    values = [limit + by for limit in limits for by in (-4e-5, -1e-9, 0, 1e-9, 4e-5)]
    scored = Scores([f"{i:02d}" for i in range(20)], np.zeros(20, np.uint8), np.array(values))
    models = {"m": {"s": scored}}
    named = {f"mark {i}": limit for i, limit in enumerate(limits)}
    page = make_page(models=models, marks=marks(models, **named))
    logits = np.array(written(tmp_path, page)[2]["sets"][0]["logits"][0])
    for limit in limits:
        np.testing.assert_array_equal(logits > limit, scored.logits > limit)
    assert logits == near(scored.logits, 0.51e-4, "4 decimals")


def test_marks_are_by_model_and_test_set_and_infinite_ones_do_not_break_the_page(
    tmp_path: pathlib.Path,
) -> None:
    own = scores(["1", "2"])
    models = {"a": {"crn": own, "san": own}, "b": {"san": own}}
    never = Mark("", {"a": {"crn": np.inf, "san": 1.5}, "b": {"san": -2.0}})
    page = make_page(models=models, marks={"0.5": Mark("", {}), "own": never}, start="own")
    data = written(tmp_path, page)[2]
    assert data["marks"][0]["of"] == [[None, None], [None, None]]
    assert data["marks"][1]["of"] == [[1e9, 1.5], [None, -2.0]]
    assert data["start"] == 1


def test_several_models_are_joined_by_test_set_and_path(tmp_path: pathlib.Path) -> None:
    first = Scores(["a", "c"], np.array([0, 1], np.uint8), np.array([-1.0, 1.0]))
    second = Scores(["b", "c"], np.array([1, 1], np.uint8), np.array([2.0, 3.0]))
    models = {"one": {"crn": first, "only": first}, "two": {"crn": second, "own": second}}
    data = written(tmp_path, make_page(models=models))[2]
    assert data["models"] == ["one", "two"]
    assert [entry.pop("anchor") for entry in data["sets"]] == ["set-crn", "set-only", "set-own"]
    assert not any(entry.pop("inMean") for entry in data["sets"])
    assert {entry.pop("name"): entry for entry in data["sets"]} == {
        "crn": {
            "paths": ["a", "b", "c"],
            "labels": "011",
            "logits": [[-1.0, None, 1.0], [None, 2.0, 3.0]],
        },
        "only": {"paths": ["a", "c"], "labels": "01", "logits": [[-1.0, 1.0], [None, None]]},
        "own": {"paths": ["b", "c"], "labels": "11", "logits": [[None, None], [2.0, 3.0]]},
    }


def test_mistakes_show_without_the_script_and_their_pictures_are_there_once(
    tmp_path: pathlib.Path,
) -> None:
    """Real above the threshold and fakes at or below it, the most confident first."""
    labels = np.array([0, 0, 0, 1, 1, 1], np.uint8)
    logits = np.array([1.5, 2.5, 0.5, -1.0, 0.5, 0.6])
    scored = Scores(list("abcdef"), labels, logits)
    models = {"one": {"crn": scored}, "two": {"crn": scored, "late": scores(["z"])}}
    jpeg = b"\xff\xd8\xff\xe0 not looked into"
    pictures = {
        "crn": {
            "a": Picture(jpeg, 10, 20, {"one": image("blue"), "two": image("pink")}),
            "b": Picture(image("red"), 30, 40),
            "d": Picture("thumbnails/000001.jpg", 1, 2),
            "f": Picture(image("white"), 5, 6, {"one": image("black")}),
        }
    }
    page = make_page(
        models=models, marks=marks(models, t=0.5), start="t", pictures=pictures, drawings=[]
    )
    _, reader, _ = written(tmp_path, page)
    shown = [a for a in reader.attributes("img") if a.get("data-picture")]
    assert [a["data-picture"] for a in shown] == ["b", "a", "a", "d"]
    assert [str(a["src"]).partition(";")[0] for a in shown] == [
        *("data:image/png", "data:image/jpeg", "data:image/png", "thumbnails/000001.jpg")
    ]
    assert base64.b64decode(str(shown[1]["src"]).partition(",")[2]) == jpeg
    text = [words.strip() for words in reader.text if words.strip()]
    assert "2 real called fake, 2 fake called real" in text  # at 0.5, e is no fake
    assert "1 of 2" in text and "2 of 2" in text
    crn, late = pictures_in(reader)
    assert late == []
    assert [line[:3] for line in crn] == [[0, 10, 20], [1, 30, 40], [3, 1, 2], [5, 5, 6]]
    addresses = [line[3] for line in crn]
    assert addresses[:3] == [None] * 3 and str(addresses[3]).startswith("data:image/png;")
    assert [list(line[4]) for line in crn] == [["1"], [], [], ["0"]]  # the other is in the page


def test_only_pictures_in_files_open_the_policy_for_them(tmp_path: pathlib.Path) -> None:
    for source, allowed in ((image(), "data:"), ("thumbnails/000001.jpg", "data: 'self' file:")):
        page = make_page(pictures={"crn": {"0.png": Picture(source, 1, 1)}})
        text = written(tmp_path, page)[0]
        assert f"img-src {allowed};" in text


def test_anchors_are_words_each_another(tmp_path: pathlib.Path) -> None:
    own = scores(["1"])
    models = {"m": dict.fromkeys(["a b", "a/b", "a-b", "日本語", '"><x', "x\udcff"], own)}
    data = written(tmp_path, make_page(models=models))[2]
    found = [its["anchor"] for its in data["sets"]]
    assert found == ["set-a-b", "set-a-b-", "set-a-b--", "set-日本語", "set--x", "set-x-udcff"]


def test_unreadable_files_are_said_or_left_out(tmp_path: pathlib.Path) -> None:
    _, reader, _ = written(tmp_path, make_page())
    assert "Unreadable" not in reader.text
    page = make_page(unreadable=[("crn", "bad.png", "truncated file")])
    _, reader, _ = written(tmp_path, page)
    assert {"Unreadable", "crn", "bad.png", "truncated file"} <= set(reader.text)


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
