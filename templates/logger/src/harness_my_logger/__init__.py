"""The logger `my-logger`: a line of CSV for each metric of each experiment that has finished.

It writes to `my-logger.csv` in the working directory, or to the file that MY_LOGGER_FILE names.
"""

import csv
import os
from pathlib import Path

from harness import hookimpl

COLUMNS = ("run", "experiment", "status", "metric", "value", "ci_low", "ci_high")


@hookimpl
def harness_experiment_finished(run, experiment, status, metrics):
    """A hook takes the arguments that it needs, by name, and leaves the others out."""
    path = Path(os.environ.get("MY_LOGGER_FILE") or "my-logger.csv")
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(COLUMNS)
        writer.writerows((run, experiment.label, status, m.metric, m.value, m.ci_low, m.ci_high) for m in metrics)
