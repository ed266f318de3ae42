"""What no test may hold to: what one machine's processor, clock or versions gave."""

from __future__ import annotations

import ast
import pathlib
import re
from collections.abc import Iterator

import pytest

from tests.commands import ROOT

TESTS = sorted((ROOT / "tests").glob("*.py"))
HELPERS = ("tolerances.py", "test_suite_rules.py")
TOLERANCES = {"abs", "rel", "atol", "rtol", "delta", "places", "decimal", "significant"}
COMPARES = {"allclose", "isclose", "assert_close", "assert_allclose"}
COMPARES |= {"assert_almost_equal", "assert_array_almost_equal", "assertAlmostEqual"}
CLOCKS = {"perf_counter", "monotonic", "process_time", "thread_time", "perf_counter_ns", "time_ns"}
CLOCKS |= {"monotonic_ns", "timeit"}
# Where a clock is read, and why nothing depends on what it says.
MAY_READ_A_CLOCK = {
    "test_benchmarks.py": "names the one that it replaces",
    "test_rehearsal.py": "prints how long the commands take; asserts nothing of it",
}
PROCESSORS = r"EPYC|Xeon|Ryzen|Epyc|GenuineIntel|AuthenticAMD|avx(2|512)|amx|sse4|x86_64|aarch64"
PACKAGES = r"(torch|torchvision|numpy|pillow|scipy|opencv|sklearn|matplotlib)\W{1,4}v?\d+\.\d+"


def wrong(source: str, name: str = "test_x.py") -> list[str]:
    """The lines of a test that hold to a machine, each with what is wrong with it."""
    found: set[tuple[int, str]] = set()
    for node in ast.walk(ast.parse(source)):
        line = getattr(node, "lineno", 0)
        if (isinstance(node, ast.Call) and _has_a_tolerance(node)) or _is_small_difference(node):
            found.add((line, "a tolerance: use a helper of tests/tolerances.py"))
        if name not in MAY_READ_A_CLOCK and _reads_a_clock(node):
            found.add((line, "a clock: bound what is done, not how long it takes"))
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if re.search(rf"{PROCESSORS}|{PACKAGES}", node.value):
                found.add((line, "a processor or a version: it is another elsewhere"))
            if re.fullmatch(r"[0-9a-f]{16,}", node.value):
                found.add((line, "a hash: other libraries give other bits"))
    return [f"{name}:{line}: {what}" for line, what in sorted(found)]


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _has_a_tolerance(call: ast.Call) -> bool:
    called = _last_name(call.func)
    named = {keyword.arg for keyword in call.keywords} & TOLERANCES
    return bool(named) or called in COMPARES or (called == "approx" and len(call.args) > 1)


def _reads_a_clock(node: ast.AST) -> bool:
    if isinstance(node, ast.alias):
        return node.name in CLOCKS
    if isinstance(node, ast.Attribute):
        return node.attr in CLOCKS or ast.unparse(node) == "time.time"
    return False


def _is_small_difference(node: ast.AST) -> bool:
    """Whether it is as in `abs(a - b) < 0.001`, in Python, numpy or torch."""
    if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.Lt | ast.LtE):
        return False
    bound = node.comparators[0]
    if not isinstance(bound, ast.Constant) or not isinstance(bound.value, float):
        return False
    return bound.value < 0.1 and bool({"abs", "absolute", "norm"} & set(_names(node.left)))


def _names(node: ast.expr) -> Iterator[str]:
    return (_last_name(part) for part in ast.walk(node) if isinstance(part, ast.expr))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_no_test_holds_to_one_machine(path: pathlib.Path) -> None:
    if path.name not in HELPERS:
        assert wrong(path.read_text(), path.name) == []


@pytest.mark.parametrize(
    "line",
    [
        "torch.testing.assert_close(a, b, rtol=0, atol=1e-4 * scale)",
        "torch.testing.assert_close(a, b)",
        "np.testing.assert_allclose(a, b)",
        "assert a == pytest.approx(b, abs=1e-4)",
        "assert a == pytest.approx(b, 1e-4)",
        "assert np.isclose(a, b)",
        "assert (a - b).abs().max() < 1e-4",
        "assert np.abs(a - b).max() <= 0.001",
        "assert time.monotonic() - started < 5",
        "started = time.time()",
        "from time import perf_counter",
        "assert 'torch 2.14' in text",
        "assert processor == 'AMD EPYC'",
        f"assert digest == '{'0a' * 32}'",
    ],
)
def test_what_is_ruled_out_is_found(line: str) -> None:
    assert len(wrong(line)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "assert a == pytest.approx(b)  # of doubles",
        "assert a == near(b, 0.1, 'of 100 draws')",
        "assert loss < 0.3",
        "assert abs(peak) < 0.6",
        "time.sleep(0.01)",
        "assert state['rate'] < 1e-4",
    ],
)
def test_what_is_allowed_is_not(line: str) -> None:
    assert wrong(line) == []
