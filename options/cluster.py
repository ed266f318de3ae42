"""--cluster: how a rule of which images belong together is written."""

from __future__ import annotations

import re

EACH = "none"  # every image on its own, whatever the benchmark says
COLUMN = "column:"  # begins a rule that names a column
OWN_COLUMNS = ("testset", "path", "label", "logit", "probability")  # of predictions.csv


def cluster_rule(value: str) -> str | None:
    """Return what is wrong with a rule, or None."""
    if value.startswith(COLUMN):
        name = value.removeprefix(COLUMN)
        if name and name not in OWN_COLUMNS:
            return None
        return "must name a column that says which images belong together, as column:video"
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        return f"must be a regular expression ({error})"
    return None
