"""Score image files and folders of them: path, probability of being generated, logit."""

from options.parse import parse
from options.predict_options import PredictOptions

if __name__ == "__main__":
    OPTIONS = parse(PredictOptions)  # before the imports below, which take seconds

import json
import math
import sys

import numpy as np

from data.images import UnreadableImage
from data.samples import find_images
from data.unreadable import tell_unreadable
from networks.create import create_trained
from networks.device import choose_device
from networks.inference import for_inference
from networks.predict import progress_bar
from networks.weights import read_weights
from report.scoring import Scorer, score_images
from util import errors
from util.console import warn
from util.files import csv_writer, sha256
from util.predictions import probability
from util.thresholds import Calibration, read_calibration

SLICE = 1024  # images scored before they are printed: what an interruption costs at most


def main(options: PredictOptions) -> int:
    """Predict as `options` say; return 1 where an image could not be read."""
    device = choose_device(options.device)
    samples = find_images(options.paths, options.recursive)
    weights = read_weights(options.model_path)
    calibration = fitting_calibration(options) if options.threshold else None
    network = create_trained(options.arch or weights.arch, weights).to(device)
    scorer = Scorer(
        for_inference(network, options.compile),
        device,
        options.precision,
        options.cropSize,
        options.batch_size,
        options.max_batch_pixels,
        options.num_threads,
        options.max_pixels,
    )
    unreadable: list[UnreadableImage] = []
    sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    columns = ["path", "probability", "logit", *(["verdict"] if calibration else [])]
    table = csv_writer(sys.stdout)
    if options.format == "csv":
        table.writerow(columns)
    count = len(samples.paths)
    with progress_bar(count, "images") as bar:
        for part in np.split(np.arange(count), range(SLICE, count, SLICE)):
            images = samples.take(part)
            logits = score_images(scorer, images, [[]], bar, unreadable.append)[:, 0]
            for index, logit in enumerate(map(float, logits)):
                if math.isnan(logit):
                    continue
                row = [images.relative(index), f"{probability(logit):.9g}", f"{logit:.9g}"]
                row += [calibration.verdict(logit)] if calibration else []
                if options.format == "csv":
                    table.writerow(row)
                else:
                    numbers = {"probability": float(row[1]), "logit": float(row[2])}
                    print(json.dumps({**dict(zip(columns, row, strict=True)), **numbers}))
            sys.stdout.flush()
    return tell_unreadable([str(error) for error in unreadable], options.skip_unreadable)


def fitting_calibration(options: PredictOptions) -> Calibration:
    """The threshold of --threshold; raises InputError where it was learned for other weights, and
    warns where it was learned on another crop.
    """
    calibration = read_calibration(options.threshold)
    theirs = calibration.weights_sha256
    if theirs and theirs != sha256(options.model_path):
        raise errors.InputError(
            f"--threshold {options.threshold}: learned for other weights (SHA-256 {theirs[:12]})"
            f" than {options.model_path}; make one with eval.py --calibrate_on"
        )
    if theirs and calibration.crop_size != options.cropSize:
        size = calibration.crop_size
        fit = f"centre crops: give --cropSize {size}" if size else "whole images: no --cropSize"
        warn(f"the threshold was learned on {fit}")
    return calibration


if __name__ == "__main__":
    errors.run(lambda: main(OPTIONS))
