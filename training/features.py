"""What the frozen backbone makes of images: the input of the last layer, computed once and kept."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from data.dataset import EvalImages, Seen
from data.eval_batches import EvalSet, eval_reader
from data.images import UnreadableImage
from evaluation.predict import progress_bar
from networks.detector import NetworkDetector
from training.shards import (
    SHARD,
    Indices,
    Shard,
    States,
    read_shard,
    shard_path,
    shards_folder,
    write_shard,
)
from util import distributed
from util.errors import UsageError, WorkError
from util.progress import Progress


class Features(NamedTuple):
    """What is known of images, in their order, those that could not be read left out."""

    values: npt.NDArray[np.float32]  # (N, D)
    labels: npt.NDArray[np.uint8]  # (N,), 0 = real, 1 = fake
    contents: list[str]  # `content_hash` of each file
    unreadable: list[UnreadableImage]


def read_features(
    detector: NetworkDetector,
    head: str,
    images: EvalImages,
    *,
    states: States,
    where: str,
    batch_size: int,
    num_workers: int = 0,
) -> Features | None:
    """Return the features of `images` (in one variant), from the shards below `where` as far as
    they are there; compute and keep the others.

    `head` is the path of the last layer, `states` are those of `file_states`. Each process computes
    its share of the shards: were it the first alone, the others would wait for longer than torch
    lets them. The first one returns all, the others None; where one fails, its error is raised in
    all. Raises WorkError where features are not finite, or a file changes meanwhile, and UsageError
    for a last layer that is not given one vector per image.
    """
    folder = shards_folder(detector, head, images, where=where)
    every = np.arange(len(states))
    parts = [every[start : start + SHARD] for start in range(0, len(every), SHARD)]
    paths = [shard_path(folder, images, part, states=states) for part in parts]
    compute = _computer(detector, head, images, batch_size=batch_size, num_workers=num_workers)
    shards: dict[int, Shard] = {}
    failure: Exception | None = None
    try:
        with progress_bar(len(every), "features") as bar:
            for number in range(distributed.rank(), len(parts), distributed.world_size()):
                part = parts[number]
                shard = read_shard(paths[number], len(part))
                if shard and len(_lost(images, part, shard)) == np.sum(shard.contents == ""):
                    bar.update(len(part))
                else:  # not there, or an image that could not be read then can be now
                    shard = compute(part, states, bar)
                    write_shard(paths[number], shard)
                if distributed.is_main():  # which alone goes on with them
                    shards[number] = shard
    except Exception as error:  # the other processes wait for this one below
        failure = error
    for its_failure in distributed.gather(failure):
        if its_failure is not None:
            raise its_failure
    if not distributed.is_main():
        return None
    for number, path in enumerate(paths):
        if number not in shards:
            others = read_shard(path, len(parts[number]))
            if others is None:
                raise WorkError(f"{path}: another process wrote it, and it is not there")
            shards[number] = others
    return _all(images, parts, [shards[number] for number in range(len(parts))])


def _computer(
    detector: NetworkDetector,
    head: str,
    images: EvalImages,
    *,
    batch_size: int,
    num_workers: int,
) -> Callable[[Indices, States, Progress], Shard]:
    """Return what computes a shard; its worker processes, if any, begin with the first one."""
    seen: dict[int, Seen] = {}
    read = eval_reader(
        [EvalSet(images)],
        batch_size=max(batch_size // distributed.world_size(), 1),
        num_workers=num_workers,
        pin_memory=detector.device.type == "cuda",
        on_error=lambda error: None,  # they are read once more, when all are known
        on_read=seen.__setitem__,
    )

    def compute(part: Indices, states: States, bar: Progress) -> Shard:
        seen.clear()
        found = []
        [batches] = read([(0, part)])
        for numbers, batch in batches:
            found.append((numbers.numpy(), head_input(detector, head, batch).cpu().numpy()))
            bar.update(len(numbers))
        first, width = int(part[0]), found[0][1].shape[1] if found else 0
        values = np.zeros((len(part), width), np.float32)
        for indices, features in found:
            values[indices - first] = features
        for index, file in seen.items():
            path = images.samples.path(index)
            if file.state != states[index]:
                raise WorkError(f"{path}: was changed while it was read; give the command again")
            if not np.isfinite(values[index - first]).all():
                fp32 = detector.precision == "fp32"
                cause = "the weights may be damaged" if fp32 else "try --precision fp32"
                raise WorkError(f"{path}: its features are not finite numbers; {cause}")
        contents = [seen[index].content if index in seen else "" for index in part.tolist()]
        return Shard(values, np.array(contents))

    return compute


def head_input(detector: NetworkDetector, head: str, images: Tensor) -> Tensor:
    """Return what the last layer (at the path `head`) is given for (N, 3, H, W) uint8 images: (N,
    D) float32 on the detector's device. Raises UsageError where that is not one vector for each.
    """
    given: list[Tensor] = []

    def keep(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        given.append(args[0])

    handle = detector.network.get_submodule(head).register_forward_pre_hook(keep)
    try:
        detector.logits(images)
    finally:
        handle.remove()
    if len(given) != 1 or given[0].ndim != 2:
        raise UsageError(f"--probe: the last layer of {detector.name} is not given one vector")
    return given[0].float()


def _lost(images: EvalImages, part: Indices, shard: Shard) -> list[UnreadableImage]:
    """Return the errors of the images that a shard lacks, as far as they still cannot be read."""
    again = (images[int(index), 0, 1] for index in part[shard.contents == ""])
    return [item for item in again if isinstance(item, UnreadableImage)]


def _all(images: EvalImages, parts: list[Indices], shards: list[Shard]) -> Features:
    read = [shard.contents != "" for shard in shards]
    return joined(
        [
            Features(
                shard.values[its_read],
                images.samples.labels[part[its_read]],
                shard.contents[its_read].tolist(),
                _lost(images, part, shard),
            )
            for part, shard, its_read in zip(parts, shards, read, strict=True)
        ]
    )


def joined(parts: list[Features]) -> Features:
    """Return the features of several lists of images, one after another."""
    if len(parts) == 1:
        return parts[0]
    values = [part.values for part in parts if len(part.labels)]  # else they have no width
    return Features(
        np.concatenate(values) if values else parts[0].values,
        np.concatenate([part.labels for part in parts]),
        list(itertools.chain.from_iterable(part.contents for part in parts)),
        list(itertools.chain.from_iterable(part.unreadable for part in parts)),
    )
