"""Score image files and folders of them: CSV of path, probability of being generated, logit."""

from options.parse import parse
from options.predict_options import PredictOptions

if __name__ == "__main__":
    OPTIONS = parse(PredictOptions)  # before the imports below, which take seconds

import csv
import math
import sys

from data.dataset import EvalImages
from data.images import UnreadableImage
from data.loaders import eval_batches
from data.samples import find_images
from data.transforms import eval_transform
from networks.create import create_trained
from networks.device import choose_device
from networks.predict import predict
from networks.weights import read_weights
from util import errors
from util.predictions import probability


def main(options: PredictOptions) -> int:
    """Predict as `options` say; return 1 where an image could not be read."""
    device = choose_device(options.device)
    samples = find_images(options.paths, options.recursive)
    weights = read_weights(options.model_path)
    network = create_trained(options.arch or weights.arch, weights).to(device)
    unreadable: list[UnreadableImage] = []
    batches = eval_batches(
        EvalImages(samples, eval_transform(options.cropSize)),
        options.batch_size,
        options.num_threads,
        device.type == "cuda",
        on_error=unreadable.append,
    )
    count = len(samples.paths)
    logits = predict(network, batches, count, device, options.precision, "images")

    sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("path", "probability", "logit"))
    for index, logit in enumerate(map(float, logits)):
        if not math.isnan(logit):
            writer.writerow((samples.relative(index), f"{probability(logit):.9g}", f"{logit:.9g}"))
    sys.stdout.flush()
    for error in unreadable:
        print(f"predict.py: error: {errors.one_line(error)}", file=sys.stderr)
    return 1 if unreadable else 0


if __name__ == "__main__":
    errors.run(lambda: main(OPTIONS))
