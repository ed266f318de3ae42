"""Where a run can be followed while it lasts: one file for each tracker."""
