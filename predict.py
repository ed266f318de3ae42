"""Score image files and folders of them: path, probability of being generated, logit."""

from options.parse import parse
from options.predict_options import PredictOptions

if __name__ == "__main__":
    OPTIONS = parse(PredictOptions)  # before the imports below, which take seconds

import json
import math
import sys
from collections.abc import Callable, Iterable

import numpy as np

from data.images import UnreadableImage
from data.samples import find_images
from data.unreadable import report_unreadable
from evaluation.predict import progress_bar
from evaluation.predictions import probability
from evaluation.protocol import ScoringProtocol
from evaluation.scoring import Reading, image_scorer
from evaluation.setup import protocol_of
from evaluation.thresholds import Calibration, read_calibration
from networks.detector import Detector, load_detector
from options.detector_source import detector_sources
from util import errors
from util.console import warn
from util.files import csv_writer
from util.progress import begin, end

SLICE = 1024  # images scored before they are printed: what an interruption costs at most

PREPARED = {"crops": 1, "resize": None, "reencode": ""}  # of a protocol, where it says nothing

Verdict = Callable[[float], str]  # of a logit: real, fake or unsure


def main(options: PredictOptions) -> int:
    """Predict as `options` say; return 1 where an image could not be read."""
    begun = begin(options.quiet)

    # the images, the detector, and how each image becomes a logit
    samples = find_images(options.paths, options.recursive)
    (source,) = detector_sources([options.model_path], [options.detector])
    detector = load_detector(
        source.path,
        name=source.name,
        backbone=source.backbone,
        arch=options.arch,
        device=options.device,
        precision=options.precision,
        tf32=options.tf32,
        compile=options.compile,
    )
    trained_on = detector.input.size
    protocol = protocol_of(
        detector,
        crop_size=options.cropSize,
        whole=options.no_crop,
        max_pixels=options.max_pixels,
        usual_crop=False,
    )
    crop_size = protocol.crop_size
    as_usual = trained_on in (None, crop_size) or (detector.input.whole and not crop_size)
    if not as_usual:
        scored = f"centre crops of {crop_size}" if crop_size else "whole images"
        warn(f"these weights were trained on crops of {trained_on}; {scored} are scored")
    verdict = verdict_of(options.threshold, detector, protocol) if options.threshold else None

    # score slice by slice, and print
    columns = ["path", "probability", "logit"]
    columns += ["verdict"] if verdict else []
    columns += [] if options.skip_unreadable else ["error"]
    write = row_writer(options.format, columns)
    unreadable: dict[str, UnreadableImage] = {}  # by path
    count = len(samples.paths)
    score = image_scorer(
        [detector],
        protocol,
        Reading(options.batch_size, options.max_batch_pixels, options.num_threads),
        samples=samples,
        degradations=[[]],
        on_error=lambda error: unreadable.update({error.path: error}),
    )
    with progress_bar(count, "images") as bar:
        for part in np.split(np.arange(count), range(SLICE, count, SLICE)):
            (predicted,) = score(part, bar)
            finite = predicted.finite()
            for index in part.tolist():
                path = samples.path(index)
                if finite[index]:
                    write({"path": path, **scored_as(float(predicted.logits[index]), verdict)})
                elif path in unreadable and not options.skip_unreadable:
                    write({"path": path, "error": errors.one_line(unreadable[path].reason)})
            sys.stdout.flush()
            predicted.require_finite(samples.path, options.precision)
    code = report_unreadable(list(map(str, unreadable.values())), options.skip_unreadable)
    end(begun, "" if verdict else "--threshold 0.5 adds verdicts", sys.stderr)
    return code


def scored_as(logit: float, verdict: Verdict | None) -> dict[str, object]:
    """Return the columns of a scored image; numbers with 9 significant digits."""
    numbers = {"probability": probability(logit), "logit": logit}
    columns: dict[str, object] = {name: float(f"{x:.9g}") for name, x in numbers.items()}
    return columns | ({"verdict": verdict(logit)} if verdict else {})


def row_writer(form: str, columns: Iterable[str]) -> Callable[[dict[str, object]], object]:
    """Return what prints a row, as CSV (begun with its header) or as a line of JSON, with all
    `columns`; one that a row lacks is empty, or null.
    """
    sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    if form == "jsonl":
        return lambda row: print(json.dumps({name: row.get(name) for name in columns}))
    table = csv_writer(sys.stdout)
    table.writerow(columns)
    return lambda row: table.writerow(
        f"{value:.9g}" if isinstance(value := row.get(name), float) else value for name in columns
    )


def verdict_of(threshold: str, detector: Detector, protocol: ScoringProtocol) -> Verdict:
    """Return what answers by --threshold: a probability, or the file of a learned threshold."""
    try:
        chance = float(threshold)
    except ValueError:
        return fitting_calibration(threshold, detector, protocol).verdict
    least = math.log(chance / (1 - chance))
    return lambda logit: "fake" if logit > least else "real"


def fitting_calibration(file: str, detector: Detector, protocol: ScoringProtocol) -> Calibration:
    """Return the threshold in the file of --threshold; raise UsageError where it was learned for
    other weights, and warn where it was learned on another crop, or on images prepared otherwise.
    """
    calibration = read_calibration(file)
    theirs = calibration.weights_sha256
    if theirs and theirs != detector.sha256:
        raise errors.UsageError(
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


if __name__ == "__main__":
    errors.run(lambda: main(OPTIONS))
