from __future__ import annotations

import os
import pathlib

import numpy as np
import pytest
from PIL import Image

from data.images import Header, UnreadableImage
from tools.checks.cues import CUES, cues_of, jpeg_quality, read_cues

PNG_HEADER = Header("PNG", "RGB", 10, 20, 8, (), "", False)


def colours(height: int = 24, width: int = 40) -> Image.Image:
    rng = np.random.default_rng(5)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize(("subsampling", "name"), [(0, "4:4:4"), (2, "4:2:0")])
def test_the_quality_is_the_one_an_encoder_was_told(
    tmp_path: pathlib.Path, subsampling: int, name: str
) -> None:
    path = tmp_path / "a.jpg"
    for quality in range(1, 101):
        colours().save(path, quality=quality, subsampling=subsampling)
        cues = read_cues(str(path))
        assert cues["quality"] == quality
        assert (cues["tables"], cues["subsampling"]) == ("standard tables", name)


def test_grey_and_progressive_jpeg_have_a_quality_too(tmp_path: pathlib.Path) -> None:
    for quality in (1, 30, 75, 99, 100):
        colours().convert("L").save(tmp_path / "grey.jpg", quality=quality)
        colours().save(tmp_path / "progressive.jpg", quality=quality, progressive=True)
        for name in ("grey.jpg", "progressive.jpg"):
            cues = read_cues(str(tmp_path / name))
            assert (cues["quality"], cues["tables"]) == (quality, "standard tables")


def test_tables_of_its_own_have_the_nearest_quality(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.jpg"
    colours().save(path, quality=80)
    with Image.open(path) as image:
        tables = [list(table) for table in image.quantization.values()]
    for changed in (0, 1):
        own = [table[:] for table in tables]
        own[changed][17] += 1
        colours().save(path, qtables=own)
        cues = read_cues(str(path))
        assert (cues["quality"], cues["tables"]) == (80, "other tables")
    assert jpeg_quality([[255] * 64] * 3) == (1, True)
    assert jpeg_quality([[1] * 64]) == (100, True)
    assert jpeg_quality([]) == (0, False)


def test_the_cues_of_a_file_are_what_was_written(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "photo.JPG"
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    colours(24, 40).save(path, quality=77, subsampling=1, exif=exif)
    length = os.stat(path).st_size
    assert read_cues(str(path)) == {
        "format": "JPEG",
        "ending": ".JPG",
        "mode": "RGB, 8 bit",
        "width": 40,
        "height": 24,
        "size": "40 x 24",
        "aspect": pytest.approx(5 / 3),
        "quality": 77,
        "tables": "standard tables",
        "subsampling": "4:2:2",
        "exif": "EXIF",
        "bytes": length,
        "bytes_per_pixel": pytest.approx(length / 960),
    }


def test_a_file_that_is_not_jpeg_says_so(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.jpg"  # by its name alone
    colours().save(path, format="PNG")
    cues = read_cues(str(path))
    assert (cues["format"], cues["ending"], cues["quality"]) == ("PNG", ".jpg", 0)
    assert (cues["tables"], cues["subsampling"]) == ("no tables", "no subsampling")
    assert cues["exif"] == "no EXIF"
    Image.new("I;16", (4, 4)).save(tmp_path / "deep.png")
    assert read_cues(str(tmp_path / "deep.png"))["mode"] == "I;16, 16 bit"


def test_numbers_are_numbers_and_categories_text() -> None:
    cues = cues_of(PNG_HEADER, "a.png", 300)
    assert list(cues) == list(CUES)
    for name, value in cues.items():
        assert isinstance(value, float if CUES[name].is_number else str), name
    assert (cues["aspect"], cues["bytes_per_pixel"]) == (2.0, 1.5)


def test_a_damaged_or_missing_file_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    for name in ("bad.jpg", "gone.jpg"):
        with pytest.raises(UnreadableImage, match=name):
            read_cues(str(tmp_path / name))
