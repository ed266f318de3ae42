"""Options of train.py that say how the weights are changed, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from options.declare import Condition, above, at_least, between, not_with, one_of, only_with, option
from options.probe import STEPS

_MORE_THAN_HEAD = Condition(
    lambda o: o.head_lr is None or o.freeze != "backbone", "with --head_lr and --freeze backbone"
)


@dataclass(frozen=True, kw_only=True)
class OptimisationOptions:
    """Optimisation."""

    optim: str = option(
        "adam",
        "adam, adamw or sgd",
        one_of("adam", "adamw", "sgd"),
        needs=[STEPS],
    )
    lr: float = option(
        0.0001, "learning rate (onecycle: its peak)", above(0), needs=[_MORE_THAN_HEAD, STEPS]
    )
    head_lr: float | None = option(
        None, "learning rate of the last layer [as --lr]", above(0), needs=[STEPS]
    )
    beta1: float = option(
        0.9,
        "first momentum of adam and adamw",
        between(0, 0.9999),
        needs=[only_with("optim", "adam", "adamw"), STEPS],
    )
    momentum: float = option(
        0.0,
        "Nesterov momentum of sgd",
        between(0, 0.9999),
        needs=[only_with("optim", "sgd"), STEPS],
    )
    weight_decay: float = option(
        0.0, "L2 penalty (adamw: decay apart from the gradient)", at_least(0), needs=[STEPS]
    )
    schedule: str = option(
        "plateau",
        "plateau (a tenth of the rate after --earlystop_epoch epochs without progress, end below"
        " 1e-6), onecycle (up to --lr and down to zero over the whole run) or reference_plateau"
        " (the reference's code: it forgets the best at each drop and then asks for 0.002)",
        one_of("plateau", "onecycle", "reference_plateau"),
        needs=[STEPS],
    )
    earlystop_epoch: int = option(
        5,
        "epochs that may fail to beat the best accuracy by 0.001 (plateau)",
        at_least(1),
        needs=[not_with("schedule", "onecycle"), STEPS],
    )
    accumulate: int = option(
        1,
        "send each batch through the network in N parts, for less memory; the step is the same but"
        " for batch norm, whose statistics are those of a part",
        at_least(1),
        needs=[STEPS],
    )
    ema: float = option(
        0.0,
        "decay of a moving average of the weights, which is validated and kept, as 0.999; 0: none",
        between(0, 0.999999),
        needs=[STEPS],
    )
    niter: int = option(10000, "most epochs", at_least(1), needs=[STEPS])
    max_steps: int | None = option(
        None, "most optimiser steps [no limit]", at_least(1), needs=[STEPS]
    )
