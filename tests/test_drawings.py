"""Which figures a report has, and the files and pictures that are made of them."""

from __future__ import annotations

import io
import pathlib

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from evaluation.rows import Degraded
from report.drawings import drawings
from tests.drawn import NAMES, degraded
from tests.test_rows import evaluation_of, random_scores
from util.drawing import FINER, SHOWN, picture, save_figure


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def circle() -> Figure:
    figure = Figure(figsize=(1.5, 1.0))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.plot([0.2, 0.8], [0.5, 0.5], linewidth=8, color="#0072B2")
    axes.set_axis_off()
    return figure


def test_a_picture_is_of_both_styles_and_twice_as_fine_as_it_is_shown() -> None:
    its = picture("what it shows", circle)
    assert (its.words, its.width, its.height) == ("what it shows", 195, 130)
    for png, paper in ((its.light, "#ffffff"), (its.dark, "#16181d")):
        image = pixels(png)
        assert image.shape == (130 * FINER, 195 * FINER, 3)
        # exactly the page's: a box would be seen
        assert image[0, 0].tolist() == [int(paper[i : i + 2], 16) for i in (1, 3, 5)]
        assert np.abs(image[130, 195].astype(int) - (0, 114, 178)).max() <= 4  # few colours
    assert FINER == 2 and SHOWN == 130


def test_a_figure_is_saved_for_papers(tmp_path: pathlib.Path) -> None:
    save_figure(str(tmp_path), "name", circle)
    assert (tmp_path / "name.pdf").read_bytes().startswith(b"%PDF")
    height, width, _ = pixels((tmp_path / "name.png").read_bytes()).shape
    assert width > height > 100


NAMED = ["performance", "ap_against_accuracy"]
PANELS = ["roc", "precision_recall", "roc_low_fpr", "reliability", "scores"]


@pytest.fixture
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw, but make no pixels, which takes most of the time."""
    monkeypatch.setattr("util.drawing._rendered", lambda figure, kind: b"")


@pytest.mark.usefixtures("unrendered")
def test_one_model_has_a_picture_for_each_test_set(tmp_path: pathlib.Path) -> None:
    sets = {name: random_scores(i) for i, name in enumerate(NAMES[:2])}
    evaluation = evaluation_of(sets)
    evaluation.degraded = [degraded(name, "jpeg", 90.0, 0.9) for name in sets]
    its = drawings(str(tmp_path), [evaluation], 0.0)
    assert [d.name for d in its] == [*NAMED, "overlay", *PANELS, "robustness_jpeg"]
    numbers = {d.name: len(d.pictures) for d in its}
    assert numbers == {
        **dict.fromkeys(NAMED, 1),
        **{"overlay": 3, **dict.fromkeys(PANELS, 2), "robustness_jpeg": 2},
        "reliability": 3,  # and all images
    }
    for drawing in its:
        assert all(drawing.title and picture.words for picture in drawing.pictures)
        assert len({picture.words for picture in drawing.pictures}) == len(drawing.pictures)
    (roc,) = (d for d in its if d.name == "roc")
    auroc = 100 * evaluation.measured[NAMES[1]].metrics["auroc"].value
    assert roc.pictures[1].words == f"ROC curves: {NAMES[1]}, AUROC {auroc:.1f}"
    assert {p.name for p in tmp_path.iterdir()} == {
        f"{d.name}.{e}" for d in its for e in ("png", "pdf")
    }


@pytest.mark.usefixtures("unrendered")
def test_several_models_have_a_picture_for_each_pair_and_none_of_one_alone(
    tmp_path: pathlib.Path,
) -> None:
    sets = {name: random_scores(i) for i, name in enumerate(NAMES[:1])}
    models = [evaluation_of(sets, name=name) for name in ("a", "b", "c")]
    models[1].degraded = [Degraded("x", "blur", "1", 1, 1, degraded("x", "blur", 1, 0.9).metrics)]
    its = {d.name: d for d in drawings(str(tmp_path), models, 0.0)}
    assert list(its) == [*NAMED, *PANELS, "agreement", "robustness_blur_b"]
    assert len(its["ap_against_accuracy"].pictures) == 3
    assert len(its["scores"].pictures) == 3
    assert len(its["agreement"].pictures) == 2
    words = its["agreement"].pictures[0].words
    assert words.startswith("Logits of b over those of a. both right ")
    assert words.endswith("only a 0, only b 0, none " + words.rpartition(" ")[2])


@pytest.mark.usefixtures("unrendered")
def test_a_single_test_set_has_no_overlay(tmp_path: pathlib.Path) -> None:
    its = drawings(str(tmp_path), [evaluation_of({"crn": random_scores(1)})], 0.0)
    assert [d.name for d in its] == [*NAMED, *PANELS]
    assert [len(d.pictures) for d in its] == [1] * 7
