"""Networks of timm, an optional requirement: imported where one is built, and nowhere else."""

from __future__ import annotations

import importlib
from typing import Any

from util.errors import UsageError


def import_timm() -> Any:  # noqa: ANN401 (timm may be missing, for the type checker, too)
    """Return the module timm; raise UsageError where it cannot be imported."""
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise UsageError("this network needs timm: pip install -r requirements-timm.txt") from error
