"""Networks of timm (PyTorch Image Models), an optional requirement."""

from __future__ import annotations

import importlib
from typing import Any

from util.errors import UsageError


def import_timm() -> Any:  # noqa: ANN401
    """Return the module timm; raise UsageError where it is not installed."""
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise UsageError("this network needs timm: pip install -r requirements-timm.txt") from error
