"""From options to the parts of a training run: the last place that sees options."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from data.augment import Blur, ColorJitter, Cutout, Jpeg, Noise, Transform
from data.dataset import EvalImages, TrainImages
from data.geometry import Rotate90
from data.order import Pool, find_pairs, make_pools
from data.packed import resized_as
from data.samples import concat, subsample
from data.sources import replayed_images, training_images
from data.transforms import train_transform, val_transform
from networks.architectures import architecture
from networks.stem import stem_name
from options.train_options import TrainOptions
from training import schedule
from training.resume import describe_labels
from training.state import TrainingState
from util.errors import UsageError


def with_input_size(options: TrainOptions) -> TrainOptions:
    """Return the options with the sizes and the interpolation that the architecture is made for,
    where none are given: they are then written down with the run.

    Raises UsageError where the crop is larger than the image that it is cut from.
    """
    its = architecture(options.arch)
    crop_size = options.cropSize or its.size
    load_size = options.loadSize or max(round(its.size * 8 / 7), 256)  # 256 for the paper's 224
    if crop_size > load_size:
        raise UsageError(f"--cropSize {crop_size} is larger than --loadSize {load_size}")
    return dataclasses.replace(
        options,
        cropSize=crop_size,
        loadSize=load_size,
        rz_interp=options.rz_interp or (its.interpolation,),
    )


def build_datasets(
    options: TrainOptions, world_size: int
) -> tuple[TrainImages, EvalImages, list[Pool]]:
    """Find the images of both splits, and say what happens to each, and how many of which kind
    make a batch of `world_size` processes.
    """
    assert options.loadSize and options.cropSize, "with_input_size comes first"
    load_size, crop_size, interpolation = options.loadSize, options.cropSize, options.rz_interp
    splits = options.train_split, options.val_split
    resized = resized_as(load_size, interpolation)
    train_samples, val_samples = training_images(
        options.dataroot,
        splits,
        options.classes,
        real=options.real,
        fakes=options.fake,
        val_fraction=options.val_fraction,
        resized=resized,
    )
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
        old = replayed_images(
            options.replay_root, splits, train=train_samples, val=val_samples, resized=resized
        )
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
    train_set = TrainImages(
        train_samples, train_steps, seed=options.seed, pairs=pairs, max_pixels=most
    )
    val_set = EvalImages(val_samples, [val_steps], seed=options.seed, max_pixels=most)
    return train_set, val_set, pools


def describe_pools(pools: Sequence[Pool]) -> str:
    """Return, in words, how many images of each label there are, new and replayed."""
    words = describe_labels(pools[0].labels)
    for old in pools[1:]:
        words += f", {pools[0].per_batch} in a batch, with {old.per_batch} replayed of "
        words += describe_labels(old.labels)
    return words


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
    about = {
        "arch": arch,
        "crop_size": options.cropSize,
        "mean": its.mean,
        "std": its.std,
        "interpolation": options.rz_interp[0],
    }
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
