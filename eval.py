"""Score every test set with one network: load once -> score -> write the scores -> measure."""

from options.eval_options import EvalOptions
from options.parse import parse

if __name__ == "__main__":
    OPTIONS = parse(EvalOptions)  # before the imports below, which take seconds

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping
from typing import Any

from data.contents import ContentRecord
from data.samples import Samples
from data.sources import find_testsets, left_out
from data.testsets import paper_order
from data.unreadable import tell_unreadable
from evaluation.calibration import learn_from_images, learn_from_predictions, refuse_own_images
from evaluation.degrade import ORIGINAL, variants
from evaluation.model import (
    About,
    Model,
    describe,
    model_names,
    protocol_of,
    read_about,
    refuse_other_labels,
    refuse_reserved,
)
from evaluation.predictions import Scores, read_predictions, write_predictions
from evaluation.protocol import ScoringProtocol
from evaluation.published import check_published, published
from evaluation.robustness import read_robustness, robustness_rows
from evaluation.rows import Row, measure_testset
from evaluation.scoring import Scorer, score_testset
from evaluation.thresholds import Calibration, write_calibration
from networks.create import create_trained
from networks.device import choose_device
from networks.fit import refuse_what_does_not_fit
from networks.gradcam import gradcam
from networks.inference import for_inference
from networks.weights import read_weights
from options.places import writable_folder
from report.console import calibration_told, one_row, robustness_told
from report.gallery import gallery, roots_of
from report.page import Mistake
from report.results_folder import default_name, new_results, refuse_other_results
from report.write import warnings, write_csv, write_page, write_tables
from util import distributed, errors
from util.console import note, warn


def main(options: EvalOptions) -> int:
    """Evaluate as `options` say; return the exit code."""
    check_published(options.published)
    return measure_again(options) if options.predictions else score_testsets(options)


def score_testsets(options: EvalOptions) -> int:
    """Score all test sets with one network and report; return 1 where images are unreadable."""
    # what is scored, by what, and how
    device = choose_device(options.device, options.tf32)
    testsets = find_testsets(
        options.dataroot,
        options.testsets,
        options.split,
        options.real,
        options.fake,
        options.val_fraction,
    )
    refuse_reserved(testsets)
    weights = read_weights(options.model_path)
    arch = options.arch or weights.arch
    crop_size = None if options.no_crop else options.cropSize or weights.crop_size or 224
    refuse_what_does_not_fit(arch, crop_size)
    network = create_trained(arch, weights).to(device)
    protocol = ScoringProtocol(
        crop_size=crop_size,
        reencode=options.reencode,
        precision=options.precision,
        max_pixels=options.max_pixels,
    )
    about = describe(options.model_path, arch, protocol, options.dataroot, testsets)
    about["partial"] = left_out(options.dataroot, options.testsets)
    scorer = Scorer(
        for_inference(network, options.compile),
        about["weights_sha256"],
        arch,
        device,
        protocol,
        options.batch_size,
        options.max_batch_pixels,
        options.num_threads,
        options.compile,
    )
    levels: dict[str, tuple[float, ...]] = {}
    if options.robustness:
        about["robustness"] = levels = {
            "blur": options.blur_sigmas,
            "jpeg": options.jpeg_qualities,
            "rescale": options.rescale_factors,
        }

    # whether the results may be written where they belong: asked before hours of scoring
    folder = results_folder(options, default_name(options.model_path))
    refuse_lost_results(options, folder, {os.path.basename(folder): about}, testsets)
    distributed.start(device.type)

    # score one test set after the other
    calibration = learn_threshold(options, scorer, testsets, about)
    model = begin_model(options, os.path.basename(folder), about, calibration)
    record = ContentRecord(weights.trained_on)
    robustness: list[Row] = []
    num_new = 0
    try:
        for name in sorted(testsets, key=paper_order):
            scored = score_testset(
                scorer, options.results_dir, name, testsets[name], variants(levels)
            )
            num_new += scored.num_new
            if scored.unreadable:
                model.about["unreadable"][name] = scored.unreadable
            if distributed.is_main() and scored.variants[ORIGINAL].paths:
                add_testset(options, model, name, scored.variants[ORIGINAL], calibration)
                model.about["padded"] |= {name: scored.num_padded} if scored.num_padded else {}
                if (found := record.look_up(scored.contents))[0]:
                    model.about["seen_in_training"][name] = found
                robustness += robustness_rows(name, levels, scored.variants, options.bootstrap)
                note(one_row(model, name))
    except (KeyboardInterrupt, errors.WorkError) as error:
        raise stopped(error, scorer.store(options.results_dir), folder) from error

    # report
    if distributed.is_main() and model.scores:
        explain = functools.partial(gradcam, network, arch, device=device)
        write_report(
            options, folder, [model], calibration, robustness, explain if options.gradcam else None
        )
        if not num_new:
            print(f"nothing was scored anew; to do so, remove {scorer.store(options.results_dir)}")
    distributed.stop()
    lost = [
        f"{os.path.join(name, path)}: {reason}"
        for name, reasons in model.about["unreadable"].items()
        for path, reason in reasons.items()
    ]
    return tell_unreadable(lost, options.skip_unreadable, "metrics.json")


