"""Score every test set with one network: load once -> score -> write the scores -> measure."""

from options.eval_options import EvalOptions
from options.parse import parse

if __name__ == "__main__":
    OPTIONS = parse(EvalOptions)  # before the imports below, which take seconds

import dataclasses
import functools
import os
from collections.abc import Callable
from typing import Any

from data.degrade import PLAIN, reencode_steps, variants
from data.sources import find_testsets
from data.testsets import paper_order
from data.unreadable import tell_unreadable
from networks.create import create_trained
from networks.device import choose_device
from networks.fit import refuse_what_does_not_fit
from networks.gradcam import gradcam
from networks.inference import for_inference
from networks.weights import read_weights
from report.build import warnings, write_csv, write_page, write_tables
from report.calibration import learn_from_images, learn_from_predictions, refuse_own_images
from report.gallery import gallery, roots_of
from report.model import About, Model, model_names, protocol, read_about, refuse_other_labels
from report.page import Mistake
from report.published import check_published, published
from report.robustness import read_robustness, robustness_rows
from report.rows import Row, measure_testset
from report.scoring import Scorer, score_testset
from util import distributed, errors
from util.console import warn
from util.predictions import Scores, read_predictions, write_predictions
from util.score_store import protocol_folder
from util.thresholds import Calibration, write_calibration


def main(options: EvalOptions) -> int:
    """Evaluate as `options` say; return the exit code."""
    check_published(options.published)
    return measure_again(options) if options.predictions else score_testsets(options)


def score_testsets(options: EvalOptions) -> int:
    """Score all test sets with one network, reporting after each; 1 where images are unreadable."""
    device = choose_device(options.device, options.tf32)
    testsets = find_testsets(
        options.dataroot, options.testsets, options.split, options.real, options.fake
    )
    weights = read_weights(options.model_path)
    arch = options.arch or weights.arch
    crop_size = None if options.no_crop else options.cropSize or weights.crop_size or 224
    refuse_what_does_not_fit(arch, crop_size)
    network = create_trained(arch, weights).to(device)
    scorer = Scorer(
        for_inference(network, options.compile),
        device,
        options.precision,
        crop_size,
        options.batch_size,
        options.max_batch_pixels,
        options.num_threads,
        options.max_pixels,
        reencode_steps(options.reencode),
    )
    folder = os.path.join(options.results_dir, options.name or _stem(options.model_path))
    about = protocol(
        options.model_path, arch, scorer.crop_size, options.precision, options.dataroot, testsets
    )
    about |= {"reencode": options.reencode} if options.reencode else {}
    store = protocol_folder(
        options.results_dir,
        about["weights_sha256"],
        arch,
        scorer.crop_size,
        options.precision,
        options.reencode,
    )
    levels: dict[str, tuple[float, ...]] = {}
    if options.robustness:
        about["robustness"] = levels = {
            "blur": options.blur_sigmas,
            "jpeg": options.jpeg_qualities,
            "rescale": options.rescale_factors,
        }
    distributed.start(device.type)

    calibration = None
    if os.path.isdir(source := options.calibrate_on):
        refuse_own_images(source, testsets.values())
        calibration = learn_from_images(source, options.target_fpr, scorer, store, about)
    elif source:
        calibration = learn_from_predictions(source, options.target_fpr, about)
    model = begin_model(options, os.path.basename(folder), about, calibration)
    robustness: list[Row] = []
    num_new = 0
    try:
        for name in sorted(testsets, key=paper_order):
            scored = score_testset(scorer, store, name, testsets[name], variants(levels))
            num_new += scored.num_new
            model.about["unreadable"] |= {name: scored.unreadable} if scored.unreadable else {}
            if distributed.is_main() and scored.variants[PLAIN].paths:
                add_testset(options, model, name, scored.variants[PLAIN], calibration)
                write_predictions(os.path.join(folder, "predictions.csv"), model.scores)
                write_tables(folder, [model])
                if levels:
                    robustness += robustness_rows(name, levels, scored.variants, options.bootstrap)
                    write_csv(os.path.join(folder, "robustness.csv"), robustness)
    except KeyboardInterrupt as error:
        done = f"{len(model.scores)} of {len(testsets)} test sets are in {folder}"
        raise errors.Interrupted(f"{done}; the same command goes on where it stopped") from error
    if distributed.is_main() and model.scores:
        explain = functools.partial(gradcam, network, arch, device=device)
        explain_if_asked = explain if options.gradcam else None
        finish(options, folder, [model], calibration, robustness, explain_if_asked)
        if not num_new:
            print(f"nothing was scored anew; to do so, remove {store}")
    distributed.stop()
    lost = [
        f"{os.path.join(name, path)}: {reason}"
        for name, reasons in model.about["unreadable"].items()
        for path, reason in reasons.items()
    ]
    return tell_unreadable(lost, options.skip_unreadable, "metrics.json")


