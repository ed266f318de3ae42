"""The spectrum of an image's residual, in which a generator's periodic traces show."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from data.geometry import CentreCrop
from data.images import Pixels

Plane = npt.NDArray[np.float64]

LUMA = np.array((0.299, 0.587, 0.114), np.float32)  # ITU-R 601, as PIL's "L"
FLOOR = 1e-6  # grey levels; what float32 leaves of a plain image


def residual(image: Pixels) -> npt.NDArray[np.float32]:
    """Return what a 5x5 median removes: grey minus its median, (height, width), in grey levels.

    Grey is not rounded: that would add noise of its own. Beyond the border the border repeats.
    """
    grey = image.astype(np.float32) @ LUMA
    return grey - cv2.medianBlur(grey, 5)


def residual_transform(image: Pixels, size: int) -> npt.NDArray[np.complex128]:
    """Return the Fourier transform of the residual of the centre crop, (size, size), zero frequency
    at [0, 0].

    It is divided by `size`, so that white noise has its standard deviation as root mean square
    magnitude, whatever the size.
    """
    crop = CentreCrop(size)(image, np.random.default_rng(0))  # which draws nothing
    transform: npt.NDArray[np.complex128] = np.fft.fft2(residual(crop), norm="ortho")
    return transform


def log_magnitude(magnitude: Plane) -> Plane:
    """Return log10 of grey levels, with zero frequency at [size // 2, size // 2]."""
    return np.fft.fftshift(np.log10(np.maximum(magnitude, FLOOR)))
