"""Edit photographs into a test set: `python -m minibench.shallow --real photos --out shallow`."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.images import UnreadableImage, open_image
from data.samples import plain_images
from minibench.build import encode
from minibench.edits import KINDS, TooPlain, edit
from minibench.photographs import Pixels
from options.minibench_options import ShallowOptions
from options.parse import parse
from util.console import as_typed, warn
from util.errors import UsageError, run
from util.files import atomic_folder, write_json
from util.progress import begin, end, progress

MARKER = "shallow.json"
OURS = re.compile(rf"{re.escape(MARKER)}|(0_real|1_fake)[\\/][0-9]+_({'|'.join(KINDS)})\.png")

LeftOut = dict[str, list[str]]
"""By reason, the photographs of which no pair is made."""


class Cropped(NamedTuple):
    """A square of a photograph, and the generator that goes on to draw its edit."""

    photograph: str  # its path, relative to the folder
    x: int  # left and upper edge in it, in pixels
    y: int
    pixels: Pixels
    rng: np.random.Generator


def crop_all(
    root: str, names: list[str], *, options: ShallowOptions, out: LeftOut
) -> Iterator[Cropped]:
    """Yield a crop of each photograph, in an order drawn by the seed, with progress.

    Those that cannot be read or are smaller than the crop are added to `out` instead.
    """
    size = options.size
    order = np.random.default_rng(options.seed).permutation(len(names))
    for index in progress(order, "", unit="photo", leave=True):
        name, rng = names[index], np.random.default_rng([options.seed, int(index)])
        try:
            pixels = open_image(os.path.join(root, name))
        except UnreadableImage as error:
            out["unreadable"].append(f"{name} ({error.reason})")
            continue
        height, width, _ = pixels.shape
        if min(height, width) < size:
            out[f"smaller than {size}x{size} pixels"].append(name)
            continue
        x, y = int(rng.integers(width - size + 1)), int(rng.integers(height - size + 1))
        yield Cropped(name, x, y, pixels[y : y + size, x : x + size].copy(), rng)


def with_others(crops: Iterable[Cropped]) -> Iterator[tuple[Cropped, Pixels]]:
    """Yield each crop with the one before it, and at the end the first with the last.

    So no more than three are held at a time. Of a single crop nothing is yielded.
    """
    first = before = None
    for crop in crops:
        if before is None:
            first = crop
        else:
            yield crop, before.pixels
        before = crop
    if first is not None and before is not None and before is not first:
        yield first, before.pixels


def write_pairs(folder: Path, crops: Iterable[Cropped], out: LeftOut) -> dict[str, dict[str, Any]]:
    """Write each crop and an edit of it below `folder`; return by name where they are from.

    The kinds of edit take turns. Photographs too plain to be edited are added to `out` instead.
    """
    made: dict[str, dict[str, Any]] = {}
    for crop, other in with_others(crops):
        kind = KINDS[len(made) % len(KINDS)]
        try:
            fake = edit(kind, crop.pixels, other=other, rng=crop.rng)
        except TooPlain:
            out["too plain to be edited"].append(crop.photograph)
            continue
        name = f"{len(made):04}_{kind}.png"
        for label, pixels in (("0_real", crop.pixels), ("1_fake", fake)):
            (folder / label).mkdir(exist_ok=True)
            (folder / label / name).write_bytes(encode(pixels, None))
        made[name] = {"photograph": crop.photograph, "x": crop.x, "y": crop.y}
    return made


def describe(left_out: LeftOut) -> str:
    """Return, in words, how many photographs were left out, and why."""
    return "; ".join(
        f"{len(names):,} left out, {reason}, as {names[0]}" for reason, names in left_out.items()
    )


def check_places(real: str, out: str, overwrite: bool) -> None:
    """Raise UsageError where `out` may not be written: one folder lies in the other, or it holds
    anything, but for an earlier set with `overwrite`.
    """
    places = [os.path.realpath(path) for path in (real, out)]
    if os.path.commonpath(places) in places:
        raise UsageError(f"--out {out}: must not be, hold, or lie in --real {real}")
    if not os.path.lexists(out) or (os.path.isdir(out) and not os.listdir(out)):
        return
    if not os.path.isfile(os.path.join(out, MARKER)):
        raise UsageError(f"--out {out}: exists and is no set of edits; name another folder")
    if not overwrite:
        raise UsageError(f"--out {out}: is there already; add --overwrite to replace it")


def main() -> None:
    """Write the set as the command line says."""
    options = parse(ShallowOptions)
    begun = begin(options.quiet)
    check_places(options.real, options.out, options.overwrite)
    names = [os.fsdecode(name) for name in plain_images(options.real, f"--real {options.real}")]
    left_out: LeftOut = defaultdict(list)
    with atomic_folder(options.out, lambda path: OURS.fullmatch(path) is not None) as folder:
        made = write_pairs(
            Path(folder), crop_all(options.real, names, options=options, out=left_out), left_out
        )
        if not made:
            raise UsageError(
                f"--real {options.real}: two photographs are needed of {options.size} pixels a side"
                f" or more, or a smaller --size; {len(names)} images ({describe(left_out)})"
            )
        about = {"edits": KINDS, "seed": options.seed, "size": options.size, "images": made}
        write_json(os.path.join(folder, MARKER), about)
    if left_out:
        warn(f"--real {options.real}: {describe(left_out)}")
    kinds = Counter(KINDS[number % len(KINDS)] for number in range(len(made)))
    print(f"{options.out}: {len(made)} pairs ({', '.join(f'{n} {k}' for k, n in kinds.items())})")
    end(begun, as_typed("eval.py", "--model_path", "WEIGHTS", "--dataroot", options.out))


if __name__ == "__main__":
    run(main)
