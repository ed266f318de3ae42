"""Open and decode image files; nothing else in the project opens one."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import os
import stat
import warnings
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError, features

from data.packed import Packed, packed
from data.plain_decode import decode_plain
from options.machine import MAX_PIXELS
from util.errors import WorkError

Pixels = npt.NDArray[np.uint8]  # (height, width, 3), RGB
_JPEG = ("JPEG", "MPO")  # MPO: a camera's JPEG with a preview
# Endings that count as images, and PIL's names for the formats they may hold.
FORMATS: dict[str, tuple[str, ...]] = {
    ".png": ("PNG",),
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), _JPEG),
    ".bmp": ("BMP",),
    ".gif": ("GIF",),
    ".webp": ("WEBP",),
    ".tif": ("TIFF",),
    ".tiff": ("TIFF",),
    ".ppm": ("PPM",),
}
# Formats that are decoded, whatever a file's ending. PIL's other decoders (EPS starts a program)
# never see a file: it may come from the web.
DECODERS = ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM"]
INSTALL = {}  # ending -> what to install so that it can be read
if "avif" in features.modules and features.check("avif"):
    FORMATS[".avif"] = ("AVIF",)
    DECODERS.append("AVIF")
else:
    INSTALL[".avif"] = "AVIF wants Pillow 11.3 or newer"
if importlib.util.find_spec("pillow_heif"):
    importlib.import_module("pillow_heif").register_heif_opener()
    FORMATS |= {".heic": ("HEIF",), ".heif": ("HEIF",)}
    DECODERS.append("HEIF")
else:
    INSTALL |= dict.fromkeys((".heic", ".heif"), "HEIC wants pip install pillow-heif")
ENDINGS = tuple(FORMATS)
MAX_BYTES = 1 << 32  # of a file: the limit of BMP and TIFF
Image.MAX_IMAGE_PIXELS = None  # `decode` checks the size, before decoding
warnings.filterwarnings("ignore", module=r"PIL\.")  # they name no file; errors do


class UnreadableImage(WorkError):
    """An image file that cannot be read or decoded; its text is the path and the reason."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)  # both, so that it can be pickled in a worker
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def open_image(path: str, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Read and decode an image into (H, W, 3) uint8; see `read_file`, `decode` and `unpack`."""
    its = find_packed(path)
    return unpack(its, path, max_pixels) if its else decode(read_plain(path), path, max_pixels)


def read_file(path: str) -> bytes:
    """Return the content of a file, which may lie in a pack (data/packed.py).

    Raises UnreadableImage as `read_plain` does, and where a pack has its pixels alone.
    """
    if its := find_packed(path):
        with _as_unreadable(path):
            if (content := its.original()) is not None:
                return content
        raise UnreadableImage(path, "is packed as pixels: what its file was like is not known")
    return read_plain(path)


def read_plain(path: str) -> bytes:
    """Return the content of a file that lies in no pack.

    Raises UnreadableImage where it is missing, larger than MAX_BYTES, or no regular file: reading a
    pipe may block for ever, and a device may never end.
    """
    with _opened(path) as file:
        return file.read()


def find_packed(path: str) -> Packed | None:
    """Return the image of a pack that `path` names, or None; raise UnreadableImage for a damaged
    pack.
    """
    with _as_unreadable(path):
        return packed(path)


def unpack(its: Packed, path: str, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Return the pixels of an image in a pack as `decode` does; `path` is for errors."""
    with _as_unreadable(path):
        if (content := its.original()) is not None:
            return decode(content, path, max_pixels)
        _require_few(path, its.size(), max_pixels)
        return its.pixels()


def decode(content: bytes, path: str, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode an image file's content into RGB, (H, W, 3), 0..255; `path` is for errors.

    Like PIL's `.convert("RGB")`, which the reference uses: grey and palette images become RGB, CMYK
    is converted, an alpha channel is dropped (not blended), the first frame of an animation is
    taken, and an EXIF rotation is *not* applied: the detector looks for traces in the pixel grid as
    it was stored. One difference: 16-bit grey is scaled to 8 bits, where PIL clips it to white.
    Ordinary PNG and JPEG files are decoded faster than PIL does, to the same bits.
    Raises UnreadableImage for files that are damaged, cut short, of floating-point values, or that
    claim more than `max_pixels` pixels (decompression bombs).
    """
    if (plain := decode_plain(content, max_pixels)) is not None:
        return plain
    with _as_unreadable(path), Image.open(io.BytesIO(content), formats=DECODERS) as image:
        return pixels_of(image, path, max_pixels)


def pixels_of(image: Image.Image, path: str, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Return an image that PIL has opened as `decode` does; `path` is for errors."""
    with _as_unreadable(path):
        _require_few(path, (image.height, image.width), max_pixels)
        if image.mode == "F":
            raise UnreadableImage(path, "holds floating-point values, not 8 or 16 bits")
        if image.mode.startswith("I"):  # 16-bit grey: "I;16", "I;16B", ..., "I" in older PIL
            grey = (np.asarray(image).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8)
            return np.repeat(grey[..., np.newaxis], 3, axis=2)
        return np.asarray(image.convert("RGB"))


def _require_few(path: str, size: tuple[int, int], max_pixels: int) -> None:
    height, width = size
    if width * height > max_pixels:
        raise UnreadableImage(
            path, f"holds {width}x{height} pixels, more than {max_pixels:,} in all (--max_pixels)"
        )


@contextlib.contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """Open a regular file for reading.

    It is checked before and after opening, which does not block: replacing it in between, by a
    pipe say, cannot hang this process.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with _as_unreadable(path), contextlib.ExitStack() as closing:
        _require_regular(path, os.stat(path))  # first: opening a device may have effects
        descriptor = os.open(path, flags)
        closing.callback(os.close, descriptor)
        _require_regular(path, os.fstat(descriptor))
        yield closing.enter_context(open(descriptor, "rb", closefd=False))


def _require_regular(path: str, state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise UnreadableImage(path, "is no regular file")
    if state.st_size > MAX_BYTES:
        raise UnreadableImage(path, f"holds {state.st_size:,} bytes, more than {MAX_BYTES:,}")


@contextlib.contextmanager
def _as_unreadable(path: str) -> Iterator[None]:
    """Turn any exception in the block into an UnreadableImage of `path` that says why."""
    try:
        yield
    except UnreadableImage:
        raise
    except Exception as error:  # PIL's decoders raise nearly every type
        reason: object = error
        if isinstance(error, UnidentifiedImageError):  # its text names a memory buffer
            reason = "cannot identify image file"
            hint = INSTALL.get(os.path.splitext(path)[1].lower())
            reason += f"; {hint}" if hint else ""
        elif isinstance(error, OSError) and error.strerror:  # omit its path: it comes first
            reason = error.strerror
        raise UnreadableImage(path, f"cannot be read as an image ({reason})") from error


class Header(NamedTuple):
    """What an image file's header says, read without decoding the pixels."""

    format: str  # by content, not by ending: "PNG", "JPEG", "BMP", ...
    mode: str  # PIL's: "RGB", "L", "P", ...
    height: int
    width: int
    bits: int  # per channel as stored: 1, 8, 16 or 32 (palette colours: 8)
    quantization: tuple[tuple[int, ...], ...]  # JPEG: tables of 64, in PIL's order; else ()
    sampling: str  # JPEG: "4:4:4", "4:2:2", "4:2:0" or "other" (grey, too); else ""
    has_exif: bool  # has an EXIF block (JPEG, PNG, WebP)


def read_header(path: str) -> Header:
    """Return the header of an image file.

    Raises UnreadableImage where it cannot be read, or the file is no regular one. Pixels that are
    damaged or cut short pass unnoticed.
    """
    opened = io.BytesIO(read_file(path)) if find_packed(path) else _opened(path)
    with _as_unreadable(path), opened as file, Image.open(file, formats=DECODERS) as image:
        tables = getattr(image, "quantization", None) or {}
        return Header(
            format=image.format or "",
            mode=image.mode,
            height=image.height,
            width=image.width,
            bits=_bits(image),
            quantization=tuple(tuple(table) for table in tables.values()),
            sampling=_sampling(image),
            has_exif=bool({"exif", "Raw profile type exif"} & set(image.info)),
        )


def _bits(image: Image.Image) -> int:
    tiles = getattr(image, "tile", None)
    layout = tiles[0][3] if tiles else ""  # as stored: PIL reads 16-bit RGB as 8-bit
    stored = str(layout[0] if isinstance(layout, tuple) and layout else layout)
    if ";16" in image.mode or (";16" in stored and stored != "BGR;16"):  # BMP: 5, 6 and 5 bits
        return 16
    return {"1": 1, "I": 32, "F": 32}.get(image.mode, 8)


def _sampling(image: Image.Image) -> str:
    layers = getattr(image, "layer", None)  # JPEG: (component, across, down, table) each
    if not layers:
        return ""
    factors = tuple(tuple(layer[1:3]) for layer in layers)
    known = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0"}
    is_usual = len(factors) == 3 and factors[1:] == ((1, 1), (1, 1))
    return known.get(factors[0], "other") if is_usual else "other"


def image_size(path: str) -> tuple[int, int]:
    """Return (height, width) from the file's header; (0, 0) where it cannot be read."""
    try:
        if its := find_packed(path):
            return its.size()
        header = read_header(path)
    except UnreadableImage:  # decoding it will raise the reason
        return 0, 0
    return header.height, header.width
