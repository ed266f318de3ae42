"""The one place where an image file is opened."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from util.errors import WorkError

Pixels = npt.NDArray[np.uint8]  # (height, width, 3), RGB


class UnreadableImage(WorkError):
    """An image file that cannot be decoded; as text, its path and the reason."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)  # both, so that it can be pickled on its way from a worker
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def open_image(path: str) -> Pixels:
    """Decode an image file into RGB, (height, width, 3), 0..255.

    As PIL's `.convert("RGB")`, which is what the reference does: grey and palette images become
    RGB, CMYK is converted, an alpha channel is dropped (not blended), the first frame of an
    animation is taken, and an EXIF rotation is *not* applied: the detector looks for traces in
    the pixel grid as it was stored. One difference: 16-bit grey is scaled to 8 bits, where PIL
    would clip it to white. Raises UnreadableImage for files that are missing, damaged, cut
    short, or that hold more pixels than PIL's limit against decompression bombs.
    """
    try:
        with Image.open(path) as image:
            if image.mode == "F":
                raise UnreadableImage(path, "holds floating-point values, not 8 or 16 bits")
            if image.mode.startswith("I"):  # 16-bit grey: "I;16" and its kin, "I" in older PIL
                grey = (np.asarray(image).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8)
                return np.repeat(grey[..., np.newaxis], 3, axis=2)
            return np.asarray(image.convert("RGB"))
    except UnreadableImage:
        raise
    except Exception as error:  # PIL's decoders raise nearly every kind of exception
        raise UnreadableImage(path, f"cannot be read as an image ({error})") from error


def image_size(path: str) -> tuple[int, int]:
    """(height, width) as the file's header says; (0, 0) where it cannot be read."""
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except Exception:  # decoding it will tell the reason
        return 0, 0
