"""Evaluate a detector on every test set: score -> measure -> report."""

from options.eval_options import EvalOptions
from options.parse import parse

if __name__ == "__main__":
    OPTIONS = parse(EvalOptions)  # before the imports below, which take seconds

import dataclasses
import functools
import os
from collections.abc import Sequence
from typing import Any

from data.unreadable import report_unreadable
from evaluation.benchmarks import benchmark, own_scores
from evaluation.calibration import learn_from_predictions
from evaluation.clusters import Clusters, refuse_no_match
from evaluation.ensemble import ensemble
from evaluation.evaluation import (
    Evaluation,
    Provenance,
    refuse_other_clusters,
    refuse_other_labels,
    refuse_reserved,
)
from evaluation.measure import Measuring
from evaluation.metrics_file import read_provenance
from evaluation.predictions import read_predictions
from evaluation.published import check_published, published
from evaluation.rows import read_degraded
from evaluation.scoring import Reading
from evaluation.setup import (
    clusters_of,
    clusters_of_file,
    images_of,
    learn_threshold,
    load_entries,
)
from evaluation.suspicions import warnings
from evaluation.sweep import evaluate
from evaluation.thresholds import Calibration
from networks.detector import Detector
from networks.gradcam import gradcam
from options.places import writable_folder
from report.console import calibration_table, next_step, robustness_table, testset_line
from report.published import published_tables
from report.results_folder import beside, model_names, refuse_other_results
from report.tables import markdown
from report.thumbnails import number_of
from report.write import write_report
from util import distributed, errors
from util.console import note, warn
from util.progress import begin, end


def main(options: EvalOptions) -> int:
    """Evaluate as `options` say; return the exit code: 1 where images are unreadable."""
    begun = begin(options.quiet)
    check_published(options.published)
    code, what_next = (measure_predictions if options.predictions else score_images)(options)
    end(begun, what_next)
    return code


def score_images(options: EvalOptions) -> tuple[int, str]:
    """Score all test sets with the detectors, and report; return the exit code and what is next."""
    # the images, the detectors, and how each of them makes a logit of an image
    asked = benchmark(options.benchmark)
    testsets, left_out = images_of(options, asked)
    refuse_reserved(testsets)
    clusters = clusters_of(options, testsets)
    entries = load_entries(options, testsets, asked=asked, left_out=left_out)
    evaluations = [entry.evaluation for entry in entries]
    reading = Reading(options.batch_size, options.max_batch_pixels, options.num_threads)

    # what the results will be, and whether they may be written: asked before hours of scoring
    folder = results_folder(options, "_vs_".join(each.name for each in evaluations))
    planned = [*evaluations, *([ensemble(evaluations)] if options.ensemble else [])]
    refuse_lost_results(options, folder, planned, testsets=testsets)
    distributed.start(entries[0].detector.device.type)

    # score, and measure one test set after the other
    for entry in entries:
        calibration = learn_threshold(options, entry, reading, testsets=testsets)
        its = entry.evaluation
        its.measuring = measuring(options, its.provenance, calibration, clusters=clusters)
    try:
        pace = evaluate(
            entries,
            reading,
            testsets=testsets,
            on_testset=lambda its, name: note(testset_line(its, name, len(entries) > 1)),
        )
    except (KeyboardInterrupt, errors.WorkError) as error:
        raise stopped(error, [entry.store for entry in entries], folder) from error

    # report
    if distributed.is_main() and all(each.scores for each in evaluations):
        if options.ensemble:
            evaluations.append(ensemble(evaluations))
        report(options, folder, evaluations, detectors=[entry.detector for entry in entries])
        if pace.scores:
            note(str(pace))
        else:
            stores = ", ".join(entry.store for entry in entries)
            print(f"nothing was scored anew; to do so, remove {stores}")
    distributed.stop()
    lost = evaluations[0].provenance.lost()
    code = report_unreadable(lost, options.skip_unreadable, "metrics.json")
    return code, next_step(evaluations, folder)


