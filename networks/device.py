"""Where the arithmetic happens, and in which precision. The GPU paths are untested: the machines
this was written on have none.
"""

from __future__ import annotations

import contextlib
import os

import torch

from util.errors import InputError

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name: str) -> torch.device:
    """Resolve "auto", "cpu", "cuda", "cuda:N" or "mps"; under torchrun each process its own GPU.

    Raises InputError where there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"--device {name}: CUDA devices here: {torch.cuda.device_count()}")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InputError("--device mps: not available here")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    """The context for a forward pass in "fp32", "bf16" or "fp16"."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=PRECISIONS[precision])
