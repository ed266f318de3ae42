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

from data.augment import Transform
from data.transforms import eval_transform
from evaluation.predictions import Scores
from report.gallery import find_mistakes, gallery, roots_of
from report.page import Mistake
from report.pictures import Explain
from tests.tolerances import near

Shape = tuple[int, int]


def pictures(  # in the order of its arguments
    model: str,
    scores: dict[str, Scores],
    threshold: float,
    number: int,
    roots: dict[str, str],
    transforms: list[Transform],
    explain: Explain | None,
) -> list[Mistake]:
    return gallery(
        model,
        scores,
        threshold=threshold,
        number=number,
        roots=roots,
        transforms={0: transforms, 1: transforms},
        explain=explain,
    )


def scores_of(*images: tuple[str, int, float]) -> Scores:
    paths, labels, logits = zip(*sorted(images), strict=True)
    return Scores(list(paths), np.array(labels, np.uint8), np.array(logits))


def decoded(content: bytes | None) -> npt.NDArray[np.uint8]:
    assert content is not None
    return np.asarray(Image.open(io.BytesIO(content)))


def kind(content: bytes | None) -> str | None:
    assert content is not None
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


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.0, 0.5])
@pytest.mark.parametrize("most", [1, 4, 1000])
def test_mistakes_are_those_of_a_plain_sort(threshold: float, most: int) -> None:
    rng = np.random.default_rng((most, int(10 * threshold) + 100))
    logits = rng.integers(-6, 7, 200) / 2  # many ties, with each other and with the threshold
    scores = scores_of(*((f"{i:03d}.png", int(rng.integers(2)), x) for i, x in enumerate(logits)))
    rows = list(zip(*scores[:3], range(200), strict=True))
    reals = sorted((-x, path, i) for path, label, x, i in rows if label == 0 and x > threshold)
    fakes = sorted((x, path, i) for path, label, x, i in rows if label == 1 and x <= threshold)
    expected = [i for *_, i in reals[:most]] + [i for *_, i in fakes[:most]]
    assert find_mistakes(scores, threshold, most) == expected
    assert len(expected) == 2 * most or most == 1000


def test_ties_go_by_path_in_whatever_order_the_images_come() -> None:
    scores = Scores(["b", "c", "a"], np.zeros(3, np.uint8), np.ones(3))
    assert find_mistakes(scores, 0.0, 2) == [2, 0]


def test_without_mistakes_there_is_no_gallery() -> None:
    scores = scores_of(("0_real/a.png", 0, -1.0), ("1_fake/b.png", 1, 1.0))
    assert find_mistakes(scores, 0.0, 5) == []
    assert pictures("m", {"set": scores}, 0.0, 5, {}, [], None) == []


def test_mistakes_come_by_test_set_and_confidence() -> None:
    first = scores_of(
        *(("0_real/a.png", 0, 1.0), ("0_real/b.png", 0, 3.0), ("0_real/c.png", 0, 2.0)),
        *(("1_fake/d.png", 1, -1.0), ("1_fake/e.png", 1, 0.0), ("1_fake/f.png", 1, 0.1)),
    )
    second = scores_of(("1_fake/g.png", 1, -9.0))
    assert pictures("m", {"z": first, "a": second}, 0.0, 2, {}, [], None) == [
        Mistake("m", "z", "0_real/b.png", 0, 3.0, None),
        Mistake("m", "z", "0_real/c.png", 0, 2.0, None),
        Mistake("m", "z", "1_fake/d.png", 1, -1.0, None),
        Mistake("m", "z", "1_fake/e.png", 1, 0.0, None),
        Mistake("m", "a", "1_fake/g.png", 1, -9.0, None),
    ]


@pytest.mark.parametrize(
    ("stored", "crop_size", "shown", "encoding"),
    [
        ((100, 120), 48, (48, 48), "PNG"),  # never enlarged
        ((100, 120), 64, (64, 64), "PNG"),
        ((101, 121), 65, (65, 65), "JPEG"),
        ((300, 400), 224, (160, 160), "JPEG"),
        ((300, 400), None, (120, 160), "JPEG"),
        ((400, 300), None, (160, 120), "JPEG"),
        ((30, 50), None, (30, 50), "PNG"),
        ((3, 900), None, (1, 160), "JPEG"),
    ],
)
def test_a_picture_shows_what_the_network_saw(
    tmp_path: pathlib.Path, stored: Shape, crop_size: int | None, shown: Shape, encoding: str
) -> None:
    save(tmp_path / "set/cat/0_real/a.png", framed(*stored, min(crop_size or 1, *stored)))
    scores = scores_of(("cat/0_real/a.png", 0, 1.0))
    (mistake,) = pictures(
        "m",
        {"set": scores},
        0.0,
        1,
        {"set": str(tmp_path / "set")},
        eval_transform(crop_size),
        None,
    )
    pixels = decoded(mistake.image)
    assert pixels.shape == (*shown, 3)
    assert kind(mistake.image) == encoding
    assert mistake.heatmap is None
    red, green, _ = pixels.reshape(-1, 3).mean(axis=0)
    assert (green > 250 and red < 5) if crop_size else (red > 200 and green < 50)


