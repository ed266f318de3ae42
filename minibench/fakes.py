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
    """Ready a worker process: one thread, so that all sums round alike; Ctrl-C is left to the
    main process, which then tells the workers to stop.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


@cache
def generator_of(family: str) -> Generator:
    """Return a family's generator, loaded once per process."""
    return load_generator(family, WEIGHTS)


def fakes_of(family: str, reals: list[Pixels], seed: int) -> list[Pixels]:
    """Return the fakes of images H,W,3, 0..255, in the same form. The seed decides the noise.

    The same on every call for the same arguments and number of torch's threads; a batch divided
    otherwise may round otherwise.
    """
    generator = generator_of(family)
    torch.manual_seed(seed)  # after loading, which draws (and discards) first weights
    images = torch.from_numpy(np.stack(reals)).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        fakes = (generator(images) + 1) * 127.5
    return list(fakes.round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy())
