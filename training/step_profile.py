"""Where the time of training steps goes: torch's profiler over some steps of a run."""

from __future__ import annotations

import os
from types import TracebackType

from torch.profiler import profile, schedule, supported_activities

from util.console import say, warn
from util.torch_profile import largest_costs

SKIPPED, WARM_UP = 3, 2  # steps before those that are profiled: the first are like no other
COSTS = 5  # operators in the summary
FILE = "profile.json"


class StepProfile:
    """Profiles `steps` steps soon after the beginning, in the main process; 0: none."""

    def __init__(self, steps: int, folder: str) -> None:
        self.path, self.steps, self.is_done = os.path.join(folder, FILE), steps, False
        self.profiler: profile | None = None
        if steps:
            self.profiler = profile(
                activities=supported_activities(),
                schedule=schedule(wait=SKIPPED, warmup=WARM_UP, active=steps, repeat=1),
                on_trace_ready=self._report,
            )

    def __enter__(self) -> StepProfile:
        if self.profiler:
            self.profiler.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.profiler:
            self.profiler.stop()
            if not self.is_done and error is None:
                least = SKIPPED + WARM_UP + self.steps
                warn(f"--profile {self.steps}: nothing was written, as it takes {least} steps")

    def step(self) -> None:
        """Take note of the end of a step."""
        if self.profiler:
            self.profiler.step()

    def _report(self, traced: profile) -> None:
        """Write the trace, and say which operators cost the most."""
        if traced.step_num < SKIPPED + WARM_UP + self.steps:  # the run ended amid them
            return
        self.is_done = True
        traced.export_chrome_trace(self.path)
        say(f"{largest_costs(traced, COSTS)}\n{self.path}: the trace, for https://ui.perfetto.dev")
