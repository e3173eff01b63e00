"""The kit for authors of plugins: classes to inherit in pytest, one for each kind, with a test for each promise.

::

    from harness.testing import CodecPromises

    class TestMyCodec(CodecPromises):
        spec = "my-codec"        # as on the command line; or override make() to give the object

Each promise that is broken fails with a sentence that says what was found, and what to do. `harness plugins test NAME`
tries the same promises without a file of tests, and without pytest.
"""

from harness.testing.codec import CodecPromises
from harness.testing.configured import ConfiguredPromises
from harness.testing.dataset import DatasetPromises
from harness.testing.executor import ExecutorPromises
from harness.testing.logger import LoggerPromises
from harness.testing.runner import Outcome, outcomes
from harness.testing.store import StorePromises
from harness.testing.task import TaskPromises
from harness.testing.tools.base import Promises
from harness.testing.tools.broken import BrokenPromiseError
from harness.testing.training import ModelPromises

__all__ = [
    "BrokenPromiseError",
    "CodecPromises",
    "ConfiguredPromises",
    "DatasetPromises",
    "ExecutorPromises",
    "LoggerPromises",
    "ModelPromises",
    "Outcome",
    "Promises",
    "StorePromises",
    "TaskPromises",
    "outcomes",
]
