"""The pictures of the report: what they show, which are made, and where they are kept."""

from __future__ import annotations

import io
import pathlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from torch import Tensor

import report.thumbnails
from evaluation.evaluation import Evaluation, Provenance
from evaluation.measure import Measuring
from evaluation.predictions import Scores
from evaluation.protocol import ScoringProtocol
from report.page import Mark, Picture
from report.thumbnails import make_thumbnails, number_of
from tests.tolerances import near

Shape = tuple[int, int]
Pictures = dict[str, dict[str, Picture]]


def scores_of(*images: tuple[str, int, float]) -> Scores:
    paths, labels, logits = zip(*sorted(images), strict=True)
    return Scores(list(paths), np.array(labels, np.uint8), np.array(logits))


def evaluation_of(
    scores: dict[str, Scores], crop_size: int | None = None, name: str = "m"
) -> Evaluation:
    protocol = ScoringProtocol(crop_size=crop_size)
    evaluation = Evaluation(name, Provenance(protocol=protocol), Measuring(bootstrap=0))
    for testset, its in scores.items():
        evaluation.add(testset, its)
    return evaluation


def made(  # of one model, whose thresholds are all 0 unless said otherwise
    root: pathlib.Path,
    scores: dict[str, Scores],
    *,
    crop_size: int | None = None,
    explain: Callable[..., npt.NDArray[np.float32]] | None = None,
    number: int | None = 9,
    mark: Mark | None = None,
    out: str = "out",
) -> Pictures:
    return make_thumbnails(
        str(root / out),
        [evaluation_of(scores, crop_size)],
        number=number,
        mark=mark or Mark("", {}),
        dataroot=str(root),
        explain=[explain] if explain else [],
    )


def decoded(content: bytes | str) -> npt.NDArray[np.uint8]:
    assert isinstance(content, bytes)
    return np.asarray(Image.open(io.BytesIO(content)))


def kind(content: bytes | str) -> str | None:
    assert isinstance(content, bytes)
    return Image.open(io.BytesIO(content)).format


