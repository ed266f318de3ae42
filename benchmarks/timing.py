"""Time two or more sides in turns, and compare the times."""

from __future__ import annotations

import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from networks.device import keep_freed_memory
from util.files import atomic_write

REFERENCE, OURS = "reference", "ours"
RETAINED = "reference, freed memory kept"  # the reference with the allocator's setting of ours


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One measurement: a row of the table."""

    what: str
    unit: str
    reference: float  # median over the rounds, as `ours`
    ours: float
    ratio: float  # median of the ratios of the rounds: above 1 where ours is better
    low: float  # smallest and largest ratio
    high: float
    rounds: int
    target: str
    met: bool | None  # None: not judged
    retained: float | None = None  # as `ratio`, with RETAINED instead of the reference
    limit: float | None = None  # the ratio that were left if nothing but `alone` took time
    alone: str = ""  # what no code of ours can save
    note: str = ""  # one line, beside the table
    details: str = ""  # Markdown: where the time goes, for a target that was not met


def alternate(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each side in each round.

    The sides take turns (A B C A B C ...), so that other load on the machine falls on all of them.
    All but the side called REFERENCE keep freed memory, as our scripts do; hence each turn begins
    with a run that is not timed. That side takes another turn with the memory kept, RETAINED: what
    ours gains on it is not the allocator's.
    """
    turns = {**sides, **({RETAINED: sides[REFERENCE]} if REFERENCE in sides else {})}
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, run in turns.items():
            keep_freed_memory(name != REFERENCE)
            run()
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def compare(
    what: str,
    unit: str,
    seconds: Mapping[str, Sequence[float]],
    *,
    target: float | None = None,
    ours: str = OURS,
    rate_of: float | None = None,
    alone: tuple[str, Sequence[float]] = ("", ()),
    note: str = "",
) -> Row:
    """Return a row from what `alternate` returns; met where the side `ours` is `target` x faster,
    and not judged without a target.

    With `rate_of`, the number of images in a run, say, the row shows images per second instead.
    `alone` names what no code of ours can save, and its seconds in each round.
    """
    ratios = _ratios(seconds[REFERENCE], seconds[ours])
    shown = [[rate_of / s if rate_of else s for s in seconds[side]] for side in (REFERENCE, ours)]
    name, its = alone
    row = row_of(
        what,
        unit,
        reference=shown[0],
        ours=shown[1],
        ratios=ratios,
        target="" if target is None else f"{target:g} x",
        met=None if target is None else statistics.median(ratios) >= target,
        note=note,
    )
    return dataclasses.replace(
        row,
        retained=statistics.median(_ratios(seconds[RETAINED], seconds[ours])),
        limit=statistics.median(_ratios(seconds[REFERENCE], its)) if name else None,
        alone=name,
    )


def row_of(
    what: str,
    unit: str,
    *,
    reference: Sequence[float],
    ours: Sequence[float],
    ratios: Sequence[float],
    target: str = "",
    met: bool | None = None,
    note: str = "",
) -> Row:
    """Return a row of the medians of what was measured in each round, and of its ratios."""
    return Row(
        what=what,
        unit=unit,
        reference=statistics.median(reference),
        ours=statistics.median(ours),
        ratio=statistics.median(ratios),
        low=min(ratios),
        high=max(ratios),
        rounds=len(ratios),
        target=target,
        met=met,
        note=note,
    )


def _ratios(slow: Sequence[float], fast: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(slow, fast, strict=True)]


def explained(row: Row, details: Callable[[], str], quick: bool) -> Row:
    """Add `details`, which take time to measure, to a row whose target was not met.

    In a `quick` run no target is judged.
    """
    if quick:
        return dataclasses.replace(row, met=None)
    return row if row.met else dataclasses.replace(row, details=details())


def show(rows: Sequence[Row], path: str) -> None:
    """Print the rows, and write them to the JSON file `path` unless it is ""."""
    for row in rows:
        print(
            f"{row.what}: reference {row.reference:.4g}, ours {row.ours:.4g} {row.unit};"
            f" {row.ratio:.2f} x ({row.low:.2f} to {row.high:.2f} over {row.rounds} rounds);"
            f" target {row.target or 'none'}: {verdict(row)}{'; ' + row.note if row.note else ''}",
            flush=True,
        )
        if row.details:
            print(f"\n{row.details}\n")
    if path:
        with atomic_write(path) as file:
            json.dump([dataclasses.asdict(row) for row in rows], file, indent=1)


def verdict(row: Row) -> str:
    """Return in a word whether the target was met."""
    return "not judged" if row.met is None else "met" if row.met else "not met"