def measure_predictions(options: EvalOptions) -> tuple[int, str]:
    """Measure saved predictions, one file or several side by side, and report; return the exit code
    and what is next.
    """
    if os.path.isdir(options.calibrate_on):
        raise errors.UsageError(
            f"--calibrate_on {options.calibrate_on}: images need the network; with --predictions,"
            " give a predictions.csv of them"
        )
    names = model_names(options.predictions)
    folder = results_folder(options, "_vs_".join(names))
    evaluations: list[Evaluation] = []
    for path, name in zip(options.predictions, names, strict=True):
        # the scores of the test sets that are asked for, and how they came to be
        origin = read_provenance(path)
        clusters = clusters_of_file(options, path, origin.dataroot)
        scores = read_predictions(path, column=clusters.column)
        refuse_reserved(scores)
        asked = benchmark(options.benchmark or origin.benchmark_name, f"{path}: benchmark_name")
        scores = own_scores(asked, scores, path=path, wanted=options.testsets)
        if missing := sorted(set(options.testsets) - set(scores)):
            raise errors.UsageError(
                f"--testsets: {', '.join(missing)} not in {path}; it holds {', '.join(scores)}"
            )
        chosen = {testset: scores[testset] for testset in options.testsets or scores}
        unscored = {testset for testset in origin.partial if asked.has(testset)}
        origin.partial = sorted({*unscored, *(set(scores) - set(chosen))})
        origin.benchmark_name = asked.name

        # their metrics
        calibration = None
        if options.calibrate_on:
            own = {testset: its.paths for testset, its in chosen.items()}
            calibration = learn_from_predictions(
                options.calibrate_on, target_fpr=options.target_fpr, origin=origin, own=own
            )
        if options.cluster:
            refuse_no_match(clusters, (path for its in chosen.values() for path in its.paths))
        how = measuring(options, origin, calibration, clusters=clusters)
        evaluation = Evaluation(name, origin, how, asked)
        aligned = {}
        if origin.aligned and os.path.isfile(file := beside(path, "aligned.csv")):
            aligned = read_predictions(file, column=clusters.column)
        for testset in sorted(chosen, key=evaluation.benchmark.rank):
            evaluation.add(testset, chosen[testset], aligned.get(testset))
        if origin.levels:
            every = read_degraded(beside(path, "robustness.csv"))
            evaluation.degraded = [its for its in every if its.testset in chosen]
        refuse_other_labels(evaluations, evaluation)
        refuse_other_clusters(evaluations, evaluation)
        evaluations.append(evaluation)
    refuse_lost_results(
        options, folder, evaluations, testsets={t for each in evaluations for t in each.scores}
    )
    report(options, folder, evaluations)
    return 0, next_step(evaluations, folder)


def results_folder(options: EvalOptions, name: str) -> str:
    """Return the folder of --name or, without it, `name`; raise UsageError where none can be."""
    folder = os.path.join(options.results_dir, options.name or name)
    if wrong := writable_folder(folder):
        raise errors.UsageError(f"--results_dir: {folder} {wrong}; choose another --name")
    return folder


def refuse_lost_results(
    options: EvalOptions,
    folder: str,
    evaluations: Sequence[Evaluation],
    *,
    testsets: Any,  # noqa: ANN401
) -> None:
    """Refuse results in a folder that holds others which would be lost (--overwrite: replace)."""
    if not options.overwrite:
        with_threshold = bool(options.calibrate_on)
        refuse_other_results(folder, evaluations, testsets, with_threshold=with_threshold)


def measuring(
    options: EvalOptions,
    origin: Provenance,
    calibration: Calibration | None,
    *,
    clusters: Clusters,
) -> Measuring:
    """Return how scores are measured, with the published values that fit their protocol."""
    whole = options.no_crop or (origin.protocol is not None and origin.protocol.crop_size is None)
    return Measuring(
        options.bootstrap,
        options.few_shot,
        calibration,
        published(options.published, whole) if options.published else {},
        clusters,
    )


def stopped(error: BaseException, stores: Sequence[str], folder: str) -> Exception:
    """Return the error that says what is kept of a sweep that was stopped, or failed."""
    kept = f"what was scored is kept in {', '.join(stores)}"
    kept += f", {folder} is as it was" if os.path.exists(folder) else ""
    if isinstance(error, KeyboardInterrupt):
        message = f"{kept}; the same command goes on where it stopped"
        return errors.Interrupted(message, errors.signal_of(error))
    return errors.WorkError(f"{error}; {kept}")


def report(
    options: EvalOptions,
    folder: str,
    evaluations: Sequence[Evaluation],
    *,
    detectors: Sequence[Detector] = (),
) -> None:
    """Write everything into `folder`, and print what to know of it."""
    explain = [functools.partial(gradcam, detector) for detector in detectors]
    # where a release is laid out otherwise, a test set is no folder of its name
    dataroot = "" if options.benchmark and not options.predictions else options.dataroot
    table = write_report(
        folder,
        evaluations,
        number=number_of(options.thumbnails),
        dataroot=dataroot,
        explain=explain if options.gradcam else (),
        options=dataclasses.asdict(options),
        figures=not options.no_figures,
    )
    print(table)
    for each in evaluations:
        model = each.name if len(evaluations) > 1 else ""
        for published_table in published_tables(each, model):
            text = markdown(published_table)
            print(f"\n{published_table.title}\n\n{text}\n\n{published_table.note}")
        if each.degraded:
            print(f"\n{robustness_table(each.degraded, model)}")
        if learned := calibration_table(each, folder, model):
            print(f"\n{learned}")
    for text in warnings(evaluations):
        warn(text)
    if options.tracker:
        from report.tracking import send_report  # noqa: PLC0415 (TensorBoard takes a second)

        send_report(
            options,
            folder,
            evaluations,
            dataroot=dataroot,
            number=options.tracker_pictures,
        )
    print(f"\nresults: {folder}{os.sep} (report.html shows them, and the mistakes)")


if __name__ == "__main__":
    errors.run(lambda: main(OPTIONS))