def test_a_folder_that_is_itself_the_test_set(tmp_path: pathlib.Path) -> None:
    save(tmp_path / "own/0_real/a.png", framed(20, 20, 2))
    scores = {"own": scores_of(("0_real/a.png", 0, 1.0))}
    for dataroot in (tmp_path, tmp_path / "own"):
        (mistake,) = pictures("m", scores, 0.0, 1, roots_of(str(dataroot), scores), [], None)
        np.testing.assert_array_equal(decoded(mistake.image), framed(20, 20, 2))


def test_a_missing_or_damaged_file_leaves_the_rest(tmp_path: pathlib.Path) -> None:
    save(tmp_path / "set/0_real/good.png", framed(20, 20, 2))
    (tmp_path / "set/0_real/damaged.png").write_bytes(b"no image")
    names = ("damaged", "good", "missing")
    scores = scores_of(*((f"0_real/{name}.png", 0, 1.0) for name in names))
    mistakes = pictures("m", {"set": scores}, 0.0, 9, {"set": str(tmp_path / "set")}, [], flat(1.0))
    assert [mistake.image is None for mistake in mistakes] == [True, False, True]
    assert [mistake.heatmap is None for mistake in mistakes] == [True, False, True]


def flat(value: float) -> Callable[[Tensor], npt.NDArray[np.float32]]:
    return lambda image: np.full(image.shape[1:], value, np.float32)


def test_the_heatmap_lies_over_the_same_picture(tmp_path: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (50, 70, 3), dtype=np.uint8)
    save(tmp_path / "set/1_fake/a.png", pixels)
    asked: list[Tensor] = []

    def right_half(image: Tensor) -> npt.NDArray[np.float32]:
        asked.append(image)
        heat = np.zeros(image.shape[1:], np.float32)
        heat[:, 20:] = 1
        return heat

    scores = scores_of(("1_fake/a.png", 1, -1.0))
    (mistake,) = pictures(
        "m", {"set": scores}, 0.0, 1, {"set": str(tmp_path / "set")}, eval_transform(40), right_half
    )
    crop = pixels[5:45, 15:55]
    assert torch.equal(asked[0], torch.from_numpy(crop.transpose(2, 0, 1)))
    image, heatmap = decoded(mistake.image), decoded(mistake.heatmap)
    np.testing.assert_array_equal(image, crop)
    assert heatmap.shape == image.shape
    grey = np.asarray(Image.fromarray(crop).convert("L"))
    np.testing.assert_array_equal(heatmap[:, :20], np.repeat(grey[:, :20, None], 3, axis=2))
    # inferno's last colour, over a quarter of the grey
    expected = 0.75 * np.array([252, 255, 164]) + 0.25 * grey[:, 20:, None]
    assert heatmap[:, 20:] == near(expected, 1.5, "rounded to grey levels twice")


def test_of_a_large_image_the_middle_is_explained(tmp_path: pathlib.Path) -> None:
    save(tmp_path / "set/1_fake/a.png", np.full((640, 2048, 3), 200, np.uint8))
    shapes = []

    def strongest(image: Tensor) -> npt.NDArray[np.float32]:
        shapes.append(tuple(image.shape))
        return np.ones(image.shape[1:], np.float32)

    scores = scores_of(("1_fake/a.png", 1, -1.0))
    (mistake,) = pictures(
        "m", {"set": scores}, 0.0, 1, {"set": str(tmp_path / "set")}, [], strongest
    )
    assert shapes == [(3, 640, 1024)]
    heatmap = decoded(mistake.heatmap).astype(int)
    assert heatmap.shape == (50, 160, 3)
    for side in (heatmap[:, :36], heatmap[:, 124:]):  # darkened
        assert side == near(np.full(side.shape, 80), 12, "JPEG blurs the border")
    assert (heatmap[:, 44:116, 0] > 220).all()
