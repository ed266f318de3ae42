"""The backbones of timm, which is needed for `--arch timm:NAME` and for some detectors alone."""

from __future__ import annotations

import functools
import logging
import os
import urllib.request
from typing import Any

import torch
from torch import Tensor, nn

from networks.architectures import Architecture, Triple
from util.errors import UsageError, one_line

PREFIX = "timm:"  # before the name of a backbone; @SIZE after it gives another size of its input
ONLINE_SECONDS = 0.8  # to answer in: without network, the hub's library tries for most of a minute


class ModuleMissing(UsageError):
    """What is not installed is needed."""


def import_timm() -> Any:  # noqa: ANN401 (timm is not always there to name its types)
    """Return the module timm; raise ModuleMissing where it is not installed."""
    try:
        import timm  # noqa: PLC0415
    except ImportError as error:
        raise ModuleMissing(
            "this network needs timm: pip install -r requirements-timm.txt"
        ) from error
    return timm


@functools.cache
def timm_architecture(name: str) -> Architecture:
    """Return what timm knows of "timm:NAME" or "timm:NAME@SIZE"; raise UsageError for an unknown
    name, or a size that it does not take.
    """
    with torch.device("meta"):
        network = _create(name)
    its = network.pretrained_cfg
    if not isinstance(its.get("classifier"), str) or not isinstance(its.get("first_conv"), str):
        raise UsageError(f"--arch {name}: has not one head and one first layer, as is needed here")
    stem = its["first_conv"].partition(".")[0]
    stages = [info["module"] for info in network.feature_info]
    stages = [path for path in stages if path.partition(".")[0] != stem and _learns(network, path)]
    before = list(dict(network.named_children()))
    before = before[: before.index(stages[0].partition(".")[0])]
    bare = [path for path, _ in network.named_parameters(recurse=False)]  # a class token, say
    size = its["input_size"][1] if "@" not in name else int(name.rpartition("@")[2])
    tokens = hasattr(network, "num_prefix_tokens")
    return Architecture(
        build=lambda: _create(name),
        head=its["classifier"],
        # what a class token is made of depends on the others through the last attention alone
        features=f"{stages[-1]}.norm1" if tokens else stages[-1],
        layout="tokens" if tokens else getattr(network, "output_fmt", "NCHW"),
        prefix_tokens=getattr(network, "num_prefix_tokens", 0),
        stem=(*bare, *before),
        stages=tuple(stages),
        mean=_triple(its["mean"]),
        std=_triple(its["std"]),
        size=size,
        any_size=not its.get("fixed_input_size", False),
        interpolation=its["interpolation"],
    )


def timm_pretrained(name: str, file: str = "") -> nn.Module:
    """Return the network of "timm:NAME" with its library's pretrained weights and a new head of
    one logit: those of `file`, by timm's own converter, or else from the hub.

    Raises UsageError where the weights do not fit to the key, are not there, or cannot be fetched.
    """
    network = _create(name, file=file or None, pretrained=True)
    network.reset_classifier(1)
    result: nn.Module = network
    return result


def backbone_state(name: str, file: str = "") -> tuple[dict[str, Tensor], str]:
    """Return the pretrained weights of timm's `name` (without "timm:") under timm's keys, and how
    the keys of its own head begin; from `file`, or else from the hub. Raises what `timm_pretrained`
    does.
    """
    network = _create(PREFIX + name, file=file or None, pretrained=True)
    return network.state_dict(), f"{network.pretrained_cfg['classifier']}."


def _create(name: str, file: str | None = None, pretrained: bool = False) -> Any:  # noqa: ANN401
    """Build "timm:NAME[@SIZE]": with one logit, or with pretrained weights and their own head."""
    timm = import_timm()
    plain, _, size = name.removeprefix(PREFIX).partition("@")
    known = timm.is_model(plain) and ("." not in plain or timm.is_model_pretrained(plain))
    if not known:
        near = ", ".join(timm.list_models(f"*{plain.split('_')[0]}*")[:3])
        raise UsageError(f"--arch {name}: timm has no such model{near and f'; it has {near}, ...'}")
    if size and not size.isdigit():
        raise UsageError(f"--arch {name}: the size after @ must be a number, as in @224")
    wanted: dict[str, Any] = {"img_size": int(size)} if size else {}
    if not pretrained:
        wanted["num_classes"] = 1
    elif file:
        if not os.path.isfile(file):
            raise UsageError(f"{file}: no such weights file")
        wanted |= {"pretrained": True, "pretrained_cfg_overlay": {"file": file}}
    else:
        _require_hub(timm, name, plain)
        wanted["pretrained"] = True
    logging.getLogger("timm").setLevel(logging.ERROR)  # what it notes is said here, or an error
    try:
        network = timm.create_model(plain, **wanted)
    except Exception as error:  # what a library raises of a file, a network, or a size is its own
        what = file or f"{name} with weights of the hub" if pretrained else f"--arch {name}"
        raise UsageError(f"{what}: timm cannot build it ({one_line(str(error))[:300]})") from error
    return network


def _require_hub(timm: Any, name: str, plain: str) -> None:  # noqa: ANN401
    """Raise UsageError, within a second, where the weights are neither here nor to be fetched."""
    from huggingface_hub import constants, try_to_load_from_cache  # noqa: PLC0415

    its = timm.get_pretrained_cfg(plain)
    if its is None or not (its.hf_hub_id or its.url):
        raise UsageError(f"--arch {name}: timm has no pretrained weights of it; use --init scratch")
    repository = (its.hf_hub_id or "") + (plain if (its.hf_hub_id or "").endswith("/") else "")
    for file in ("model.safetensors", "pytorch_model.bin", "open_clip_pytorch_model.bin"):
        if repository and isinstance(try_to_load_from_cache(repository, file), str):
            return
    address = constants.ENDPOINT
    try:
        if constants.HF_HUB_OFFLINE:
            raise OSError("HF_HUB_OFFLINE is set")
        urllib.request.urlopen(address, timeout=ONLINE_SECONDS).close()
    except OSError as error:
        raise UsageError(
            f"--arch {name}: its weights, model.safetensors of {address}/{repository}, could not be"
            f" fetched ({one_line(str(error))}); download that file and name it (--init FILE, or"
            " after the comma of --detector NAME:FILE,BACKBONE_FILE)"
        ) from error


def _learns(network: nn.Module, path: str) -> bool:
    return any(True for _ in network.get_submodule(path).parameters())


def _triple(values: Any) -> Triple:  # noqa: ANN401
    red, green, blue = map(float, values)
    return red, green, blue
