"""What a file tells of itself before its pixels are looked at: encoder, size, name."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data.images import Header, UnreadableImage, read_header

# The example tables that nearly all encoders scale, luminance (K.1) and chrominance (K.2).
# ITU-T T.81 (1992), Annex K. Row by row, as PIL gives tables.
LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMINANCE = (
    *(17, 18, 24, 47, 99, 99, 99, 99),
    *(18, 21, 26, 66, 99, 99, 99, 99),
    *(24, 26, 56, 99, 99, 99, 99, 99),
    *(47, 66, 99, 99, 99, 99, 99, 99),
    *(99,) * 32,
)


class Cue(NamedTuple):
    """One thing that a file tells."""

    words: str  # how a sentence calls it
    is_number: bool  # else a category
    kind: str  # "encoder", "size" or "bytes": what can be done about it


CUES = {
    "format": Cue("format", False, "encoder"),
    "ending": Cue("file ending", False, "encoder"),
    "mode": Cue("colour mode", False, "encoder"),
    "width": Cue("width", True, "size"),
    "height": Cue("height", True, "size"),
    "size": Cue("width x height", False, "size"),
    "aspect": Cue("width / height", True, "size"),
    "quality": Cue("JPEG quality", True, "encoder"),  # 0: not JPEG
    "tables": Cue("quantisation tables", False, "encoder"),
    "subsampling": Cue("chroma subsampling", False, "encoder"),
    "exif": Cue("EXIF", False, "encoder"),
    "bytes": Cue("bytes", True, "bytes"),
    "bytes_per_pixel": Cue("bytes per pixel", True, "bytes"),
}

Value = str | float


def read_cues(path: str) -> dict[str, Value]:
    """Return every cue of an image file. Raises UnreadableImage as `read_header` does."""
    header = read_header(path)
    try:
        return cues_of(header, path, os.path.getsize(path))
    except OSError as error:  # it has gone since
        raise UnreadableImage(path, f"cannot be read ({error.strerror})") from error


def cues_of(header: Header, path: str, num_bytes: int) -> dict[str, Value]:
    """Return the value of every cue of a file with this header, name and length."""
    quality, is_exact = jpeg_quality(header.quantization)
    return {
        "format": header.format,
        "ending": os.path.splitext(path)[1],  # its case, too, tells one source from another
        "mode": f"{header.mode}, {header.bits} bit",
        "width": float(header.width),
        "height": float(header.height),
        "size": f"{header.width} x {header.height}",
        "aspect": header.width / header.height,
        "quality": float(quality),
        "tables": ("standard tables" if is_exact else "other tables") if quality else "no tables",
        "subsampling": header.sampling or "no subsampling",
        "exif": "EXIF" if header.has_exif else "no EXIF",
        "bytes": float(num_bytes),
        "bytes_per_pixel": num_bytes / (header.width * header.height),
    }


def jpeg_quality(tables: Sequence[Sequence[int]]) -> tuple[int, bool]:
    """Return the quality 1..100 whose standard tables are nearest, by the sum of absolute
    differences, and whether they are the same; (0, False) without tables: the file is not JPEG.

    The first table is taken for luminance and all others for chrominance, as encoders write them.
    Cameras and some programs have tables of their own: there the quality is but an equivalent.
    """
    given = [table for table in tables if len(table) == 64]
    if not given:
        return 0, False
    luminance, chrominance = _standard_tables()
    distances = np.abs(luminance - np.asarray(given[0])).sum(axis=1)
    for table in given[1:]:
        distances = distances + np.abs(chrominance - np.asarray(table)).sum(axis=1)
    best = int(distances.argmin())
    return best + 1, bool(distances[best] == 0)


@functools.cache
def _standard_tables() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(100, 64) each: luminance and chrominance at qualities 1 to 100, by the scaling of the
    Independent JPEG Group's library (`jpeg_quality_scaling`), held to 8 bits.
    """
    quality = np.arange(1, 101)[:, np.newaxis]
    per_cent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    luminance, chrominance = (
        ((np.asarray(base) * per_cent + 50) // 100).clip(1, 255)
        for base in (LUMINANCE, CHROMINANCE)
    )
    return luminance, chrominance
