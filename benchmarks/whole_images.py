"""Measure scoring whole images of mixed sizes: `python -m benchmarks.whole_images`."""

from __future__ import annotations

import functools
import tempfile

import numpy as np
import torch

from benchmarks import reference
from benchmarks.material import crops, trained_network, write_images
from benchmarks.profiles import convolutions_alone, torch_profile
from benchmarks.timing import OURS, REFERENCE, alternate, compare, explained, show
from data.eval_batches import raise_error
from data.samples import find_samples
from evaluation.predict import Predicted
from evaluation.protocol import ScoringProtocol
from evaluation.scoring import Reading, Task, score_parts
from networks.detector import NetworkDetector
from networks.inference import for_inference
from options.benchmark_options import BenchmarkOptions
from options.parse import parse
from util.errors import run
from util.progress import no_progress

SIZES = ((200, 300), (256, 256), (300, 200), (320, 320), (400, 300))  # height, width
TARGET = 2.0


def main() -> None:
    """Measure one image at a time against batches of one size, both reading in this process."""
    options = parse(BenchmarkOptions)
    arch, each, steps = ("resnet18", 2, 1) if options.quick else ("resnet50", 12, 20)
    images = [image for height, width in SIZES for image in crops(each, height, width)]
    mixed = np.random.default_rng(0).permutation(len(images))
    network = trained_network(arch, steps)
    with tempfile.TemporaryDirectory() as folder:
        write_images(folder, [images[number] for number in mixed], ".png")
        samples = find_samples(folder)
        paths = [samples.path(index) for index in range(len(samples.labels))]
        protocol = ScoringProtocol(crop_size=None)
        detector = NetworkDetector(
            for_inference(network), name=arch, device=torch.device("cpu"), precision="fp32"
        )
        one_by_one = functools.partial(reference.score_one_by_one, network, paths)
        task, every = Task([detector], protocol, samples), [(0, np.arange(len(paths)))]

        def by_size() -> Predicted:
            bar, fails = no_progress(), raise_error
            [(predicted,)] = score_parts([task], every, Reading(), bar=bar, on_error=fails)
            return predicted

        furthest = float(np.abs(by_size().logits - one_by_one()).max())
        seconds = alternate({REFERENCE: one_by_one, OURS: by_size}, options.rounds)
        row = compare(
            f"scoring whole images, {arch}, {len(paths)} PNG files of {len(SIZES)} sizes, fp32",
            "images/s",
            seconds,
            target=TARGET,
            rate_of=len(paths),
            alone=convolutions_alone(by_size, seconds[OURS]),
            note=f"largest difference of a logit {furthest:.2g}",
        )
        row = explained(row, functools.partial(torch_profile, by_size), options.quick)
    show([row], options.json)


if __name__ == "__main__":
    run(main)
