"""Score test sets and measure them: what eval.py and the comparison after fine-tuning both do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from data.contents import ContentRecord
from data.samples import Samples
from evaluation.degrade import ORIGINAL, variants
from evaluation.evaluation import Evaluation
from evaluation.protocol import ScoringProtocol
from evaluation.robustness import measure_degraded
from evaluation.scoring import Reading, Scored, score_testset
from networks.detector import Detector
from util import distributed


def evaluate(
    detector: Detector,
    protocol: ScoringProtocol,
    reading: Reading,
    *,
    testsets: Mapping[str, Samples],
    evaluation: Evaluation,
    store: str,
    on_testset: Callable[[str], None] = lambda name: None,
) -> int:
    """Score `testsets` one after the other, and add what is measured of each to `evaluation`.

    Scores are kept in the folder `store`, or taken from there. `on_testset` is told of each set
    that is done. Returns the number of scores that are new. Every process must call it; the first
    alone measures. Raises WorkError where a logit is not a finite number.
    """
    origin = evaluation.provenance
    record = ContentRecord(detector.trained_on)
    num_new = 0
    for name in sorted(testsets, key=evaluation.benchmark.rank):
        scored = score_testset(
            detector,
            protocol,
            reading,
            store=store,
            name=name,
            samples=testsets[name],
            variants=variants(origin.levels),
        )
        num_new += scored.num_new
        if scored.unreadable:
            origin.unreadable[name] = scored.unreadable
        if distributed.is_main() and scored.variants[ORIGINAL].paths:
            _add(evaluation, name, scored, record=record)
            on_testset(name)
    return num_new


def _add(evaluation: Evaluation, name: str, scored: Scored, *, record: ContentRecord) -> None:
    origin = evaluation.provenance
    evaluation.add(name, scored.variants[ORIGINAL])
    if scored.num_padded:
        origin.padded[name] = scored.num_padded
    if (seen := record.look_up(scored.contents))[0]:
        origin.seen_in_training[name] = seen
    evaluation.degraded += measure_degraded(
        name, levels=origin.levels, scores=scored.variants, resamples=evaluation.measuring.bootstrap
    )