def learn_threshold(
    options: EvalOptions, scorer: Scorer, testsets: Mapping[str, Samples], about: About
) -> Calibration | None:
    """Learn the threshold of --calibrate_on, if one is asked for, on images or on their scores."""
    source, target_fpr = options.calibrate_on, options.target_fpr
    if not source:
        return None
    if os.path.isdir(source):
        refuse_own_images(source, testsets.values())
        return learn_from_images(source, target_fpr, scorer, options.results_dir, about)
    own = {
        name: [samples.relative(index) for index in range(len(samples.labels))]
        for name, samples in testsets.items()
    }
    return learn_from_predictions(source, target_fpr, about, own)


def refuse_lost_results(
    options: EvalOptions, folder: str, abouts: dict[str, About], testsets: Mapping[str, Any]
) -> None:
    """Refuse results in a folder that holds others which would be lost (--overwrite: replace)."""
    if not options.overwrite:
        wanted = {"robustness.csv": options.robustness, "threshold.json": options.calibrate_on}
        made = [name for name, is_wanted in wanted.items() if is_wanted]
        refuse_other_results(folder, abouts, testsets, made)


def stopped(error: BaseException, store: str, folder: str) -> Exception:
    """Return the error that says what is kept of a sweep that was stopped, or failed."""
    kept = f"what was scored is kept in {store}"
    kept += f", {folder} is as it was" if os.path.exists(folder) else ""
    if isinstance(error, KeyboardInterrupt):
        told = f"{kept}; the same command goes on where it stopped"
        return errors.Interrupted(told, errors.signal_of(error))
    return errors.WorkError(f"{error}; {kept}")


