"""Measure what a GPU trains, scores and is fed: `python -m benchmarks.gpu`.

On a machine without one the processor runs the same lines.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks import reference
from benchmarks.loading import train_images
from benchmarks.material import crops, labelled_images, write_images
from benchmarks.page import GPU_INTRODUCTION, Record, describe, write_page
from benchmarks.sweep import our_logits
from benchmarks.timing import REFERENCE, Row, alternate, compare, row_of, show
from data.order import EpochBatches
from data.train_batches import train_reader
from networks.create import create_network
from networks.detector import NetworkDetector
from networks.device import choose_device
from networks.inference import for_inference
from networks.normalize import normalize
from options.benchmark_options import GpuOptions
from options.parse import parse
from tools.full_scale.rates import cores, training_step
from util.errors import WorkError, one_line, run

PRECISIONS = ("fp32", "bf16", "fp16")
Sides = dict[str, Callable[[], object]]


def trained(
    arch: str, device: torch.device, *, images: torch.Tensor, labels: torch.Tensor
) -> Sides:
    """Return a step of the reference, and ours in each precision, compiled and not."""
    images, labels = images.to(device), labels.to(device)
    network = reference.network(arch).to(device).train()
    optimizer, normalized = reference.adam(network), normalize(images).contiguous()
    sides: Sides = {
        REFERENCE: lambda: reference.train_step(
            network, optimizer, images=normalized, labels=labels
        )
    }

    def ours(precision: str, compiled: bool) -> Callable[[], object]:
        network = create_network(arch).to(device)
        network = torch.compile(network) if compiled else network  # type: ignore[assignment]
        return training_step(network, precision, images=images, labels=labels)

    return sides | later(ours, device)


def scored(arch: str, device: torch.device, images: torch.Tensor) -> Sides:
    """Return scoring by the reference, and ours in each precision, compiled and not."""
    network = reference.network(arch).eval().to(device)
    normalized = normalize(images).contiguous()

    @torch.no_grad()
    def score() -> object:
        return network(normalized.to(device)).cpu()

    sides: Sides = {REFERENCE: score}

    def ours(precision: str, compiled: bool) -> Callable[[], object]:
        fast = for_inference(network, compile=compiled)
        detector = NetworkDetector(fast, name=arch, device=device, precision=precision)
        return functools.partial(our_logits, detector, [images])

    return sides | later(ours, device)


def later(build: Callable[[str, bool], Callable[[], object]], device: torch.device) -> Sides:
    """Return the sides that `build` makes of each precision of a device, compiled and not, as they
    are first run: what fails there is a failure of that side alone.
    """
    sides: Sides = {}
    for precision in PRECISIONS:
        for compiled in (False, True):
            if precision != "fp16" or device.type == "cuda":
                its = functools.cache(functools.partial(build, precision, compiled))
                sides[precision + ", --compile" * compiled] = lambda its=its: its()()  # type: ignore[misc]
    return sides


def measured(what: str, sides: Sides, *, batch: int, rounds: int) -> tuple[list[Row], list[str]]:
    """Return a row for each side but the reference, and the failures of those that have none."""
    failures = []
    for name in list(sides):
        try:
            sides[name]()  # compiles
        except Exception as error:  # whatever a driver or a compiler raises: it is what we look for
            failures.append(f"{what}, {name}: {one_line(str(error))[:200]}")
            del sides[name]
    seconds = alternate(sides, rounds)
    rows = [
        compare(f"{what}, {name}", "images/s", seconds, ours=name, rate_of=batch)
        for name in sides
        if name != REFERENCE
    ]
    return rows, failures


def loaded(root: str, device: torch.device, *, batch: int, rounds: int, quick: bool) -> list[Row]:
    """Return a row for each number of worker processes that read training images, against one."""
    dataset, steps = train_images(root), 2 if quick else 16
    order = np.resize(np.arange(len(dataset.samples.labels)), steps * batch)
    rates: dict[int, list[float]] = {}
    for workers in sorted({1, 2, max(cores() // 2, 1), cores()}):
        read, rates[workers] = train_reader(dataset, workers, device.type == "cuda"), []
        for epoch in range(rounds + 1):  # the first starts the workers
            begun = time.perf_counter()
            for _ in read(EpochBatches(order, epoch, batch, 0, steps, 0, 1)):
                pass
            rates[workers].append(len(order) / (time.perf_counter() - begun))
    alone, *rest = (its[1:] for its in rates.values())
    what = "training images, 256x256, JPG files, blur and JPEG at 0.5, workers:"
    return [
        row(f"{what} {workers}", alone, its)
        for workers, its in zip(list(rates)[1:], rest, strict=True)
    ]


def whole(root: str, device: torch.device, *, arch: str, batch: int, step: float) -> list[Row]:
    """Return what train.py reaches in bf16: in one process against its `step` alone (images a
    second), and in a process on each GPU, or two on the processor, against one.
    """
    rows, before = [], step
    more = torch.cuda.device_count() if device.type == "cuda" else 2
    for processes in sorted({1, more}):
        with tempfile.TemporaryDirectory() as out:
            command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
            command += ["--nproc_per_node", str(processes), "train.py", "--dataroot", root]
            command += ["--checkpoints_dir", out, "--name", "x", "--init", "scratch"]
            command += ["--arch", arch, "--batch_size", str(batch * processes), "--niter", "3"]
            command += ["--precision", "bf16", "--device", device.type, "--blur_prob", "0.5"]
            command += ["--jpg_prob", "0.5", "--num_threads", str(max(cores() // processes, 1))]
            if code := subprocess.run(command, check=False).returncode:
                raise WorkError(f"train.py in {processes} processes ended with {code}; see above")
            with open(os.path.join(out, "x", "history.csv"), encoding="utf-8") as file:
                rates = [float(line["images_per_second"]) for line in csv.DictReader(file)][1:]
        base = "the step alone" if processes == 1 else "one process"
        name = f"train.py, {arch}, bf16, processes: {processes}, against {base}"
        rows.append(row(name, [before] * len(rates), rates))
        before = rows[0].ours
    return rows


def row(what: str, before: list[float], after: list[float]) -> Row:
    """Return a row of rates (images a second) in each round, not judged."""
    ratios = [b / a for a, b in zip(before, after, strict=True)]
    return row_of(what, "images/s", reference=before, ours=after, ratios=ratios)


def main() -> None:
    """Measure everything, keep it by the name of the device, and write the page."""
    options = parse(GpuOptions)
    device = choose_device(options.device)
    arch, batch, size = ("resnet18", 4, 64) if options.quick else ("resnet50", 64, 224)
    images, labels = labelled_images(batch, size)
    what = f"{arch}, {batch} images of {size}x{size}"
    step = f"training step, {what}"
    turns = {"batch": batch, "rounds": options.rounds}
    rows, failed = measured(step, trained(arch, device, images=images, labels=labels), **turns)
    more, others = measured(f"scoring, {what}", scored(arch, device, images), **turns)
    rows, failed = rows + more, failed + others
    with tempfile.TemporaryDirectory() as root:
        for split, count in (("train", 16 if options.quick else 512), ("val", 8)):
            write_images(os.path.join(root, split, "photographs"), crops(count, 256, 256), ".jpg")
        rows += loaded(os.path.join(root, "train"), device, quick=options.quick, **turns)
        rate = next((its.ours for its in rows if its.what == f"{step}, bf16"), float("nan"))
        rows += whole(root, device, arch=arch, batch=batch, step=rate)
    show(rows, "")

    name, facts = describe(options.rounds, "make gpu-check")
    if device.type == "cuda":
        facts.insert(0, f"- {torch.cuda.device_count()} of it; processor: {name}")
        name = torch.cuda.get_device_name(device)
    facts += [f"- **failed**: {failure}" for failure in failed]
    record = Record(name, facts, [dataclasses.asdict(its) for its in rows])
    results = "" if options.quick else options.results
    write_page(GPU_INTRODUCTION, record, options.out, results=results)
    if failed:
        raise WorkError(f"{len(failed)} failed, the first: {failed[0]}; {options.out} names all")


if __name__ == "__main__":
    run(main)
