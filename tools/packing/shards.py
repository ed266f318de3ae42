"""Write one shard of a pack: a run of its images, one after another, and their rows."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from data.contents import content_hash
from data.geometry import Resize
from data.images import UnreadableImage, decode, read_file
from data.packed import ROW, compress, shard_name
from util.files import atomic_write

PER_SHARD = 2048  # images


class Shard(NamedTuple):
    """A task: which images to pack into which shard."""

    number: int
    paths: list[str]


def rows_file(folder: str, number: int) -> str:
    """Return the file of a shard's rows, which is there once the shard is whole."""
    return os.path.join(folder, f"{shard_name(number)}.npy")


def write_shard(
    shard: Shard, *, folder: str, store: str, resize: Resize | None, max_pixels: int
) -> list[str]:
    """Write a shard and its rows; return a line for each image that could not be read, whose row
    has the length -1. A file that cannot be decoded is packed all the same as "original".
    """
    rows, errors, offset = np.zeros(len(shard.paths), ROW), list[str](), 0
    with atomic_write(os.path.join(folder, shard_name(shard.number)), "wb") as file:
        for row, path in zip(rows, shard.paths, strict=True):
            try:
                content = read_file(path)
                stored, size = _stored(
                    content, path, store=store, resize=resize, max_pixels=max_pixels
                )
            except UnreadableImage as error:
                errors.append(str(error))
                row["length"] = -1
                continue
            row["content"] = np.void(bytes.fromhex(content_hash(content)))
            row["height"], row["width"] = size
            row["shard"], row["offset"], row["length"] = shard.number, offset, len(stored)
            offset += len(stored)
            file.write(stored)
    with atomic_write(rows_file(folder, shard.number), "wb") as file:
        np.save(file, rows)
    return errors


def _stored(
    content: bytes, path: str, *, store: str, resize: Resize | None, max_pixels: int
) -> tuple[bytes, tuple[int, int]]:
    """Return the bytes to store, and (height, width)."""
    try:
        pixels = decode(content, path, max_pixels)
    except UnreadableImage:
        if store == "original":  # reading it will tell the reason again
            return content, (0, 0)
        raise
    if store == "original":
        return content, pixels.shape[:2]
    if resize:
        pixels = resize(pixels, np.random.default_rng(0))  # of one method there is no choice
    return pixels.tobytes() if store == "pixels" else compress(pixels), pixels.shape[:2]
