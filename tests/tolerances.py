"""How far apart two numbers may be: the one place that says so, since a difference that one
machine's processor gave is no rule for another's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

Numbers = Tensor | npt.ArrayLike
FEWEST = 12  # values: the largest of so many errors is seldom small by chance


def assert_as_exact(ours: Numbers, plain: Numbers, exact: Numbers, factor: float = 4) -> None:
    """Assert that what we compute is about as near to the float64 answer as the obvious way in the
    same precision: no further from it than `factor` times the largest error of that, plus a few
    roundings of the largest answer. Holds on every processor, however it orders its sums.

    Each is of any shape, of the same number of values: at least 12.
    """
    our, their, true = (_flat(numbers) for numbers in (ours, plain, exact))
    assert our.shape == their.shape == true.shape
    assert len(true) >= FEWEST, "too few values to tell how large an error is"
    assert np.isfinite(our).all()
    allowed = (
        factor * np.abs(their - true).max() + 8 * np.finfo(np.float32).eps * np.abs(true).max()
    )
    furthest = int(np.abs(our - true).argmax())
    off = float(np.abs(our - true)[furthest])
    assert off <= allowed, (
        f"value {furthest}: {our[furthest]}, the plain way {their[furthest]}, in float64"
        f" {true[furthest]}: off by {off:.3g} where {allowed:.3g} is as good as the plain way"
    )


def exact_logits(network: nn.Module, images: Tensor) -> Tensor:
    """(N, 1) logits of normalized images in float64; the network stays as it is, in its mode."""
    dtype = next(network.parameters()).dtype
    try:
        with torch.no_grad():
            logits: Tensor = network.double()(images.double())
        return logits
    finally:
        network.to(dtype)  # exact: float32 and back


def written(value: Any, decimals: int) -> Any:  # noqa: ANN401
    """What a figure read from a file or a page must equal that was written with `decimals`."""
    return pytest.approx(value, abs=0.51 * 10.0**-decimals)


def near(value: Any, distance: float, because: str) -> Any:  # noqa: ANN401
    """What a number must equal but for a `distance` that has nothing to do with the processor."""
    assert because
    return pytest.approx(value, abs=float(distance))


def _flat(numbers: Numbers) -> npt.NDArray[np.float64]:
    if isinstance(numbers, Tensor):
        numbers = numbers.detach().double().numpy()
    return np.asarray(numbers, np.float64).ravel()
