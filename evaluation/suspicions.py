"""What hints that the scores of a test set are not what they seem."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluation.evaluation import Evaluation
from evaluation.metrics import auroc, unranked

ONE_VERDICT = 0.99  # share of a test set's images, from which on its verdicts are one
SWAPPED_AUROC = 0.4  # below it the ranking is worse than chance can explain
PADDED = 0.5  # share of a test set's images
FEW_CLUSTERS = 10  # below it the variance between clusters is guessed from too few


def warnings(evaluations: Sequence[Evaluation]) -> list[str]:
    """Return, in words, what leaves cells of the tables empty, which images are missing in them,
    and what hints that the scores are not what they seem.
    """
    found = []
    for evaluation in evaluations:
        for name, scores in evaluation.scores.items():
            if reason := unranked(scores.labels, scores.logits):
                found.append(f"{name} {reason}: no AP, no AUROC, nothing that ranks")
        for name, reasons in evaluation.provenance.unreadable.items():
            images = "1 image" if len(reasons) == 1 else f"{len(reasons)} images"
            found.append(f"{name}: {images} could not be read and not scored")
        found += unlike_published(evaluation) + suspicions(evaluation) + too_narrow(evaluation)
    return list(dict.fromkeys(found))


def unlike_published(evaluation: Evaluation) -> list[str]:
    """Return what sets the results apart from those that the benchmark's papers report: missing
    test sets, another transform, other images. Empty where no benchmark was asked for.
    """
    found = []
    origin, its = evaluation.provenance, evaluation.benchmark
    if lacking := its.lacking(evaluation.scores):
        mean = "; the mean is a partial one" if its.is_partial(evaluation.scores) else ""
        found.append(
            f"{its.name}: {len(lacking)} of its {len(its.order)} test sets are missing"
            f" ({', '.join(lacking)}){mean}"
        )
    if origin.protocol and its.protocol.is_other(origin.protocol):
        found.append(
            f"{its.name}: its papers score {its.protocol.words}; these are other figures"
            f" ({origin.protocol.describe()})"
        )
    if its.name and origin.note and not its.miniature:
        found.append(f"{its.name}: the images are the miniature's; nothing published compares")
    if its.miniature and not origin.note and origin.dataroot:
        found.append(f"{its.name}: no minibench.json lies there; are the images the miniature's?")
    return found


def too_narrow(evaluation: Evaluation) -> list[str]:
    """Return what hints that intervals over clusters are narrower than they should be: images that
    have none, and too few of them.
    """
    clusters = evaluation.measuring.clusters
    if not clusters.rule or not evaluation.measuring.bootstrap:
        return []
    found = []
    every = evaluation.scores
    if alone := [name for name, its in every.items() if None in its.clusters]:
        number = sum(cluster is None for name in alone for cluster in every[name].clusters)
        total = sum(len(every[name].paths) for name in alone)
        found.append(
            f"intervals: {number:,} of the {total:,} images of {', '.join(alone)} have no"
            f" {clusters.noun}, and are drawn one by one"
        )
    few = {
        name: number
        for name, its in evaluation.measured.items()
        if (number := its.num_clusters or 0) < FEW_CLUSTERS
    }
    if few:
        least, most = min(few.values()), max(few.values())
        which = str(least) if least == most else f"{least} to {most}"
        where = "" if len(few) == len(evaluation.measured) else f" in {', '.join(few)}"
        found.append(
            f"intervals over {which} {clusters.noun}{'s' * (most > 1)}{where} are too narrow: the"
            f" bootstrap needs about {FEW_CLUSTERS} or more"
        )
    return found


def suspicions(evaluation: Evaluation) -> list[str]:
    """Return a sentence for each test set that gets one verdict, whose ranking is upside down, most
    of whose images are smaller than the crop, or that the weights were trained on.
    """
    found = []
    origin = evaluation.provenance
    for name, scores in evaluation.scores.items():
        fake = float(np.mean(scores.logits > 0))
        has_both = len(np.unique(scores.labels)) == 2
        if has_both and max(fake, 1 - fake) >= ONE_VERDICT:
            share, word = (fake, "fake") if fake >= ONE_VERDICT else (1 - fake, "real")
            found.append(
                f"{name}: {100 * share:.4g} % of the images are called {word}; other weights, or"
                " another crop, may be meant"
            )
        area = auroc(scores.labels, scores.logits) if has_both else 1.0
        if area < SWAPPED_AUROC:
            found.append(f"{name}: AUROC is {area:.3f}; are the labels swapped?")
        padded = origin.padded.get(name, 0)
        if origin.protocol and padded > PADDED * len(scores.paths):
            found.append(
                f"{name}: {padded} of {len(scores.paths)} images are smaller than the crop of"
                f" {origin.protocol.crop_size} and padded with zeros; --no_crop or a smaller"
                " --cropSize scores them as they are"
            )
        seen, looked_up = origin.seen_in_training.get(name, (0, 0))
        if seen:
            found.append(
                f"{name}: {seen} of the {looked_up} images looked up are among those that the"
                " weights were trained on"
            )
    return found
