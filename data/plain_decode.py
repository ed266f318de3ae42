"""Decode ordinary PNG and JPEG files faster than PIL does, to the same bits, or not at all.

PIL gives every file its one meaning here (data/images.py). These decoders are asked first, about
the files that a data set is made of, and answer only where they are known to agree: OpenCV refuses
a PNG file with anything wrong in it, and libjpeg-turbo in its strict mode a JPEG file that it has
to warn about. tests/test_plain_decode.py compares them with PIL on thousands of odd files.
"""

from __future__ import annotations

import struct

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_IHDR = struct.Struct(">4x4sIIBB")  # length, name, width, height, bits per channel, colour type
_CHUNK = struct.Struct(">I4s")  # length, name; the content and 4 bytes of CRC follow
_RGB = 2  # the colour type of PNG without palette and alpha
_FLAGS = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION


def decode_plain(content: bytes, max_pixels: int) -> npt.NDArray[np.uint8] | None:
    """Return an image file's pixels, (H, W, 3) uint8 RGB, where it is an undamaged 8-bit RGB PNG or
    YCbCr JPEG file of at most `max_pixels` pixels; else None.
    """
    if content.startswith(PNG):
        return _decode_png(content, max_pixels)
    if content.startswith(JPEG):
        return _decode_jpeg(content, max_pixels)
    return None


def _decode_png(content: bytes, max_pixels: int) -> npt.NDArray[np.uint8] | None:
    if not _is_whole(content):  # first: libpng would print what it thinks of it
        return None
    name, width, height, bits, colours = _IHDR.unpack_from(content, len(PNG))
    if (name, bits, colours) != (b"IHDR", 8, _RGB) or width * height > max_pixels:
        return None
    try:
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), _FLAGS)
    except cv2.error:  # of a size above OpenCV's own limit
        return None
    return None if decoded is None else np.asarray(decoded, np.uint8)


def _is_whole(content: bytes) -> bool:
    """Return whether a PNG file's chunks follow one another to the last, IEND, and none begins an
    animation, of which PIL reads more than the first frame.
    """
    place, name = len(PNG), b""
    while name not in (b"IEND", b"acTL") and place + _CHUNK.size <= len(content):
        length, name = _CHUNK.unpack_from(content, place)
        place += _CHUNK.size + length + 4
    return name == b"IEND" and place <= len(content)


def _decode_jpeg(content: bytes, max_pixels: int) -> npt.NDArray[np.uint8] | None:
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(content)
        if colours != "YCbCr" or width * height > max_pixels:
            return None
        return np.asarray(simplejpeg.decode_jpeg(content, "RGB"), np.uint8)
    except ValueError:
        return None
