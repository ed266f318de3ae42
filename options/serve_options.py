"""The options of `python -m tools.serve`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from options.declare import at_least, between, option
from options.detector_source import not_one_detector
from options.machine import ARCH_HELP, DEVICES, check_device
from options.one_detector import OneDetectorOptions

MAX_FILE_BYTES = 32 << 20  # of a file that is dropped; it is held in memory
MAX_SERVED_PIXELS = 1 << 24  # of an image: whole ones take a ResNet-50 300 bytes each, so 5 GB


@dataclass(frozen=True, kw_only=True)
class ServeOptions(OneDetectorOptions):
    """Open a local page to drop an image on: its verdict, and whether that holds when the image is
    re-encoded, rescaled or blurred. For this machine alone; nothing is stored; Ctrl-C ends it.
    """

    examples: ClassVar = (
        "python -m tools.serve --model_path checkpoints/blur_jpg_prob0.5.pth",
        "python -m tools.serve --model_path checkpoints/mine/model_epoch_best.pth"
        " --threshold results/mine-best/threshold.json --port 8000",
    )
    page: ClassVar = "docs/predict.md"

    arch: str = option("", ARCH_HELP)
    device: str = option("auto", DEVICES, check_device)
    max_pixels: int = option(
        MAX_SERVED_PIXELS,
        "most pixels of an image; a larger one is refused before it is decoded",
        at_least(1),
    )
    port: int = option(8765, "port of the page on 127.0.0.1; 0: any free one", between(0, 65535))

    def conflict(self) -> str | None:
        """Return what is wrong with the options taken together, or None."""
        return not_one_detector(self.model_path, self.detector)
