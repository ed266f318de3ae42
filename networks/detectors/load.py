"""From the file of a published detector to its network: to the key, or one line that says why."""

from __future__ import annotations

from torch import nn

from networks.detectors.release import Blueprint, Release, State
from networks.timm_models import backbone_state
from networks.weights import Weights, load_weights, state_dict
from util.checkpoint import read_checkpoint
from util.errors import UsageError

BACKBONE = "backbone."  # before the keys of a frozen backbone in the network


def load_released(
    release: Release, name: str, *, path: str, backbone: str = ""
) -> tuple[nn.Module, Blueprint]:
    """Return the network that the file at `path` makes, on the CPU, and how its input is made.

    `backbone` is the file of the frozen backbone, for a detector whose own lacks it; "": fetched.
    Raises UsageError where a file is missing, or does not fit to the key.
    """
    if backbone and not release.backbone:
        raise UsageError(
            f"--detector {name}:{path},{backbone}: its file holds all of it; leave {backbone} out"
        )
    if release.backbone_file and not backbone:
        raise UsageError(
            f"--detector {name}:{path}: needs the file of its backbone after a comma, from"
            f" {release.backbone_file}"
        )
    blueprint = _blueprint(release, name, path)
    state = blueprint.state
    if release.backbone:
        wanted = blueprint.network.state_dict()
        theirs, head = backbone_state(release.backbone, backbone)
        state = state | {
            BACKBONE + key: value
            for key, value in theirs.items()
            # the backbone's own head is no part of a detector that ends before it
            if not key.startswith(head) or BACKBONE + key in wanted
        }
    load_weights(blueprint.network, Weights(path, _plain(state)), f"--detector {name}", assign=True)
    return blueprint.network.eval(), blueprint


def check_released(release: Release, name: str, path: str) -> None:
    """Raise UsageError unless the file at `path` fits to the key, but for a frozen backbone that it
    lacks; ModuleMissing where that cannot be known without timm.
    """
    blueprint = _blueprint(release, name, path)
    wanted = blueprint.network.state_dict() if release.backbone else {}
    frozen = {key: value for key, value in wanted.items() if key.startswith(BACKBONE)}
    state = {**frozen, **blueprint.state}
    load_weights(blueprint.network, Weights(path, state), f"--detector {name}", assign=True)


def _blueprint(release: Release, name: str, path: str) -> Blueprint:
    own = state_dict(path, read_checkpoint(path))
    try:
        return release.blueprint(dict(own))
    except KeyError as error:
        raise UsageError(
            f"{path}: is no file of --detector {name}: the key {error} is missing"
        ) from error


def _plain(state: State) -> State:
    """Return the tensors in single precision: released files are stored in half, too."""
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
