"""Evaluate one detector on the test sets of a folder: eval.py's sweep as one call from Python."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

from data.sources import find_testsets, testsets_left_out
from evaluation.evaluation import Evaluation, refuse_reserved
from evaluation.scoring import Reading
from evaluation.setup import protocol_of
from evaluation.sweep import entry_of, evaluate
from networks.detector import Detector
from options.detector_source import default_name


def evaluate_folder(
    detector: Detector,
    dataroot: str,
    *,
    testsets: Sequence[str] = (),
    crop_size: int | None = None,
    no_crop: bool = False,
    batch_size: int = Reading().batch_size,
    num_threads: int = Reading().num_workers,
    bootstrap: int = 1000,
    results_dir: str = "",
) -> Evaluation:
    """Score the test sets in `dataroot` (all, or `testsets`) as eval.py does, and measure them.

    The arguments are the options of eval.py; scores are kept below
    `results_dir`, where it is given, and taken from there. Images that cannot be read are left out
    and counted. Raises UsageError where there are no images, and WorkError where a logit is not a
    finite number.
    """
    found = find_testsets(dataroot, testsets)
    refuse_reserved(found)
    with tempfile.TemporaryDirectory() as nowhere:
        entry = entry_of(
            default_name(detector.weights),
            detector,
            protocol_of(detector, crop_size=crop_size, whole=no_crop),
            dataroot=dataroot,
            testsets=found,
            kept_in=results_dir or nowhere,
            left_out=testsets_left_out(dataroot, testsets),
        )
        its = entry.evaluation
        its.measuring = its.measuring._replace(bootstrap=bootstrap)
        evaluate([entry], Reading(batch_size, num_workers=num_threads), testsets=found)
    return its
