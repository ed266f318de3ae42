"""Score every test set with one network: load once -> score -> write the scores -> measure."""

from options.eval_options import EvalOptions
from options.parse import parse

if __name__ == "__main__":
    OPTIONS = parse(EvalOptions)  # before the imports below, which take seconds

import os
import sys
from typing import Any

from data.dataset import EvalImages
from data.images import UnreadableImage
from data.loaders import eval_batches
from data.samples import find_testsets
from data.testsets import ORDER, PAPER_ELEVEN, benchmark_note
from data.transforms import eval_transform
from networks.create import create_trained
from networks.device import choose_device
from networks.predict import predict
from networks.weights import read_weights
from util import distributed, errors
from util.files import sha256
from util.predictions import Scores, read_predictions, write_predictions
from util.published import check_published, published
from util.report import caption, read_about, table_rows, write_tables


def main(options: EvalOptions) -> int:
    """Evaluate as `options` say; return the exit code."""
    check_published(options.published)
    return measure_again(options) if options.predictions else score_testsets(options)


def score_testsets(options: EvalOptions) -> int:
    """Score all test sets with one network, reporting after each; 1 where one could not be read."""
    device = choose_device(options.device)
    testsets = find_testsets(options.dataroot, options.testsets)
    weights = read_weights(options.model_path)
    arch = options.arch or weights.arch
    network = create_trained(arch, weights).to(device)
    crop_size = None if options.no_crop else options.cropSize or weights.crop_size
    folder = os.path.join(options.results_dir, options.name or _stem(options.model_path))
    about = {
        "weights": options.model_path,
        "weights_sha256": sha256(options.model_path),
        "arch": arch,
        "crop_size": crop_size,
        "precision": options.precision,
        "benchmark": benchmark_note(options.dataroot),
    }
    distributed.start(device.type)

    scores: dict[str, Scores] = {}
    failed: list[str] = []
    for name in sorted(testsets, key=paper_order):
        samples = testsets[name]
        batches = eval_batches(
            EvalImages(samples, eval_transform(crop_size)),
            options.batch_size,
            options.num_threads,
            device.type == "cuda",
            distributed.rank(),
            distributed.world_size(),
        )
        count = len(samples.labels)
        try:
            logits = predict(network, batches, count, device, options.precision, name)
        except UnreadableImage as error:
            failed.append(name)
            warn(f"{name} is not scored: {error}")
            continue
        except KeyboardInterrupt as error:
            done = f"{len(scores)} of {len(testsets)} test sets are scored"
            raise errors.Interrupted(f"{done}, their results are in {folder}") from error
        paths = [samples.relative(index) for index in range(count)]
        scores[name] = Scores(paths, samples.labels, logits.astype(float))
        if distributed.is_main():
            write_predictions(os.path.join(folder, "predictions.csv"), scores)
            table = report(folder, scores, about, options)
    if distributed.is_main() and scores:
        show(folder, table, scores)
    distributed.stop()
    if failed:
        warn(f"{len(failed)} of {len(testsets)} test sets are not scored: {', '.join(failed)}")
    return 1 if failed else 0


def measure_again(options: EvalOptions) -> int:
    """Make the tables again from a saved predictions.csv, without weights or images."""
    scores = read_predictions(options.predictions)
    if missing := sorted(set(options.testsets) - set(scores)):
        raise errors.InputError(
            f"--testsets: {', '.join(missing)} not in {options.predictions}; it holds"
            f" {', '.join(scores)}"
        )
    scores = {name: scores[name] for name in options.testsets or scores}
    source = os.path.dirname(os.path.abspath(options.predictions))
    folder = os.path.join(options.results_dir, options.name or os.path.basename(source))
    if os.path.abspath(folder) != source:
        write_predictions(os.path.join(folder, "predictions.csv"), scores)
    about = read_about(source) or {"predictions": options.predictions}
    show(folder, report(folder, scores, about, options), scores)
    return 0


def report(
    folder: str, scores: dict[str, Scores], about: dict[str, Any], options: EvalOptions
) -> str:
    """Measure and write the tables; return the one for the console."""
    no_crop = options.no_crop or about.get("crop_size", 224) is None
    beside = published(options.published, no_crop) if options.published else {}
    rows = table_rows(sorted(scores, key=paper_order), scores, PAPER_ELEVEN, beside)
    return write_tables(folder, rows, caption(about, scores, PAPER_ELEVEN), about)


def show(folder: str, table: str, scores: dict[str, Scores]) -> None:
    """Print the table, what is undefined in it, and where it lies."""
    print(table)
    for name, (_, labels, _) in scores.items():
        if len(set(labels.tolist())) == 1:
            warn(f"{name} holds {'fake' if labels[0] else 'real'} images only: no AP, no AUROC")
    print(f"results: {folder}{os.sep}")


def paper_order(testset: str) -> tuple[int, str]:
    """Sorts the paper's test sets as it does, others after them by name."""
    return (ORDER.index(testset) if testset in ORDER else len(ORDER), testset)


def warn(text: str) -> None:
    """One line on standard error, from the main process alone."""
    if distributed.is_main():
        print(f"eval.py: warning: {errors.one_line(text)}", file=sys.stderr)


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]


if __name__ == "__main__":
    errors.run(lambda: main(OPTIONS))
