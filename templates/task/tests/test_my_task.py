"""The promises of every task (`harness.testing`), and of the dataset and the model that come with this one."""

import numpy as np
from harness_my_task import CLASSES, MyTask

from harness.testing import DatasetPromises, ModelPromises, TaskPromises


class TestMyTask(TaskPromises):
    spec = "my-task"
    classes = CLASSES

    def examples(self):
        scores = np.eye(3)
        return [(scores[0], 0), (scores[1], 2), (scores[2], 2), (scores[1], 0), (scores[1], 1)]

    def perfect(self, target):
        return np.eye(3)[target]


class TestMyTaskPatterns(DatasetPromises):
    spec = "my-task-patterns"


class TestMyTaskThresholds(ModelPromises):
    spec = "my-task-thresholds"
    dataset = "my-task-patterns"


def test_metrics_of_frames_counted_by_hand():
    task = MyTask(CLASSES)
    statistics = [task.score(np.eye(3)[found], right) for found, right in ((0, 0), (0, 2), (1, 1), (2, 2))]
    metrics = task.reduce(statistics)
    assert metrics["top1"] == [0.75]
    assert metrics["error"] == [0.5]
