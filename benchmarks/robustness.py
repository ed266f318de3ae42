"""Measure a robustness sweep: `python -m benchmarks.robustness`."""

from __future__ import annotations

import dataclasses
import functools
import statistics
import tempfile
import time
from collections.abc import Sequence

import torch
from torch import nn

from benchmarks.material import crops, trained_network, write_images
from benchmarks.profiles import torch_profile
from benchmarks.timing import OURS, REFERENCE, alternate, compare, explained, show
from data.augment import Transform
from data.dataset import apply
from data.samples import Samples, find_samples
from evaluation.degrade import variants
from evaluation.protocol import ScoringProtocol
from evaluation.score_testsets import Job, score_testsets
from evaluation.scoring import Reading
from networks.detector import NetworkDetector
from networks.inference import for_inference
from networks.normalize import normalize
from options.benchmark_options import BenchmarkOptions
from options.parse import parse
from util.errors import run

LEVELS = {"blur": (1.0, 2.0, 3.0), "jpeg": (90.0, 60.0, 30.0), "rescale": (0.5,)}
MOST = 1.2  # times the sum of its forward passes


@torch.no_grad()
def one_by_one(network: nn.Module, samples: Samples, passes: Sequence[list[Transform]]) -> None:
    """Score the images degraded in each way, in a pass of its own from files to logits."""
    for transforms in passes:
        images = [samples.load(index)[1] for index in range(len(samples.labels))]
        batch = torch.stack([apply(transforms, image, (0,)) for image in images])
        network(normalize(batch).contiguous())


def main() -> None:
    """Measure a pass for each degradation against one pass for all, both reading in this process,
    and that one against its forward passes alone.
    """
    options = parse(BenchmarkOptions)
    arch, count, steps = ("resnet18", 2, 1) if options.quick else ("resnet50", 8, 20)
    network, protocol, degraded = trained_network(arch, steps), ScoringProtocol(), variants(LEVELS)
    passes = [protocol.transforms(each)[0] for each in degraded.values()]
    detector = NetworkDetector(for_inference(network), name=arch, device=torch.device("cpu"))
    shares: list[float] = []  # seconds for each second of the forward passes
    with tempfile.TemporaryDirectory() as folder:
        write_images(folder, crops(count, 256, 256), ".png")
        samples = find_samples(folder)

        def sweep() -> None:
            begun = time.perf_counter()
            with tempfile.TemporaryDirectory() as store:
                job = Job("set", samples, [detector], protocol, [store])
                [(scored,)] = score_testsets([job], Reading(), degraded)
            shares.append((time.perf_counter() - begun) / scored.seconds)

        seconds = alternate(
            {REFERENCE: lambda: one_by_one(network, samples, passes), OURS: sweep}, options.rounds
        )
        timed = shares[1::2]  # every second run
        share, versions = statistics.median(timed), count * len(passes)
        row = compare(
            f"robustness sweep, {arch}, {count} PNG files, crops of 224, {len(passes)} versions",
            "versions/s",
            seconds,
            rate_of=versions,
            note=f"{share:.2f} x the sum of its forward passes ({min(timed):.2f} to"
            f" {max(timed):.2f})",
        )
        target = f"at most {MOST} x its passes"
        row = dataclasses.replace(row, target=target, met=share <= MOST)
        row = explained(row, functools.partial(torch_profile, sweep), options.quick)
    show([row], options.json)


if __name__ == "__main__":
    run(main)
