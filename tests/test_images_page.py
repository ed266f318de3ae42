"""predict.py --html: which images it pictures, what it counts, and what a reader clicks on it."""

from __future__ import annotations

import base64
import csv
import io
import json
import pathlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import torch
import torchvision
from PIL import Image
from playwright import sync_api

import predict
import report.look
from data.images import Pixels, open_image
from data.samples import find_images
from evaluation.own_images import describe
from evaluation.protocol import ScoringProtocol
from evaluation.thresholds import Calibration, write_calibration
from options.parse import parse
from options.predict_options import PredictOptions
from report.images_page import histogram
from report.look import look_at, take_pictures
from report.pictures import spectrum_of
from tests.chromium import Watched, chromium
from tests.conftest import write_image
from tests.test_html import HOSTILE, Reader
from tests.test_options import refused
from tests.tolerances import near, written
from util.errors import UsageError

Capture = pytest.CaptureFixture[str]
CROP = 32
NAMES = [f"{number:02}.png" for number in range(7)]
UNSURE = Calibration(0.0, -0.5, 0.5, "accuracy", "held out", num_real=30, num_fake=1200)


class Made:
    """A page that predict.py has written, and what it printed."""

    def __init__(self, root: pathlib.Path, weights: pathlib.Path, *more: object) -> None:
        self.root, self.file = root, root / "page.html"
        argv = ["--model_path", weights, "--device", "cpu", "--num_threads", 0, *more]
        argv += ["--html", self.file, root / "images"]
        self.code = predict.main(parse(PredictOptions, list(map(str, argv))))
        self.text = self.file.read_text(encoding="utf-8")
        scripts = Reader(self.text).scripts
        self.data: dict[str, Any] = json.loads(scripts[0])
        self.looks: dict[str, Any] = json.loads(scripts[1])


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    torch.manual_seed(0)
    state = torchvision.models.resnet18(num_classes=1).state_dict()
    file = tmp_path_factory.mktemp("weights") / "w.pth"
    torch.save({"model": state, "arch": "resnet18", "crop_size": CROP}, file)
    return file


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    for number, name in enumerate(NAMES):
        write_image(tmp_path / "images" / name, number, (48, 40))
    (tmp_path / "images/junk.png").write_bytes(b"junk")
    return tmp_path


def printed(capsys: Capture) -> list[dict[str, str]]:
    return list(csv.DictReader(capsys.readouterr().out.splitlines()))


