"""Read and write checkpoints: dicts of plain values and tensors, whole or absent."""

from __future__ import annotations

import argparse
import os
import pickle
import shutil
import warnings
from collections.abc import Iterator
from typing import Any

import torch

from util.errors import UsageError, WorkError
from util.files import atomic_write
from util.interrupt import defer_worker_deaths

# Many published files hold the options of their training beside the weights: plain values, which
# reading them so does not run
torch.serialization.add_safe_globals([argparse.Namespace])


def save_checkpoint(path: str, state: dict[str, Any], previous: str = "") -> None:
    """Write `state` (plain values and tensors) to `path` atomically.

    The file that `path` held before is kept as `previous`, where that is given. Raises WorkError
    where the disk refuses; `path` then still holds the old file.
    """
    with defer_worker_deaths():
        try:
            with atomic_write(path, "wb") as file:
                torch.save(state, file)
                if previous and os.path.exists(path):
                    _keep(path, previous)
        except RuntimeError as error:  # what torch raises on a full disk
            raise WorkError(
                f"{path}: could not be written ({error}); what it held before is unchanged"
            ) from error


def not_finite(state: dict[str, Any]) -> str:
    """Return the place of a tensor with a NaN or an infinity, as "model.fc.weight".

    Returns "" where all tensors in `state` are finite. Takes one pass over each device's tensors.
    """
    devices: dict[torch.device, dict[str, torch.Tensor]] = {}
    for place, tensor in _floating(state, ""):
        devices.setdefault(tensor.device, {})[place] = tensor
    for found in devices.values():
        norms = torch._foreach_norm(list(found.values()), float("inf"))  # no overflow
        largest = torch.stack([norm.float() for norm in norms])
        if len(bad := (~torch.isfinite(largest)).nonzero()):
            return list(found)[int(bad[0])]
    return ""


def _floating(value: Any, place: str) -> Iterator[tuple[str, torch.Tensor]]:  # noqa: ANN401
    """Yield (place, tensor) for every floating-point tensor in nested dicts and lists."""
    if isinstance(value, torch.Tensor):
        if value.is_floating_point() and value.numel():
            yield place, value
        return
    if isinstance(value, (list, tuple)):
        value = dict(enumerate(value))
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from _floating(inner, f"{place}.{key}" if place else str(key))


def _keep(path: str, previous: str) -> None:
    """Link `path` as `previous`, atomically; copy it where the file system has no hard links."""
    if os.path.exists(previous) and os.path.samefile(path, previous):
        return  # linked by a run that was killed since; replacing a link by its like does nothing
    temporary = f"{previous}.{os.getpid()}.tmp"
    try:
        os.link(path, temporary)
    except OSError:
        shutil.copyfile(path, temporary)
    os.replace(temporary, previous)


def read_checkpoint(path: str) -> dict[str, Any]:
    """Return the dict in `path`, a PyTorch or a safetensors file, its tensors on the CPU. Never
    runs code (`weights_only=True`).

    Raises UsageError where there is no such file, or it holds anything but a dict of plain
    values and tensors.
    """
    if not os.path.isfile(path):
        raise UsageError(f"{path}: no such weights file")
    if path.removesuffix(".part").endswith(".safetensors"):  # of one that is being fetched
        return _read_safetensors(path)
    try:
        with warnings.catch_warnings():  # torch's remarks on odd pickles: the error below says it
            warnings.simplefilter("ignore")
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UsageError(
            f"{path}: refused: it is no PyTorch file of tensors and plain values"
            " (a file that would run code is never loaded)"
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise UsageError(f"{path}: not a PyTorch file, or damaged, or cut short") from error
    if not isinstance(state, dict):
        raise UsageError(f"{path}: holds a {type(state).__name__}, not a dict of weights")
    return state


def _read_safetensors(path: str) -> dict[str, Any]:
    from safetensors import SafetensorError  # noqa: PLC0415 (few files are)
    from safetensors.torch import load_file  # noqa: PLC0415

    try:
        state: dict[str, Any] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path}: not a safetensors file, or damaged, or cut short") from error
    return state
