"""Describe the machine and the code, for the record beside what was made with them."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

PACKAGES = ("torch", "torchvision", "numpy", "pillow", "opencv-python-headless", "scipy")


def about_program() -> dict[str, Any]:
    """Return the command that is running, the commit of its code, and versions."""
    return {
        "command": shlex.join([os.path.basename(sys.executable), *sys.argv]),
        "git_commit": git_commit(),
        "python": platform.python_version(),
        "packages": versions(PACKAGES),
    }


@functools.cache
def git_commit() -> str | None:
    """Return the commit of this code, "+changes" if the work tree differs; None without git."""
    git = ["git", "-C", os.path.dirname(os.path.abspath(__file__))]
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        status = subprocess.run(
            [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip() + ("+changes" if status.stdout.strip() else "")


def processor() -> tuple[str, list[str]]:
    """Return the processor's name, and its instruction sets (on Linux; else none)."""
    facts: dict[str, str] = {}
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = (line.partition(":") for line in file)
            facts = {key.strip(): value.strip() for key, _, value in lines}
    name = facts.get("model name") or platform.processor() or platform.machine()
    return name, facts.get("flags", "").split()


def versions(packages: Iterable[str]) -> dict[str, str | None]:
    """Return the installed version of each package; None for one that is not installed."""
    return {name: _version(name) for name in packages}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