def measure_again(options: EvalOptions) -> int:
    """Make the report again from saved predictions, one file or several side by side."""
    if os.path.isdir(options.calibrate_on):
        raise errors.UsageError(
            f"--calibrate_on {options.calibrate_on}: images need the network; with --predictions,"
            " give a predictions.csv of them"
        )
    names = model_names(options.predictions)
    folder = results_folder(options, "_vs_".join(names))
    models: list[Model] = []
    calibration = None
    for path, name in zip(options.predictions, names, strict=True):
        scores = read_predictions(path)
        refuse_reserved(scores)
        if missing := sorted(set(options.testsets) - set(scores)):
            raise errors.UsageError(
                f"--testsets: {', '.join(missing)} not in {path}; it holds {', '.join(scores)}"
            )
        chosen = {name: scores[name] for name in options.testsets or scores}
        about = read_about(path) or {"predictions": path}
        about["partial"] = sorted({*about.get("partial", []), *(set(scores) - set(chosen))})
        if options.calibrate_on:
            own = {name: its.paths for name, its in chosen.items()}
            calibration = learn_from_predictions(
                options.calibrate_on, options.target_fpr, about, own
            )
        model = begin_model(options, name, about, calibration)
        for testset in sorted(chosen, key=paper_order):
            add_testset(options, model, testset, chosen[testset], calibration)
        refuse_other_labels(models, model)
        models.append(model)
    robustness: list[Row] = []
    if len(models) == 1 and models[0].about.get("robustness"):
        source = os.path.dirname(os.path.abspath(options.predictions[0]))
        robustness = read_robustness(os.path.join(source, "robustness.csv"))
        robustness = [row for row in robustness if row["testset"] in models[0].scores]
    abouts = {model.name if len(models) > 1 else "": model.about for model in models}
    every = {name: None for model in models for name in model.scores}
    if not options.overwrite:
        made = [*(["robustness.csv"] if robustness else [])]
        made += ["threshold.json"] if calibration else []
        refuse_other_results(folder, abouts, every, made)
    write_report(options, folder, models, calibration, robustness, None)
    return 0


def results_folder(options: EvalOptions, name: str) -> str:
    """The folder of --name or, without it, `name`; raises UsageError where none can be."""
    folder = os.path.join(options.results_dir, options.name or name)
    if wrong := writable_folder(folder):
        raise errors.UsageError(f"--results_dir: {folder} {wrong}; choose another --name")
    return folder


def begin_model(
    options: EvalOptions, name: str, about: About, calibration: Calibration | None
) -> Model:
    """Return a model without test sets yet, that says how its figures are made."""
    made = {
        "bootstrap": options.bootstrap,
        "few_shot": list(options.few_shot),
        "calibration": dataclasses.asdict(calibration) if calibration else None,
    }
    return Model(name, {**about, **made}, {}, {})


def add_testset(
    options: EvalOptions, model: Model, name: str, scores: Scores, calibration: Calibration | None
) -> None:
    """Measure a test set and put it into the model's report."""
    no_crop = options.no_crop or model.about.get("crop_size", 224) is None
    model.scores[name] = scores
    model.measured[name] = measure_testset(
        name,
        scores,
        options.bootstrap,
        options.few_shot,
        calibration,
        len(model.about.get("unreadable", {}).get(name, {})),
        published(options.published, no_crop) if options.published else {},
    )


def write_report(
    options: EvalOptions,
    folder: str,
    models: list[Model],
    calibration: Calibration | None,
    robustness: list[Row],
    explain: Callable[..., Any] | None,
) -> None:
    """Write scores, tables, figures and the page, all or nothing; print what to know of them."""
    thresholds = {"0.5": 0.0} | ({"calibrated": calibration.threshold} if calibration else {})

    def find_mistakes(model: Model, threshold: float) -> list[Mistake]:
        return gallery(
            model.name,
            model.scores,
            threshold,
            options.gallery,
            roots_of(options.dataroot, model.scores) or model.about.get("roots", {}),
            protocol_of(model.about).transforms(),
            functools.partial(explain, threshold=threshold) if explain else None,
        )

    with new_results(folder) as new:
        if len(models) == 1:
            write_predictions(os.path.join(new, "predictions.csv"), models[0].scores)
        if robustness:
            write_csv(os.path.join(new, "robustness.csv"), robustness)
        if calibration:
            write_calibration(os.path.join(new, "threshold.json"), calibration)
        table = write_tables(new, models)
        write_page(new, models, thresholds, robustness, find_mistakes)
    print(table)
    if robustness:
        print(f"\n{robustness_told(robustness)}")
    if calibration:
        print(f"\n{calibration_told(models[0], calibration, folder)}")
    for text in warnings(models):
        warn(text)
    print(f"\nresults: {folder}{os.sep} (report.html shows them, and the mistakes)")


if __name__ == "__main__":
    errors.run(lambda: main(OPTIONS))
