"""Features that are kept on disk: files of up to SHARD images, named for all they depend on.

The folder is named for a hash of what all features depend on (weights, precision, transforms), a
file for one of its own images (path, state of the file, random draws). What has changed has another
name and is computed anew; a pass that was killed goes on from the shards that are there; and no
file is ever wrong, only unused.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from data.contents import FileState
from data.dataset import EvalImages
from data.images import UnreadableImage
from data.samples import Samples
from networks.detector import NetworkDetector
from util import distributed
from util.console import warn
from util.files import atomic_write, write_json
from util.machine import versions

MAKING = 1  # of the code between an image's bytes and its features: raise it where they change
PACKAGES = ("torch", "torchvision", "pillow", "opencv-python-headless")  # by minor version
SHARD = 1024  # images in a file: a few minutes of a CPU's work, which is what a kill may cost

States = list[FileState | None]  # of each image of a listing; None: there is no such file
Indices = npt.NDArray[np.int64]


class Shard(NamedTuple):
    """The features of some images."""

    values: npt.NDArray[np.float32]  # (N, D); zeros where an image could not be read
    contents: npt.NDArray[np.str_]  # (N,), `content_hash`; "" where it could not


def file_states(samples: Samples) -> States:
    """Return the state of each image's file."""

    def state(index: int) -> FileState | None:
        try:
            return samples.state(index)
        except UnreadableImage:
            return None

    return [state(index) for index in range(len(samples.labels))]


def shards_folder(detector: NetworkDetector, head: str, images: EvalImages, *, where: str) -> str:
    """Return the folder, below `where`, of this backbone and these transforms; `head` is the path
    of the last layer. Batch size and processor are left out: they change the rounding alone.
    """
    digest = hashlib.sha256()
    for key, tensor in detector.network.state_dict().items():
        if key.rpartition(".")[0] != head:
            plain = tensor.detach().cpu().contiguous()
            digest.update(f"{key} {plain.dtype} {tuple(plain.shape)} ".encode())
            digest.update(plain.view(-1).view(torch.uint8).numpy().tobytes())
    tf32 = detector.device.type == "cuda" and torch.backends.cudnn.allow_tf32
    about: dict[str, Any] = {
        "arch": detector.name,
        "backbone_sha256": digest.hexdigest(),
        "mean": detector.mean,
        "std": detector.std,
        "precision": detector.precision,
        "device": detector.device.type + "-tf32" * tf32,
        "transforms": [list(map(repr, steps)) for steps in images.variants],
        "max_pixels": images.max_pixels,
        "versions": {
            name: ".".join(str(v).split(".")[:2]) for name, v in versions(PACKAGES).items()
        },
        "making": MAKING,
    }
    text = json.dumps(about, sort_keys=True)
    folder = os.path.join(where, hashlib.sha256(text.encode()).hexdigest()[:16])
    path = os.path.join(folder, "about.json")  # for who wonders what may be removed
    if distributed.is_main() and not os.path.exists(path):
        write_json(path, about)
    return folder


def shard_path(folder: str, images: EvalImages, part: Indices, *, states: States) -> str:
    """Return the path of the shard of the images at the indices `part`."""
    digest = hashlib.sha256()
    for index in part.tolist():
        state, draws = states[index], images.draws(index)
        seen = tuple(state) if state else None
        digest.update(f"{images.samples.relative(index)!a} {seen} {draws}\n".encode())
    return os.path.join(folder, f"{digest.hexdigest()[:32]}.npz")


def write_shard(path: str, shard: Shard) -> None:
    """Write a shard, whole or not at all; raise WorkError as `atomic_write` does."""
    with atomic_write(path, "wb") as file:
        np.savez(file, **shard._asdict())


def read_shard(path: str, count: int) -> Shard | None:
    """Return a shard of `count` images; None where there is none or, with a word, it is damaged:
    the checksums of the zip format tell.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            shard = Shard(*(file[name] for name in Shard._fields))
        if shard.values.ndim != 2 or {len(column) for column in shard} != {count}:
            raise ValueError("of other images")
    except FileNotFoundError:
        return None
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error):
        warn(f"{path}: is damaged; its features are computed again", everywhere=True)
        return None
    return shard


def size_of(where: str) -> int:
    """Return how many bytes all shards below `where` take."""

    def sizes() -> Iterator[int]:
        for path in pathlib.Path(where).rglob("*.npz"):
            try:
                yield path.stat().st_size
            except FileNotFoundError:  # they may be removed at any time
                continue

    return sum(sizes())
