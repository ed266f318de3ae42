"""Where the arithmetic happens, and in which precision. On CUDA, training in bf16 and scoring in
fp32 were run (one NVIDIA H200, torch 2.11); fp16, MPS and several GPUs are untested.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

import torch

from util.errors import UsageError

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's mallopt(3)


def choose_device(name: str, tf32: bool = False) -> torch.device:
    """Resolve "auto", "cpu", "cuda", "cuda:N" or "mps"; under torchrun each process its own GPU.

    Unless `tf32`, fp32 is fp32: by default torch lets a GPU round the factors of a convolution to
    10 bits of mantissa (TensorFloat-32). Raises UsageError where there is no such device, and for
    one GPU to several processes.
    """
    torch.backends.cudnn.allow_tf32 = tf32
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # torchrun's: processes on this machine
    if name.startswith("cuda:") and beside > 1:
        raise UsageError(
            f"--device {name}: all {beside} processes here would share this GPU;"
            " --device cuda gives each its own"
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"--device {name}: CUDA devices here: {torch.cuda.device_count()}")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError("--device mps: not available here")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if device.type == "cpu":
        keep_freed_memory(True)
    return device


def keep_freed_memory(keep: bool) -> None:
    """Let this process keep the memory that it frees, or not (glibc on Linux alone).

    By default glibc gives large blocks back and fetches new ones, for every layer of every step,
    and the kernel clears each page again: on a CPU up to half of the time (docs/benchmarks.md).
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(M_MMAP_MAX, 0 if keep else 1 << 16)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1 if keep else 1 << 26)
        if not keep:
            libc.malloc_trim(0)


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    """Return the context for a forward pass in "fp32", "bf16" or "fp16"."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=PRECISIONS[precision])
