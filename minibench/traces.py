"""Measure what upsampling leaves in the fakes: `python -m minibench.traces --data dataset/mini`.

Doubling the size gives every second pixel another history than its neighbour. Two measures see it:
differences inside 2x2 blocks against those across their borders (Tan et al., CVPR 2024, look at the
first), and the spectrum at the frequencies that doubling once and twice repeat (Zhang, Karaman,
Chang, WIFS 2019).
"""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score

from minibench.families import FAMILIES
from options.minibench_options import TracesOptions
from options.parse import parse
from util.console import be_quiet
from util.errors import UsageError, run
from util.progress import progress

Plane = NDArray[np.float64]
AROUND = 2
"""Frequencies on either side of a peak, whose median magnitude the peak is measured against."""


class Traces(NamedTuple):
    """What is measured of one image, or of a mean of images."""

    inside: float  # mean square difference of neighbours in one 2x2 block, in grey levels squared
    across: float  # of neighbours on both sides of a border between blocks
    spectrum: Plane  # (side, side), magnitude of what a 3x3 mean leaves, zero frequency at [0, 0]


def traces_of(grey: Plane) -> Traces:
    """Measure a grey image (side, side), 0..255, with blocks that begin at its corner."""
    by_row, by_column = np.diff(grey, axis=0) ** 2, np.diff(grey, axis=1) ** 2
    inside = (by_row[::2].mean() + by_column[:, ::2].mean()) / 2
    across = (by_row[1::2].mean() + by_column[:, 1::2].mean()) / 2
    residual = grey - cv2.blur(grey, (3, 3))
    return Traces(inside, across, np.abs(np.fft.fft2(residual, norm="ortho")))


def load_traces(folder: Path) -> list[Traces]:
    """Measure the images below `folder`."""
    found = []
    for path in sorted(folder.rglob("*.*")):
        with Image.open(path) as image:
            found.append(traces_of(np.asarray(image.convert("L"), np.float64)))
    return found


def block_ratio(traces: list[Traces]) -> float:
    """Return the energy of differences inside blocks over that across borders: a photograph's is 1,
    and that of pixels repeated and left so is 0.
    """
    return float(np.mean([t.inside for t in traces]) / np.mean([t.across for t in traces]))


def peak(traces: list[Traces], part: int) -> float:
    """Return how far the mean spectrum stands out at 1/`part` of the sampling frequency, in
    decibels: along rows, columns and both, against the median around each.
    """
    mean = np.mean([t.spectrum for t in traces], axis=0)
    at = len(mean) // part
    heights = []
    for row, column in ((0, at), (at, 0), (at, at)):
        rows, columns = (np.arange(c - AROUND, c + AROUND + 1) % len(mean) for c in (row, column))
        around = np.median(mean[np.ix_(rows, columns)])
        heights.append(20 * np.log10(mean[row, column] / around))
    return float(np.mean(heights))


def separable(real: list[Traces], fake: list[Traces]) -> float:
    """Return the AUROC with which the distance of one image's block ratio from 1 tells fake from
    real: 0.5 where there is no trace of doubling.
    """
    scores = [abs(t.inside - t.across) / (t.inside + t.across) for t in (*real, *fake)]
    return float(roc_auc_score([0] * len(real) + [1] * len(fake), scores))


def table(test: Path) -> str:
    """Return the measures of all test sets below `test`, as a Markdown table."""
    lines = [
        "| test set | detail | blocks, real | blocks, fake | AUROC by blocks | peak at 1/2, real |"
        " peak at 1/2, fake | peak at 1/4, real | peak at 1/4, fake |",
        "|---|" + "--:|" * 8,
    ]
    for family in progress(FAMILIES, "", unit="set"):
        real, fake = (
            [t for label in (test / family).rglob(name) for t in load_traces(label)]
            for name in ("0_real", "1_fake")
        )
        if not real or not fake:
            raise UsageError(f"{test / family}: holds no images; is {test.parent} a minibench?")
        energy = [np.mean([t.inside + t.across for t in side]) for side in (real, fake)]
        peaks = [peak(side, part) for part in (2, 4) for side in (real, fake)]
        lines.append(
            f"| {family} | {energy[1] / energy[0]:.2f} | {block_ratio(real):.2f} |"
            f" {block_ratio(fake):.2f} | {separable(real, fake):.2f} |"
            + "".join(f" {value:.1f} dB |" for value in peaks)
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table of the folder that the command line names."""
    options = parse(TracesOptions)
    be_quiet(options.quiet)
    print(table(Path(options.data) / "test"))


if __name__ == "__main__":
    run(main)
