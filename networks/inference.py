"""A network made fast for scoring: batch norms folded into convolutions, optionally compiled."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from networks.tiled import Tiled
from util.errors import UsageError, one_line


def for_inference(network: nn.Module, compile: bool = False) -> nn.Module:
    """Return a copy of `network` that gives the same logits (N, 1), faster; `network` stays.

    Batch norms are folded into the convolutions before them, weights are channels last. In fp32 the
    logits differ by rounding alone. A network that torch.fx cannot trace is only copied.

    With `compile`, torch.compile makes kernels for it, on a CPU with the weights frozen into them:
    some seconds at the first batch, and again at the first of a single image; other sizes need
    none. Meant for `torch.inference_mode()`. Raises UsageError, here or at the first batch, where
    torch.compile does not work, as without a C++ compiler.
    """
    device = next(network.parameters()).device
    plain = copy.deepcopy(network).eval().cpu()  # where there is double precision to fold in
    fast = _folded(plain).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    fast.requires_grad_(False)
    return _Compiled(fast) if compile else fast


def _folded(network: nn.Module) -> nn.Module:
    """Return `network`, in evaluation mode, with its batch norms folded; it may be changed."""
    if isinstance(network, Tiled):  # how it walks depends on the image, which cannot be traced
        network.network = _folded(network.network)
        return network
    try:
        traced = fx.symbolic_trace(network)
    except Exception:  # control flow that depends on the data, and whatever else tracing meets
        return network
    for norm_node, conv_node in list(_pairs(traced)):
        norm = traced.get_submodule(str(norm_node.target))
        conv = traced.get_submodule(str(conv_node.target))
        kind = next(conv.parameters()).dtype
        # in double precision: the folding itself shall not add to the rounding of the network
        fused = fuse_conv_bn_eval(conv.double(), norm.double()).to(kind)  # type: ignore[type-var, arg-type]
        traced.set_submodule(str(conv_node.target), fused)
        norm_node.replace_all_uses_with(conv_node)
        traced.graph.erase_node(norm_node)
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


def _pairs(traced: fx.GraphModule) -> Iterator[tuple[fx.Node, fx.Node]]:
    """Yield each batch norm whose input is a convolution that nothing else reads, with that
    convolution; both run once only.
    """
    calls = [node.target for node in traced.graph.nodes if node.op == "call_module"]
    for node in traced.graph.nodes:
        if not _calls(traced, node, nn.BatchNorm2d) or not node.args:
            continue
        before = node.args[0]
        if (
            isinstance(before, fx.Node)
            and _calls(traced, before, nn.Conv2d)
            and len(before.users) == 1
            and calls.count(node.target) == calls.count(before.target) == 1
            and traced.get_submodule(str(node.target)).running_mean is not None
        ):
            yield node, before


def _calls(traced: fx.GraphModule, node: fx.Node, kind: type[nn.Module]) -> bool:
    return node.op == "call_module" and isinstance(traced.get_submodule(str(node.target)), kind)


class _Compiled(nn.Module):
    """A compiled network whose compiler's failures are told in one line."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        import torch._inductor.config as inductor  # noqa: PLC0415 (takes seconds; not all need it)

        self.freeze = next(network.parameters()).device.type == "cpu"
        if self.freeze:
            _require_compiler()
        self.inductor = inductor
        # dynamic from the start: the kernels are as fast, and a second size costs no compilation
        self.compiled = torch.compile(network, dynamic=True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return (N, 1) logits of (N, 3, H, W) normalized images."""
        from torch._dynamo.exc import BackendCompilerFailed  # noqa: PLC0415

        try:
            # around the call, not among torch.compile's options: tracing, too, must know
            with self.inductor.patch(freezing=self.freeze):
                logits: torch.Tensor = self.compiled(images)
        except BackendCompilerFailed as error:
            raise _not_compiled(error) from error
        return logits


def _require_compiler() -> None:
    from torch._inductor import cpp_builder  # noqa: PLC0415

    try:
        cpp_builder.get_cpp_compiler()
    except RuntimeError as error:
        raise _not_compiled(error) from error


def _not_compiled(error: Exception) -> UsageError:
    error = getattr(error, "inner_exception", error)  # what the compiler itself raised
    reason = next((line for line in str(error).splitlines() if line.strip()), "no reason given")
    return UsageError(
        f"--compile: torch.compile does not work here ({type(error).__name__}: {one_line(reason)});"
        " install a C++ compiler such as g++, or leave --compile out"
    )
