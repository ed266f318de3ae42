"""The options of a probe, and which others it makes void."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from options.declare import Condition, at_least, if_given, one_of, only_with, option


def only_probes(options: Any) -> bool:  # noqa: ANN401 (TrainOptions, which are made of these)
    """Return whether the run is a probe alone: all that may learn is fitted without a step."""
    return bool(options.probe) and options.freeze == "backbone"


STEPS = Condition(lambda o: not only_probes(o), "with --probe and --freeze backbone")


@dataclass(frozen=True, kw_only=True)
class ProbeOptions:
    """Probe."""

    probe: str = option(
        "",
        "first fit the last layer on the backbone's features, which are computed once and kept:"
        " linear (in batches, to the best validation accuracy) or logistic (scikit-learn's, its C"
        " chosen by validation AP); with --freeze backbone that is all of the run [none]",
        if_given(one_of("linear", "logistic")),
    )
    views: int = option(
        1,
        "show the probe each training image as the first N epochs would",
        at_least(1),
        needs=[only_with("probe")],
    )
