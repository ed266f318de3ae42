"""Apply a family's trained generator to pixels."""

from functools import cache
from pathlib import Path

import numpy as np
import torch

from minibench.generators import Generator, load_generator
from minibench.photographs import Pixels

WEIGHTS = Path(__file__).parent / "weights"


@cache
def generator_of(family: str) -> Generator:
    """Return a family's generator, loaded once per process."""
    return load_generator(family, WEIGHTS)


def fakes_of(family: str, reals: list[Pixels], seed: int) -> list[Pixels]:
    """Return the fakes of images H,W,3, 0..255, in the same form. The seed decides the noise.

    The same on every call for the same arguments; a batch divided otherwise may round
    otherwise. Sets torch to one thread for the whole process, for the same reason.
    """
    torch.set_num_threads(1)
    generator = generator_of(family)
    torch.manual_seed(seed)  # after loading, which draws (and discards) first weights
    images = torch.from_numpy(np.stack(reals)).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        fakes = (generator(images) + 1) * 127.5
    return list(fakes.round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy())
