"""Compare a published detector with its authors' figures: `python -m tools.check_detector univfd`.

It scores a benchmark as eval.py does, and leaves the scores where eval.py finds them.
"""

from __future__ import annotations

import os

from data.layouts import testsets_there
from data.unreadable import report_unreadable
from evaluation.benchmark import Benchmark
from evaluation.benchmarks import benchmark
from evaluation.evaluation import Evaluation
from evaluation.scoring import Reading
from evaluation.setup import images_of_benchmark, protocol_of
from evaluation.suspicions import warnings
from evaluation.sweep import entry_of, evaluate
from networks.detector import load_detector
from networks.detectors.release import Release, release
from options.check_options import CheckOptions
from options.detector_source import detector_names, detector_sources
from options.parse import parse
from tools.checks.verdicts import describe
from util.console import as_typed, note, warn
from util.errors import UsageError, WorkError, run
from util.progress import begin, end


def choose_benchmark(its: Release, name: str, dataroot: str) -> Benchmark:
    """Return, of the benchmarks that a detector's authors report, the first whose test sets are all
    in `dataroot`, else the first of which any is. Raises UsageError where none is.
    """
    reported = [benchmark(key) for key in its.published]
    if not reported:
        raise UsageError(
            f"{name}: nothing that its authors report on a benchmark is known here; name one with"
            " --benchmark"
        )
    if not os.path.exists(dataroot):
        raise UsageError(f"{dataroot}: no such folder")
    there = [{*testsets_there(dataroot, each.order, each.layout)} for each in reported]
    whole = [each for each, found in zip(reported, there, strict=True) if found == {*each.order}]
    some = [each for each, found in zip(reported, there, strict=True) if found]
    if not some:
        raise UsageError(
            f"{dataroot}: holds no test set of {', '.join(its.published)}, which the authors of"
            f" {name} report; give the folder with theirs, or another --benchmark"
        )
    return (whole or some)[0]


def check(options: CheckOptions) -> tuple[Evaluation, str]:
    """Score as `options` say; return the evaluation, and the folder that keeps the scores."""
    # the benchmark, its images, the detector, and how it makes a logit of an image
    (source,) = detector_sources([options.model_path], options.detector)
    its = release(source.name)
    asked = (
        benchmark(options.benchmark)
        if options.benchmark
        else choose_benchmark(its, source.name, options.dataroot)
    )
    testsets, left_out = images_of_benchmark(
        asked, options.dataroot, wanted=options.testsets, split=options.split, real=options.real
    )
    detector = load_detector(
        source.path,
        name=source.name,
        backbone=source.backbone,
        device=options.device,
        precision=options.precision,
        tf32=options.tf32,
    )
    entry = entry_of(
        detector_names([source])[0],
        detector,
        protocol_of(detector, max_pixels=options.max_pixels),
        dataroot=options.dataroot,
        testsets=testsets,
        kept_in=options.results_dir,
        asked=asked,
        left_out=left_out,
    )

    # score and measure
    evaluate(
        [entry],
        Reading(options.batch_size, num_workers=options.num_threads),
        testsets=testsets,
        on_testset=lambda its, name: note(f"{name}: {len(its.scores[name].paths):,} images"),
    )
    if not entry.evaluation.scores:
        raise WorkError(f"{options.dataroot}: no image of {asked.name} could be read")
    return entry.evaluation, entry.store


def main() -> int:
    """Check as the command line says; return 1 where an image could not be read."""
    options = parse(CheckOptions)
    begun = begin(options.quiet)
    evaluation, store = check(options)
    print(describe(evaluation, release(evaluation.provenance.arch)))
    for text in warnings([evaluation]):
        warn(text)
    print(f"scores: {store} (eval.py --benchmark {evaluation.benchmark.name} takes them, too)")
    code = report_unreadable(evaluation.provenance.lost(), options.skip_unreadable)
    benchmarked = ("--benchmark", evaluation.benchmark.name, "--dataroot", options.dataroot)
    end(begun, as_typed("eval.py", *_detector(options), *benchmarked))
    return code


def _detector(options: CheckOptions) -> list[str]:
    """Return the options of eval.py that name the detector."""
    which = ["--model_path", options.model_path] if options.model_path else []
    return ["--detector", *options.detector, *which]


if __name__ == "__main__":
    run(main)
