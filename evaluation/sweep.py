"""Score test sets and measure them: what eval.py and the comparison after fine-tuning both do."""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from data.contents import ContentRecord
from data.samples import Samples
from data.testsets import benchmark_cluster
from evaluation.benchmark import PAPER, Benchmark
from evaluation.clusters import Clusters, with_clusters
from evaluation.degrade import ORIGINAL, variant_of, variants
from evaluation.evaluation import Evaluation, Provenance
from evaluation.measure import Measuring
from evaluation.protocol import ScoringProtocol
from evaluation.robustness import measure_degraded
from evaluation.score_testsets import Job, Scored, score_testsets
from evaluation.scoring import Pace, Reading
from evaluation.store import store_folder
from networks.detector import Detector
from util import distributed


class Entry(NamedTuple):
    """One detector of a sweep, how it scores, and where its scores and its metrics go."""

    detector: Detector
    protocol: ScoringProtocol
    evaluation: Evaluation
    store: str  # folder of the kept scores


def entry_of(
    name: str,
    detector: Detector,
    protocol: ScoringProtocol,
    *,
    dataroot: str,
    testsets: Mapping[str, Samples],
    kept_in: str,
    asked: Benchmark = PAPER,
    left_out: Sequence[str] = (),
) -> Entry:
    """Return an entry called `name` without results; its scores are kept below `kept_in`. The
    benchmark is the one `asked` for; `left_out` are test sets that are there and not scored.
    """
    origin = Provenance.of(detector, protocol, dataroot=dataroot, testsets=testsets)
    origin.partial, origin.benchmark_name = list(left_out), asked.name
    measuring = Measuring(clusters=Clusters(benchmark_cluster(dataroot)))
    evaluation = Evaluation(name, origin, measuring, asked)
    return Entry(detector, protocol, evaluation, store_folder(kept_in, detector.id, protocol))


def evaluate(
    entries: Sequence[Entry],
    reading: Reading,
    *,
    testsets: Mapping[str, Samples],
    on_testset: Callable[[Evaluation, str], None] = lambda evaluation, name: None,
) -> Pace:
    """Score `testsets` one after the other, and add what is measured of each to the evaluations.

    Scores are kept in the entries' stores, or taken from there; detectors of one protocol see an
    image in one pass. `on_testset` is told of each set that is done. Returns how fast it was. Every
    process must call it; the first alone measures. Raises WorkError where a logit is not a finite
    number.
    """
    begun = time.perf_counter()
    first = entries[0].evaluation
    groups: dict[ScoringProtocol, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.protocol, []).append(entry)
    work = [
        (group, job_of(group, name, testsets[name]))
        for name in sorted(testsets, key=first.benchmark.rank)
        for group in groups.values()
    ]
    every = score_testsets(
        [job for _, job in work],
        reading,
        variants(first.provenance.levels, first.provenance.aligned),
    )
    records = {id(entry): ContentRecord(entry.detector.trained_on) for entry in entries}
    new_of: Counter[int] = Counter()  # scores, by entry
    seconds_of: defaultdict[int, float] = defaultdict(float)
    waited = 0.0
    for (group, job), results in zip(work, every, strict=True):
        waited += results[0].waited
        for entry, scored in zip(group, results, strict=True):
            new_of[id(entry)] += scored.num_new
            seconds_of[id(entry)] += scored.seconds
            if scored.unreadable:
                entry.evaluation.provenance.unreadable[job.name] = scored.unreadable
            if distributed.is_main() and scored.variants[ORIGINAL].paths:
                _add(entry.evaluation, job.name, scored, record=records[id(entry)])
                on_testset(entry.evaluation, job.name)
    for entry in entries:
        if images := new_of[id(entry)]:
            entry.evaluation.provenance.images_per_second = images / seconds_of[id(entry)]
    seconds = time.perf_counter() - begun
    return Pace(new_of.total(), seconds, waited / distributed.world_size())


def job_of(entries: Sequence[Entry], name: str, samples: Samples) -> Job:
    """Return the scoring of a test set by the detectors of some entries of one protocol."""
    return Job(
        name,
        samples,
        [entry.detector for entry in entries],
        entries[0].protocol,
        [os.path.join(entry.store, name) for entry in entries],
    )


def _add(evaluation: Evaluation, name: str, scored: Scored, *, record: ContentRecord) -> None:
    origin = evaluation.provenance
    aligned = scored.variants[variant_of(origin.aligned)] if origin.aligned else None
    evaluation.add(name, scored.variants[ORIGINAL], aligned)
    if scored.num_padded:
        origin.padded[name] = scored.num_padded
    if (seen := record.look_up(scored.contents))[0]:
        origin.seen_in_training[name] = seen
    measuring = evaluation.measuring
    evaluation.degraded += measure_degraded(
        name,
        levels=origin.levels,
        scores={k: with_clusters(its, measuring.clusters) for k, its in scored.variants.items()},
        resamples=measuring.bootstrap,
    )
