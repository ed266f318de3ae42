"""A closer look at an image: what was scored of it, where the evidence lies, its spectrum."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from data.images import Pixels, UnreadableImage, open_image
from data.samples import Samples
from evaluation.protocol import ScoringProtocol
from networks.detector import NetworkDetector
from networks.gradcam import gradcam
from report.pictures import SPECTRUM, Explain, applied, encoded, heat_over, shrunk, spectrum_of
from report.web import data_uri
from util.progress import Progress

LARGE = 512  # pixels of the long side of a picture, at most


class Look(NamedTuple):
    """One image, its pictures as PNG or JPEG files."""

    width: int  # of the file, in pixels
    height: int
    picture: bytes  # the whole image
    frame: tuple[float, float, float, float] | None
    """What was scored of it: left, top, width, height as shares of its sides; None: all of it."""
    heat: bytes | None  # the map of evidence over what was scored; None where there is none
    spectrum: bytes  # of the residual of the square of `spectrum_side` pixels in its middle
    spectrum_side: int

    def to_json(self) -> dict[str, Any]:
        """Return it as the script of a page takes it, pictures as data."""
        pictures = {"picture": self.picture, "heat": self.heat, "spectrum": self.spectrum}
        return {
            "width": self.width,
            "height": self.height,
            "frame": self.frame,
            "spectrumSide": self.spectrum_side,
            **{name: file and data_uri(file) for name, file in pictures.items()},
        }


def look_at(image: Pixels, protocol: ScoringProtocol, explain: Explain | None) -> Look:
    """Look at an image, (height, width, 3) uint8, as `protocol` scores it; a single crop.

    `explain` maps the evidence in what was scored; None: no map.
    """
    height, width = image.shape[:2]
    seen = applied(protocol.transforms()[0], image)
    heat = heat_over(shrunk(seen, LARGE), seen, explain) if explain else None
    return Look(
        width,
        height,
        encoded(shrunk(image, LARGE)),
        _frame(image, protocol),
        encoded(heat) if heat else None,
        spectrum_of(image),
        min(SPECTRUM, height, width),
    )


def _frame(image: Pixels, protocol: ScoringProtocol) -> tuple[float, float, float, float] | None:
    """Return where the centre crop lies, which is taken after a resize; None where it cuts
    nothing off.
    """
    uncut = dataclasses.replace(protocol, crop_size=None).transforms()[0]
    size = protocol.crop_size
    height, width = applied(uncut, image).shape[:2]
    if size is None or size >= max(height, width):
        return None
    across, down = min(size, width) / width, min(size, height) / height
    return (1 - across) / 2, (1 - down) / 2, across, down


def explainer(detector: NetworkDetector, threshold: float) -> Explain | None:
    """Return what maps the evidence for the verdict at `threshold`, a logit; None where the
    detector has no maps.
    """
    return functools.partial(gradcam, detector, threshold=threshold) if detector.maps else None


class Pictures(NamedTuple):
    """Pictures of some of many images, by index."""

    thumbnails: dict[int, bytes]  # PNG or JPEG files
    looks: dict[int, Look]


def take_pictures(
    samples: Samples,
    logits: npt.NDArray[np.floating],
    protocol: ScoringProtocol,
    *,
    thumbnails: int,
    details: int,
    explain: Explain | None,
    threads: int,
) -> Pictures:
    """Return pictures of the `thumbnails` images with the highest logits (NaN: has none), and a
    closer look at the first `details` of them.

    Their files are read again, `threads` at a time, so that no more are in memory in full size. An
    image that cannot be read any more has no picture.
    """
    scored = np.flatnonzero(np.isfinite(logits))
    order = scored[np.argsort(-logits[scored], kind="stable")][:thumbnails].tolist()
    found = Pictures({}, {})

    def taken(index: int, closely: bool) -> None:
        with contextlib.suppress(UnreadableImage):
            image = open_image(samples.path(index), protocol.max_pixels)
            if closely:
                found.looks[index] = look_at(image, protocol, explain)
            found.thumbnails[index] = encoded(shrunk(image))
        bar.update()

    with Progress(len(order), "pictures", unit="image") as bar:
        for index in order[:details]:  # not in threads: Grad-CAM hooks into the one network
            taken(index, closely=True)
        pool = ThreadPoolExecutor(max(threads, 1))
        try:
            list(pool.map(functools.partial(taken, closely=False), order[details:]))
        finally:  # Ctrl-C: what has not begun is not waited for
            pool.shutdown(cancel_futures=True)
    return found
