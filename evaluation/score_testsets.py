"""The scores of test sets: those that are kept from before, and the others, which are then kept."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data.augment import Transform
from data.contents import FileState
from data.dataset import Seen
from data.eval_batches import Indices
from data.images import UnreadableImage
from data.samples import Samples
from evaluation.degrade import ORIGINAL
from evaluation.predict import Predicted, progress_bar
from evaluation.predictions import Scores, as_written
from evaluation.protocol import ScoringProtocol
from evaluation.scoring import Reading, Task, score_parts, slices
from evaluation.store import Kept, read_cell, read_contents, write_cell, write_contents
from networks.detector import Detector
from util import distributed
from util.errors import UsageError, WorkError
from util.progress import progress

SLICE = 4096  # images scored between two writes to disk

KeptLogits = dict[str, dict[str, Kept]]  # variant -> hash of an image's bytes -> what is kept
Variants = Mapping[str, list[Transform]]  # name -> degradation


class Job(NamedTuple):
    """A test set, and the detectors of one protocol that score it."""

    name: str
    samples: Samples
    detectors: Sequence[Detector]
    protocol: ScoringProtocol
    folders: Sequence[str]  # of each detector's kept scores of this test set


class Scored(NamedTuple):
    """What came of a test set."""

    variants: dict[str, Scores]
    unreadable: dict[str, str]  # path in the test set -> reason
    num_new: int  # images times variants that were not kept from before
    num_padded: int  # images smaller than the crop, and so padded with zeros
    contents: list[str]  # hashes of the bytes of the images that were scored
    seconds: float  # that the network took for the new ones, over all processes
    waited: float  # that it waited for their images, together with the job's other detectors


class _Contents(NamedTuple):
    """The images of a job, as far as they are known before they are scored."""

    hashes: list[str]  # of each image's bytes, "" where they are not known
    missing: npt.NDArray[np.bool_]  # (images, detectors, variants): which scores are not kept


class _Lacking(NamedTuple):
    """Images of a job that lack the same scores."""

    rows: Indices
    detectors: list[int]  # their numbers in the job
    variants: list[str]
    task: Task

    def path(self, number: int) -> str:
        """Return the image that has a number in what its task gives."""
        return self.task.samples.path(number // len(self.variants))


class _Met(NamedTuple):
    """The images that this process has come to, since it was last asked."""

    seen: dict[int, Seen]  # by index
    unreadable: list[UnreadableImage]

    def take(self) -> tuple[dict[int, Seen], dict[str, UnreadableImage]]:
        """Return those of all processes, the unreadable ones by path, and forget them."""
        every = distributed.gather(self)
        seen = {k: v for its in every for k, v in its.seen.items()}
        lost = {error.path: error for its in every for error in its.unreadable}
        self.seen.clear()
        self.unreadable.clear()
        return seen, lost


def score_testsets(
    jobs: Sequence[Job], reading: Reading, variants: Variants
) -> Iterator[list[Scored]]:
    """Score each job's test set in every variant, but for what is kept in its folders; yield what
    came of it, for each of its detectors. Images that several of them lack are read once. Every
    process must call it, and gets all.

    Raises WorkError where a logit is not a finite number; those that are finite are kept.
    """
    contents = distributed.from_main(lambda: [_contents(job, list(variants)) for job in jobs])
    lacking = [list(_alike(*its, variants)) for its in zip(jobs, contents, strict=True)]
    every = [its for of_job in lacking for its in of_job]
    parts = [(number, part) for number, its in enumerate(every) for part in slices(its.rows, SLICE)]
    to_read = sum(len(its.rows) * len(its.variants) * its.task.protocol.crops for its in every)
    met = _Met({}, [])
    with progress_bar(to_read, "images") as bar:
        stream = score_parts(  # one for all jobs: its workers read ahead from job to job
            [its.task for its in every],
            parts,
            reading,
            bar=bar,
            on_error=met.unreadable.append,
            on_read=met.seen.__setitem__,
        )
        for job, known, of_job in zip(jobs, contents, lacking, strict=True):
            bar.tell(job.name)
            yield _score(job, known, of_job, stream=stream, met=met, variants=list(variants))


def _score(
    job: Job,
    contents: _Contents,
    lacking: Sequence[_Lacking],
    *,
    stream: Iterator[list[Predicted]],
    met: _Met,
    variants: Sequence[str],
) -> list[Scored]:
    """Take what a job lacks from the stream, and keep it slice by slice; return what came of it."""
    count = len(job.detectors)
    new: list[KeptLogits] = [{variant: {} for variant in variants} for _ in range(count)]
    seconds, waited = [0.0] * count, 0.0
    lost: dict[str, UnreadableImage] = {}
    for its in lacking:
        for _ in slices(its.rows, SLICE):
            every = next(stream)
            seen, unreadable = met.take()
            lost |= unreadable
            waited += every[0].waited
            for index, file in seen.items():
                contents.hashes[index] = file.content
            for number, predicted in zip(its.detectors, every, strict=True):
                seconds[number] += predicted.seconds
                finite = _finite(predicted, its.variants, seen)
                for variant, logits in finite.items():
                    new[number][variant] |= logits
                if distributed.is_main():
                    _keep(job.folders[number], finite, seen)
            for predicted in every:
                predicted.require_finite(its.path, job.protocol.precision)
    _refuse_both(job, contents.hashes)
    reasons = {
        os.path.relpath(path, job.samples.root).replace(os.sep, "/"): error.reason
        for path, error in sorted(lost.items())
    }

    def scored(number: int) -> Scored:
        kept = _all_kept(job, contents, number, new=new[number])
        originals = [kept[ORIGINAL][h] for h in contents.hashes if h in kept[ORIGINAL]]
        return Scored(
            {name: _scores(job.samples, contents.hashes, its) for name, its in kept.items()},
            reasons,
            sum(map(len, new[number].values())),
            sum(job.protocol.is_padded(its.height, its.width) for its in originals),
            [content for content in contents.hashes if content],
            seconds[number],
            waited,
        )

    return distributed.from_main(lambda: [scored(number) for number in range(count)])


def _contents(job: Job, variants: Sequence[str]) -> _Contents:
    """Return which images a job has, and what is kept of their scores.

    A file whose state is that of an earlier time is not read. Any other is, where there are scores
    that it may have: a data set that was moved or copied is not scored anew.
    """
    kept = [{variant: read_cell(folder, variant) for variant in variants} for folder in job.folders]
    by_state = {k: v for folder in job.folders for k, v in read_contents(folder).items()}
    any_kept = any(cell for own in kept for cell in own.values())

    def content(index: int) -> str:
        try:
            state = job.samples.state(index)
            if state in by_state or not any_kept:
                return by_state.get(state, "")
            new[state] = job.samples.content(index)
        except UnreadableImage:  # decoding it will tell the reason
            return ""
        return new[state]

    new: dict[FileState, str] = {}
    count = len(job.samples.labels)
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(content, range(count))
        hashes = list(progress(found, "files", unit="file", total=count, delay=1))
    if new:
        for folder in job.folders:
            write_contents(folder, new)
    missing = [[[c not in its[v] for v in variants] for its in kept] for c in hashes]
    shaped = np.array(missing, np.bool_).reshape(count, len(kept), len(variants))
    return _Contents(hashes, shaped)


def _alike(job: Job, contents: _Contents, variants: Variants) -> Iterator[_Lacking]:
    """Yield images that lack the same scores, and of which the same is done: such are opened once
    for all they lack. Mostly it is all images and scores.
    """
    missing, labels = contents.missing, job.samples.labels
    protocols = {job.protocol.of_label(label): label for label in (0, 1)}
    for lacking in np.unique(missing, axis=0):
        alike = (missing == lacking).all(axis=(1, 2)) & lacking.any()
        detectors = np.flatnonzero(lacking.any(axis=1)).tolist()
        names = [list(variants)[column] for column in np.flatnonzero(lacking.any(axis=0))]
        for protocol, label in protocols.items():
            rows = np.flatnonzero(alike & ((labels == label) | (len(protocols) == 1)))
            if len(rows):
                its_detectors = [job.detectors[number] for number in detectors]
                degradations = [variants[name] for name in names]
                task = Task(its_detectors, protocol, job.samples, degradations)
                yield _Lacking(rows, detectors, names, task)


def _finite(predicted: Predicted, variants: list[str], seen: Mapping[int, Seen]) -> KeptLogits:
    """Return the finite logits of the images in `seen`, as they will be read again."""
    finite = predicted.finite()
    return {
        variant: {
            its.content: Kept(as_written(predicted.logits[number]), its.height, its.width)
            for index, its in seen.items()
            if finite[number := index * len(variants) + column]
        }
        for column, variant in enumerate(variants)
    }


def _keep(folder: str, logits: KeptLogits, seen: Mapping[int, Seen]) -> None:
    for variant, its in logits.items():
        write_cell(folder, variant, its)
    write_contents(folder, {its.state: its.content for its in seen.values()})


def _refuse_both(job: Job, contents: Sequence[str]) -> None:
    """Raise UsageError where one image has both labels, and the protocol does not treat them alike:
    what is kept of an image is one logit.
    """
    protocol, labels = job.protocol, job.samples.labels
    if protocol.of_label(0) == protocol.of_label(1):
        return
    label_of: dict[str, int] = {}
    for index, content in enumerate(contents):
        label = int(labels[index])
        if content and label_of.setdefault(content, label) != label:
            raise UsageError(
                f"{job.samples.path(index)}: is among the real and among the fake images, which"
                f" --reencode {protocol.reencode} treats differently; remove one of the two"
            )


def _all_kept(job: Job, contents: _Contents, number: int, *, new: KeptLogits) -> KeptLogits:
    """Return all scores of a detector: those that were kept before, read again, and the new ones.

    Raises WorkError where one is there no more, or the image has become another.
    """
    folder, found = job.folders[number], {}
    for column, (variant, its_new) in enumerate(new.items()):
        found[variant] = {**read_cell(folder, variant), **its_new}
        for row in np.flatnonzero(~contents.missing[:, number, column]).tolist():
            if contents.hashes[row] not in found[variant]:
                raise WorkError(
                    f"{folder}, {job.samples.path(row)}: changed meanwhile; give the command again"
                )
    return found


def _scores(samples: Samples, hashes: Sequence[str], kept: Mapping[str, Kept]) -> Scores:
    there = [index for index, content in enumerate(hashes) if content in kept]
    return Scores(
        [samples.relative(index) for index in there],
        samples.labels[there],
        np.array([kept[hashes[index]].logit for index in there], np.float64),
    )
