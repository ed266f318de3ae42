"""Apply a family's trained generator to pixels."""

import signal
from functools import cache
from pathlib import Path

import numpy as np
import torch

from minibench.generators import Generator, load_generator
from minibench.photographs import Pixels

WEIGHTS = Path(__file__).parent / "weights"


def start_worker() -> None:
    """Set up a worker process: one thread, so that all sums round alike, and no Ctrl-C.

    The main process answers Ctrl-C, and stops the workers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


@cache
def generator_of(network: str) -> Generator:
    """Return a trained generator, loaded once per process."""
    return load_generator(network, WEIGHTS)


def fakes_of(network: str, reals: list[Pixels], seed: int) -> list[Pixels]:
    """Return the fakes of images (H, W, 3) uint8, in the same form; `seed` determines the noise.

    `network` is a name of `families.NETWORKS`. The same for the same arguments and number of
    torch's threads; other batches may round differently.
    """
    generator = generator_of(network)
    torch.manual_seed(seed)  # after loading, which draws (and discards) initial weights
    images = torch.from_numpy(np.stack(reals)).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        fakes = (generator(images) + 1) * 127.5
    return list(fakes.round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy())
