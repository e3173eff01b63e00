"""The store of JSON lines keeps the promises of the kit, a kill included."""

from __future__ import annotations

from pathlib import Path

from harness.testing import StorePromises
from harness_plugins.jsonl_store import JsonlStore


class TestPromises(StorePromises):
    def make(self) -> JsonlStore:
        return JsonlStore(self.url)

    def url_in(self, folder: Path) -> str:
        return f"jsonl:///{folder}/results"
