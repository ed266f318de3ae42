"""From the options of eval.py to the parts of a sweep: images, detectors, thresholds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from data.layouts import find_released
from data.manifest_file import read_column
from data.samples import Samples, find_samples
from data.sources import find_testsets, testsets_left_out
from data.testsets import benchmark_cluster
from evaluation.benchmark import Benchmark
from evaluation.calibration import learn_from_predictions, learn_from_scores, refuse_own_images
from evaluation.clusters import Clusters, refuse_no_match
from evaluation.degrade import ORIGINAL, variants
from evaluation.metrics_file import read_cluster
from evaluation.protocol import ScoringProtocol, size_of
from evaluation.score_testsets import score_testsets
from evaluation.scoring import Reading
from evaluation.sweep import Entry, entry_of, job_of
from evaluation.thresholds import Calibration
from networks.detector import Detector, load_detector
from networks.gradcam import require_maps
from options.cluster import EACH
from options.detector_source import detector_names, detector_sources
from options.eval_options import EvalOptions
from options.machine import MAX_PIXELS
from util.console import note
from util.errors import UsageError


def images_of(options: EvalOptions, asked: Benchmark) -> tuple[dict[str, Samples], list[str]]:
    """Return the test sets to score, and which others are there but were not asked for."""
    if not asked.name:
        testsets = find_testsets(
            options.dataroot,
            options.testsets,
            split=options.split,
            real=options.real,
            fakes=options.fake,
            val_fraction=options.val_fraction,
        )
        return testsets, testsets_left_out(options.dataroot, options.testsets)
    return images_of_benchmark(
        asked, options.dataroot, wanted=options.testsets, split=options.split, real=options.real
    )


def images_of_benchmark(
    asked: Benchmark, dataroot: str, *, wanted: Sequence[str], split: str, real: str
) -> tuple[dict[str, Samples], list[str]]:
    """Return the same of a benchmark that was asked for by name, and say what is not its own."""
    released = find_released(
        dataroot,
        asked.order,
        asked.layout,
        benchmark=asked.name,
        wanted=wanted,
        split=split,
        real=real,
    )
    if released.others:
        note(f"left out, as {asked.name} does not have them: {', '.join(released.others)}")
    return released.testsets, released.unasked


def load_entries(
    options: EvalOptions,
    testsets: Mapping[str, Samples],
    *,
    asked: Benchmark,
    left_out: list[str],
) -> list[Entry]:
    """Load each detector, and say how it scores: as its authors do, unless asked for otherwise."""
    entries = []
    sources = detector_sources(options.model_path, options.detector)
    names = [options.name] if options.name and len(sources) == 1 else detector_names(sources)
    for source, name in zip(sources, names, strict=True):
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
        if options.gradcam:
            require_maps(detector)
        protocol = protocol_of(
            detector,
            crop_size=options.cropSize,
            whole=options.no_crop,
            crops=options.crops,
            resize=options.resize,
            reencode=options.reencode,
            max_pixels=options.max_pixels,
        )
        entry = entry_of(
            name,
            detector,
            protocol,
            dataroot=options.dataroot,
            testsets=testsets,
            kept_in=options.results_dir,
            asked=asked,
            left_out=left_out,
        )
        origin = entry.evaluation.provenance
        origin.aligned = options.aligned
        if options.robustness:
            origin.levels = {
                "blur": options.blur_sigmas,
                "jpeg": options.jpeg_qualities,
                "rescale": options.rescale_factors,
            }
        entries.append(entry)
    return entries


def clusters_of(options: EvalOptions, testsets: Mapping[str, Samples]) -> Clusters:
    """Return which images are drawn together for the intervals: as asked for, or as the benchmark
    says. Raises UsageError where that is no image, or a column that is not there.
    """
    if options.cluster == EACH:
        return Clusters()
    if not options.cluster:
        return Clusters(benchmark_cluster(options.dataroot))
    clusters = Clusters(options.cluster)
    if clusters.column:
        if not os.path.isfile(options.dataroot):
            raise UsageError(
                f"--cluster {options.cluster}: --dataroot must be a manifest, which has columns"
            )
        return clusters._replace(cells=read_column(options.dataroot, clusters.column))
    paths = (its.relative(index) for its in testsets.values() for index in range(len(its.labels)))
    refuse_no_match(clusters, paths)
    return clusters


def clusters_of_file(options: EvalOptions, predictions: str, dataroot: str) -> Clusters:
    """Return the same for a file of --predictions: as asked for, or as its metrics.json says, or
    the benchmark at --dataroot, or in the `dataroot` that its images came from.
    """
    rule = read_cluster(predictions)
    if rule is None:
        rule = benchmark_cluster(options.dataroot or dataroot)
    rule = options.cluster or rule
    return Clusters("" if rule == EACH else rule)


def protocol_of(
    detector: Detector,
    *,
    crop_size: int | None = None,
    whole: bool = False,
    crops: int = 1,
    resize: str = "",
    reencode: str = "",
    max_pixels: int = MAX_PIXELS,
    usual_crop: bool = True,
) -> ScoringProtocol:
    """Return how `detector` scores: as its authors do, but for what is given. Weights that say
    nothing of a crop are given the usual one or, without `usual_crop`, whole images. Raises
    UsageError where the detector cannot take such crops.
    """
    its = detector.input
    size = its.crop(crop_size, whole=whole, default=its.usual if usual_crop else None)
    detector.check_size(size)
    if size is None and crops > 1:
        raise UsageError(
            f"--crops {crops}: {detector.name} is scored on whole images; give --cropSize, too"
        )
    return ScoringProtocol(
        crop_size=size,
        crops=crops,
        resize=size_of(resize) if resize else its.resize,
        interpolation=its.interpolation,
        reencode=reencode,
        precision=detector.precision,
        max_pixels=max_pixels,
    )


def learn_threshold(
    options: EvalOptions, entry: Entry, reading: Reading, *, testsets: Mapping[str, Samples]
) -> Calibration | None:
    """Learn the threshold of --calibrate_on, if one is asked for, on images or on their scores."""
    source, origin = options.calibrate_on, entry.evaluation.provenance
    if not source:
        return None
    if os.path.isdir(source):
        refuse_own_images(source, testsets.values())
        job = job_of([entry], os.path.basename(os.path.abspath(source)), find_samples(source))
        [(scored,)] = score_testsets([job], reading, variants({}))
        if scored.unreadable:
            origin.unreadable[source] = scored.unreadable
        return learn_from_scores(
            source, scored.variants[ORIGINAL], target_fpr=options.target_fpr, origin=origin
        )
    own = {
        name: [samples.relative(index) for index in range(len(samples.labels))]
        for name, samples in testsets.items()
    }
    return learn_from_predictions(source, target_fpr=options.target_fpr, origin=origin, own=own)
