"""An evaluation: the scores of one model, what was measured of them, and how they came to be."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from data.samples import Samples
from data.testsets import benchmark_note
from evaluation.benchmark import PAPER, Benchmark
from evaluation.clusters import with_clusters
from evaluation.measure import MEAN, Measured, Measuring, mean_of, measure_testset
from evaluation.predictions import Scores, pooled_once
from evaluation.protocol import ScoringProtocol
from evaluation.rows import Degraded, Row, testset_row
from networks.detector import Detector
from options.cluster import EACH
from util.errors import UsageError
from util.machine import about_program

# What metrics.json holds under some keys; of others a wrong value is only shown.
_KINDS: dict[str, type] = {
    **dict.fromkeys(("roots", "unreadable", "padded", "seen_in_training", "robustness"), dict),
    **dict.fromkeys(("made", "trained"), dict),
    "partial": list,
    "benchmark_name": str,
}


@dataclass
class Provenance:
    """How scores came to be, as far as it is known; what metrics.json begins with."""

    weights: str = ""  # path of the file; "": not known
    weights_sha256: str = ""
    arch: str = ""
    protocol: ScoringProtocol | None = None
    dataroot: str = ""
    roots: dict[str, str] = field(default_factory=dict)  # test set -> its folder
    note: str | None = None  # what a benchmark that is not the paper's says of itself
    benchmark_name: str = ""  # of --benchmark; "": none was asked for
    predictions: str = ""  # the file that scores of unknown weights were read from
    partial: list[str] = field(default_factory=list)  # test sets that were there and left out
    unreadable: dict[str, dict[str, str]] = field(default_factory=dict)  # set -> path -> reason
    padded: dict[str, int] = field(default_factory=dict)  # set -> images smaller than the crop
    seen_in_training: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Test set -> images that are among the training data, of those looked up."""
    levels: dict[str, tuple[float, ...]] = field(default_factory=dict)  # degradation -> levels
    aligned: str = ""  # the encoder that all images are also scored with; "": none
    parameters: int | None = None  # numbers that the detector's networks hold
    images_per_second: float | None = None  # of the network alone, where any were scored
    made: dict[str, Any] = field(default_factory=dict)  # when, by which command, code and versions
    trained: dict[str, Any] = field(default_factory=dict)  # on what, where the weights say it

    @classmethod
    def of(
        cls,
        detector: Detector,
        protocol: ScoringProtocol,
        *,
        dataroot: str,
        testsets: Mapping[str, Samples],
    ) -> Provenance:
        """Return that of scores which `detector` is about to give."""
        return cls(
            weights=detector.weights,
            weights_sha256=detector.sha256,
            arch=detector.name,
            protocol=protocol,
            dataroot=dataroot,
            roots={name: samples.root for name, samples in testsets.items()},
            note=benchmark_note(dataroot),
            parameters=detector.num_parameters,
            made={
                "at": datetime.now().astimezone().isoformat(timespec="seconds"),
                **about_program(),
            },
            trained=detector.trained or {},
        )

    def lost(self) -> list[str]:
        """Return a line for each image that could not be read: its path, and the reason."""
        return [
            f"{os.path.join(testset, path)}: {reason}"
            for testset, reasons in self.unreadable.items()
            for path, reason in reasons.items()
        ]

    @classmethod
    def from_json(cls, head: Mapping[str, Any]) -> Provenance:
        """Return what metrics.json says, without what it leaves open.

        Raises TypeError where it says it otherwise than `to_json` does.
        """
        for key, kind in _KINDS.items():
            if not isinstance(head.get(key, kind()), kind):
                raise TypeError(f"{key} is {head[key]!r}")
        known = {f.name for f in dataclasses.fields(cls)} - {"protocol", "note", "levels"}
        seen = {name: tuple(pair) for name, pair in head.get("seen_in_training", {}).items()}
        return cls(
            **{key: value for key, value in head.items() if key in known - {"seen_in_training"}},
            protocol=ScoringProtocol.from_json(head) if "crop_size" in head else None,
            note=head.get("benchmark"),
            levels={name: tuple(its) for name, its in head.get("robustness", {}).items()},
            seen_in_training=seen,
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values for metrics.json; what is not known is left out."""
        head: dict[str, Any] = {}
        if self.weights:
            head = {
                "weights": self.weights,
                "weights_sha256": self.weights_sha256,
                "arch": self.arch,
            }
        if self.protocol:
            head |= self.protocol.to_json()
        if self.predictions:
            head["predictions"] = self.predictions
        head |= {
            "dataroot": self.dataroot,
            "roots": self.roots,
            "benchmark": self.note,
            "partial": self.partial,
            "unreadable": self.unreadable,
            "padded": self.padded,
            "seen_in_training": self.seen_in_training,
        }
        asked = {
            "benchmark_name": self.benchmark_name,
            "robustness": self.levels,
            "aligned": self.aligned,
            "parameters": self.parameters,
            "images_per_second": self.images_per_second,
            "made": self.made,
            "trained": self.trained,
        }
        return head | {key: value for key, value in asked.items() if value}


@dataclass
class Evaluation:
    """One model's test sets, in the order of the table."""

    name: str
    provenance: Provenance
    measuring: Measuring
    benchmark: Benchmark = PAPER
    is_baseline: bool = False  # the others are compared with it: theirs minus its
    scores: dict[str, Scores] = field(default_factory=dict)
    measured: dict[str, Measured] = field(default_factory=dict)
    degraded: list[Degraded] = field(default_factory=list)
    aligned_scores: dict[str, Scores] = field(default_factory=dict)  # of the images re-encoded
    aligned: dict[str, Measured] = field(default_factory=dict)
    _pooled: dict[tuple[object, ...], Measured] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        from report.notebook import as_text  # noqa: PLC0415 (of the layer above)

        return as_text(self)

    def _repr_html_(self) -> str:  # a notebook shows it
        from report.notebook import as_html  # noqa: PLC0415 (of the layer above)

        return as_html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ANN401 (of IPython)
        printer.text(str(self))

    def add(self, testset: str, scores: Scores, aligned: Scores | None = None) -> None:
        """Measure a test set and put it last; `aligned` are its scores with all images re-encoded,
        where these are asked for.
        """
        num_unreadable = len(self.provenance.unreadable.get(testset, {}))
        clusters = self.measuring.clusters
        self.scores[testset] = scores = with_clusters(scores, clusters)
        self.measured[testset] = measure_testset(
            testset, scores, self.measuring, num_unreadable=num_unreadable
        )
        if aligned:
            self.aligned_scores[testset] = aligned = with_clusters(aligned, clusters)
            self.aligned[testset] = measure_testset(testset, aligned, self.measuring)

    def mean(self) -> Measured:
        """Return the mean over the benchmark's test sets that were scored, or over all."""
        return self._mean(self.measured)

    def _mean(self, measured: Mapping[str, Measured]) -> Measured:
        return mean_of([measured[name] for name in self.benchmark.chosen(measured)])

    def pooled(self, scores: Mapping[str, Scores]) -> list[Measured]:
        """Return the row over the images of all test sets, where the benchmark has one."""
        if not self.benchmark.pooled or not scores:
            return []
        asked = (scores is self.aligned_scores, *scores)
        if asked not in self._pooled:  # its intervals take seconds
            every = pooled_once(scores, self.provenance.roots)
            lost = sum(len(its) for its in self.provenance.unreadable.values())
            self._pooled[asked] = measure_testset(
                self.benchmark.pooled, every, self.measuring, num_unreadable=lost
            )
        return [self._pooled[asked]]

    def lines(self) -> list[Measured]:
        """Return what the table shows: each test set, then all images where the benchmark has a
        row of them, and last the mean.
        """
        return [*self.measured.values(), *self.pooled(self.scores), self.mean()]

    def aligned_lines(self) -> list[Measured]:
        """Return the same of the images re-encoded; nothing where they were not scored so."""
        if not self.aligned:
            return []
        pooled = self.pooled(self.aligned_scores)
        return [*self.aligned.values(), *pooled, self._mean(self.aligned)]

    def rows(self) -> list[Row]:
        """Return the rows of table.csv."""
        both = itertools.zip_longest(self.lines(), self.aligned_lines())
        return [testset_row(line, self.measuring.bootstrap > 0, its) for line, its in both]


def refuse_other_labels(evaluations: Sequence[Evaluation], new: Evaluation) -> None:
    """Raise UsageError where `new` and one of `evaluations` call one image real and fake."""
    for known in evaluations:
        for name in set(known.scores) & set(new.scores):
            labels = dict(zip(*known.scores[name][:2], strict=True))
            for path, label in zip(*new.scores[name][:2], strict=True):
                if labels.get(path, label) != label:
                    raise UsageError(
                        f"--predictions: {name}/{path} is real in one file and fake in another"
                        f" ({known.name}, {new.name})"
                    )


def refuse_other_clusters(evaluations: Sequence[Evaluation], new: Evaluation) -> None:
    """Raise UsageError where `new` and one of `evaluations` do not draw alike for the intervals:
    their difference would have none.
    """
    for known in evaluations:
        ours, theirs = (its.measuring.clusters.rule or EACH for its in (known, new))
        if ours != theirs:
            raise UsageError(
                f"--predictions: the intervals of {known.name} are by --cluster {ours}, those of"
                f" {new.name} by {theirs}; say which with --cluster"
            )


def refuse_reserved(testsets: Iterable[str]) -> None:
    """Raise UsageError for a test set that could not be told from the row of the mean."""
    if MEAN in testsets:
        raise UsageError(
            f"a test set cannot be called {MEAN!r}: the row of the mean is; rename its folder"
        )