def save(path: pathlib.Path, pixels: npt.NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def framed(height: int, width: int, crop: int) -> npt.NDArray[np.uint8]:
    """Red, with a green square of `crop` pixels in the middle."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = 255
    top, left = (height - crop) // 2, (width - crop) // 2
    pixels[top : top + crop, left : left + crop] = (0, 255, 0)
    return pixels


@pytest.mark.parametrize(
    ("stored", "crop_size", "shown", "encoding"),
    [
        ((100, 120), 48, (48, 48), "PNG"),  # never enlarged
        ((100, 120), 64, (64, 64), "PNG"),
        ((101, 121), 65, (65, 65), "JPEG"),
        ((300, 400), 224, (224, 224), "JPEG"),
        ((300, 400), None, (168, 224), "JPEG"),
        ((400, 300), None, (224, 168), "JPEG"),
        ((30, 50), None, (30, 50), "PNG"),
        ((3, 900), None, (1, 224), "JPEG"),
    ],
)
def test_a_picture_shows_what_the_network_saw(
    tmp_path: pathlib.Path, stored: Shape, crop_size: int | None, shown: Shape, encoding: str
) -> None:
    save(tmp_path / "set/cat/0_real/a.png", framed(*stored, min(crop_size or 1, *stored)))
    scores = {"set": scores_of(("cat/0_real/a.png", 0, 1.0))}
    picture = made(tmp_path, scores, crop_size=crop_size)["set"]["cat/0_real/a.png"]
    pixels = decoded(picture.image)
    assert pixels.shape == (*shown, 3)
    assert kind(picture.image) == encoding
    assert (picture.height, picture.width) == stored
    assert picture.heatmaps == {}
    red, green, _ = pixels.reshape(-1, 3).mean(axis=0)
    assert (green > 250 and red < 5) if crop_size else (red > 200 and green < 50)


def test_a_folder_that_is_itself_the_test_set(tmp_path: pathlib.Path) -> None:
    save(tmp_path / "own/0_real/a.png", framed(20, 20, 2))
    scores = {"own": scores_of(("0_real/a.png", 0, 1.0))}
    for dataroot in (tmp_path, tmp_path / "own"):
        picture = made(dataroot, scores)["own"]["0_real/a.png"]
        np.testing.assert_array_equal(decoded(picture.image), framed(20, 20, 2))


def flat(image: Tensor, threshold: float) -> npt.NDArray[np.float32]:
    return np.ones(image.shape[1:], np.float32)


def test_a_missing_or_damaged_file_leaves_the_rest(tmp_path: pathlib.Path) -> None:
    save(tmp_path / "set/0_real/good.png", framed(20, 20, 2))
    (tmp_path / "set/0_real/damaged.png").write_bytes(b"no image")
    names = ("damaged", "good", "missing")
    scores = {"set": scores_of(*((f"0_real/{name}.png", 0, 1.0) for name in names))}
    pictures = made(tmp_path, scores, explain=flat)
    assert list(pictures["set"]) == ["0_real/good.png"]
    assert list(pictures["set"]["0_real/good.png"].heatmaps) == ["m"]


def test_the_heatmap_lies_over_the_same_picture(tmp_path: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (50, 70, 3), dtype=np.uint8)
    save(tmp_path / "set/1_fake/a.png", pixels)
    asked: list[tuple[Tensor, float]] = []

    def right_half(image: Tensor, threshold: float) -> npt.NDArray[np.float32]:
        asked.append((image, threshold))
        heat = np.zeros(image.shape[1:], np.float32)
        heat[:, 20:] = 1
        return heat

    scores = {"set": scores_of(("1_fake/a.png", 1, -1.0))}
    mark = Mark("", {"m": {"set": 0.75}})
    picture = made(tmp_path, scores, crop_size=40, explain=right_half, mark=mark)["set"][
        "1_fake/a.png"
    ]
    crop = pixels[5:45, 15:55]
    assert torch.equal(asked[0][0], torch.from_numpy(crop.transpose(2, 0, 1)))
    assert asked[0][1] == 0.75
    shown, heatmap = decoded(picture.image), decoded(picture.heatmaps["m"])
    np.testing.assert_array_equal(shown, crop)
    assert heatmap.shape == shown.shape
    grey = np.asarray(Image.fromarray(crop).convert("L"))
    np.testing.assert_array_equal(heatmap[:, :20], np.repeat(grey[:, :20, None], 3, axis=2))
    # inferno's last colour, over a quarter of the grey
    expected = 0.75 * np.array([252, 255, 164]) + 0.25 * grey[:, 20:, None]
    assert heatmap[:, 20:] == near(expected, 1.5, "rounded to grey levels twice")


def test_of_a_large_image_the_middle_is_explained(tmp_path: pathlib.Path) -> None:
    save(tmp_path / "set/1_fake/a.png", np.full((640, 2048, 3), 200, np.uint8))
    shapes = []

    def strongest(image: Tensor, threshold: float) -> npt.NDArray[np.float32]:
        shapes.append(tuple(image.shape))
        return flat(image, threshold)

    scores = {"set": scores_of(("1_fake/a.png", 1, -1.0))}
    picture = made(tmp_path, scores, explain=strongest)["set"]["1_fake/a.png"]
    assert shapes == [(3, 640, 1024)]
    heatmap = decoded(picture.heatmaps["m"]).astype(int)
    assert heatmap.shape == (70, 224, 3)
    for side in (heatmap[:, :48], heatmap[:, 176:]):  # darkened
        assert side == near(np.full(side.shape, 80), 12, "JPEG blurs the border")
    assert (heatmap[:, 64:160, 0] > 220).all()


def test_each_model_explains_what_it_is_most_wrong_about(tmp_path: pathlib.Path) -> None:
    for number in range(4):
        save(tmp_path / f"s/0_real/{number}.png", framed(20, 20, 2))
    rising = scores_of(*((f"0_real/{i}.png", 0, float(i)) for i in range(4)))
    models = [
        evaluation_of({"s": rising}, name="up"),
        evaluation_of({"s": rising._replace(logits=-rising.logits)}, name="down"),
        evaluation_of({"s": rising}, name="unexplained"),
    ]
    pictures = make_thumbnails(
        str(tmp_path / "out"),
        models,
        number=1,
        mark=Mark("", {}),
        dataroot=str(tmp_path),
        explain=[flat, flat],
    )
    explained = {path: list(its.heatmaps) for path, its in pictures["s"].items()}
    assert explained["0_real/3.png"] == ["up"]
    assert explained["0_real/0.png"] == ["down"]


def test_beyond_what_a_page_can_hold_pictures_are_files(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The most telling stay in the page."""
    rng = np.random.default_rng(0)
    for number in range(8):
        noise = rng.integers(0, 256, (60 + 10 * (number % 2), 60, 3), dtype=np.uint8)
        save(tmp_path / f"s/0_real/{number}.png", noise)
    scores = {"s": scores_of(*((f"0_real/{i}.png", 0, float(i)) for i in range(8)))}
    whole = made(tmp_path, scores)
    assert all(isinstance(its.image, bytes) for its in whole["s"].values())
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(report.thumbnails, "EMBEDDED", 40_000)
    part = made(tmp_path, scores)
    embedded = [path for path, its in part["s"].items() if isinstance(its.image, bytes)]
    assert embedded == [f"0_real/{i}.png" for i in (7, 6, 5)]
    files = {str(its.image): path for path, its in part["s"].items() if path not in embedded}
    there = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*")}
    assert set(files) == there
    for file, path in files.items():
        assert (tmp_path / "out" / file).read_bytes() == whole["s"][path].image
        assert file.endswith(".jpg" if int(path[-5]) % 2 else ".png")


def test_as_many_as_asked_for(tmp_path: pathlib.Path) -> None:
    for label in ("0_real", "1_fake"):
        for number in range(20):
            save(tmp_path / f"s/{label}/{number:02}{label}.png", framed(4, 4, 2))
    images = [(f"{('0_real', '1_fake')[i % 2]}/{i // 2:02}", i % 2, float(i)) for i in range(40)]
    images = [(f"{path}{path[:6]}.png", label, logit) for path, label, logit in images]
    scores = {"s": scores_of(*images)}
    assert made(tmp_path, scores, number=number_of("none")) == {}
    assert len(made(tmp_path, scores, number=number_of("3"))["s"]) == 6
    calls: list[int] = []

    def counted(image: Tensor, threshold: float) -> npt.NDArray[np.float32]:
        calls.append(1)
        return flat(image, threshold)

    assert len(made(tmp_path, scores, number=number_of("all"), explain=counted)["s"]) == 40
    assert len(calls) == 24  # 12 of each label
