"""Describe the machine, for the record beside what was measured on it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable


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
