"""Read images out of packs: data sets in a few large files, which tools/pack.py writes.

An image in a pack is addressed as if its file lay in the pack's folder. data/images.py and
data/contents.py look here where there is no file of that name; nobody else needs to know.

A pack is a folder of files that NumPy reads: `paths.npy`, (N,) sorted bytes; `index.npy`, (N,) rows
of ROW; `shard-00000.bin` and so on, the images one after another; and `pack.json`, written last,
which says what they hold (STORES), how that was resized, and what the codes of the index mean.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import zstandard

from util.errors import UsageError

INDEX, PATHS, ROWS = "pack.json", "paths.npy", "index.npy"
FORMAT = "cnn-detection pack 1"
STORES = ("original", "pixels", "zstd")  # the file as it was; RGB uint8; the same, compressed
ROW = np.dtype(
    [
        *(("label", "u1"), ("content", "V16"), ("height", "<i4"), ("width", "<i4")),
        *(("testset", "<i4"), ("class", "<i4"), ("split", "<i4")),
        *(("size", "<i8"), ("mtime_ns", "<i8")),  # of the file that was packed
        *(("shard", "<i4"), ("offset", "<i8"), ("length", "<i8")),
    ]
)


class Pack(NamedTuple):
    """An open pack; its arrays are memory-mapped, so that processes share them."""

    folder: str
    about: dict[str, Any]  # pack.json
    paths: npt.NDArray[np.bytes_]  # (N,)
    rows: npt.NDArray[np.void]  # (N,) of ROW

    def stored(self, row: int) -> npt.NDArray[np.uint8]:
        """Return an image as it is stored. Raises ValueError where its shard is cut short."""
        shard, offset, length = (
            int(self.rows[name][row]) for name in ("shard", "offset", "length")
        )
        stored = _shard(self.folder, shard)[offset : offset + length]
        if len(stored) < length:
            raise ValueError(f"{shard_name(shard)} of {self.folder} is cut short")
        return stored


class Packed(NamedTuple):
    """An image in a pack."""

    pack: Pack
    row: int

    def content(self) -> str:
        """Return the `content_hash` of the file that was packed."""
        return bytes(self.pack.rows["content"][self.row]).hex()

    def size(self) -> tuple[int, int]:
        """Return height and width; (0, 0) of a file that could not be read."""
        row = self.pack.rows[self.row]
        return int(row["height"]), int(row["width"])

    def state(self) -> tuple[int, int, int, int]:
        """Return what a FileState is made of; it changes when the pack does."""
        row, about = self.pack.rows[self.row], os.stat(os.path.join(self.pack.folder, INDEX))
        return about.st_ino, int(row["size"]), int(row["mtime_ns"]), about.st_ctime_ns

    def original(self) -> bytes | None:
        """Return the file that was packed; None where its pixels alone were."""
        if self.pack.about["store"] != "original":
            return None
        return self.pack.stored(self.row).tobytes()

    def pixels(self) -> npt.NDArray[np.uint8]:
        """Return the pixels, (H, W, 3) uint8 RGB, of an image that is not stored as a file.

        Raises ValueError, or zstandard's error, where the pack is damaged.
        """
        stored, shape = self.pack.stored(self.row), (*self.size(), 3)
        if self.pack.about["store"] == "pixels":
            return stored.reshape(shape)
        return decompress(stored.tobytes(), shape[0], shape[1])


def packed(path: str) -> Packed | None:
    """Return the image of a pack that `path` names; None where it is a file, or names nothing."""
    if os.path.lexists(path):
        return None
    folder, name = os.path.split(os.path.normpath(path))
    found = _pack_above(folder)
    if not found:
        return None
    pack, below = found
    key = os.fsencode(below + name)
    if len(key) > pack.paths.itemsize:
        return None
    row = int(np.searchsorted(pack.paths, np.bytes_(key)))
    there = row < len(pack.paths) and pack.paths[row] == key
    return Packed(pack, row) if there else None


def is_pack(path: str) -> bool:
    """Return whether `path` is the folder of a pack."""
    return open_pack(path) is not None


def resized_as(load_size: int, methods: Sequence[str]) -> str:
    """Return how a pack says that its images are those that train.py makes with these options."""
    return f"--loadSize {load_size} --rz_interp {','.join(methods)}"


def open_pack(folder: str) -> Pack | None:
    """Open a pack; return None where the folder has no `pack.json`, or another program's.

    Raises UsageError where the pack is damaged.
    """
    return _open(folder) if os.path.isfile(os.path.join(folder, INDEX)) else None


@functools.lru_cache(maxsize=64)
def _open(folder: str) -> Pack | None:
    with open(os.path.join(folder, INDEX), encoding="utf-8") as file:
        try:
            about = json.load(file)
        except ValueError:
            return None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        return None
    try:
        paths, rows = (
            np.asarray(np.load(os.path.join(folder, name), mmap_mode="r")) for name in (PATHS, ROWS)
        )
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{folder}: is a pack whose index cannot be read ({error})") from error
    if rows.dtype != ROW or not len(rows) == len(paths) == about.get("images"):
        raise UsageError(f"{folder}: is a pack whose index is damaged; pack it again")
    return Pack(folder, about, paths, rows)


@functools.lru_cache(maxsize=1 << 14)
def _pack_above(folder: str) -> tuple[Pack, str] | None:
    """Return the pack that a path is in, and the way from its folder, "" or ending in "/"."""
    below = ""
    while True:
        if pack := open_pack(folder):
            return pack, below
        folder, name = os.path.split(folder)
        if not name:
            return None
        below = f"{name}/{below}"


@functools.lru_cache(maxsize=1 << 12)
def _shard(folder: str, number: int) -> npt.NDArray[np.uint8]:
    path = os.path.join(folder, shard_name(number))
    return np.asarray(np.memmap(path, np.uint8, "r"))


def shard_name(number: int) -> str:
    """Return the name of a shard's file."""
    return f"shard-{number:05}.bin"


# --- the lossless codec: differences to the green plane and to the row above, then zstd ---


def compress(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Compress (H, W, 3) uint8 without loss, to about as many bytes as a PNG file has."""
    planes = pixels.transpose(2, 0, 1).copy(order="C")
    planes[0] -= planes[1]
    planes[2] -= planes[1]
    planes[:, 1:] -= planes[:, :-1].copy()
    return zstandard.compress(planes.tobytes(), level=1)


def decompress(stored: bytes, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return what `compress` was given. Raises ValueError, or zstandard's, where it was other."""
    planes = np.frombuffer(zstandard.decompress(stored), np.uint8).reshape(3, height, width)
    red, green, blue = np.cumsum(planes, axis=1, dtype=np.uint8)
    return np.asarray(cv2.merge([red + green, green, blue + green]), np.uint8)
