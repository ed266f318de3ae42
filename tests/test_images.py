from __future__ import annotations

import pathlib
import pickle

import cv2
import numpy as np
import pytest
from PIL import Image

from data.images import UnreadableImage, image_size, open_image, read_header

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (9, 7, 3), dtype=np.uint8)


def save(path: pathlib.Path, mode: str, **options: object) -> Image.Image:
    image = Image.fromarray(COLOURS).convert(mode)
    image.save(path, **options)
    return image


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg", "bmp", "webp", "tif", "tiff", "ppm"])
def test_rgb_files_are_as_pil_converts_them(tmp_path: pathlib.Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    save(path, "RGB")
    pixels = open_image(str(path))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, np.asarray(Image.open(path).convert("RGB")))
    if ending in ("png", "bmp", "tif", "tiff", "ppm"):
        np.testing.assert_array_equal(pixels, COLOURS)


@pytest.mark.parametrize(
    ("mode", "ending"),
    [("L", "png"), ("L", "jpg"), ("1", "png"), ("P", "png"), ("P", "bmp"), ("LA", "png")]
    + [("RGBA", "png"), ("CMYK", "jpg"), ("CMYK", "tif"), ("YCbCr", "jpg"), ("P", "gif")],
)
def test_other_modes_are_as_pil_converts_them(
    tmp_path: pathlib.Path, mode: str, ending: str
) -> None:
    path = tmp_path / f"a.{ending}"
    save(path, mode)
    pixels = open_image(str(path))
    assert pixels.shape == (9, 7, 3)
    np.testing.assert_array_equal(pixels, np.asarray(Image.open(path).convert("RGB")))


def test_alpha_is_dropped_not_blended(tmp_path: pathlib.Path) -> None:
    transparent = np.dstack([COLOURS, np.zeros((9, 7), np.uint8)])
    Image.fromarray(transparent).save(tmp_path / "a.png")
    np.testing.assert_array_equal(open_image(str(tmp_path / "a.png")), COLOURS)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path: pathlib.Path, ending: str) -> None:
    grey = np.array([[0, 255, 256], [32768, 65279, 65535]], np.uint16)
    Image.fromarray(grey).save(tmp_path / f"a.{ending}")
    expected = [[0, 0, 1], [128, 254, 255]]
    pixels = open_image(str(tmp_path / f"a.{ending}"))
    assert pixels.dtype == np.uint8
    for channel in range(3):
        assert pixels[..., channel].tolist() == expected


