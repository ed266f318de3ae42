"""From options to the parts of a training run: the last place that sees options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from data.augment import Blur, ColorJitter, Cutout, Jpeg, Noise, Transform
from data.dataset import EvalImages, TrainImages
from data.geometry import Rotate90
from data.order import Pool, find_pairs, make_pools
from data.samples import concat, subsample
from data.sources import replayed_images, training_images
from data.transforms import train_transform, val_transform
from networks.architectures import architecture
from networks.stem import stem_name
from options.train_options import TrainOptions
from training import schedule
from training.state import TrainingState
from util.errors import UsageError


def build_datasets(
    options: TrainOptions, world_size: int
) -> tuple[TrainImages, EvalImages, list[Pool]]:
    """Find the images of both splits, and say what happens to each, and how many of which kind
    make a batch of `world_size` processes.
    """
    splits = options.train_split, options.val_split
    train_samples, val_samples = training_images(
        options.dataroot,
        splits,
        options.classes,
        real=options.real,
        fakes=options.fake,
        val_fraction=options.val_fraction,
    )
    load_size, crop_size, interpolation = options.loadSize, options.cropSize, options.rz_interp
    blur = Blur(options.blur_prob, options.blur_sig, options.blur_method)
    jpeg = Jpeg(options.jpg_prob, options.jpg_qual, options.jpg_method, options.jpg_passes)
    train_steps = train_transform(
        load_size,
        crop_size,
        interpolation,
        blur=blur,
        jpeg=jpeg,
        flip=not options.no_flip,
        more=augmentations(options),
    )
    val_steps = val_transform(load_size, crop_size, interpolation, blur=blur, jpeg=jpeg)
    if options.max_images:
        train_samples = subsample(train_samples, options.max_images, options.seed)
    num_new = len(train_samples.labels)
    if options.replay_root:
        old = replayed_images(options.replay_root, splits, train_samples, val_samples)
        train_samples = concat(train_samples, old)
    pairs = find_pairs(train_samples) if options.pairs else None
    pools = make_pools(
        train_samples.labels,
        num_new,
        pairs,
        batch_size=options.batch_size,
        replay_fraction=options.replay_fraction,
        world_size=world_size,
    )
    most = options.max_pixels
    train_set = TrainImages(train_samples, train_steps, options.seed, pairs, most)
    return train_set, EvalImages(val_samples, [val_steps], options.seed, most), pools


def augmentations(options: TrainOptions) -> list[Transform]:
    """Return what may happen to a training image after its crop, in this order: that of SAFE (Li et
    al. 2024) where it has them.
    """
    chances: dict[Callable[[float], Transform], float] = {
        Rotate90: options.rotate90,
        ColorJitter: options.color_jitter,
        Noise: options.noise,
        Cutout: options.cutout,
    }
    return [augmentation(chance) for augmentation, chance in chances.items() if chance > 0]


def network_name(options: TrainOptions) -> str:
    """Return the name of the architecture to train, its stem included: what a checkpoint says."""
    return stem_name(options.arch, stride=options.stem_stride, input=options.stem_input)


def build_state(options: TrainOptions, network: nn.Module, span: int) -> TrainingState:
    """Return the optimizer, its schedule over `span` steps, the gradient scaler of fp16, and the
    average of the weights, if asked for. Raises UsageError where the schedule ends before it
    begins.
    """
    common: dict[str, Any] = {
        "lr": options.lr,
        "weight_decay": options.weight_decay,
        "fused": True,  # one kernel for the step: on a CPU over four times as fast
    }
    groups = parameter_groups(network, options)
    optimizer: torch.optim.Optimizer
    if options.optim in ("adam", "adamw"):
        kind = torch.optim.Adam if options.optim == "adam" else torch.optim.AdamW
        optimizer = kind(groups, betas=(options.beta1, 0.999), **common)
    else:
        momentum = options.momentum
        optimizer = torch.optim.SGD(groups, momentum=momentum, nesterov=momentum > 0, **common)
    rate: Any
    if options.schedule == "onecycle":
        rate = schedule.one_cycle(optimizer, span)
    elif options.schedule == "reference_plateau":
        rate = schedule.ReferencePlateau(optimizer, options.earlystop_epoch)
    else:
        rate = schedule.plateau(optimizer, options.earlystop_epoch)
    if options.schedule != "onecycle" and schedule.plateau_ended(optimizer):
        raise UsageError(
            f"--lr {optimizer.param_groups[0]['lr']:g} is below {schedule.MIN_RATE:g}, where"
            f" --schedule {options.schedule} ends: nothing would be trained"
        )
    device = next(network.parameters()).device
    scaler = torch.amp.GradScaler(device.type, enabled=options.precision == "fp16")
    average = None
    if options.ema:
        decay = get_ema_multi_avg_fn(options.ema)
        average = AveragedModel(network, multi_avg_fn=decay, use_buffers=True)
    its = architecture(arch := network_name(options))
    about = {"arch": arch, "crop_size": options.cropSize, "mean": its.mean, "std": its.std}
    return TrainingState(network, optimizer, rate, scaler, average, about)


def parameter_groups(network: nn.Module, options: TrainOptions) -> list[dict[str, Any]]:
    """Return the parameters that are trained: one group or, where the last layer has a rate of its
    own (--head_lr), two.
    """
    trained = [p for p in network.parameters() if p.requires_grad]
    if options.head_lr is None:
        return [{"params": trained}]
    head = list(network.get_submodule(architecture(network_name(options)).head).parameters())
    rest = [p for p in trained if all(p is not own for own in head)]
    own = {"params": head, "lr": options.head_lr}
    return [{"params": rest}, own] if rest else [own]
