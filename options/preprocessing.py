"""Options of train.py that say what happens to an image before the network sees it."""

from __future__ import annotations

from dataclasses import dataclass

from options.declare import between, if_given, not_with, one_of, option, span
from options.machine import SIDE
from options.names import INTERPOLATIONS


@dataclass(frozen=True, kw_only=True)
class PreprocessingOptions:
    """Preprocessing and augmentation."""

    loadSize: int | None = option(
        None, "resize the short side to this first [8/7 of what --arch is made for: 256]", SIDE
    )
    cropSize: int | None = option(
        None,
        "side of the crop: random in training, the centre in validation [what --arch is made for:"
        " 224]",
        SIDE,
    )
    rz_interp: tuple[str, ...] = option(
        (),
        f"interpolations to draw from: {', '.join(INTERPOLATIONS)} [that of --arch: bilinear]",
        if_given(one_of(*INTERPOLATIONS)),
    )
    no_flip: bool = option(False, "never mirror training images")
    blur_prob: float = option(0.0, "chance that an image is blurred", between(0, 1))
    blur_sig: tuple[float, ...] = option(
        (0.5,),
        "standard deviation of the blur in pixels, or its range",
        span(0, 100),
        needs=[not_with("blur_prob", 0)],
    )
    blur_method: str = option(
        "cv2",
        "cv2 (rounds) or scipy (truncates as the reference does, bit for bit; slower)",
        one_of("cv2", "scipy"),
        needs=[not_with("blur_prob", 0)],
    )
    jpg_prob: float = option(0.0, "chance that an image is JPEG-compressed", between(0, 1))
    jpg_qual: tuple[int, ...] = option(
        (75,), "JPEG quality, or its range", span(1, 100), needs=[not_with("jpg_prob", 0)]
    )
    jpg_method: tuple[str, ...] = option(
        ("cv2",),
        "JPEG encoders to draw from: cv2, pil",
        one_of("cv2", "pil"),
        needs=[not_with("jpg_prob", 0)],
    )
    jpg_passes: int = option(
        1,
        "compress such an image up to N times, each time anew drawn, as what is passed on is; with"
        " mild qualities",
        between(1, 10),
        needs=[not_with("jpg_prob", 0)],
    )
    rotate90: float = option(
        0.0,
        "chance that a crop is turned by 90, 180 or 270 degrees; 0.75: all ways equally often",
        between(0, 1),
    )
    color_jitter: float = option(
        0.0,
        "chance that brightness, contrast and saturation of a crop change by up to a half",
        between(0, 1),
    )
    noise: float = option(
        0.0, "chance that Gaussian noise is added to a crop, of 2 to 8 grey levels", between(0, 1)
    )
    cutout: float = option(
        0.0,
        "chance that up to three quarters of a crop's patches of 16x16 pixels are black",
        between(0, 1),
    )
