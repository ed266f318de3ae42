"""Work in several processes under torchrun; in a single process each function is trivial."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

Value = TypeVar("Value")


def start(device_type: str) -> None:
    """Join the process group that torchrun's environment describes; do nothing without one."""
    if "WORLD_SIZE" in os.environ and int(os.environ["WORLD_SIZE"]) > 1:
        dist.init_process_group("nccl" if device_type == "cuda" else "gloo")


def stop() -> None:
    """Leave the process group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main() -> bool:
    """Return whether this is the process that writes files and prints (rank 0)."""
    return rank() == 0


def gather(value: Value) -> list[Value]:
    """Return the `value` of every process, in rank order, on all of them. Pickles the values."""
    if not dist.is_initialized():
        return [value]
    values: list[Value | None] = [None] * world_size()
    dist.all_gather_object(values, value)
    return values  # type: ignore[return-value]


def from_main(make: Callable[[], Value]) -> Value:
    """Return in every process what `make` returns in the first, which alone calls it."""
    return gather(make() if is_main() else None)[0]  # type: ignore[return-value]


def broadcast(tensors: Iterable[torch.Tensor]) -> None:
    """Overwrite the tensors of every process with those of rank 0."""
    if dist.is_initialized():
        for tensor in tensors:
            dist.broadcast(tensor, 0)


def sync_gradients(
    model: DistributedDataParallel | None, is_last: bool
) -> contextlib.AbstractContextManager[object]:
    """Return the context for one of several backward passes whose gradients accumulate.

    Gradients are averaged over the processes in the last pass alone. `model` is None where there
    is one process.
    """
    return contextlib.nullcontext() if model is None or is_last else model.no_sync()
