"""What tools.serve answers for one image: its verdict, and whether that holds."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import torch

from data.augment import Transform
from data.images import Pixels, decode
from evaluation.degrade import DEGRADATIONS
from evaluation.predictions import probability
from evaluation.protocol import ScoringProtocol
from evaluation.thresholds import Calibration
from networks.detector import Detector, NetworkDetector
from report.look import explainer, look_at
from report.pictures import applied, encoded, shrunk
from report.web import data_uri
from util.errors import WorkError

LEVELS = {"jpeg": (90.0, 70.0, 50.0), "rescale": (0.75, 0.5), "blur": (1.0, 2.0)}
WORDS = {
    "jpeg": lambda quality: f"JPEG of quality {quality:g}",
    "rescale": lambda factor: f"rescaled to {100 * factor:g} %",
    "blur": lambda sigma: f"blurred, sigma {sigma:g}",
}


def examine(
    content: bytes,
    name: str,
    *,
    detector: NetworkDetector,
    protocol: ScoringProtocol,
    calibration: Calibration,
) -> dict[str, Any]:
    """Return what the page shows of an image file's content, as plain values.

    `versions` are the image as it is, then degraded in each way of LEVELS, scored as `protocol`
    says. Raises UnreadableImage where it cannot be decoded, or is too large, and WorkError where a
    logit is not finite.
    """
    image = decode(content, name, protocol.max_pixels)
    explain = explainer(detector, calibration.threshold)
    logit_of = functools.partial(_logit, image, detector=detector, protocol=protocol)
    original = logit_of([])
    versions = []
    for words, degradation in _degradations().items():
        logit = logit_of(degradation) if degradation else original
        versions.append(
            {
                "words": words,
                "logit": logit,
                "probability": probability(logit),
                "verdict": calibration.verdict(logit),
                "picture": data_uri(encoded(shrunk(applied(degradation, image)))),
            }
        )
    calibrated = float(calibration.calibrated(np.array(original)))
    return {
        "towards": "fake" if original > calibration.threshold else "real",
        "calibrated": probability(calibrated) if calibration.calibrated_on else None,
        "versions": versions,
        "look": look_at(image, protocol, explain).to_json(),
    }


def _degradations() -> dict[str, list[Transform]]:
    """Return the transforms of each version of the image, by what is said of it."""
    found: dict[str, list[Transform]] = {"as it is": []}
    for name, levels in LEVELS.items():
        for level in levels:
            found[WORDS[name](level)] = DEGRADATIONS[name][0](level)
    return found


def _logit(
    image: Pixels, degradation: list[Transform], *, detector: Detector, protocol: ScoringProtocol
) -> float:
    seen = applied(protocol.transforms(degradation)[0], image)
    batch = torch.from_numpy(np.ascontiguousarray(seen.transpose(2, 0, 1)))[None]
    logit = float(detector.logits(batch))
    if not math.isfinite(logit):
        raise WorkError("the logit of this image is no finite number; the weights may be damaged")
    return logit
