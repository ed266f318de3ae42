"""Read weights files and load them to the key: all of it fits, or nothing is scored."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn

from networks.architectures import IMAGENET_MEAN, IMAGENET_STD, Triple
from networks.stem import split_stem
from util.checkpoint import read_checkpoint
from util.errors import UsageError

CONTAINERS = ("model", "state_dict", "net")  # keys that others keep a state dict under
PREFIXES = ("module.", "_orig_mod.")  # of DataParallel, of torch.compile


class Weights(NamedTuple):
    """What a weights file says. The published ones say neither arch nor crop size."""

    path: str
    state: dict[str, torch.Tensor]
    arch: str = ""  # where the file says it
    crop_size: int | None = None  # that they were trained on, where the file says it
    trained_on: dict[str, Any] | None = None  # see data/contents.py: which images
    trained: dict[str, Any] | None = None  # how, where the file says it: `training_of`
    mean: Triple = IMAGENET_MEAN  # of the network's input
    std: Triple = IMAGENET_STD
    interpolation: str = "bilinear"  # of a resizing before the crop
    trunk: bool = False  # whether the file says that it lacks the last layer


def has_one_logit(weights: Weights, head: str) -> bool:
    """Return whether these are a detector's, whose last layer `head` has one output; that of a
    network trained for anything else has as many as there are classes, or is not there.
    """
    weight = weights.state.get(f"{head}.weight")
    return weight is not None and len(weight) == 1


def read_weights(path: str) -> Weights:
    """Read a checkpoint of train.py, the published layout {"model": state_dict, ...}, or a bare
    state dict; each with or without DataParallel's "module." before the keys.

    Raises UsageError where the file is missing, damaged, refused, or holds no weights.
    """
    checkpoint = read_checkpoint(path)
    state = state_dict(path, checkpoint)
    arch, crop_size = checkpoint.get("arch"), checkpoint.get("crop_size")
    mean, std = (_triple(path, checkpoint, key) for key in ("mean", "std"))
    return Weights(
        path,
        state,
        arch if isinstance(arch, str) else "",
        crop_size if isinstance(crop_size, int) else None,
        checkpoint.get("trained_on"),
        training_of(checkpoint),
        mean or IMAGENET_MEAN,
        std or IMAGENET_STD,
        str(checkpoint.get("interpolation", "bilinear")),
        checkpoint.get("trunk") is True,
    )


def training_of(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Return what a checkpoint of train.py says of its training: the images of each split ("data"),
    "dataroot", "seed" and "steps"; what it does not say is left out.
    """
    made_from = checkpoint.get("made_from")
    if not isinstance(made_from, dict):
        return {}
    options = made_from.get("options") or {}
    known = {
        "data": made_from.get("data"),
        "dataroot": options.get("dataroot"),
        "seed": options.get("seed"),
        "steps": checkpoint.get("total_steps"),
    }
    return {name: value for name, value in known.items() if value is not None}


def state_dict(path: str, checkpoint: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return the tensors of a checkpoint: under "model", "state_dict", "net", or its own; without
    the prefixes of DataParallel and torch.compile. Raises UsageError where it holds none.
    """
    inner = [checkpoint[key] for key in CONTAINERS if isinstance(checkpoint.get(key), dict)]
    state = inner[0] if inner else checkpoint
    if not state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        names = ", ".join(map(repr, CONTAINERS))
        raise UsageError(f"{path}: holds no state dict (neither itself nor under one of {names})")
    for prefix in PREFIXES:
        state = {str(key).removeprefix(prefix): value for key, value in state.items()}
    return state


def load_weights(
    network: nn.Module, weights: Weights, name: str, *, without: str = "", assign: bool = False
) -> None:
    """Copy `weights` into `network`, all but the layer whose path is `without`, if any. With
    `assign` it then holds these very tensors: for one built without any, on torch's meta device.

    Raises UsageError that names the first keys that are missing, unexpected, or of another shape;
    also where they were trained behind another stem, which no key tells.
    """
    stem = split_stem(weights.arch)[1:]
    if any(stem) and stem != split_stem(name)[1:]:
        raise UsageError(
            f"{weights.path}: is a {weights.arch}, no {name}: the keys may be the same, the stem is"
            " not; leave --arch out or, in training, give its --stem_stride and --stem_input"
        )
    expected = {
        key: value
        for key, value in network.state_dict().items()
        if not without or key.rpartition(".")[0] != without
    }
    missing = [key for key in expected if key not in weights.state]
    unexpected = [key for key in weights.state if key not in expected]
    reshaped = [
        f"{key} {tuple(weights.state[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in expected
        if key in weights.state and weights.state[key].shape != expected[key].shape
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": reshaped}
    wrong = [f"{kind}: {_first(keys)}" for kind, keys in kinds.items() if keys]
    if wrong:
        raise UsageError(f"{weights.path}: does not fit {name}: {'; '.join(wrong)}")
    network.load_state_dict(weights.state, strict=not without, assign=assign)


def _triple(path: str, checkpoint: dict[str, Any], key: str) -> Triple | None:
    """Return the three numbers that a checkpoint has under `key`; None where it has none."""
    values = checkpoint.get(key)
    if values is None:
        return None
    if not (isinstance(values, (list, tuple)) and len(values) == 3):
        raise UsageError(f"{path}: {key} is {values!r}, not three numbers")
    red, green, blue = map(float, values)
    return red, green, blue


def _first(keys: list[str], most: int = 3) -> str:
    rest = len(keys) - most
    return ", ".join(keys[:most]) + (f" and {rest} more" if rest > 0 else "")
