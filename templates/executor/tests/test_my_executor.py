"""The promises of every executor (`harness.testing`)."""

from harness.testing import ExecutorPromises


class TestMyExecutor(ExecutorPromises):
    spec = "my-executor"
