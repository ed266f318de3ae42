from __future__ import annotations

import io
import pathlib

import numpy as np
import pytest
from PIL import Image

from data.augment import Transform
from data.images import Pixels, open_image
from evaluation.degrade import reencode_transforms
from util.errors import UsageError


def picture() -> Pixels:
    return np.random.default_rng(3).integers(0, 256, (37, 50, 3), dtype=np.uint8)


def applied(transforms: list[Transform], image: Pixels, seed: int = 0) -> Pixels:
    for transform in transforms:
        image = transform(image, np.random.default_rng(seed))
    return image


@pytest.mark.parametrize("quality", [1, 50, 95, 100])
def test_jpeg_gives_what_a_jpeg_file_of_that_quality_holds(
    tmp_path: pathlib.Path, quality: int
) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(picture()).save(path, quality=quality)
    for seed in range(3):
        result = applied(reencode_transforms(f"jpeg:{quality}"), picture(), seed)
        np.testing.assert_array_equal(result, np.asarray(Image.open(path)))
    assert (result != picture()).any()


def test_png_gives_what_a_png_file_holds_which_is_the_image_itself(tmp_path: pathlib.Path) -> None:
    for name, image in (
        ("rgb.jpg", Image.fromarray(picture())),
        ("grey.png", Image.fromarray(picture()[..., 0])),
        ("alpha.png", Image.fromarray(np.dstack([picture(), picture()[..., :1]]))),
    ):
        image.save(tmp_path / name)
        decoded = open_image(str(tmp_path / name))
        buffer = io.BytesIO()
        Image.fromarray(decoded).save(buffer, "PNG")
        stored = np.asarray(Image.open(buffer))
        np.testing.assert_array_equal(applied(reencode_transforms("png"), decoded), stored)


def test_nothing_is_nothing() -> None:
    assert reencode_transforms("") == reencode_transforms("png") == []


@pytest.mark.parametrize(
    "text", ["jpeg", "jpeg:", "jpeg:0", "jpeg:101", "jpeg:9.5", "jpeg:-5", "jpeg:²", "png:3", "gif"]
)
def test_anything_else_is_wrong_in_one_line(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--reencode must be png or jpeg:1 to jpeg:100, not "):
        reencode_transforms(text)
