"""Test sets scored with the weights that fine-tuning began from, and with the best it came to."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from data.samples import Samples
from evaluation.protocol import ScoringProtocol
from evaluation.scoring import Reading
from evaluation.sweep import Entry, entry_of, evaluate
from networks.detector import load_detector
from options.train_options import TrainOptions
from training import run_folder
from training.setup import network_name
from util.errors import WorkError
from util.files import sha256


def score_before_and_after(
    options: TrainOptions,
    folder: str,
    *,
    init: str,
    testsets: Mapping[str, Samples],
    left_out: Sequence[str],
) -> tuple[Entry, Entry]:
    """Return what `testsets` say of the weights of --init, which had the hash `init` when training
    began, and of the best ones of the run; `left_out` are test sets that were not asked for.

    All processes must call this; the first alone has the scores. Raises WorkError where the weights
    of --init have changed.
    """
    if sha256(options.init) != init:
        raise WorkError(
            f"--init {options.init}: has changed since training began, so there is nothing to"
            " compare with; put the old file back, and give the same command with --continue_train"
        )
    protocol = ScoringProtocol(
        crop_size=options.cropSize, precision=options.precision, max_pixels=options.max_pixels
    )
    before, after = (
        entry_of(
            name,
            load_detector(
                path,
                arch=network_name(options),
                device=options.device,
                precision=options.precision,
                tf32=options.tf32,
            ),
            protocol,
            dataroot=options.testroots[0],
            testsets=testsets,
            kept_in=options.checkpoints_dir,  # for all runs that start from the same weights
            left_out=left_out,
        )
        for name, path in (
            ("before", options.init),
            ("after", os.path.join(folder, run_folder.BEST)),
        )
    )
    before.evaluation.is_baseline = True
    reading = Reading(options.batch_size, num_workers=options.num_threads)
    evaluate([before, after], reading, testsets=testsets)
    return before, after
