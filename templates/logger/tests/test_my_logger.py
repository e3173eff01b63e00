"""The promises of every logger (`harness.testing`)."""

from harness.testing import LoggerPromises


class TestMyLogger(LoggerPromises):
    spec = "my-logger"

    def logged(self, folder):
        path = folder / "my-logger.csv"
        return path.read_text("utf-8") if path.exists() else ""
