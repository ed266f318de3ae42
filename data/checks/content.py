"""Decode and hash image files in several processes."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

from tqdm import tqdm

from data.checks.inventory import Inventory
from data.images import UnreadableImage, open_image, read_header
from options.machine import MAX_PIXELS
from util.errors import WorkError

FORMATS = {  # ending -> what PIL may call its content; MPO: JPEGs of cameras, with a preview
    ".png": ("PNG",),
    ".jpg": ("JPEG", "MPO"),
    ".jpeg": ("JPEG", "MPO"),
    ".bmp": ("BMP",),
    ".webp": ("WEBP",),
    ".tif": ("TIFF",),
    ".tiff": ("TIFF",),
    ".ppm": ("PPM",),
}
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
            seen.unreadable.append((name, error.reason.replace(f" {path!r}", "").rstrip(":")))
            continue
        seen.formats[header.format] += 1
        seen.sizes[height, width] += 1
        if header.format not in FORMATS[os.path.splitext(name)[1].lower()]:
            seen.misnamed.append((name, header.format))
        if hashed:
            seen.digests[name] = file_digest(path)
    return seen


def file_digest(path: str) -> bytes:
    """The hash of a file's content, read bit by bit."""
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
    """What each group of the inventory holds. Raises WorkError where a worker is killed."""
    chunks = list(chunks_of(inventory))
    totals = [Seen(Counter(), Counter(), [], [], {}) for _ in inventory.groups]
    with tqdm(total=inventory.images(), desc="checking", unit="image", leave=False) as bar:
        for chunk, seen in zip(chunks, _mapped(chunks, processes, max_pixels), strict=True):
            total = totals[chunk.group]
            total.formats.update(seen.formats)
            total.sizes.update(seen.sizes)
            total.unreadable.extend(seen.unreadable)
            total.misnamed.extend(seen.misnamed)
            total.digests.update(seen.digests)
            bar.update(len(chunk.names))
    return totals


def _mapped(chunks: list[Chunk], processes: int, max_pixels: int) -> Iterator[Seen]:
    limits = [max_pixels] * len(chunks)
    if not processes or not chunks:
        yield from map(look, chunks, limits)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(processes, len(chunks)), context, _start_worker)
    try:
        yield from pool.map(look, chunks, limits)
    except BrokenProcessPool as error:
        raise WorkError(
            "the system killed a process that decodes images, most likely for want of memory; try"
            " a smaller --processes"
        ) from error
    except BaseException:  # Ctrl-C: the images in hand may take seconds, which nobody waits for
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the main process, and that this one