def test_exif_rotation_is_not_applied(tmp_path: pathlib.Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees to view"
    save(tmp_path / "a.png", "RGB", exif=exif)
    np.testing.assert_array_equal(open_image(str(tmp_path / "a.png")), COLOURS)


def test_the_first_frame_of_an_animation_is_taken(tmp_path: pathlib.Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    assert open_image(str(tmp_path / "a.webp"))[0, 0].tolist() == [255, 0, 0]


def unreadable_files(folder: pathlib.Path) -> list[pathlib.Path]:
    save(folder / "good.png", "RGB")
    whole = (folder / "good.png").read_bytes()
    contents = {
        "empty.png": b"",
        "text.png": b"no image",
        "cut.png": whole[: len(whole) // 2],
        "crc.png": whole[:60] + bytes([whole[60] ^ 255]) + whole[61:],
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    Image.fromarray(np.zeros((3, 3), np.float32)).save(folder / "float.tif")
    return [folder / name for name in (*contents, "float.tif", "missing.png")]


def test_what_cannot_be_read_is_named(tmp_path: pathlib.Path) -> None:
    for path in unreadable_files(tmp_path):
        with pytest.raises(UnreadableImage) as error:
            open_image(str(path))
        assert str(error.value).startswith(f"{path}: ")
        assert len(str(error.value)) > len(f"{path}: ") + 10  # and says why


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_decompression_bombs_are_refused(tmp_path: pathlib.Path, mode: str) -> None:
    save(tmp_path / "a.png", mode)
    assert open_image(str(tmp_path / "a.png"), max_pixels=63).shape == (9, 7, 3)
    with pytest.raises(UnreadableImage, match=r"holds 7x9 pixels, more than 62 .*--max_pixels"):
        open_image(str(tmp_path / "a.png"), max_pixels=62)


def test_the_error_travels_between_processes(tmp_path: pathlib.Path) -> None:
    error = pickle.loads(pickle.dumps(UnreadableImage(str(tmp_path), "gone")))
    assert (error.path, error.reason, str(error)) == (str(tmp_path), "gone", f"{tmp_path}: gone")


def test_a_header_tells_the_content_whatever_the_name(tmp_path: pathlib.Path) -> None:
    save(tmp_path / "a.png", "RGB")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    header = read_header(str(tmp_path / "a.jpg"))
    assert (header.format, header.mode, header.height, header.width) == ("PNG", "RGB", 9, 7)
    assert (header.bits, header.quantization, header.sampling) == (8, (), "")
    assert image_size(str(tmp_path / "a.jpg")) == (9, 7)
    assert image_size(str(tmp_path / "none.jpg")) == (0, 0)


def test_the_header_of_a_jpeg_holds_its_tables(tmp_path: pathlib.Path) -> None:
    best, worse = str(tmp_path / "best.jpg"), str(tmp_path / "worse.jpg")
    save(tmp_path / "best.jpg", "RGB", quality=100)
    save(tmp_path / "worse.jpg", "RGB", quality=50)
    assert read_header(best).quantization == ((1,) * 64,) * 2
    tables = read_header(worse).quantization
    assert [len(table) for table in tables] == [64, 64]
    assert tables[0][0] == 16  # the standard's first figure, at quality 50


@pytest.mark.parametrize(
    ("subsampling", "mode", "expected"),
    [(0, "RGB", "4:4:4"), (1, "RGB", "4:2:2"), (2, "RGB", "4:2:0"), (0, "L", "other")],
)
def test_the_header_of_a_jpeg_tells_its_sampling(
    tmp_path: pathlib.Path, subsampling: int, mode: str, expected: str
) -> None:
    save(tmp_path / "a.jpg", mode, subsampling=subsampling)
    assert read_header(str(tmp_path / "a.jpg")).sampling == expected


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_the_header_tells_of_exif(tmp_path: pathlib.Path, ending: str) -> None:
    exif = Image.Exif()
    exif[0x0110] = "a camera"
    save(tmp_path / f"with.{ending}", "RGB", exif=exif)
    save(tmp_path / f"without.{ending}", "RGB")
    assert read_header(str(tmp_path / f"with.{ending}")).has_exif
    assert not read_header(str(tmp_path / f"without.{ending}")).has_exif


def test_the_header_tells_the_bits_as_stored(tmp_path: pathlib.Path) -> None:
    save(tmp_path / "1.png", "1")
    save(tmp_path / "8.png", "P")
    Image.fromarray(np.zeros((3, 3), np.uint16)).save(tmp_path / "16.png")
    Image.fromarray(np.zeros((3, 3), np.float32)).save(tmp_path / "32.tif")
    save(tmp_path / "8.bmp", "RGB")
    bits = {"1.png": 1, "8.png": 8, "8.bmp": 8, "16.png": 16, "32.tif": 32, "colour16.png": 16}
    cv2.imwrite(str(tmp_path / "colour16.png"), np.zeros((3, 3, 3), np.uint16))
    assert {name: read_header(str(tmp_path / name)).bits for name in bits} == bits


@pytest.mark.parametrize("name", ["text.png", "empty.png", "missing.png"])
def test_a_file_without_a_header_is_named(tmp_path: pathlib.Path, name: str) -> None:
    unreadable_files(tmp_path)
    with pytest.raises(UnreadableImage) as error:
        read_header(str(tmp_path / name))
    assert str(error.value).startswith(f"{tmp_path / name}: ")


def test_a_file_that_would_start_a_program_is_no_image(tmp_path: pathlib.Path) -> None:
    """PIL hands EPS to Ghostscript, whatever the file's name says."""
    path = tmp_path / "a.png"
    path.write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    )
    assert Image.open(path).format == "EPS"
    with pytest.raises(UnreadableImage, match="cannot identify"):
        open_image(str(path))
    with pytest.raises(UnreadableImage, match="cannot identify"):
        read_header(str(path))
