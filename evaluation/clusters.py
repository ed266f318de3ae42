"""Which images belong together (--cluster): crops of one photograph, frames of one video, pairs.

The same name in two test sets is the same cluster.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from data.walk import LABELS
from evaluation.predictions import Scores
from options.cluster import COLUMN
from util.errors import UsageError


class Clusters(NamedTuple):
    """A rule by which each image has a cluster, or none."""

    rule: str = ""
    """A regular expression, found in an image's path in its test set (`unlabelled`): the first
    group, else all of the match, names the cluster. Or column:NAME. "": every image is on its own.
    """
    cells: Mapping[str, str] = {}  # of a manifest's column, by path

    @property
    def column(self) -> str:
        """The column that names the clusters; "" where none does."""
        return self.rule.removeprefix(COLUMN) if self.rule.startswith(COLUMN) else ""

    @property
    def noun(self) -> str:
        """What a cluster is called: by the column, or by the first group, where it has a name."""
        if self.column:
            return self.column
        names = {number: name for name, number in re.compile(self.rule).groupindex.items()}
        return names.get(1, "cluster")

    def cluster_of(self, path: str) -> str | None:
        """Return the cluster of an image; None where it has none, and is on its own."""
        if self.column:
            return self.cells.get(path) or None
        found = re.search(self.rule, unlabelled(path))
        return (found[1 if found.re.groups else 0] or None) if found else None


def unlabelled(path: str) -> str:
    """Return the path without the folder that tells real from fake: a cluster has both, and a rule
    for numbers is not to find that of the label.
    """
    return "/".join(part for part in path.split("/") if part not in LABELS)


def with_clusters(scores: Scores, clusters: Clusters) -> Scores:
    """Return the scores with the cluster of each image, unless they have them already."""
    if scores.clusters or not clusters.rule:
        return scores
    return scores._replace(clusters=[clusters.cluster_of(path) for path in scores.paths])


def refuse_no_match(clusters: Clusters, paths: Iterable[str]) -> None:
    """Raise UsageError where no image has a cluster."""
    if not clusters.rule or clusters.column:
        return
    path = ""
    for path in paths:
        if clusters.cluster_of(path):
            return
    raise UsageError(f"--cluster {clusters.rule}: fits no image's path, as {unlabelled(path)}")
