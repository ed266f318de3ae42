"""Measure a training step of ResNet-50: `python -m benchmarks.training_step`."""

from __future__ import annotations

import functools
from collections.abc import Callable

from benchmarks import reference
from benchmarks.material import labelled_images
from benchmarks.profiles import convolutions_alone, torch_profile
from benchmarks.timing import REFERENCE, alternate, compare, explained, show
from networks.create import create_network
from networks.normalize import normalize
from options.benchmark_options import BenchmarkOptions
from options.parse import parse
from tools.full_scale.rates import training_step
from util.errors import run

TARGETS = {"fp32": 1.5, "bf16": 3.0}


def main() -> None:
    """Measure the reference's step, and ours in both precisions."""
    options = parse(BenchmarkOptions)
    arch, batch, size = ("resnet18", 2, 64) if options.quick else ("resnet50", 64, 224)
    images, labels = labelled_images(batch, size)
    network = reference.network(arch).train()
    sides: dict[str, Callable[[], object]] = {
        REFERENCE: functools.partial(
            reference.train_step,
            network,
            reference.adam(network),
            images=normalize(images).contiguous(),  # done by the workers
            labels=labels,
        ),
        **{
            name: training_step(create_network(arch), name, images=images, labels=labels)
            for name in TARGETS
        },
    }
    seconds = alternate(sides, options.rounds)
    rows = []
    for name, target in TARGETS.items():
        row = compare(
            f"training step, {arch}, {batch} images of {size}x{size}, {name}",
            "images/s",
            seconds,
            ours=name,
            target=target,
            rate_of=batch,
            alone=convolutions_alone(sides[name], seconds[name]),
            note="the reference's in fp32" if name == "bf16" else "",
        )
        rows.append(explained(row, functools.partial(torch_profile, sides[name]), options.quick))
    show(rows, options.json)


if __name__ == "__main__":
    run(main)
