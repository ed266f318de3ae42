"""How the scores of a report came to be, as a table of words."""

from __future__ import annotations

from evaluation.evaluation import Evaluation
from report.page import Table


def provenance(evaluation: Evaluation) -> Table:
    """Return what is known of a model's scores: one row each, what is not known left out."""
    origin = evaluation.provenance
    made, trained = origin.made, origin.trained
    packages = {"python": made.get("python"), **made.get("packages", {})}
    rows = {
        "scored": made.get("at"),
        "command": made.get("command"),
        "commit": made.get("git_commit"),
        "weights": origin.weights,
        "SHA-256": origin.weights_sha256,
        "network": origin.arch,
        "protocol": origin.protocol.describe() if origin.protocol else "",
        "scores from": origin.predictions,
        "images": origin.dataroot,
        **{f"trained on ({split})": words for split, words in trained.get("data", {}).items()},
        "training data": trained.get("dataroot"),
        "training seed": trained.get("seed"),
        "training steps": trained.get("steps"),
        "versions": ", ".join(f"{name} {its}" for name, its in packages.items() if its),
    }
    cells = [[name, str(value)] for name, value in rows.items() if value not in (None, "")]
    return Table(evaluation.name, ["", ""], cells)
