"""How many images this machine trains on, scores and reads in a second."""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn

from data.augment import Blur, Jpeg
from data.dataset import TrainImages
from data.samples import LABELS, find_samples
from data.transforms import train_transform
from networks.create import create_network
from networks.device import autocast, choose_device
from networks.inference import for_inference
from networks.normalize import normalize
from networks.stem import stem_name
from options.reproduce_options import ReproduceOptions
from options.train_options import TrainOptions

SECONDS = 3.0  # of each measure, after a first run that is not timed
FILES = 8
SIDE = 256  # of a training image, in pixels
NOISE = 3.2  # standard deviation in grey levels with which a PNG is as large as a released one


class Rates(NamedTuple):
    """Images in a second."""

    train: float  # by one process
    score: float  # by one process, the crop
    read: float  # by one core, with blur and JPEG
    device: str
    shared: bool  # whether the cores that read are those that compute, too
    batch: int
    png: float  # bytes of the images that were read, on average


def measure(options: ReproduceOptions, training: TrainOptions) -> Rates:
    """Measure the training step and scoring on random images, and reading on generated ones."""
    device = choose_device(options.device, options.tf32)
    batch = max(1, options.batch_size // options.processes)
    if device.type == "cpu":
        batch = min(batch, 16)  # as many in a second, and sooner measured
    crop = training.cropSize or 224
    images = torch.randint(0, 256, (batch, 3, crop, crop), dtype=torch.uint8, device=device)
    arch = stem_name(training.arch, stride=training.stem_stride, input=training.stem_input)
    network = create_network(arch).to(device)
    labels = torch.arange(batch, device=device) % 2 * 1.0
    step = training_step(network, options.precision, images=images, labels=labels)
    train = batch * _per_second(step)
    fast = for_inference(network)

    @torch.inference_mode()
    def score() -> None:
        with autocast(device, options.precision):
            fast(normalize(images)).float().cpu()

    scored = batch * _per_second(score)
    cv2.setNumThreads(0)  # as in the processes that read
    with tempfile.TemporaryDirectory() as folder:
        dataset, epochs = _dataset(folder, training, crop), itertools.count()

        def read() -> None:
            epoch = next(epochs)
            for index in range(FILES):
                dataset[epoch, index]

        rate = FILES * _per_second(read)
        size = sum(dataset.samples.state(index).size for index in range(FILES)) / FILES
    return Rates(train, scored, rate, str(device), device.type == "cpu", batch, size)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def training_step(
    network: nn.Module, precision: str, *, images: torch.Tensor, labels: torch.Tensor
) -> Callable[[], float]:
    """Return train.py's step on one batch, (N, 3, H, W) uint8: the parts that take time."""
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    scaler = torch.amp.GradScaler(images.device.type, enabled=precision == "fp16")

    def step() -> float:
        with autocast(images.device, precision):
            logits = network(normalize(images))
        loss = nn.functional.binary_cross_entropy_with_logits(logits.float().squeeze(1), labels)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.item()  # waits for the device

    return step


def _draw(seed: int) -> Image.Image:
    """Return a smooth image with as much noise as makes its PNG as large as a released one."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(40, 216, (8, 8, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)).astype(float)
    pixels = smooth + rng.normal(0, NOISE, smooth.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _dataset(folder: str, training: TrainOptions, crop: int) -> TrainImages:
    """Write FILES generated images into `folder`; return them as training reads them."""
    for number in range(FILES):
        path = os.path.join(folder, tuple(LABELS)[number % 2], f"{number}.png")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _draw(number).save(path)
    blur = Blur(training.blur_prob, training.blur_sig, training.blur_method)
    jpeg = Jpeg(training.jpg_prob, training.jpg_qual, training.jpg_method, training.jpg_passes)
    load = training.loadSize or SIDE
    transforms = train_transform(load, crop, ("bilinear",), blur=blur, jpeg=jpeg, flip=True)
    return TrainImages(find_samples(folder), transforms, seed=0)


def _per_second(run: Callable[[], object]) -> float:
    run()
    count, started = 0, time.perf_counter()
    while (seconds := time.perf_counter() - started) < SECONDS or not count:
        run()
        count += 1
    return count / seconds
