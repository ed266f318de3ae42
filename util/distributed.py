"""Several processes under torchrun; alone, each function is the obvious one-process answer."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from typing import TypeVar

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

Value = TypeVar("Value")


def start(device_type: str) -> None:
    """Join the process group that torchrun's environment describes; alone, do nothing."""
    if "WORLD_SIZE" in os.environ and int(os.environ["WORLD_SIZE"]) > 1:
        dist.init_process_group("nccl" if device_type == "cuda" else "gloo")


def stop() -> None:
    """Leave the process group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main() -> bool:
    """Whether this is the one process that writes files and prints."""
    return rank() == 0


def gather(value: Value) -> list[Value]:
    """Every process's `value` (anything that can be pickled), in rank order, on all of them."""
    if not dist.is_initialized():
        return [value]
    values: list[Value | None] = [None] * world_size()
    dist.all_gather_object(values, value)
    return values  # type: ignore[return-value]


def share(tensors: Iterable[torch.Tensor]) -> None:
    """Overwrite every process's tensors with those of the first."""
    if dist.is_initialized():
        for tensor in tensors:
            dist.broadcast(tensor, 0)


def reducing(
    model: DistributedDataParallel | None, is_last: bool
) -> contextlib.AbstractContextManager[object]:
    """The context of one of several backward passes whose gradients add up: the processes' are
    averaged in the last one. `model` is None where there is one process.
    """
    return contextlib.nullcontext() if model is None or is_last else model.no_sync()
