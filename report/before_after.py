"""What fine-tuning gained and what it forgot: two networks on the same test sets, side by side."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import torch

from data.samples import Samples
from data.sources import find_testsets
from data.testsets import PAPER_ELEVEN, paper_order
from evaluation.degrade import ORIGINAL, variants
from evaluation.model import About, Model, describe
from evaluation.predictions import write_predictions
from evaluation.protocol import ScoringProtocol
from evaluation.rows import MEAN, Row, compare, measure_testset
from evaluation.scoring import Scorer, score_testset
from networks.create import create_trained
from networks.inference import for_inference
from networks.weights import read_weights
from report.figures import performance_bars
from report.write import warnings, write_tables
from util import distributed
from util.console import say, warn
from util.drawing import save_drawing
from util.errors import UsageError, WorkError
from util.files import sha256

RESAMPLES = 1000


def find_all_testsets(roots: Sequence[str]) -> dict[str, Samples]:
    """The test sets of several folders, old and new, in the paper's order; raises UsageError where
    two have one name.
    """
    found: dict[str, Samples] = {}
    for root in roots:
        own = find_testsets(root)
        if twice := sorted(set(own) & set(found)):
            raise UsageError(f"--testroots: two test sets are called {twice[0]}, one in {root}")
        found |= own
    return {name: found[name] for name in sorted(found, key=paper_order)}


def before_after(
    folder: str,
    weights: Mapping[str, str],
    hash_before: str,
    testsets: Mapping[str, Samples],
    arch: str,
    crop_size: int,
    dataroot: str,
    device: torch.device,
    precision: str,
    batch_size: int,
    num_workers: int,
    max_pixels: int,
) -> None:
    """Score `testsets` with both files of `weights` ("after" and "before", in this order); write
    predictions, tables and the figure of the two side by side into `folder`; say what changed.

    Scores are kept beside the runs' folders, for all runs that start from the same weights. Raises
    WorkError where the file "before" does not hold any more what training began with, which has the
    SHA-256 `hash_before`.
    """
    if sha256(weights["before"]) != hash_before:
        raise WorkError(
            f"--init {weights['before']}: has changed since training began, so there is nothing to"
            " compare with; put the old file back, and give the same command with --continue_train"
        )
    store = os.path.dirname(os.path.dirname(folder))
    models = []
    for name, path in weights.items():
        network = create_trained(arch, read_weights(path)).to(device)
        protocol = ScoringProtocol(crop_size=crop_size, precision=precision, max_pixels=max_pixels)
        about = describe(path, arch, protocol, dataroot, testsets)
        scorer = Scorer(
            for_inference(network),
            about["weights_sha256"],
            arch,
            device,
            protocol,
            batch_size=batch_size,
            num_workers=num_workers,
        )
        models.append(_scored(name, scorer, about, testsets, store))
    if not distributed.is_main():
        return
    for model in models:
        write_predictions(os.path.join(folder, f"{model.name}.csv"), model.scores)
    say(write_tables(folder, models))
    rows = {model.name: model.rows() for model in models}
    title = "Average precision before and after"
    save_drawing(folder, "performance", title, lambda: performance_bars(rows))
    for text in warnings(models):
        warn(text)
    say(f"\n{changes(compare(models[0].scored(), models[1].scored(), PAPER_ELEVEN))}")
    say(f"before and after: {folder}{os.sep}")


def changes(rows: Sequence[Row]) -> str:
    """In words, where AP rose and where it fell by more than the choice of images explains: where
    the interval of the difference excludes 0. `rows` are those of `compare(after, before)`.
    """
    parts = []
    for verb, sign, end in (("gained", 1, "difference_low"), ("forgotten", -1, "difference_high")):
        moved = [row for row in rows if row["testset"] != MEAN and sign * row[end] > 0]
        moved.sort(key=lambda row: abs(row["difference"]), reverse=True)
        told = [f"{row['testset']} {100 * row['difference']:+.1f}" for row in moved]
        parts.append(f"{verb}: {', '.join(told) or 'nothing'}")
    return f"points of AP, beyond what the choice of images explains; {'; '.join(parts)}"


def _scored(
    name: str, scorer: Scorer, about: About, testsets: Mapping[str, Samples], kept_in: str
) -> Model:
    model = Model(name, {**about, "bootstrap": RESAMPLES, "few_shot": []}, {}, {})
    for testset, samples in testsets.items():
        scored = score_testset(scorer, kept_in, testset, samples, variants({}))
        if scored.unreadable:
            model.about["unreadable"][testset] = scored.unreadable
        if (scores := scored.variants[ORIGINAL]).paths:
            model.scores[testset] = scores
            model.measured[testset] = measure_testset(
                testset, scores, RESAMPLES, [], None, len(scored.unreadable), {}
            )
    return model
