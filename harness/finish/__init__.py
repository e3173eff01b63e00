"""From the rows of an experiment to its results: totals, metrics with intervals, drops, recoveries."""
