"""Measure scoring centre crops: `python -m benchmarks.sweep`."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import nn

from benchmarks.material import labelled_images, trained_network
from benchmarks.profiles import convolutions_alone, torch_profile
from benchmarks.timing import REFERENCE, Row, alternate, compare, explained, show
from evaluation.metrics import measure
from evaluation.predict import predict
from evaluation.predictions import Logits
from networks.detector import Detector, NetworkDetector
from networks.inference import for_inference
from networks.normalize import normalize
from options.benchmark_options import BenchmarkOptions
from options.parse import parse
from util.errors import UsageError, run
from util.progress import no_progress

CPU = torch.device("cpu")
FULL = ("resnet50", 32, 224, 60)  # network, batch, crop, training steps beforehand
# name -> (compiled, precision, target)
SIDES = {
    "fp32": (False, "fp32", 2.0),
    "fp32, --compile": (True, "fp32", 2.4),
    "bf16": (False, "bf16", 5.0),
    "bf16, --compile": (True, "bf16", 5.0),
}


@torch.no_grad()
def plain_logits(network: nn.Module, batches: list[torch.Tensor]) -> Logits:
    """Return the reference's logits (N,) of normalized batches, as its workers make them."""
    return np.concatenate([network(batch).squeeze(1).numpy() for batch in batches])


def our_logits(detector: Detector, batches: list[torch.Tensor]) -> Logits:
    """Return our logits (N,) of batches (N, 3, H, W) uint8, by evaluation/predict.py."""
    ends = np.cumsum([len(batch) for batch in batches])
    numbered = (
        (torch.arange(int(end) - len(batch), int(end)), batch)
        for end, batch in zip(ends, batches, strict=True)
    )
    bar = no_progress()
    return predict([detector], numbered, num_images=int(ends[-1]), bar=bar)[0].logits


def our_sides(
    network: nn.Module, batches: list[torch.Tensor]
) -> tuple[dict[str, Callable[[], Logits]], dict[str, float]]:
    """Return those of SIDES that this machine can run, and the seconds of their first run."""
    sides: dict[str, Callable[[], Logits]] = {}
    first: dict[str, float] = {}
    for name, (compiled, precision, _) in SIDES.items():
        start = time.perf_counter()
        try:
            fast = for_inference(network, compile=compiled)
            detector = NetworkDetector(fast, name=name, device=CPU, precision=precision)
            sides[name] = functools.partial(our_logits, detector, batches)
            sides[name]()
        except UsageError as error:
            sides.pop(name, None)
            print(f"{name}: left out: {error}")
        first[name] = time.perf_counter() - start
    return sides, first


def closeness(plain: Logits, ours: Logits, labels: np.ndarray) -> str:
    """Describe how far our logits of the same images are from the reference's."""
    shift = measure(labels, ours)["ap"] - measure(labels, plain)["ap"]
    return (
        f"largest difference of a logit {np.abs(ours - plain).max():.2g} (they span"
        f" {np.ptp(plain):.1f}), rank correlation {spearmanr(plain, ours).statistic:.5f},"
        f" AP {measure(labels, plain)['ap']:.4f} {shift:+.4f}"
    )


def main() -> None:
    """Measure the plain network, and ours in both precisions, compiled and not."""
    options = parse(BenchmarkOptions)
    arch, batch, size, steps = ("resnet18", 4, 64, 1) if options.quick else FULL
    network = trained_network(arch, steps)
    images, labels = labelled_images(4 * batch, size)
    batches = list(images.split(batch))  # the first is timed; all are compared
    normalized = [normalize(images).contiguous() for images in batches]
    plain = plain_logits(network, normalized)
    timed = batches[:1]
    sides, first = our_sides(network, timed)
    seconds = alternate(
        {REFERENCE: lambda: plain_logits(network, normalized[:1]), **sides}, options.rounds
    )
    rows: list[Row] = []
    for name, side in sides.items():
        compiled, _, target = SIDES[name]
        ours = our_logits(side.args[0], batches)  # type: ignore[attr-defined]
        note = closeness(plain, ours, labels.numpy())
        if compiled:
            note += f"; compiling took {first[name]:.0f} s"
        row = compare(
            f"scoring, {arch}, crops of {size}, {name}",
            "images/s",
            seconds,
            ours=name,
            target=target,
            rate_of=batch,
            alone=convolutions_alone(side, seconds[name]),
            note=note,
        )
        rows.append(explained(row, functools.partial(torch_profile, side), options.quick))
    show(rows, options.json)


if __name__ == "__main__":
    run(main)
