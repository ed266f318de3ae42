"""What OpenCV and simplejpeg decode is what PIL decodes, to the bit, on thousands of odd files."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from data.plain_decode import decode_plain
from options.machine import MAX_PIXELS

Pixels = npt.NDArray[np.uint8]
MOST = 60  # pixels a side


def by_pil(content: bytes) -> Pixels | None:
    """What the reference makes of a file; None where it refuses."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(image.convert("RGB"))
    except Exception:  # PIL's decoders raise nearly every type
        return None


def picture(rng: np.random.Generator) -> Pixels:
    """Waves and noise of a random size."""
    height, width = rng.integers(1, MOST, 2)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin((a * x + b * y) / rng.uniform(2, 30)) for a, b in ((1, 0), (0, 1), (1, 1))]
    noise = rng.normal(0, rng.uniform(0, 40), (height, width, 3))
    return (100 * np.stack(waves, -1) + 128 + noise).clip(0, 255).astype(np.uint8)


def png(rng: np.random.Generator) -> bytes:
    buffer = io.BytesIO()
    level = int(rng.integers(10))
    Image.fromarray(picture(rng)).save(buffer, "PNG", compress_level=level)
    return buffer.getvalue()


def jpeg(rng: np.random.Generator) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture(rng)).save(
        buffer,
        "JPEG",
        quality=int(rng.integers(1, 101)),
        subsampling=int(rng.integers(3)),
        optimize=bool(rng.integers(2)),
        progressive=bool(rng.integers(2)),
        restart_marker_blocks=int(rng.integers(4)),
    )
    return buffer.getvalue()


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut short, with bits turned, bytes lost, bytes in between, or bytes behind."""
    place, length = int(rng.integers(1, len(content))), int(rng.integers(1, 20))
    odd = rng.bytes(length)
    if (kind := rng.integers(5)) == 0:
        return content[:place]
    if kind == 1:
        turned = bytes([content[place] ^ 1 << int(rng.integers(8))])
        return content[:place] + turned + content[place + 1 :]
    if kind == 2:
        return content[:place] + content[place + length :]
    return content[:place] + odd + content[place:] if kind == 3 else content + odd


def agrees(content: bytes) -> bool:
    """Whether the file was decoded fast; if so, as PIL does."""
    plain, wanted = decode_plain(content, MAX_PIXELS), by_pil(content)
    if plain is not None:
        assert wanted is not None, "PIL refuses the file"
        np.testing.assert_array_equal(plain, wanted)
    return plain is not None


@pytest.mark.parametrize("make", [png, jpeg])
def test_whole_files_are_decoded_fast_and_to_the_bit(
    make: Callable[[np.random.Generator], bytes],
) -> None:
    rng = np.random.default_rng(1)
    assert all(agrees(make(rng)) for _ in range(600))


@pytest.mark.parametrize("make", [png, jpeg])
def test_damaged_files_are_as_pil_reads_them_or_left_to_it(
    make: Callable[[np.random.Generator], bytes],
) -> None:
    rng = np.random.default_rng(2)
    fast = [agrees(damaged(make(rng), rng)) for _ in range(1500)]
    assert 50 < sum(fast) < 1450  # both happen


def chunk(name: bytes, content: bytes) -> bytes:
    crc = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)


def with_chunk(name: bytes, content: bytes) -> bytes:
    """A PNG file with one more chunk, before its pixels."""
    whole = png(np.random.default_rng(3))
    place = whole.index(b"IDAT") - 4
    return whole[:place] + chunk(name, content) + whole[place:]


def odd_files() -> Iterator[tuple[str, bytes]]:
    """One file of each kind that is no ordinary one, or that says more than its pixels."""
    rng = np.random.default_rng(4)
    pixels = picture(rng)
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees to view"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    kinds: list[tuple[str, str, dict[str, object]]] = [
        ("PNG", "RGB", {"exif": exif}),
        ("PNG", "RGB", {"icc_profile": profile, "dpi": (300, 300)}),
        ("PNG", "RGB", {"transparency": (1, 2, 3)}),
        *(("PNG", mode, {}) for mode in ("1", "L", "LA", "P", "RGBA")),
        ("JPEG", "RGB", {"exif": exif}),
        ("JPEG", "RGB", {"icc_profile": profile, "comment": b"x" * 60000}),
        ("JPEG", "RGB", {"keep_rgb": True}),
        *(("JPEG", mode, {}) for mode in ("L", "CMYK", "YCbCr")),
        ("MPO", "RGB", {"save_all": True, "append_images": [image.rotate(180)]}),
    ]
    for form, mode, options in kinds:
        buffer = io.BytesIO()
        image.convert(mode).save(buffer, form, **options)
        yield f"{form} {mode} {' '.join(options)}", buffer.getvalue()
    frames = io.BytesIO()
    image.save(frames, "PNG", save_all=True, append_images=[image.rotate(180)])
    yield "animated PNG", frames.getvalue()
    wide = cv2.imencode(".png", pixels.astype(np.uint16) * 257)[1].tobytes()
    yield "PNG of 16 bits", wide
    for quality in (5, 50, 95):
        for sampling in (0x111111, 0x211111, 0x221111, 0x121111, 0x411111):
            flags = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
            yield f"JPEG {quality} {sampling:x}", cv2.imencode(".jpg", pixels, flags)[1].tobytes()
    # What says how the colours are meant: PIL's conversion to RGB takes none of it into account.
    yield "gAMA", with_chunk(b"gAMA", struct.pack(">I", 100000))
    yield "cHRM", with_chunk(b"cHRM", struct.pack(">8I", *[31270, 32900, 64000, 33000] * 2))
    yield "sRGB", with_chunk(b"sRGB", b"\0")
    yield "sBIT", with_chunk(b"sBIT", b"\5\5\5")
    yield "cICP", with_chunk(b"cICP", b"\x09\x10\0\1")
    yield "bKGD", with_chunk(b"bKGD", b"\0\1\0\2\0\3")
    yield "tRNS", with_chunk(b"tRNS", b"\0\1\0\2\0\3")
    yield "PLTE", with_chunk(b"PLTE", bytes(range(30)))
    yield "tEXt", with_chunk(b"tEXt", b"Comment\0" + b"x" * 5000)
    yield "oDDe", with_chunk(b"oDDe", b"?")


@pytest.mark.parametrize(("kind", "content"), [pytest.param(*f, id=f[0]) for f in odd_files()])
def test_odd_files_are_as_pil_reads_them_or_left_to_it(kind: str, content: bytes) -> None:
    assert by_pil(content) is not None
    agrees(content)


def interlaced(pixels: Pixels) -> bytes:
    """An interlaced PNG file (Adam7), which PIL does not write."""
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4))
    passes += ((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))  # type: ignore[assignment]
    rows = [
        b"\0" + row.tobytes()
        for top, left, down, right in passes
        for row in pixels[top::down, left::right]
        if row.size
    ]
    height, width = pixels.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    body = (
        chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b"")
    )
    return b"\x89PNG\r\n\x1a\n" + body


def test_interlaced_files_are_as_pil_reads_them() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        pixels = picture(rng)
        content = interlaced(pixels)
        np.testing.assert_array_equal(by_pil(content), pixels)
        agrees(content)


def test_a_png_cut_short_is_left_to_pil_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    content = png(np.random.default_rng(8))
    assert all(decode_plain(content[:end], MAX_PIXELS) is None for end in range(len(content)))
    assert not "".join(capfd.readouterr())


@pytest.mark.parametrize("make", [png, jpeg])
def test_what_claims_too_many_pixels_is_left_to_pil(
    make: Callable[[np.random.Generator], bytes],
) -> None:
    content = make(np.random.default_rng(6))
    height, width = np.shape(by_pil(content))[:2]
    assert decode_plain(content, height * width) is not None
    assert decode_plain(content, height * width - 1) is None
