"""Decode and hash image files in several processes."""

from __future__ import annotations

import functools
import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from data.images import FORMATS, UnreadableImage, open_image, read_header
from options.machine import MAX_PIXELS
from tools.checks.inventory import Inventory
from util.processes import parallel_map
from util.progress import Progress

CHUNK_IMAGES, CHUNK_BYTES = 64, 1 << 26  # a worker's task ends at either: images differ in size


class Chunk(NamedTuple):
    """Some files of one group: what a worker needs to know."""

    group: int
    folder: str  # to open them, "/" at its end
    names: list[str]
    hashed: list[bool]  # whether another file has as many bytes


class Seen(NamedTuple):
    """What a worker saw in the files of one group."""

    formats: Counter[str]
    sizes: Counter[tuple[int, int]]  # (height, width)
    unreadable: list[tuple[str, str]]  # name, reason
    misnamed: list[tuple[str, str]]  # name, format of its content
    digests: dict[str, bytes]  # name -> hash of the file


def look(chunk: Chunk, max_pixels: int) -> Seen:
    """Decode every file of a chunk, and hash those that can be read and may have a twin."""
    seen = Seen(Counter(), Counter(), [], [], {})
    for name, hashed in zip(chunk.names, chunk.hashed, strict=True):
        path = chunk.folder + name
        try:
            header = read_header(path)
            height, width, _ = open_image(path, max_pixels).shape
        except UnreadableImage as error:
            seen.unreadable.append((name, error.reason))
            continue
        seen.formats[header.format] += 1
        seen.sizes[height, width] += 1
        if header.format not in FORMATS[os.path.splitext(name)[1].lower()]:
            seen.misnamed.append((name, header.format))
        if hashed:
            seen.digests[name] = file_digest(path)
    return seen


def file_digest(path: str) -> bytes:
    """Return the hash of a file's content, read in pieces."""
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()


def chunks_of(inventory: Inventory) -> Iterator[Chunk]:
    """Divide all files that hold anything."""
    frequency = Counter(size for group in inventory.groups for size in group.sizes)
    for number, group in enumerate(inventory.groups):
        folder = os.path.join(inventory.root, group.prefix)
        chunk, volume = Chunk(number, folder, [], []), 0
        for name, size in zip(group.names, group.sizes, strict=True):
            if size <= 0:
                continue
            chunk.names.append(name)
            chunk.hashed.append(frequency[size] > 1)
            volume += size
            if len(chunk.names) == CHUNK_IMAGES or volume >= CHUNK_BYTES:
                yield chunk
                chunk, volume = Chunk(number, folder, [], []), 0
        if chunk.names:
            yield chunk


def look_at_all(inventory: Inventory, processes: int, max_pixels: int = MAX_PIXELS) -> list[Seen]:
    """Return what each group of the inventory holds. Raises WorkError where a worker is killed."""
    chunks = list(chunks_of(inventory))
    totals = [Seen(Counter(), Counter(), [], [], {}) for _ in inventory.groups]
    task = functools.partial(look, max_pixels=max_pixels)
    results = parallel_map(task, chunks, processes=processes, flag="--processes")
    with Progress(inventory.images(), "checking", unit="image") as bar:
        for chunk, seen in zip(chunks, results, strict=True):
            total = totals[chunk.group]
            total.formats.update(seen.formats)
            total.sizes.update(seen.sizes)
            total.unreadable.extend(seen.unreadable)
            total.misnamed.extend(seen.misnamed)
            total.digests.update(seen.digests)
            bar.update(len(chunk.names))
    return totals
