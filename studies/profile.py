"""Measure the mean spectra of each test set: `python -m studies.profile --out profile.csv`.

Two measures of the mean magnitude (`tools.spectra.Spectra`: periodic traces, whatever their phase):

- `profile`: its mean over all directions, at each distance from frequency zero (1/size per pixel
  apart, up to 1/2 per pixel);
- `peak`: how far it stands out at the frequencies that upsampling by 2 and 4 leaves traces at, the
  multiples of 1/4 per pixel along both axes but (0, 0): the mean over these 15 of log10 of the
  magnitude, less the median of the 24 frequencies around each.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import generic_filter

from options.parse import parse
from options.studies_options import ProfileOptions
from tools.spectra import Plane, choose_images, mean_spectra, sum_groups
from tools.spectra_figure import LABEL_NAMES
from util.errors import run
from util.files import atomic_write, csv_writer

COLUMNS = ("testset", "label", "frequency", "metric", "value")
REACH = 2  # of the neighbourhood of a frequency, on each side


def radial_profile(plane: Plane) -> npt.NDArray[np.float64]:
    """Return the mean of a (size, size) plane over rings around its middle, at the distances 0, 1,
    ... size // 2.
    """
    size = len(plane)
    away = np.arange(size) - size // 2
    ring = np.rint(np.hypot(*np.meshgrid(away, away))).astype(int)
    kept = ring <= size // 2
    sums = np.bincount(ring[kept], plane[kept])
    means: npt.NDArray[np.float64] = sums / np.bincount(ring[kept])
    return means


def peak(plane: Plane) -> float:
    """Return how far a plane stands out at the frequencies of upsampling, in its own unit."""
    size = len(plane)
    around = np.ones((2 * REACH + 1, 2 * REACH + 1), bool)
    around[REACH, REACH] = False
    background = generic_filter(plane, np.median, footprint=around, mode="wrap")
    at = [(size // 2 + step * size // 4) % size for step in range(4)]
    excess = (plane - background)[np.ix_(at, at)]
    return float((excess.sum() - excess[0, 0]) / (excess.size - 1))


def main() -> None:
    """Measure as the command line says, and write the table."""
    options = parse(ProfileOptions)
    groups, _ = choose_images(options.dataroot, (), most=1_000_000, seed=0)
    sums = sum_groups(groups, options.size, options.num_threads)
    with atomic_write(options.out) as file:
        table = csv_writer(file)
        table.writerow(COLUMNS)
        for (testset, label), its in sums.items():
            if spectra := mean_spectra(its):
                start = (testset, LABEL_NAMES[label])
                for ring, value in enumerate(radial_profile(spectra.mean_magnitude)):
                    frequency = f"{ring / options.size:.6f}"
                    table.writerow((*start, frequency, "profile", f"{value:.6f}"))
                table.writerow((*start, "", "peak", f"{peak(spectra.mean_magnitude):.6f}"))
    print(f"{options.out}: {len(sums)} groups of images")


if __name__ == "__main__":
    run(main)
