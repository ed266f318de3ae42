"""How predict.py and tools.serve answer for images of unknown label: crop, threshold, verdict."""

from __future__ import annotations

import math

from evaluation.protocol import ScoringProtocol
from evaluation.setup import protocol_of
from evaluation.thresholds import Calibration, read_calibration
from networks.detector import Detector
from options.machine import MAX_PIXELS
from util.console import warn
from util.errors import UsageError

PREPARED = {"crops": 1, "resize": None, "reencode": ""}  # of a protocol, where it says nothing


def own_protocol(
    detector: Detector, *, crop_size: int | None, whole: bool, max_pixels: int = MAX_PIXELS
) -> ScoringProtocol:
    """Return how an image is scored: at the crop that is asked for, or that the weights carry, or
    whole; warn where that is not what they were trained on.

    Raises UsageError where the detector cannot take such crops.
    """
    protocol = protocol_of(
        detector, crop_size=crop_size, whole=whole, max_pixels=max_pixels, usual_crop=False
    )
    trained_on, crop_size = detector.input.size, protocol.crop_size
    as_usual = trained_on in (None, crop_size) or (detector.input.whole and not crop_size)
    if not as_usual:
        scored = f"centre crops of {crop_size}" if crop_size else "whole images"
        warn(f"these weights were trained on crops of {trained_on}; {scored} are scored")
    return protocol


def own_threshold(text: str, detector: Detector, protocol: ScoringProtocol) -> Calibration:
    """Return what answers by --threshold: a probability ("": 0.5), or the file of a learned one."""
    try:
        chance = float(text or 0.5)
    except ValueError:
        return fitting_calibration(text, detector, protocol)
    logit = math.log(chance / (1 - chance))
    rule = f"probability {chance}"
    return Calibration(logit, logit, logit, rule, calibrated_on="", num_real=0, num_fake=0)


def fitting_calibration(file: str, detector: Detector, protocol: ScoringProtocol) -> Calibration:
    """Return the threshold in the file of --threshold; raise UsageError where it was learned for
    other weights, and warn where it was learned on another crop, or on images prepared otherwise.
    """
    calibration = read_calibration(file)
    theirs = calibration.weights_sha256
    if theirs and theirs != detector.sha256:
        raise UsageError(
            f"--threshold {file}: learned for other weights (SHA-256 {theirs[:12]}) than"
            f" {detector.weights}; make one with eval.py --calibrate_on"
        )
    if theirs and calibration.crop_size != protocol.crop_size:
        size = calibration.crop_size
        fit = f"centre crops: give --cropSize {size}" if size else "whole images: give --no_crop"
        warn(f"the threshold was learned on {fit}")
    here = protocol.to_json()
    if any(getattr(calibration, key) != here.get(key, unset) for key, unset in PREPARED.items()):
        warn("the threshold was learned with --crops, --resize or --reencode; none is applied here")
    return calibration


def describe(calibration: Calibration) -> str:
    """Return in a sentence how a verdict is reached, for a page."""
    its = calibration
    if not its.calibrated_on:
        return f"An image is called fake above {its.rule}."
    band = f"fake above logit {its.unsure_to:.4g}, real up to {its.unsure_from:.4g}"
    band += ", else unsure" if its.unsure_from < its.unsure_to else ""
    return (
        f"An image is called {band}: learned by {its.rule} on {its.num_real:,} real and"
        f" {its.num_fake:,} fake images of {its.calibrated_on}."
    )