def measure_again(options: EvalOptions) -> int:
    """Make the report again from saved predictions, one file or several side by side."""
    if os.path.isdir(options.calibrate_on):
        raise errors.InputError(
            f"--calibrate_on {options.calibrate_on}: images need the network; with --predictions,"
            " give a predictions.csv of them"
        )
    names = model_names(options.predictions)
    models: list[Model] = []
    calibration = None
    for path, name in zip(options.predictions, names, strict=True):
        scores = read_predictions(path)
        if missing := sorted(set(options.testsets) - set(scores)):
            raise errors.InputError(
                f"--testsets: {', '.join(missing)} not in {path}; it holds {', '.join(scores)}"
            )
        about = read_about(os.path.dirname(os.path.abspath(path))) or {"predictions": path}
        if options.calibrate_on:
            calibration = learn_from_predictions(
                options.calibrate_on, options.target_fpr, about, options.predictions
            )
        model = begin_model(options, name, about, calibration)
        for testset in sorted(options.testsets or scores, key=paper_order):
            add_testset(options, model, testset, scores[testset], calibration)
        refuse_other_labels(models, model)
        models.append(model)
    folder = os.path.join(options.results_dir, options.name or "_vs_".join(names))
    robustness: list[Row] = []
    if len(models) == 1:
        source = os.path.dirname(os.path.abspath(options.predictions[0]))
        if models[0].about.get("robustness"):  # else the file, if any, is of an earlier run
            robustness = read_robustness(os.path.join(source, "robustness.csv"))
        if os.path.abspath(folder) != source:
            write_predictions(os.path.join(folder, "predictions.csv"), models[0].scores)
            if robustness:
                write_csv(os.path.join(folder, "robustness.csv"), robustness)
    finish(options, folder, models, calibration, robustness, None)
    return 0


def begin_model(
    options: EvalOptions, name: str, about: About, calibration: Calibration | None
) -> Model:
    """A model without test sets yet, that says how its figures are made."""
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


def finish(
    options: EvalOptions,
    folder: str,
    models: list[Model],
    calibration: Calibration | None,
    robustness: list[Row],
    explain: Callable[..., Any] | None,
) -> None:
    """Write tables, figures and the page; print the table and what to know of it."""
    thresholds = {"0.5": 0.0}
    if calibration:
        write_calibration(os.path.join(folder, "threshold.json"), calibration)
        thresholds["calibrated"] = calibration.threshold

    def find_mistakes(model: Model, threshold: float) -> list[Mistake]:
        return gallery(
            model.name,
            model.scores,
            threshold,
            options.gallery,
            roots_of(options.dataroot, model.scores) or model.about.get("roots", {}),
            model.about.get("crop_size", 224),
            functools.partial(explain, threshold=threshold) if explain else None,
        )

    table = write_tables(folder, models)
    write_page(folder, models, thresholds, robustness, find_mistakes)
    print(table)
    for text in warnings(models):
        warn(text)
    print(f"\nresults: {folder}{os.sep} (report.html shows them, and the mistakes)")


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]


if __name__ == "__main__":
    errors.run(lambda: main(OPTIONS))