def scored(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The rows with a logit, the highest first."""
    return sorted((row for row in rows if row["logit"]), key=lambda row: -float(row["logit"]))


def test_the_page_has_every_row_that_is_printed(
    root: pathlib.Path, weights: pathlib.Path, capsys: Capture
) -> None:
    made = Made(root, weights)
    rows = printed(capsys)
    assert made.code == 1
    assert list(rows[0]) == ["path", "probability", "logit", "error"]  # no verdict: as without it
    ordered = scored(rows)
    assert len(ordered) == len(NAMES)
    assert made.data["paths"] == [row["path"] for row in ordered]
    assert made.data["logits"] == written([float(row["logit"]) for row in ordered], 4)
    shown = [made.data["verdicts"][which] for which in made.data["verdictOf"]]
    assert shown == ["fake" if float(row["probability"]) > 0.5 else "real" for row in ordered]
    (lost,) = [row for row in rows if row["error"]]
    assert lost["path"] in made.text and lost["error"] in made.text
    assert "An image is called fake above probability 0.5." in made.text
    capsys.readouterr()


def test_the_verdicts_are_those_of_the_threshold(
    root: pathlib.Path, weights: pathlib.Path, capsys: Capture
) -> None:
    write_calibration(str(root / "t.json"), UNSURE)
    for threshold in (0.3, root / "t.json"):
        made = Made(root, weights, "--threshold", threshold, "--overwrite")
        rows = scored(printed(capsys))
        shown = [made.data["verdicts"][which] for which in made.data["verdictOf"]]
        assert shown == [row["verdict"] for row in rows]
    assert "on 30 real and 1,200 fake images of held out" in describe(UNSURE)
    assert describe(UNSURE) in made.text


def test_a_few_of_the_highest_scores_have_pictures(
    root: pathlib.Path, weights: pathlib.Path
) -> None:
    made = Made(root, weights, "--thumbnails", 4, "--details", 2)
    assert [bool(uri) for uri in made.data["thumbnails"]] == [True] * 4 + [False] * 3
    assert sorted(made.looks) == ["0", "1"]
    assert all(its["heat"] for its in made.looks.values())
    assert "the 4 with the highest scores" in made.text
    for place, uri in enumerate(made.data["thumbnails"][:4]):  # up to 64 pixels PNG: exact
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))
        assert np.array_equal(shown, np.asarray(Image.open(made.data["paths"][place])))


def test_no_more_files_are_open_at_once_than_asked_for(
    root: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, now, seen = threading.Lock(), [0], []

    def counted(path: str, max_pixels: int) -> Pixels:
        with lock:
            now[0] += 1
            seen.append((path, now[0]))
        time.sleep(0.01)
        try:
            return open_image(path, max_pixels)
        finally:
            with lock:
                now[0] -= 1

    monkeypatch.setattr(report.look, "open_image", counted)
    samples = find_images([str(root / "images")], False)
    logits = np.arange(8.0)
    logits[3] = np.nan
    pictures = take_pictures(
        samples,
        logits,
        ScoringProtocol(crop_size=CROP),
        thumbnails=6,
        details=1,
        explain=None,
        threads=2,
    )
    assert len(seen) == 6  # no other file is read again
    assert max(at_once for _, at_once in seen) == 2
    assert sorted(pictures.thumbnails) == [1, 2, 4, 5, 6]  # the seventh is no image
    assert list(pictures.looks) == []


def test_a_page_that_is_there_is_not_replaced_unasked(
    root: pathlib.Path, weights: pathlib.Path, capsys: Capture
) -> None:
    page = root / "mine.html"
    page.write_text("mine")
    argv = ["--model_path", weights, "--html", page, root / "images"]
    with pytest.raises(UsageError, match="--overwrite"):
        predict.main(parse(PredictOptions, list(map(str, argv))))
    assert capsys.readouterr().out == ""  # no row was scored
    assert page.read_text() == "mine"
    assert "--html" in refused(PredictOptions, "--model_path w --html a.png p", capsys)
    for flag in ("--overwrite", "--thumbnails 3", "--details 3"):
        assert "--html" in refused(PredictOptions, f"--model_path w p {flag}", capsys)


@pytest.mark.parametrize(("crop", "resize"), [(16, None), (20, 40), (None, None), (100, None)])
def test_the_frame_is_around_what_was_scored(crop: int | None, resize: int | None) -> None:
    rows, columns = np.mgrid[:48, :80]
    image = np.stack([columns * 3, rows * 5, rows * 0], axis=-1).astype(np.uint8)
    look = look_at(image, ScoringProtocol(crop_size=crop, resize=resize), None)
    assert (look.width, look.height, look.heat) == (80, 48, None)
    if crop is None or crop == 100:
        assert look.frame is None
        return
    scale = 48 / (resize or 48)
    side = crop * scale
    left, top, width, height = look.frame
    off = near(0, scale if resize else 1e-9, "a side of the resized image is cut to whole pixels")
    assert width * 80 - side == off and height * 48 - side == off
    assert left * 80 - (80 - side) / 2 == off and top * 48 - (48 - side) / 2 == off


def test_the_spectrum_is_that_of_the_residual() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 26, 3), dtype=np.uint8)
    shown = np.asarray(Image.open(io.BytesIO(spectrum_of(image)))).astype(float)
    grey = image[2:28].astype(float) @ [0.299, 0.587, 0.114]
    high = grey - scipy.ndimage.median_filter(grey, 5, mode="nearest")
    plane = np.log10(np.abs(np.fft.fftshift(np.fft.fft2(high))) / 26)
    low, top = np.percentile(plane, (1, 99.98))
    assert shown == near(255 * ((plane - low) / (top - low)).clip(0, 1), 1, "rounded to a level")
    assert shown.argmax() == plane.argmax()


def test_the_histogram_counts_every_image_by_its_verdict() -> None:
    logits = np.random.default_rng(1).normal(size=500).astype(np.float32) * 2
    verdicts = [UNSURE.verdict(float(logit)) for logit in logits]
    drawn = histogram(logits, verdicts, UNSURE)
    for verdict in ("fake", "unsure", "real"):
        heights = sum(h for bar in drawn.bars for name, _, h in bar.parts if name == verdict)
        assert heights * drawn.most / 100 == near(verdicts.count(verdict), 0.02, "3 decimals")
    assert max(sum(h for *_, h in bar.parts) for bar in drawn.bars) == near(100, 0.01, "3 decimals")
    low, high = float(logits.min()), float(logits.max())
    assert drawn.thresholds == near(
        [100 * (x - low) / (high - low) for x in (-0.5, 0.5)], 1e-3, "3 decimals"
    )
    assert histogram(np.zeros(3, np.float32), ["real"] * 3, UNSURE).most == 3  # all the same


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, weights: pathlib.Path) -> Made:
    """Of 70 images, some with hostile names, one that cannot be read."""
    root = tmp_path_factory.mktemp("page")
    names = [f"a{number:02}.png" for number in range(64)]
    names += [name.replace("/", "|").removesuffix(".png") + ".png" for name in HOSTILE[:6]]
    for number, name in enumerate(names):
        write_image(root / "images" / name, number, (48, 40))
    (root / "images" / HOSTILE[0].replace("1", "9")).write_bytes(b"junk")
    return Made(root, weights, "--thumbnails", 65, "--details", 3, "--threshold", 0.4)


@pytest.fixture
def tab(browser: sync_api.Browser, page: Made) -> Iterator[sync_api.Page]:
    """The page in a phone's dark browser: what holds there holds elsewhere."""
    size = {"width": 390, "height": 844}
    context = browser.new_context(viewport=size, color_scheme="dark")
    opened = context.new_page()
    watched = Watched(opened, page.file.as_uri())
    opened.goto(page.file.as_uri())
    yield opened
    context.close()
    assert watched.offences == []


def names_of(tab: sync_api.Page) -> list[str]:
    return tab.locator("#cards .name").all_text_contents()


def test_images_are_sorted_filtered_and_paged(tab: sync_api.Page, page: Made) -> None:
    paths = page.data["paths"]
    assert len(paths) == 70
    assert names_of(tab) == paths[:60]
    assert tab.locator("#count").inner_text() == "images 1 to 60 of 70"
    tab.locator("#next").click()
    assert names_of(tab) == paths[60:]
    assert tab.get_by_text("no picture").count() == 5
    tab.locator("#sort").select_option("lowest")
    assert names_of(tab) == paths[:-61:-1]
    tab.locator("#sort").select_option("path")
    assert names_of(tab) == sorted(paths)[:60]
    tab.locator("#filter-path").fill("IMAGES/A1")
    assert names_of(tab) == [path for path in sorted(paths) if "/a1" in path]
    tab.locator("#filter-path").fill("")
    for place, verdict in enumerate(page.data["verdicts"]):
        tab.locator("#filter-verdict").select_option(verdict)
        number = page.data["verdictOf"].count(place)
        count = tab.locator("#count").inner_text()
        assert count.endswith(f" of {number}") if number else count == "no images"
        assert tab.locator(".counts").get_by_text(verdict).count() == (verdict != "unsure")


def test_a_click_shows_the_image_its_evidence_and_its_spectrum(
    tab: sync_api.Page, page: Made
) -> None:
    dialog = tab.locator("#dialog")
    tab.locator("#cards button").first.press("Enter")
    assert dialog.is_visible()
    assert tab.locator("#dialog-path").inner_text() == page.data["paths"][0]
    assert tab.locator("#dialog-look figure").count() == 3
    loaded = "all => all.every(image => image.complete && image.naturalWidth > 0)"
    assert tab.locator("#dialog-look img").evaluate_all(loaded)
    frame = tab.locator("#dialog-look .frame").bounding_box()
    whole = tab.locator("#dialog-look img").first.bounding_box()
    assert frame["width"] / whole["width"] == near(32 / 48, 0.02, "pixels of the screen")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.keyboard.press("ArrowRight")
    assert tab.locator("#dialog-path").inner_text() == page.data["paths"][1]
    for _ in range(2):
        tab.locator("#dialog-next").click()
    assert tab.locator("#dialog-look figure").count() == 1  # the fourth has its thumbnail alone
    assert tab.get_by_text("not among the highest").is_visible()
    tab.keyboard.press("Escape")
    assert not dialog.is_visible()


def test_hostile_names_are_text_and_no_script_but_ours_runs(tab: sync_api.Page, page: Made) -> None:
    assert tab.locator("[onerror], b").count() == 0
    assert tab.locator("#unreadable td.path").inner_text().endswith(HOSTILE[0].replace("1", "9"))
    script = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-"
    assert f'content="{script}' in page.text
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 29)"
