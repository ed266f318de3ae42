"""Two or more sides timed in turns, and what follows from the times."""

from __future__ import annotations

import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from networks.device import keep_freed_memory
from util.files import atomic_write

REFERENCE = "reference"


@dataclasses.dataclass(frozen=True)
class Row:
    """One measurement, a row of the table."""

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
    note: str = ""  # one line, beside the table
    details: str = ""  # Markdown: where the time goes, for a target that was not met


def alternate(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each side in each round. The sides take turns (A B C A B C ...), so that what
    else the machine does falls on all of them. All but the side called "reference" keep freed
    memory, as our scripts do; so each turn begins with a run that is not timed.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            keep_freed_memory(name != REFERENCE)
            run()
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def compare(
    what: str,
    unit: str,
    reference: Sequence[float],
    ours: Sequence[float],
    target: float,
    rate_of: float | None = None,
    note: str = "",
) -> Row:
    """A row from the seconds of both sides, round by round; better is faster, `target` times.

    With `rate_of`, the row shows that many things per second (images, say) instead of seconds.
    """
    ratios = [a / b for a, b in zip(reference, ours, strict=True)]
    ratio = statistics.median(ratios)
    shown = [statistics.median(rate_of / s if rate_of else s for s in x) for x in (reference, ours)]
    return Row(
        what,
        unit,
        shown[0],
        shown[1],
        ratio,
        min(ratios),
        max(ratios),
        len(ratios),
        f"{target:g} x",
        ratio >= target,
        note,
    )


def explained(row: Row, details: Callable[[], str], quick: bool) -> Row:
    """`row`, with `details` (which take time to measure) where its target was not met; a `quick`
    run's targets are not judged.
    """
    if quick:
        return dataclasses.replace(row, met=None)
    return row if row.met else dataclasses.replace(row, details=details())


def show(rows: Sequence[Row], path: str) -> None:
    """Print the rows, and write them into the JSON file `path`, if any."""
    for row in rows:
        print(
            f"{row.what}: reference {row.reference:.4g}, ours {row.ours:.4g} {row.unit};"
            f" {row.ratio:.2f} x ({row.low:.2f} to {row.high:.2f} over {row.rounds} rounds);"
            f" target {row.target}: {verdict(row)}{'; ' + row.note if row.note else ''}",
            flush=True,
        )
        if row.details:
            print(f"\n{row.details}\n")
    if path:
        with atomic_write(path) as file:
            json.dump([dataclasses.asdict(row) for row in rows], file, indent=1)


def verdict(row: Row) -> str:
    """Whether the target was met, in a word."""
    return "not judged" if row.met is None else "met" if row.met else "not met"
