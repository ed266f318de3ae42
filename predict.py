"""Score image files and folders of them: path, probability of being generated, logit."""

from options.parse import parse
from options.predict_options import PredictOptions

if __name__ == "__main__":
    OPTIONS = parse(PredictOptions)  # before the imports below, which take seconds

import json
import os
import sys
import time
from collections.abc import Callable, Iterable

import numpy as np

from data.images import UnreadableImage
from data.samples import find_images
from data.unreadable import report_unreadable
from evaluation.own_images import own_protocol, own_threshold
from evaluation.predict import progress_bar
from evaluation.predictions import probability
from evaluation.scoring import Pace, Reading, Task, score_parts, slices
from networks.detector import load_detector
from options.detector_source import detector_sources
from report.images_page import ImagesPage, write_images_page
from report.look import explainer, take_pictures
from util import errors
from util.console import note
from util.files import csv_writer
from util.progress import begin, end

SLICE = 1024  # images scored before they are printed: what an interruption costs at most

Verdict = Callable[[float], str]  # of a logit: real, fake or unsure


def main(options: PredictOptions) -> int:
    """Predict as `options` say; return 1 where an image could not be read."""
    if options.html and os.path.lexists(options.html) and not options.overwrite:
        raise errors.UsageError(
            f"--html {options.html}: is there already; name another, or give --overwrite"
        )
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
    protocol = own_protocol(
        detector,
        crop_size=options.cropSize,
        whole=options.no_crop,
        max_pixels=options.max_pixels,
    )
    calibration = own_threshold(options.threshold, detector, protocol)
    verdict = calibration.verdict if options.threshold else None

    # score slice by slice, and print
    columns = ["path", "probability", "logit"]
    columns += ["verdict"] if verdict else []
    columns += [] if options.skip_unreadable else ["error"]
    write = row_writer(options.format, columns)
    unreadable: dict[str, UnreadableImage] = {}  # by path
    count = len(samples.paths)
    logits = np.full(count, np.nan, np.float32)  # of the images that have one
    parts = slices(np.arange(count), SLICE)
    waited, scoring = 0.0, time.perf_counter()
    with progress_bar(count, "images") as bar:
        every = score_parts(
            [Task([detector], protocol, samples)],
            [(0, part) for part in parts],
            Reading(options.batch_size, options.max_batch_pixels, options.num_threads),
            bar=bar,
            on_error=lambda error: unreadable.update({error.path: error}),
        )
        for part, (predicted,) in zip(parts, every, strict=True):
            waited += predicted.waited
            finite = predicted.finite()
            for index in part.tolist():
                path = samples.path(index)
                if finite[index]:
                    write({"path": path, **scored_as(float(predicted.logits[index]), verdict)})
                elif path in unreadable and not options.skip_unreadable:
                    write({"path": path, "error": errors.one_line(unreadable[path].reason)})
            sys.stdout.flush()
            predicted.require_finite(samples.path, options.precision)
            logits[part] = np.where(finite[part], predicted.logits[part], np.nan)
    seconds = time.perf_counter() - scoring
    note(str(Pace(int(np.isfinite(logits).sum()), seconds, waited)))

    # the page, with pictures of a few, whose files are read again
    if options.html:
        pictures = take_pictures(
            samples,
            logits,
            protocol,
            thumbnails=options.thumbnails,
            details=options.details,
            explain=explainer(detector, calibration.threshold),
            threads=options.num_threads,
        )
        page = ImagesPage(
            [samples.path(index) for index in range(count)],
            logits,
            [(error.path, error.reason) for error in unreadable.values()],
            pictures,
        )
        write_images_page(
            options.html,
            page,
            detector=detector,
            protocol=protocol,
            calibration=calibration,
        )
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


if __name__ == "__main__":
    errors.run(lambda: main(OPTIONS))
