"""Several processes under torchrun; alone, each function is the obvious one-process answer."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

import torch
import torch.distributed as dist

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


def largest(value: int) -> int:
    """The largest `value` of all processes, on all of them."""
    if not dist.is_initialized():
        return value
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    values = torch.tensor(value, device=device)
    dist.all_reduce(values, dist.ReduceOp.MAX)
    return int(values)
