"""A probe: the last layer alone is fitted, on features that are computed once. It may be all of a
run, or where fine-tuning begins (Kumar et al. 2022, arXiv 2202.10054).
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from data.dataset import EpochImages, EvalImages, TrainImages
from evaluation.metrics import measure
from networks.architectures import architecture
from networks.detector import NetworkDetector, as_detector
from networks.device import autocast
from options.probe import only_probes
from options.train_options import TrainOptions
from training.board import Board
from training.epoch import finish_epoch, note_unreadable
from training.features import Features, joined, read_features
from training.last_layer import Line, fit
from training.shards import file_states, size_of
from training.state import TrainingState
from util import distributed
from util.console import say
from util.errors import UsageError, WorkError


class Probed(NamedTuple):
    """What the main process tells the others."""

    line: Line
    loss: float  # mean over the training features
    metrics: dict[str, float]  # on the validation images


def probe(
    options: TrainOptions,
    state: TrainingState,
    *,
    train_set: TrainImages,
    val_set: EvalImages,
    folder: str,
    board: Board,
) -> None:
    """Fit the last layer of the network as `options.probe` says. Where nothing else is to train,
    the run then ends: the probe is its one epoch, of no step.

    All processes must call this. Raises UsageError where the last layer is not linear, and
    WorkError where too many images cannot be read.
    """
    began = time.perf_counter()
    arch, network = state.kind["arch"], state.network
    path = architecture(arch).head
    head = network.get_submodule(path)
    if not isinstance(head, nn.Linear) or head.bias is None:
        raise UsageError(f"--probe: the last layer of --arch {arch} is not linear with a bias")
    device = head.weight.device
    detector = as_detector(network, arch=arch, device=device, precision=options.precision)
    read = _read_both(options, detector, path, train_set=train_set, val_set=val_set)
    found: Probed | Exception | None = None
    if read is not None:
        train, val = read
        try:
            where = _cache(options)
            say(
                f"features: {len(train.labels)} of training and {len(val.labels)} of validation,"
                f" {train.values.shape[1]} numbers each; {where} holds {size_of(where) / 1e6:.1f}"
                " MB for further probes, and may be removed"
            )
            for part, instead in ((train, "it is left out"), (val, "it is left out of validation")):
                note_unreadable(
                    state.progress,
                    part.unreadable,
                    most=options.max_bad_fraction,
                    num_images=len(train_set.samples.labels) + len(val_set.samples.labels),
                    instead=instead,
                )
            state.trained_on.add(train.contents)
            line = fit(train, val, how=options.probe, seed=options.seed)
            _set(head, line)
            loss = _cross_entropy(train.labels, line.logits(train.values))
            with torch.inference_mode(), autocast(device, options.precision):  # as the network does
                logits = head(torch.from_numpy(val.values).to(device)).float().cpu().numpy()
            found = Probed(line, loss, measure(val.labels, logits[:, 0]))
        except Exception as error:  # the other processes wait for this one below
            found = error
    result = distributed.gather(found)[0]
    if not isinstance(result, Probed):
        raise result or WorkError("--probe: the first process has found nothing")
    for each in {network, state.in_use()}:  # an average begins here, too
        _set(each.get_submodule(path), result.line)  # type: ignore[arg-type]
    metrics, only = result.metrics, only_probes(options)
    figures = f"validation AP {metrics['ap']:.4f}, accuracy {metrics['accuracy']:.4f}"
    say(f"probe: {result.line.how}{'' if only else f'; loss {result.loss:.4f}, {figures}'}")
    if only:
        state.progress.loss_sum, state.progress.seconds = result.loss, time.perf_counter() - began
        for group in state.optimizer.param_groups:
            group["lr"] = 0.0  # no step is taken, and history.csv says so
        finish_epoch(
            state,
            metrics,
            folder=folder,
            board=board,
            num_images=options.views * len(train_set.samples.labels),
            keep_every=options.save_epoch_freq,
            is_whole=True,
        )


def _read_both(
    options: TrainOptions,
    detector: NetworkDetector,
    head: str,
    *,
    train_set: TrainImages,
    val_set: EvalImages,
) -> tuple[Features, Features] | None:
    """Return the features of training, one view after another, and of validation; None in all
    processes but the first.
    """
    states = file_states(train_set.samples)
    both = [(EpochImages(train_set, number), states) for number in range(options.views)]
    parts = [
        read_features(
            detector,
            head,
            images,
            states=its_states,
            where=_cache(options),
            batch_size=options.batch_size,
            num_workers=options.num_threads,
        )
        for images, its_states in (*both, (val_set, file_states(val_set.samples)))
    ]
    found = [part for part in parts if part is not None]
    return (joined(found[:-1]), found[-1]) if found else None


def _cross_entropy(labels: npt.NDArray[np.uint8], logits: npt.NDArray[np.float32]) -> float:
    return float(np.mean(np.logaddexp(0, logits, dtype=np.float64) - labels * logits))


def _set(head: nn.Linear, line: Line) -> None:
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(line.weight)[None].float())
        head.bias.fill_(line.bias)


def _cache(options: TrainOptions) -> str:
    return os.path.join(options.checkpoints_dir, ".features")
