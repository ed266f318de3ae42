"""Draw the average spectra of real and fake images: `python -m tools.spectra --dataroot FOLDER`.

Generators leave periodic traces, which show as bright spots in the average spectrum of images that
have been high-pass filtered (Zhang, Karaman, Chang 2019, "Detecting and simulating artifacts in GAN
fake images"; Wang et al. 2020, CVPR, draw it for each generator beside its real images). Averages
of two kinds are drawn, as they show different things: see `Spectra`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data.images import UnreadableImage, image_size, open_image
from data.samples import subsample
from data.sources import find_testsets
from data.unreadable import report_unreadable
from evaluation.benchmark import PAPER
from evaluation.spectrum import Plane, log_magnitude, residual_transform
from options.parse import parse
from options.spectra_options import SpectraOptions
from tools.spectra_figure import LABEL_NAMES, spectra_figure
from util.drawing import save_figure
from util.errors import UsageError, one_line, run
from util.processes import parallel_map
from util.progress import Progress, begin, end

Group = tuple[str, int]  # test set, label

CHUNK = 16  # images whose sums a worker sends at a time


class Sums(NamedTuple):
    """What the average spectra of some images are made of."""

    spectrum: npt.NDArray[np.complex128]  # (size, size), of the residuals' Fourier transforms
    magnitude: Plane  # (size, size), of their absolute values
    used: int  # images in it
    small: int  # images left out as smaller than the crop
    unreadable: tuple[str, ...]  # a message each


class Spectra(NamedTuple):
    """Two averages, log10 of grey levels, (size, size), zero frequency at [size // 2, size // 2].

    A periodic trace is in both if it lies at the same place, so has the same phase, in every image;
    if each image has it elsewhere it cancels in the first and is in the second alone. All that has
    no phase in common, such as noise and contents, fades in the first by the root of the count.
    """

    of_mean: Plane  # of the magnitude of the mean spectrum
    mean_magnitude: Plane  # of the mean of the magnitudes


def sum_spectra(paths: Sequence[str], size: int) -> Sums:
    """Sum over the centre crops of image files; each transform is that of `residual_transform`."""
    spectrum = np.zeros((size, size), np.complex128)
    magnitude = np.zeros((size, size))
    count, small, unreadable = 0, 0, []
    for path in paths:
        try:
            image = open_image(path)
        except UnreadableImage as error:
            unreadable.append(one_line(error))
            continue
        if min(image.shape[:2]) < size:
            small += 1
            continue
        transform = residual_transform(image, size)
        spectrum += transform
        magnitude += np.abs(transform)
        count += 1
    return Sums(spectrum, magnitude, count, small, tuple(unreadable))


def added(a: Sums, b: Sums) -> Sums:
    """Return the sums over the images of both."""
    return Sums(
        a.spectrum + b.spectrum,
        a.magnitude + b.magnitude,
        a.used + b.used,
        a.small + b.small,
        a.unreadable + b.unreadable,
    )


def mean_spectra(sums: Sums) -> Spectra | None:
    """Return the averages; None where there are no images."""
    if not sums.used:
        return None
    means = np.abs(sums.spectrum) / sums.used, sums.magnitude / sums.used
    return Spectra(*map(log_magnitude, means))


def sum_groups(
    groups: Mapping[Group, Sequence[str]], size: int, processes: int
) -> dict[Group, Sums]:
    """`sum_spectra` of each group's files; by 0 processes: in this one. However many, the sums are
    the same to the last bit, as they are added in the same order.
    """
    chunks = [
        (group, paths[first : first + CHUNK])
        for group, paths in groups.items()
        for first in range(0, len(paths), CHUNK)
    ]
    totals: dict[Group, Sums] = {}
    total = sum(map(len, groups.values()))
    with Progress(total, "spectra", unit="image") as bar:
        task = functools.partial(sum_spectra, size=size)
        results = parallel_map(
            task, [chunk for _, chunk in chunks], processes=processes, flag="--num_threads"
        )
        for (group, chunk), sums in zip(chunks, results, strict=True):
            totals[group] = added(totals[group], sums) if group in totals else sums
            bar.update(len(chunk))
    return totals


def choose_images(
    root: str, testsets: Sequence[str], *, most: int, seed: int
) -> tuple[dict[Group, list[str]], dict[Group, int]]:
    """Up to `most` image files of each label of each test set, in the paper's order, and of how
    many these are. Raises UsageError as `find_testsets` does.
    """
    found = find_testsets(root, testsets)
    chosen: dict[Group, list[str]] = {}
    available: dict[Group, int] = {}
    for name in sorted(found, key=PAPER.rank):
        some = subsample(found[name], most, seed, per_label=True)
        for label, count in enumerate(found[name].counts()):
            available[name, label] = count
            indices = np.flatnonzero(some.labels == label).tolist()
            chosen[name, label] = [some.path(index) for index in indices]
    return chosen, available


def check_size(groups: Mapping[Group, Sequence[str]], size: int) -> None:
    """Raise UsageError where a test set's images are all smaller than `size`."""
    largest: dict[str, int] = {}
    for (name, _), paths in groups.items():
        for path in paths:
            if largest.get(name, 0) >= size:
                break
            largest[name] = max(largest.get(name, 0), min(image_size(path)))
    if wrong := {name: side for name, side in largest.items() if 0 < side < size}:
        raise UsageError(
            f"--size {size} is larger than every image of {', '.join(wrong)};"
            f" the largest that fits is {min(wrong.values())}"
        )


def main() -> int:
    """Draw as the command line says; return 1 where an image could not be read."""
    options = parse(SpectraOptions)
    begun = begin(options.quiet)
    groups, available = choose_images(
        options.dataroot, options.testsets, most=options.max_images, seed=options.seed
    )
    check_size(groups, options.size)
    sums = sum_groups(groups, options.size, options.num_threads)
    averages = {group: mean_spectra(sums[group]) if group in sums else None for group in groups}
    names = dict.fromkeys(name for name, _ in groups)
    spectra = {name: [averages[name, label] for label in range(len(LABEL_NAMES))] for name in names}
    folder, file = os.path.split(options.out)
    save_figure(folder, os.path.splitext(file)[0], lambda: spectra_figure(spectra))
    for group, paths in groups.items():
        print(
            _summary(
                group,
                chosen=len(paths),
                available=available[group],
                sums=sums.get(group),
                size=options.size,
            )
        )
    print(one_line(options.out))
    unreadable = [message for group in sums.values() for message in group.unreadable]
    code = report_unreadable(unreadable, options.skip_unreadable)
    end(begun, f"open {options.out}")
    return code


def _summary(group: Group, *, chosen: int, available: int, sums: Sums | None, size: int) -> str:
    name, label = group
    text = f"{one_line(name)}: {sums.used if sums else 0} {LABEL_NAMES[label]} images"
    if chosen < available:
        text += f", from a random {chosen} of {available}"
    if sums and sums.small:
        text += f"; {sums.small} smaller than {size} pixels left out"
    return text


if __name__ == "__main__":
    run(main)
